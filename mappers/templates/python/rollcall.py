"""What a mapper is written with: turns records into calls of a partner's functions, and what these say into rows.

`KINDS` of a partner names the canonical fields that are written, each with what its values are: text, integer, number,
boolean, reference (a source id) or nested (a list or an object). `RECORDS` has a function for each record type:
`(record, ancestors, options, out)`.
"""

import json
import re
import struct

from wit_world.exports import mapping

# What stands before a value in a row; see `wit/v1/mapper.wit`.
TAGS = {"text": 0, "integer": 1, "number": 2, "reference": 5, "nested": 6}
FALSE = 3
TRUE = 4

# Unicode's White_Space, which is not quite what `str.strip` takes for it.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
FIRST_SPACE = re.compile(f"[{SPACE}]")

SEVERITIES = {"info": mapping.Severity.INFO, "warning": mapping.Severity.WARNING, "error": mapping.Severity.ERROR}


class Refusal(Exception):
    """Why nothing good can be said of a record: raise it. The message is for people, by shape, never by value."""

    def __init__(self, code, pointer, message):
        super().__init__(message)
        self.code, self.pointer, self.message = code, pointer, message


class Contributions:
    """What is said of one record."""

    def __init__(self, kinds):
        self.kinds = kinds
        self.rows = bytearray()
        self.diagnostics = []

    def add(self, kind, source_id, **fields):
        """Says `fields` of the entity of a kind that the partner knows by `source_id`. What is None is not said."""
        number, known = self.kinds[kind]
        said = sorted((known[name][0], known[name][1], value) for name, value in fields.items() if value is not None)
        self.rows += struct.pack("<H", number) + text(source_id) + struct.pack("<H", len(said))
        for place, kind_of_value, value in said:
            self.rows += struct.pack("<H", place) + packed(kind_of_value, value)

    def warn(self, code, pointer, message):
        """Something to say beside, of the place `pointer` in the record; by shape, never by value."""
        self.say("warning", code, pointer, message)

    def say(self, severity, code, pointer, message):
        self.diagnostics.append(mapping.Diagnostic(SEVERITIES[severity], code, pointer, message))


class Mapper:
    """What the component exports as `mapping`, of a partner's `KINDS` and `RECORDS`."""

    def __init__(self, partner, version, kinds, records):
        self.kinds = {
            name: (number, {field: (place, of) for place, (field, of) in enumerate(fields.items())})
            for number, (name, fields) in enumerate(kinds.items())
        }
        self.records = list(records.values())
        described = [mapping.Kind(name, list(fields)) for name, fields in kinds.items()]
        self.profile = mapping.Profile(partner, version, list(records), described)

    def describe(self):
        return self.profile

    def convert(self, options, inputs):
        chosen = json.loads(options)
        return [self.answer(chosen, given) for given in inputs]

    def answer(self, options, given):
        out = Contributions(self.kinds)
        try:
            self.records[given.of](json.loads(given.body), json.loads(given.ancestors), options, out)
        except Refusal as refusal:
            out.say("error", refusal.code, refusal.pointer, refusal.message)
            return mapping.Answer(mapping.Outcome_Refused(), out.diagnostics)
        return mapping.Answer(mapping.Outcome_Contributions(bytes(out.rows)), out.diagnostics)


def packed(of, value):
    if of == "boolean":
        return bytes([TRUE if value else FALSE])
    if of == "integer":
        return struct.pack("<Bq", TAGS[of], value)
    said = json.dumps(value, ensure_ascii=False) if of == "nested" else str(value)
    return bytes([TAGS[of]]) + text(said)


def text(said):
    encoded = said.encode()
    return struct.pack("<I", len(encoded)) + encoded


def split(name):
    """The first word of a person's name and the rest; the same word twice where there is only one."""
    name = name.strip(SPACE)
    words = FIRST_SPACE.split(name, maxsplit=1)
    return (words[0], words[1].lstrip(SPACE)) if len(words) == 2 else (name, name)


def escape(name):
    """A name or code that stands in a source id: without `/`, which divides its parts, and so that no two names meet."""
    return name.replace("%", "%25").replace("/", "%2F")
