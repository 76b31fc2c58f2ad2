// The peer that Rollcall is measured against. Usage: node server.js FOLDER SYNCHRONOUS, for SQLite files there, or
// node server.js postgres://…, for PostgreSQL.
// Listens on a free port and prints its address. POST /fresh goes on with a new, empty database.

import Fastify from "fastify";

import { labels } from "./labels.js";
import { map } from "./map.js";
import { mirror } from "./schema.js";
import * as postgres from "./postgres.js";
import * as sqlite from "./store.js";

const [place, synchronous] = process.argv.slice(2);
let opened = 0;
const open = () =>
  place.startsWith("postgres:") ? postgres.open(place) : sqlite.open(`${place}/peer-${opened}.db`, synchronous);
let store = await open();

const app = Fastify({
  bodyLimit: 128 * 1024 * 1024,
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
});

app.post("/partner/branches", { schema: { body: mirror } }, async (request, reply) => {
  if (request.headers.token !== "bench") return reply.code(401).send({ error: "wrong token" });
  return reply.send({ counts: await store.write(map(request.body), new Date().toISOString()) });
});

app.post("/fresh", async (_request, reply) => {
  await store.close();
  opened += 1;
  store = await open();
  return reply.send({});
});

if (store.database) labels(app, store.database);

process.stdout.write(`listening on ${await app.listen({ host: "127.0.0.1", port: 0 })}\n`);
