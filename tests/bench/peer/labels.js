// Labels as a small REST service would keep them: one table, an index for each filter, the same checks, pages, headers and
// durability as the routes of Rollcall that it is measured against.

const color = { type: "string", default: "#777777" };
const model = { enum: ["Account", "Catalog::Product", "Lead", "Order", "Teacher", "User"] };
const body = {
  type: "object",
  required: ["name", "model_type"],
  properties: { name: { type: "string" }, color, model_type: model },
};
const number = { type: "string", pattern: "^[1-9][0-9]*$" };
const query = { type: "object", properties: { model_type: model, page: number, per_page: number } };

export function labels(app, database) {
  database.exec(`create table label (id integer primary key, name text not null, color text not null,
    model_type text not null, created_at text not null, updated_at text not null) strict;
    create index label_model_type on label (model_type, id)`);
  const insert = database.prepare(
    "insert into label (name, color, model_type, created_at, updated_at) values (?, ?, ?, ?, ?) returning *");
  const get = database.prepare("select * from label where id = ?");
  const list = database.prepare("select * from label where model_type = ? order by id limit ? offset ?");
  const count = database.prepare("select count(*) as total from label where model_type = ?");

  const guard = (request, reply, done) => {
    if (request.headers.authorization === "Bearer bench") return done();
    reply.code(403).send({ errors: {}, code: 403, message: "Forbidden" });
  };
  const options = { preHandler: guard };

  app.post("/api/v1/labels", { ...options, schema: { body } }, (request, reply) => {
    const { name, color, model_type } = request.body;
    const now = new Date().toISOString();
    reply.code(201).send(insert.get(name, color, model_type, now, now));
  });
  app.get("/api/v1/labels/:id", options, (request, reply) => {
    const found = get.get(Number(request.params.id));
    return found ? reply.send(found) : reply.code(404).send({ errors: {}, code: 404, message: "Not found" });
  });
  app.get("/api/v1/labels", { ...options, schema: { querystring: query } }, (request, reply) => {
    const { model_type } = request.query;
    const [page, per_page] = [Number(request.query.page ?? 1), Number(request.query.per_page ?? 25)];
    if (per_page > 100) return reply.code(400).send({ errors: {}, code: 400, message: "Bad request" });
    const { total } = count.get(model_type);
    const last = Math.max(1, Math.ceil(total / per_page));
    const link = (page, rel) =>
      `<http://${request.headers.host}/api/v1/labels?model_type=${model_type}&page=${page}&per_page=${per_page}>; rel="${rel}"`;
    const links = [link(1, "first"), link(last, "last")];
    if (page > 1) links.push(link(page - 1, "prev"));
    if (page < last) links.push(link(page + 1, "next"));
    reply.header("Link", links.join(", ")).header("Total", total);
    reply.send(list.all(model_type, per_page, (page - 1) * per_page));
  });
}
