//! Calls about single records.

use rollcall_core::delivery::Status;
use serde_json::{Value, json};

use super::{call, kept};
use crate::fixture::{PARTNER, Reply, Server, Site};

async fn server() -> Server {
    Site::of_records().start().await
}

/// What an answer says in these members.
fn said(reply: &Reply, members: &[&str]) -> Value {
    members.iter().map(|&name| (name.to_owned(), reply.body[name].clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_made_shown_changed_and_removed() {
    let server = server().await;
    let body = json!({
        "name": "North", "short": "N", "cost": 12.5, "is_open": "0", "tags": ["a"], "id": 99, "at": "never",
        "address_attributes": {"street": "Main"}, "rooms_attributes": {"1": {"name": "B"}, "0": {"name": "A"}},
    });
    let made = call(&server, "POST", "/orgs", &body).await;
    let wanted = json!({
        "id": 1, "name": "North", "code": "N", "kind": "school", "size": null, "cost": "12.5", "is_open": false,
        "tags": ["a"], "parent": null, "address": {"street": "Main", "city": null},
        "rooms": [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}], "children": null, "was": null, "note": null,
        "at": null, "children_count": 0, "created_at": "2026-09-01T08:00:00.000Z",
    });
    assert_eq!((made.status, &made.body), (201, &wanted));
    assert_eq!(server.delivery(made.delivery.unwrap()).await.status, Status::Applied);

    let card = call(&server, "GET", "/orgs/1", &Value::Null).await;
    let wanted = json!({"id": 1, "title": "North of https://school.example", "children_count": 0,
        "address": {"city": null}, "label": "N"});
    assert_eq!((card.status, card.delivery, &card.body), (200, None, &wanted));

    for (method, room) in [("PUT", 2), ("PATCH", 3)] {
        let rooms = json!([{"id": room, "_destroy": "1"}, {"name": "C"}]);
        let body = json!({"short": null, "size": 7, "rooms_attributes": rooms});
        let changed = call(&server, method, "/orgs/1", &body).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let members = ["name", "code", "size", "is_open"];
        assert_eq!(said(&changed, &members), json!({"name": "North", "code": null, "size": 7, "is_open": false}));
        assert_eq!(changed.body["rooms"], json!([{"id": 1, "name": "A"}, {"id": room + 1, "name": "C"}]));
    }
    let card = call(&server, "GET", "/orgs/1", &Value::Null).await;
    assert_eq!(card.body.get("label"), None, "what is null where that is not allowed is left out");

    let removed = call(&server, "DELETE", "/orgs/1", &Value::Null).await;
    assert_eq!((removed.status, removed.body), (204, Value::Null));
    for (method, body) in [("GET", Value::Null), ("PATCH", json!({"name": "South"})), ("DELETE", Value::Null)] {
        let reply = call(&server, method, "/orgs/1", &body).await;
        assert_eq!((reply.status, &reply.body["code"]), (404, &json!(404)), "{method}");
    }
    let next = call(&server, "POST", "/orgs", &json!({"name": "South"})).await;
    assert_eq!(next.body["id"], 2, "no number is used twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_by_the_names_under_which_it_was_sent() {
    let server = server().await;
    call(&server, "POST", "/orgs", &json!({"name": "North", "short": "N"})).await;
    let table = [
        ("POST", "/orgs", json!({}), 422, "name"),
        ("POST", "/orgs", json!({"name": ""}), 422, "name"),
        ("POST", "/orgs", json!({"name": "East", "size": -1}), 422, "size"),
        ("POST", "/orgs", json!({"name": "East", "short": "N"}), 422, "short"),
        ("POST", "/orgs", json!({"name": "East", "parent": 77}), 422, "parent"),
        ("POST", "/orgs", json!({"name": "East", "cost": "much"}), 422, "cost"),
        ("POST", "/orgs", json!({"name": "East", "rooms_attributes": [{"id": 5, "name": "X"}]}), 422, "id"),
        ("PATCH", "/orgs/1", json!({"name": null}), 422, "name"),
        ("POST", "/orgs/77/children", json!({"name": "East"}), 404, ""),
        ("POST", "/orgs/x/children", json!({"name": "East"}), 404, ""),
    ];
    for (method, path, body, status, field) in table {
        let reply = call(&server, method, path, &body).await;
        assert_eq!(reply.status, status, "{method} {path} {body}: {}", reply.body);
        assert_eq!(reply.body["code"], json!(status), "{body}");
        let fields: Vec<_> = reply.body["errors"].as_object().unwrap().keys().cloned().collect();
        assert!(field.is_empty() || fields.iter().any(|found| found == field), "{body}: {fields:?}");
        assert_eq!(server.delivery(reply.delivery.unwrap()).await.status, Status::Rejected, "{body}");
    }
    let malformed = server.call("POST", &format!("/{PARTNER}/orgs"), "school", "{").await;
    assert_eq!(malformed.status, 400);
    let list = call(&server, "GET", "/orgs", &Value::Null).await;
    assert_eq!(list.body.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_computed_of_a_record_is_never_stale_and_what_refers_to_it_protects_it() {
    let server = server().await;
    call(&server, "POST", "/orgs", &json!({"name": "North"})).await;
    let child = call(&server, "POST", "/orgs/1/children", &json!({"name": "Child"})).await;
    assert_eq!((child.status, &child.body["parent"]), (201, &json!(1)), "{}", child.body);
    let changed = call(&server, "PATCH", "/orgs/1", &json!({"size": 3})).await;
    assert_eq!(changed.body["children_count"], 1);
    let refused = call(&server, "DELETE", "/orgs/1", &Value::Null).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!(409)), "{}", refused.body);
    call(&server, "DELETE", "/orgs/2", &Value::Null).await;
    assert_eq!(call(&server, "GET", "/orgs/1", &Value::Null).await.body["children_count"], 0);
    assert_eq!(call(&server, "DELETE", "/orgs/1", &Value::Null).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_a_single_record_answers_and_keeps_nothing() {
    let server = server().await;
    let headers = [("token", "school"), ("rollcall-dry-run", "true")];
    let path = format!("/{PARTNER}/orgs");
    let reply = server.send("POST", &path, &headers, &json!({"name": "North"}).to_string()).await;
    assert_eq!((reply.status, reply.delivery, &reply.body["name"]), (201, None, &json!("North")));
    let reply = server.send("POST", &path, &headers, "{}").await;
    assert_eq!((reply.status, reply.delivery), (422, None));
    assert_eq!(kept(&server).await, 0);
    assert_eq!(call(&server, "GET", "/orgs", &Value::Null).await.body, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partners_own_logic_decides_and_tells() {
    let server = server().await;
    call(&server, "POST", "/orgs", &json!({"name": "North"})).await;
    call(&server, "POST", "/orgs/1/children", &json!({"name": "Child"})).await;
    let reply = call(&server, "POST", "/orgs/1/defend?among=school&among=board", &json!({"note": "now"})).await;
    assert_eq!((reply.status, &reply.body), (201, &json!({"children": 1, "next": "/orgs/3"})), "{}", reply.body);
    assert_eq!(reply.headers["location"], "https://school.example/orgs/3");
    let made = call(&server, "GET", "/orgs?id=3", &Value::Null).await;
    let wanted = json!({"code": "O-3", "was": "North", "note": "now"});
    let made = &made.body[0];
    assert_eq!(json!({"code": made["code"], "was": made["was"], "note": made["note"]}), wanted);

    call(&server, "POST", "/orgs", &json!({"name": "Closed"})).await;
    let declined = call(&server, "POST", "/orgs/4/defend", &json!({})).await;
    assert_eq!((declined.status, &declined.body["errors"]), (409, &json!({"name": ["it is closed"]})));
    let unknown = call(&server, "POST", "/orgs/77/defend", &Value::Null).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_elsewhere_is_taken_in_under_the_secret_in_the_path() {
    let server = server().await;
    let path = |secret: &str| format!("/{PARTNER}/told/{secret}");
    let told = |event: &str, org: Value| json!({"event": event, "org": org}).to_string();
    let north = json!({"id": 7, "name": "North", "kind": "board", "is_open": true});
    let reply = server.send("POST", &path("school"), &[], &told("org.created", north)).await;
    assert_eq!((reply.status, &reply.body), (200, &json!({"status": "applied"})));
    assert_eq!(call(&server, "GET", "/orgs/7", &Value::Null).await.body["id"], 7);
    let reply = server.send("POST", &path("school"), &[], &told("org.deleted", json!({"id": 7}))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(call(&server, "GET", "/orgs/7", &Value::Null).await.status, 404);
    let nobody = server.send("POST", &path("nobody"), &[], &told("org.deleted", json!({"id": 7}))).await;
    assert_eq!(nobody.status, 404);
    let nothing = server.send("POST", &path("school"), &[], &told("org.born", json!({"id": 7}))).await;
    assert_eq!(nothing.status, 422);
    let next = call(&server, "POST", "/orgs", &json!({"name": "South"})).await;
    assert_eq!(next.body["id"], 8, "a number that came from elsewhere is taken");
}
