// What a mapper is written with: turns records into calls of a partner's functions, and what these say into rows.
//
// A partner is `{ partner, version, kinds, records }`. `kinds` names the canonical fields that are written, each with what
// its values are: text, integer, number, boolean, reference (a source id) or nested (a list or an object). `records` has a
// function for each record type: `(record, ancestors, options, out)`.

// What stands before a value in a row; see `wit/v1/mapper.wit`.
const TAGS = { text: 0, integer: 1, number: 2, reference: 5, nested: 6 };
const FALSE = 3;
const TRUE = 4;

// Unicode's White_Space, which is neither what `\s` nor what `trim` takes for it.
const SPACE = "[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const AROUND = new RegExp(`^${SPACE}+|${SPACE}+$`, "g");
const FIRST_WORD = new RegExp(`^(.*?)${SPACE}+(.*)$`, "s");

// What the component exports as `mapping`.
export function mapper({ partner, version, kinds, records }) {
  const names = Object.keys(records);
  const profile = Object.entries(kinds).map(([name, fields]) => ({ name, fields: Object.keys(fields) }));
  return {
    describe: () => ({ partner, version, records: names, kinds: profile }),
    convert(options, inputs) {
      const chosen = parse(options);
      return inputs.map(({ of, body, ancestors }) => {
        const out = new Contributions(kinds);
        try {
          records[names[of]](parse(body), parse(ancestors), chosen, out);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          out.say("error", error.code, error.pointer, error.message);
          return { outcome: { tag: "refused" }, diagnostics: out.diagnostics };
        }
        return { outcome: { tag: "contributions", val: out.rows() }, diagnostics: out.diagnostics };
      });
    },
  };
}

// Why nothing good can be said of a record: throw it. The message is for people, by shape, never by value.
export class Refusal extends Error {
  constructor(code, pointer, message) {
    super(message);
    this.code = code;
    this.pointer = pointer;
  }
}

// What is said of one record.
class Contributions {
  #kinds;
  #numbers;
  #bytes = [];
  diagnostics = [];

  constructor(kinds) {
    this.#kinds = kinds;
    this.#numbers = new Map(Object.keys(kinds).map((name, number) => [name, number]));
  }

  // Says `fields` of the entity of a kind that the partner knows by `sourceId`. What is undefined or null is not said.
  add(kind, sourceId, fields) {
    const known = this.#kinds[kind];
    const said = Object.keys(known).flatMap((name, number) => {
      const value = fields[name];
      return value === undefined || value === null ? [] : [[number, known[name], value]];
    });
    const unknown = Object.keys(fields).find((name) => !(name in known));
    if (unknown !== undefined) throw new Error(`the kind ${kind} has no field ${unknown}`);
    this.#short(this.#numbers.get(kind));
    this.#text(sourceId);
    this.#short(said.length);
    for (const [number, type, value] of said) {
      this.#short(number);
      this.#value(type, value);
    }
  }

  // Something to say beside, of the place `pointer` in the record; by shape, never by value.
  warn(code, pointer, message) {
    this.say("warning", code, pointer, message);
  }

  say(severity, code, pointer, message) {
    this.diagnostics.push({ severity, code, pointer, message });
  }

  rows() {
    return Uint8Array.from(this.#bytes);
  }

  #value(type, value) {
    if (type === "boolean") {
      this.#bytes.push(value ? TRUE : FALSE);
      return;
    }
    this.#bytes.push(TAGS[type]);
    if (type === "integer") {
      const bits = BigInt.asUintN(64, BigInt(value));
      for (let shift = 0n; shift < 64n; shift += 8n) this.#bytes.push(Number((bits >> shift) & 0xffn));
    } else {
      this.#text(type === "nested" ? JSON.stringify(value) : String(value));
    }
  }

  #short(number) {
    this.#bytes.push(number & 0xff, number >> 8);
  }

  #text(text) {
    const bytes = unescape(encodeURIComponent(text));
    const length = bytes.length;
    this.#bytes.push(length & 0xff, (length >> 8) & 0xff, (length >> 16) & 0xff, length >>> 24);
    for (let at = 0; at < length; at += 1) this.#bytes.push(bytes.charCodeAt(at));
  }
}

// Reads JSON. An integer that a number cannot hold becomes a `BigInt`, so that no two ids meet.
export function parse(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + 4096));
  }
  text = decodeURIComponent(escape(text));
  return /\d{16}/.test(text) ? JSON.parse(text, exact) : JSON.parse(text);
}

function exact(_, value, { source }) {
  const rounded = typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source);
  return rounded ? BigInt(source) : value;
}

// The first word of a person's name and the rest; the same word twice where there is only one.
export function split(name) {
  const trimmed = name.replace(AROUND, "");
  const words = FIRST_WORD.exec(trimmed);
  return words ? [words[1], words[2]] : [trimmed, trimmed];
}

// A name or code that stands in a source id: without `/`, which divides its parts, and in a way that no two names meet.
export function escaped(name) {
  return name.replaceAll("%", "%25").replaceAll("/", "%2F");
}

// Texts in the order of their characters' numbers, each once. (`sort` would go by halves of characters.)
export function distinct(texts) {
  const keyed = [...new Set(texts)].map((text) => [Array.from(text, (letter) => letter.codePointAt(0)), text]);
  keyed.sort(([one], [other]) => {
    const at = one.findIndex((number, nth) => number !== other[nth]);
    return at < 0 ? one.length - other.length : one[at] - (other[at] ?? -1);
  });
  return keyed.map(([, text]) => text);
}
