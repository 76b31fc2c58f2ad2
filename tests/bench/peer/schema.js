// What the partner documents, as JSON Schema: fastify compiles it with ajv. Nothing is coerced, unknown members are kept.

const integer = { type: "integer" };
const string = { type: "string" };

const object = (required, properties) => ({ type: "object", required, properties });
const list = (items) => ({ type: "array", items });

const person = object(["user_no", "name_user"], { user_no: integer, name_user: string, user_email: string });

const subject = object(["id", "name", "teachers"], { id: integer, name: string, teachers: list(person) });

const section = object(["name", "subjects", "students"], {
  name: string,
  subjects: list(subject),
  students: list(person),
});

const schoolClass = object(["id", "name", "sections"], { id: integer, name: string, sections: list(section) });

const branch = object(["id", "name", "classes"], { id: integer, name: string, classes: list(schoolClass) });

export const mirror = object(["branches"], { branches: list(branch) });
