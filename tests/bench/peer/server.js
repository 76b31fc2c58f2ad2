// The peer that Rollcall is measured against. Usage: node server.js DATABASE SYNCHRONOUS
// Listens on a free port and prints its address; a line on standard input that says anything ends it after printing its
// peak memory in bytes.

import Fastify from "fastify";

import { map } from "./map.js";
import { mirror } from "./schema.js";
import { open } from "./store.js";

const [path, synchronous] = process.argv.slice(2);
const store = open(path, synchronous);

const app = Fastify({
  bodyLimit: 128 * 1024 * 1024,
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
});

app.post("/partner/branches", { schema: { body: mirror } }, (request, reply) => {
  if (request.headers.token !== "bench") return reply.code(401).send({ error: "wrong token" });
  return reply.send({ counts: store.write(map(request.body), new Date().toISOString()) });
});

process.stdout.write(`${await app.listen({ host: "127.0.0.1", port: 0 })}\n`);
process.stdin.once("data", async () => {
  await app.close();
  store.close();
  process.stdout.write(`${process.resourceUsage().maxRSS * 1024}\n`);
  process.exit(0);
});
