// Keeps canonical rows in plain tables: one prepared upsert per kind, one transaction per payload. A row that is as it
// was is not written again. No raw payload, no foreign records, no feed, no provenance, no removals.

import Database from "better-sqlite3";

export const tables = {
  orgs: ["id", "name", "type", "identifier"],
  courses: ["id", "title", "course_code", "org"],
  classes: ["id", "title", "class_type", "course", "school", "subjects"],
  users: ["id", "given_name", "family_name", "email", "identifier", "roles", "metadata"],
  enrollments: ["id", "user", "class", "school", "role", "metadata"],
};

export function open(path, synchronous) {
  const database = new Database(path);
  database.pragma("journal_mode = wal");
  database.pragma(`synchronous = ${synchronous}`);
  const upserts = {};
  for (const [table, columns] of Object.entries(tables)) {
    const declared = columns.map((column) => (column === "id" ? "id text primary key" : `${column} text`));
    database.exec(`create table ${table} (${declared.join(", ")}, date_last_modified text not null) strict`);
    upserts[table] = database.prepare(upsert(table, columns));
  }
  const write = database.transaction((rows, now) => {
    const counts = {};
    for (const [table, byId] of Object.entries(rows)) {
      const statement = upserts[table];
      let changed = 0;
      for (const row of byId.values()) changed += statement.run(...row, now).changes;
      counts[table] = { sent: byId.size, changed };
    }
    return counts;
  });
  return { database, write, close: () => database.close() };
}

function upsert(table, columns) {
  const fields = columns.filter((column) => column !== "id");
  const set = [...fields, "date_last_modified"].map((field) => `${field} = excluded.${field}`);
  const differs = fields.map((field) => `${field} is not excluded.${field}`);
  const places = columns.map(() => "?").join(", ");
  return `insert into ${table} (${columns.join(", ")}, date_last_modified) values (${places}, ?)
    on conflict (id) do update set ${set.join(", ")} where ${differs.join(" or ")}`;
}
