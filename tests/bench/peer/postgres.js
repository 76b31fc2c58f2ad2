// Keeps canonical rows in plain PostgreSQL tables: one upsert per kind with an array per column, one transaction per payload.
// A row that is as it was is not written again. No raw payload, no foreign records, no feed, no provenance, no removals.

import pg from "pg";

import { tables } from "./store.js";

export async function open(url) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const upserts = {};
  for (const [table, columns] of Object.entries(tables)) {
    const declared = columns.map((column) => (column === "id" ? "id text primary key" : `"${column}" text`));
    await client.query(`drop table if exists ${table}`);
    await client.query(`create table ${table} (${declared.join(", ")}, date_last_modified text not null)`);
    upserts[table] = { name: table, text: upsert(table, columns) };
  }
  const write = async (rows, now) => {
    const counts = {};
    await client.query("begin");
    for (const [table, byId] of Object.entries(rows)) {
      const sent = [...byId.values()];
      const values = tables[table].map((_, nth) => sent.map((row) => row[nth]));
      const { rowCount } = await client.query({ ...upserts[table], values: [...values, now] });
      counts[table] = { sent: byId.size, changed: rowCount };
    }
    await client.query("commit");
    return counts;
  };
  return { write, close: () => client.end() };
}

function upsert(table, columns) {
  const names = columns.map((column) => `"${column}"`);
  const arrays = columns.map((_, nth) => `$${nth + 1}::text[]`);
  const fields = names.filter((name) => name !== '"id"');
  const set = [...fields, "date_last_modified"].map((field) => `${field} = excluded.${field}`);
  const differs = fields.map((field) => `t.${field} is distinct from excluded.${field}`);
  return `insert into ${table} as t (${names.join(", ")}, date_last_modified)
    select u.*, $${columns.length + 1} from unnest(${arrays.join(", ")}) u
    on conflict (id) do update set ${set.join(", ")} where ${differs.join(" or ")}`;
}
