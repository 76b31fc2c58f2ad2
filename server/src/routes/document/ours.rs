//! Our own endpoints, one line each, and the schemas that their answers share.

use serde_json::{Map, Value, json};

use super::endpoint::Endpoint;
use crate::erasing::Named;
use crate::routes::{admin, api, oneroster};

/// All of them.
pub(super) fn endpoints() -> Vec<Endpoint> {
    [server(), reading(), oneroster(), operating(), versions(), waiting()].concat()
}

fn server() -> Vec<Endpoint> {
    let text = || json!({"type": "string"});
    vec![
        Endpoint::get("/healthz", "isAlive", "The process lives").open().answers_with("text/plain", text()),
        Endpoint::get("/readyz", "isReady", "It can work").open().answers_with("text/plain", text()).problems(&[503]),
        Endpoint::get("/metrics", "showMetrics", "What it did, for Prometheus").answers_with("text/plain", text()),
        Endpoint::get("/openapi.json", "describe", "This document").open().answers(json!({"type": "object"})),
        Endpoint::get("/docs", "showDocumentation", "This document, to be read")
            .open()
            .answers_with("text/html", text()),
        Endpoint::get(super::STYLE, "showStyle", "How it looks").open().answers_with("text/css", text()),
    ]
}

fn reading() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/api/v1/entities/{kind}", "listEntities", "Entities of one kind, by their ids")
            .query::<api::entities::Query>()
            .answers(page("entities", "Entity", "string"))
            .problems(&[404]),
        Endpoint::get("/api/v1/entities/{kind}/{sourcedId}", "getEntity", "One entity, gone ones too")
            .query::<api::Single>()
            .answers(reference("Entity"))
            .problems(&[404]),
        Endpoint::get(
            "/api/v1/entities/{kind}/{sourcedId}/provenance",
            "getProvenance",
            "Which records an entity comes from",
        )
        .query::<api::Single>()
        .answers(object(&[("sourcedId", id()), ("sources", list("Source"))]))
        .problems(&[404]),
        Endpoint::get("/api/v1/changes", "listChanges", "Every entity once, at the place of its latest change")
            .query::<api::changes::Query>()
            .answers(page("changes", "Change", "integer"))
            .problems(&[410]),
        Endpoint::get("/api/v1/deliveries", "listDeliveries", "What was sent, the newest first")
            .query::<api::deliveries::Query>()
            .answers(page("deliveries", "Delivery", "string")),
        Endpoint::get("/api/v1/deliveries/{id}", "getDelivery", "What became of one delivery")
            .query::<api::Single>()
            .answers(reference("Delivery"))
            .problems(&[404]),
        Endpoint::get("/api/v1/deliveries/{id}/body", "getDeliveryBody", "The bytes that were sent")
            .query::<api::Single>()
            .answers_with("application/octet-stream", json!({"type": "string"}))
            .problems(&[404]),
    ]
}

fn oneroster() -> Vec<Endpoint> {
    let object = || json!({"type": "object"});
    vec![
        Endpoint::get(
            "/ims/oneroster/rostering/v1p2/{collection}",
            "listCollection",
            "A collection, as OneRoster has it",
        )
        .query::<oneroster::collection::Query>()
        .answers(object())
        .problems(&[404]),
        Endpoint::get(
            "/ims/oneroster/rostering/v1p2/{collection}/{sourcedId}",
            "getObject",
            "One object of a collection, as OneRoster has it",
        )
        .query::<oneroster::object::Query>()
        .answers(object())
        .problems(&[404]),
    ]
}

fn operating() -> Vec<Endpoint> {
    const RECORDS: &str = "/admin/v1/tenants/{tenant}/connections/{connection}/records/{record}";
    vec![
        Endpoint::get(
            RECORDS,
            "listRecords",
            "A connection's records of one type, in the order in which they first arrived",
        )
        .query::<admin::records::Listing>()
        .answers(object(&[("records", list("Record")), ("total", json!({"type": "integer"}))]))
        .problems(&[404]),
        Endpoint::put(RECORDS, "putRecords", "Write records that no client sends: one, or a list of them")
            .body::<Value>()
            .answers(reference("Written"))
            .dry_run()
            .problems(&[404, 413, 415, 422]),
        Endpoint::delete(RECORDS, "deleteRecord", "Remove a record that no client sends")
            .query::<admin::records::Naming>()
            .answers(reference("Written"))
            .dry_run()
            .problems(&[404, 422]),
        Endpoint::post(
            "/admin/v1/tenants/{tenant}/connections/{connection}/erasures",
            "erase",
            "Erase a person from everything that is stored",
        )
        .body::<Named>()
        .answers(object(&[("dryRun", json!({"type": "boolean"})), ("erased", json!({"type": "object"}))]))
        .dry_run()
        .problems(&[404, 422]),
        Endpoint::get(
            "/admin/v1/entities/{sourcedId}/explanation",
            "explainEntity",
            "Why an entity says what it says: delivery, version and values behind each field",
        )
        .query::<api::Single>()
        .answers(object(&[
            ("kind", json!({"type": "string"})),
            ("sourcedId", id()),
            ("sources", list("Source")),
            ("omitted", json!({"type": "integer"})),
        ]))
        .problems(&[404, 503]),
        Endpoint::get("/admin/v1/erasures", "listErasures", "Who was erased, as digests")
            .answers(object(&[("erasures", list("Erasure"))])),
        Endpoint::post("/admin/v1/erasures", "eraseAgain", "Do erasures again, after a backup was put in place")
            .body::<admin::erasures::More>()
            .answers(object(&[("connections", json!({"type": "array", "items": {"type": "object"}}))]))
            .problems(&[422]),
    ]
}

fn versions() -> Vec<Endpoint> {
    let objects = || json!({"type": "array", "items": {"type": "object"}});
    let object_of = |words: &[&str]| {
        let properties: Map<_, _> = words.iter().map(|word| ((*word).to_owned(), json!({}))).collect();
        json!({"type": "object", "additionalProperties": false, "properties": properties})
    };
    let decision = object_of(&["action", "version", "connection", "plan", "after", "ifUnchanged"]);
    vec![
        Endpoint::get("/admin/v1/connections", "listConnections", "Who may send; never with what")
            .answers(object(&[("connections", objects())])),
        Endpoint::post(
            "/admin/v1/tenants/{tenant}/connections/{connection}",
            "changeConnection",
            "Set up or change a connection",
        )
        .takes("application/json", json!({"type": "object"}))
        .answers(json!({"type": "object"}))
        .problems(&[404, 409, 422]),
        Endpoint::get("/admin/v1/readers", "listReaders", "Who may read; never with what")
            .answers(object(&[("readers", objects())])),
        Endpoint::post("/admin/v1/tenants/{tenant}/readers/{reader}", "changeReader", "Set up or change a reader")
            .takes("application/json", json!({"type": "object"}))
            .answers(json!({"type": "object"}))
            .problems(&[404, 409, 422]),
        Endpoint::post("/admin/v1/bundles", "uploadBundle", "Bring a version of a partner, which is not active yet")
            .takes("application/octet-stream", json!({}))
            .answers(json!({"type": "object"}))
            .problems(&[413, 422]),
        Endpoint::get("/admin/v1/partners", "listPartners", "Partners, with what is active")
            .answers(object(&[("partners", objects())])),
        Endpoint::get(
            "/admin/v1/partners/{partner}/loss",
            "showLoss",
            "What no reader ever sees of what a partner sent",
        )
        .query::<admin::loss::Asked>()
        .answers(json!({"type": "object"}))
        .problems(&[404]),
        Endpoint::get("/admin/v1/partners/{partner}/versions", "listVersions", "The versions of a partner")
            .answers(object(&[("versions", objects())])),
        Endpoint::get(
            "/admin/v1/partners/{partner}/activations",
            "listActivations",
            "What was decided about a partner",
        )
        .answers(object(&[("activations", objects())])),
        Endpoint::post("/admin/v1/partners/{partner}/activations", "decide", "Decide which version is used")
            .takes("application/json", decision)
            .answers(json!({"type": "object"}))
            .problems(&[404, 409, 422]),
        Endpoint::get(
            "/admin/v1/partners/{partner}/shadow",
            "showShadow",
            "What runs beside, and what all processes counted",
        )
        .answers(json!({"type": "object"})),
        Endpoint::post(
            "/admin/v1/partners/{partner}/shadow",
            "decideShadow",
            "Let a stored version run beside the one in use",
        )
        .body::<admin::shadow::Wish>()
        .answers(json!({"type": "object"}))
        .problems(&[404, 422]),
        Endpoint::get("/admin/v1/partners/{partner}/plans", "listPlans", "The plans of a partner, the last first")
            .answers(object(&[("plans", objects())])),
        Endpoint::post("/admin/v1/partners/{partner}/plans", "plan", "Say what a version would change")
            .body::<admin::plans::Wanted>()
            .answers(json!({"type": "object"}))
            .problems(&[404, 422]),
        Endpoint::get("/admin/v1/plans", "listPlanning", "How far plans are that are being made")
            .answers(object(&[("plans", objects())])),
        Endpoint::get("/admin/v1/plans/{plan}", "getPlan", "One of them")
            .answers(json!({"type": "object"}))
            .problems(&[404]),
        Endpoint::get("/admin/v1/remaps", "listRemaps", "How far mapping anew is")
            .answers(object(&[("remaps", objects())])),
        Endpoint::post("/admin/v1/remaps", "remap", "Map anew what is stored, or say what that would change")
            .body::<admin::remaps::Wanted>()
            .answers(json!({"type": "object"}))
            .dry_run()
            .problems(&[404, 422, 503]),
        Endpoint::get("/admin/v1/log", "showLog", "Who decided what, the last first")
            .query::<admin::partners::Part>()
            .answers(object(&[("lines", objects())])),
    ]
}

/// What waits for an operator, and what is done again.
fn waiting() -> Vec<Endpoint> {
    let objects = || json!({"type": "array", "items": {"type": "object"}});
    let became = || object(&[("delivery", id()), ("report", json!({"type": "object"}))]);
    let rebuild = "/admin/v1/tenants/{tenant}/connections/{connection}/rebuild";
    vec![
        Endpoint::get("/admin/v1/held", "listHeld", "Deliveries that would change more than is likely")
            .query::<admin::held::Listing>()
            .answers(object(&[("held", objects())])),
        Endpoint::get("/admin/v1/held/{delivery}", "getHeld", "One of them, with what it would change")
            .answers(json!({"type": "object"}))
            .problems(&[404]),
        Endpoint::post("/admin/v1/held/{delivery}/approve", "approveHeld", "Apply one")
            .body::<admin::held::Approval>()
            .answers(became())
            .problems(&[404, 409, 422]),
        Endpoint::post("/admin/v1/held/{delivery}/discard", "discardHeld", "Put one aside")
            .body::<admin::held::Discarding>()
            .answers(became())
            .problems(&[404, 409, 422]),
        Endpoint::get(
            "/admin/v1/quarantine",
            "listQuarantine",
            "Deliveries that came to nothing, or were taken only partly",
        )
        .query::<admin::quarantine::Listing>()
        .answers(object(&[("quarantine", objects()), ("next", json!({"type": ["string", "null"]}))])),
        Endpoint::get("/admin/v1/quarantine/{delivery}", "getQuarantined", "One of them, with what is wrong where")
            .answers(object(&[
                ("delivery", json!({"type": "object"})),
                ("troubles", objects()),
                ("records", objects()),
            ]))
            .problems(&[404]),
        Endpoint::post("/admin/v1/quarantine/{delivery}/discard", "discardQuarantined", "Put one aside")
            .body::<admin::held::Discarding>()
            .answers(became())
            .problems(&[404, 409, 422]),
        Endpoint::post("/admin/v1/deliveries/{delivery}/reprocess", "reprocess", "Work on one once more")
            .body::<admin::quarantine::Again>()
            .answers(json!({"type": "object"}))
            .dry_run()
            .problems(&[404, 409, 422]),
        Endpoint::post(
            "/admin/v1/deliveries/{delivery}/fixture",
            "drawFixture",
            "An example with the shape of what was sent, and nobody's data",
        )
        .body::<admin::likeness::Wishes>()
        .answers(json!({"type": "object"}))
        .problems(&[404, 409, 413, 422]),
        Endpoint::get(rebuild, "getRebuild", "How far folding a connection again is")
            .answers(json!({"type": "object"}))
            .problems(&[404]),
        Endpoint::post(rebuild, "rebuild", "Fold a connection again from all that was sent")
            .body::<admin::rebuild::Asked>()
            .answers(json!({"type": "object"}))
            .problems(&[404, 503]),
    ]
}

/// The schemas that answers share. Those of what is sent come from its types.
pub(super) fn schemas() -> Map<String, Value> {
    let text = || json!({"type": "string"});
    let number = || json!({"type": "integer"});
    let maybe = |of: &str| json!({"type": [of, "null"]});
    let problem = object(&[
        ("type", text()),
        ("title", text()),
        ("status", number()),
        ("detail", text()),
        ("delivery", json!({"type": ["string", "null"], "format": "uuid", "description": "What keeps what was sent."})),
    ]);
    let delivery = object(&[
        ("id", id()),
        ("connection", text()),
        ("partner", text()),
        ("operation", text()),
        (
            "status",
            json!({"enum": ["received", "applied", "unchanged", "rejected", "failed", "interrupted", "queued", "held", "superseded", "discarded"]}),
        ),
        ("receivedAt", json!({"type": "string", "format": "date-time"})),
        ("finishedAt", json!({"type": ["string", "null"], "format": "date-time"})),
        ("sha256", text()),
        ("size", number()),
        ("report", json!({"type": ["object", "null"], "description": "What became of it: counts by kind, and notes."})),
    ]);
    let change = object(&[
        ("sequence", number()),
        ("kind", text()),
        ("sourcedId", id()),
        ("connection", text()),
        ("status", json!({"enum": ["active", "tobedeleted"]})),
        ("dateLastModified", json!({"type": "string", "format": "date-time"})),
    ]);
    let source = object(&[
        ("connection", text()),
        ("partner", text()),
        ("record", text()),
        ("key", json!({})),
        ("delivery", id()),
        ("sourceId", text()),
        ("leads", json!({"type": "boolean", "description": "Whether its word goes where several disagree."})),
    ]);
    let entity = json!({
        "type": "object", "required": ["sourcedId", "status"],
        "properties": {"sourcedId": id(), "status": {"enum": ["active", "tobedeleted"]}},
        "description": "What `schemas/canonical` says of its kind.",
    });
    let record =
        object(&[("key", json!({"type": "array"})), ("waiting", json!({"type": "boolean"})), ("body", json!({}))]);
    let became = object(&[("key", json!({})), ("outcome", text()), ("notes", json!({"type": "array"}))]);
    let written = object(&[
        ("delivery", json!({"type": ["string", "null"], "format": "uuid"})),
        ("status", text()),
        ("records", json!({"type": "array", "items": became})),
        ("counts", json!({"type": "object"})),
    ]);
    let erasure = object(&[
        ("id", id()),
        ("tenant", text()),
        ("connection", text()),
        ("digest", text()),
        ("at", json!({"type": "string", "format": "date-time"})),
        ("finishedAt", maybe("string")),
    ]);
    let named = [
        ("Problem", problem),
        ("Delivery", delivery),
        ("Change", change),
        ("Source", source),
        ("Entity", entity),
        ("Record", record),
        ("Written", written),
        ("Erasure", erasure),
    ];
    named.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// A page of a list: the rows, and what to ask for to go on.
fn page(rows: &str, of: &str, cursor: &str) -> Value {
    let next = json!({"type": [cursor, "null"], "description": "What to ask for to go on."});
    object(&[(rows, list(of)), ("next", next)])
}

fn object(members: &[(&str, Value)]) -> Value {
    let properties: Map<_, _> = members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let required: Vec<_> = members.iter().map(|(name, _)| *name).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn list(of: &str) -> Value {
    json!({"type": "array", "items": reference(of)})
}

fn reference(to: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{to}")})
}

fn id() -> Value {
    json!({"type": "string", "format": "uuid"})
}
