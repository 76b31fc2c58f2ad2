"""The template, and a record type more: it looks for whatever could tell it where and when it runs, and says what it saw."""

import datetime
import encodings.idna  # looks for names with it, and there is only what was imported
import json
import os
import random
import socket
import sys
import time
import uuid

import jusoor
from rollcall import Mapper


def recurse():
    return 1 + recurse()


def grow():
    held = []
    while True:
        held.append(bytearray(1 << 20))


def loop():
    while True:
        pass


def attempt(act):
    try:
        act()
        return "done"
    except Exception as error:
        return type(error).__name__


def wait():
    # A minute that must not pass: the clock stands still, and who waits for it is let go on at once.
    before = time.monotonic()
    time.sleep(60)
    return time.monotonic() - before


LOOKS = {
    "clock": lambda: [time.time(), time.monotonic(), time.perf_counter(), str(datetime.datetime.now()), wait()],
    "random": lambda: [os.urandom(4).hex(), random.SystemRandom().random(), str(uuid.uuid4()), random.random()],
    "environment": lambda: [dict(os.environ), sys.argv],
    "file": lambda: [
        attempt(lambda: open("/etc/passwd")), attempt(lambda: os.listdir("/")), attempt(lambda: open("mark", "w")),
        attempt(lambda: os.stat("/")),
    ],
    "socket": lambda: [
        attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect(("127.0.0.1", 9))),
        attempt(lambda: socket.getaddrinfo("localhost", 9)),
        attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    ],
    "nothing": lambda: [],
    "print": lambda: [print("a" * 100_000), print("b" * 100_000, file=sys.stderr)],
    "throw": lambda: [][1],
    "exit": lambda: os._exit(0),
    "recurse": recurse,
    "grow": grow,
    "loop": loop,
}


def look(record, _, __, out):
    out.add("org", record["at"], name=json.dumps(LOOKS[record["at"]]()), type="school", identifier=record["at"])


MAPPER = Mapper(
    partner="jusoor", version="0.1.0", kinds=jusoor.KINDS, records={**jusoor.RECORDS, "Look": look},
)


class Mapping:
    """What the component exports."""

    def describe(self):
        return MAPPER.describe()

    def convert(self, options, inputs):
        return MAPPER.convert(options, inputs)
