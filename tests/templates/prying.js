// The template, and a record type more: it looks for whatever could tell it where and when it runs, and says what it saw.

import { jusoor } from "./jusoor.js";
import { mapper } from "./rollcall.js";

// What ECMAScript has.
const LANGUAGE = new Set(`
  AggregateError Array ArrayBuffer AsyncDisposableStack BigInt BigInt64Array BigUint64Array Boolean DataView Date DisposableStack
  Error EvalError FinalizationRegistry Float16Array Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array
  Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String
  SuppressedError Symbol SyntaxError TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef
  WeakSet decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval globalThis isFinite isNaN parseFloat parseInt
  undefined unescape`.trim().split(/\s+/));

const attempt = (act) => {
  try {
    act();
    return "done";
  } catch (error) {
    return error.name;
  }
};

const wait = () => {
  const before = Date.now();
  for (let left = 100_000; left > 0 && Date.now() === before; left -= 1);
  return Date.now() - before;
};

const LOOKS = {
  clock: () => [Date.now(), new Date().toISOString(), new Date().getTimezoneOffset(), performance.now() - performance.now(), wait()],
  random: () => [Math.random(), Math.random()],
  environment: () => [
    attempt(() => process.env), attempt(() => Deno.env), attempt(() => std.getenv("PATH")), attempt(() => scriptArgs),
  ],
  file: () => [
    attempt(() => require("fs").readFileSync("/etc/passwd")), attempt(() => std.loadFile("/etc/passwd")),
    attempt(() => os.readdir("/")), attempt(() => std.open("mark", "w")),
  ],
  socket: () => [
    attempt(() => fetch("http://127.0.0.1:9")), attempt(() => new WebSocket("ws://127.0.0.1:9")),
    attempt(() => new XMLHttpRequest()), attempt(() => require("net").connect(9)),
  ],
  beside: () => Object.getOwnPropertyNames(globalThis).filter((name) => !LANGUAGE.has(name)).sort(),
  nothing: () => [],
  throw: () => { throw new Error("a secret"); },
  recurse: () => { const again = () => 1 + again(); return again(); },
  grow: () => { for (const all = []; ; ) all.push(new Uint8Array(1 << 20)); },
  loop: () => { for (;;); },
};

const look = ({ at }, _, __, out) =>
  out.add("org", at, { name: JSON.stringify(LOOKS[at]()), type: "school", identifier: at });

export const mapping = mapper({ ...jusoor, records: { ...jusoor.records, Look: look } });
