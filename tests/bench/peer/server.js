// The peer that Rollcall is measured against. Usage: node server.js FOLDER SYNCHRONOUS
// Listens on a free port and prints its address. POST /fresh goes on with a new, empty database.

import Fastify from "fastify";

import { labels } from "./labels.js";
import { map } from "./map.js";
import { mirror } from "./schema.js";
import { open } from "./store.js";

const [folder, synchronous] = process.argv.slice(2);
let opened = 0;
let store = open(`${folder}/peer-${opened}.db`, synchronous);

const app = Fastify({
  bodyLimit: 128 * 1024 * 1024,
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
});

app.post("/partner/branches", { schema: { body: mirror } }, (request, reply) => {
  if (request.headers.token !== "bench") return reply.code(401).send({ error: "wrong token" });
  return reply.send({ counts: store.write(map(request.body), new Date().toISOString()) });
});

app.post("/fresh", (_request, reply) => {
  store.close();
  opened += 1;
  store = open(`${folder}/peer-${opened}.db`, synchronous);
  return reply.send({});
});

labels(app, store.database);

process.stdout.write(`listening on ${await app.listen({ host: "127.0.0.1", port: 0 })}\n`);
