//! Calls of a partner's routes, answered as its description says.

mod lists;
mod records;

use rollcall_core::delivery::Status;
use serde_json::{Value, json};

use crate::fixture::{PARTNER, Reply, Server, Site, TENANT};

async fn server() -> Server {
    Site::new().start().await
}

/// Calls one of the partner's routes as the connection `school`.
async fn call(server: &Server, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    server.call(method, &format!("/{PARTNER}{path}"), "school", &body).await
}

fn attack(id: u64) -> Value {
    json!({"id": id, "do": "nothing"})
}

fn waiting(id: u64, room: &str) -> Value {
    json!({"id": id, "do": "nothing", "room": room})
}

/// How many deliveries there are.
async fn kept(server: &Server) -> usize {
    server.app.reader.deliveries(TENANT, None, None, 1_000).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_record_is_answered_for_by_itself() {
    let server = server().await;
    let bad = json!({"id": 3});
    let reply = call(&server, "POST", "/attacks", &json!([attack(1), waiting(2, "R"), bad])).await;
    let why = json!([{"text": "attack 3 says no do", "level": "error"}]);
    let wanted = json!({
        "total": 2, "attacks": [attack(1), waiting(2, "R")], "bad": [{"id": "3", "sent": bad, "why": why}],
    });
    assert_eq!((reply.status, &reply.body), (200, &wanted));
    let again = call(&server, "POST", "/attacks", &json!([attack(1), waiting(2, "R"), bad])).await;
    assert_eq!(again.body, wanted, "an answer does not depend on what was there before");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_record_costs_the_call_where_the_description_says_so() {
    let server = server().await;
    let reply = call(&server, "POST", "/attacks/all-or-none", &json!([attack(1), {"id": 2}])).await;
    let errors = json!([{"id": "2", "field": "do", "text": "attack 2 says no do"}]);
    assert_eq!((reply.status, &reply.body["errors"]), (400, &errors));
    assert_eq!(server.delivery(reply.delivery.unwrap()).await.status, Status::Rejected);
    assert_eq!(call(&server, "GET", "/attacks", &Value::Null).await.body["total"], 0);
    for _ in 0..2 {
        let reply = call(&server, "POST", "/attacks/all-or-none", &json!([attack(1), attack(2)])).await;
        assert_eq!(reply.body, json!({"total": 2, "attacks": [attack(1), attack(2)]}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_answers_and_leaves_no_trace() {
    let server = server().await;
    call(&server, "POST", "/attacks", &json!([attack(1), attack(2), attack(3)])).await;
    let before = kept(&server).await;
    let body = json!([attack(1), waiting(2, "R"), waiting(4, "R")]);
    let reply = call(&server, "POST", "/attacks/diff", &body).await;
    let wanted = json!({
        "added": [waiting(4, "R")], "changed": [waiting(2, "R")], "same": [attack(1)], "removed": [attack(3)],
    });
    assert_eq!((reply.status, reply.delivery, &reply.body), (200, None, &wanted));
    let reply = call(&server, "POST", "/attacks/diff", &json!([{"id": 1}])).await;
    assert_eq!((reply.status, reply.delivery), (400, None));
    assert_eq!(kept(&server).await, before);
    assert_eq!(call(&server, "GET", "/attacks", &Value::Null).await.body["total"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_pages_and_leave_no_trace() {
    let server = server().await;
    call(&server, "POST", "/attacks", &json!([attack(3), waiting(1, "R"), attack(2)])).await;
    for (path, status, ids) in [
        ("/attacks", 200, json!([3, 1, 2])),
        ("/attacks?limit=2", 200, json!([3, 1])),
        ("/attacks?limit=2&page=2", 200, json!([2])),
        ("/attacks?page=2", 200, json!([])),
        ("/attacks/settled", 200, json!([3, 2])),
        ("/attacks?limit=0", 400, Value::Null),
        ("/attacks?limit=two", 400, Value::Null),
        ("/attacks?page=0", 400, Value::Null),
    ] {
        let reply = call(&server, "GET", path, &Value::Null).await;
        let found = reply.body["attacks"].as_array();
        let found = found.map_or(Value::Null, |rows| rows.iter().map(|row| row["id"].clone()).collect());
        assert_eq!((reply.status, &found), (status, &ids), "{path}");
        if status == 200 {
            let total = if path.ends_with("settled") { 2 } else { 3 };
            assert_eq!(reply.body["total"], total, "{path}");
        }
    }
    let annex = server.call("GET", &format!("/{PARTNER}/attacks"), "annex", "").await;
    assert_eq!(annex.body["total"], 0, "a connection lists its own");
    let nobody = server.call("GET", &format!("/{PARTNER}/attacks"), "nobody", "").await;
    assert_eq!(nobody.status, 401);
    assert_eq!(kept(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_shown_what_it_is() {
    let server = server().await;
    for (name, sandbox) in [("school", true), ("annex", false)] {
        let reply = server.call("GET", &format!("/{PARTNER}/test"), name, "a body that nobody asked for").await;
        assert_eq!((reply.status, reply.body), (200, json!({"name": name, "sandbox": sandbox})));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_removed_only_where_that_is_allowed() {
    let server = server().await;
    for connection in ["school", "annex"] {
        server.call("POST", &format!("/{PARTNER}/attacks"), connection, &json!([attack(1)]).to_string()).await;
    }
    let refused = server.call("DELETE", &format!("/{PARTNER}/attacks"), "annex", "").await;
    assert_eq!((refused.status, &refused.body["reason"]), (403, &json!("only in the sandbox")));
    let done = call(&server, "DELETE", "/attacks", &Value::Null).await;
    assert_eq!((done.status, done.body), (200, Value::Null));
    assert_eq!(server.delivery(done.delivery.unwrap()).await.report.unwrap().counts["org"].removed, 1);
    assert_eq!(call(&server, "GET", "/attacks", &Value::Null).await.body["total"], 0);
    let other = server.call("GET", &format!("/{PARTNER}/attacks"), "annex", "").await;
    assert_eq!(other.body["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_surrounds_records_is_checked_before_a_delivery_is_acknowledged() {
    let server = server().await;
    let events = json!([{"does": "insert", "attack": [attack(1)]}]);
    let table = [
        ("/test/events", json!({"sender": "me", "events": events}), 200, Value::Null),
        ("/live/events", json!({"sender": "me", "events": events}), 404, json!("no such environment")),
        ("/test/events", json!({"sender": "stranger", "events": events}), 403, json!("a stranger")),
        ("/test/events", json!({"events": events}), 400, json!("the body breaks the description; nothing was applied")),
        ("/test/events", json!({"sender": "me", "events": [{"does": "ask"}]}), 400, Value::Null),
        ("/test/events", Value::Null, 400, json!("the body is missing")),
    ];
    for (nth, (path, body, status, reason)) in table.into_iter().enumerate() {
        let reply = call(&server, "POST", path, &body).await;
        assert_eq!(reply.status, status, "{path} {body}");
        if !reason.is_null() {
            assert_eq!(reply.body["reason"], reason, "{path} {body}");
        }
        let wanted = if status == 200 { Status::Queued } else { Status::Rejected };
        assert_eq!(server.delivery(reply.delivery.unwrap()).await.status, wanted, "{path} {body}");
        assert_eq!(kept(&server).await, nth + 1);
    }
    let reply = server.call("POST", &format!("/{PARTNER}/test/events"), "school", "{").await;
    assert_eq!(reply.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_what_became_of_each_record_sent() {
    let mut server = server().await;
    let events = json!([
        {"does": "insert", "attack": [attack(1), attack(2), waiting(3, "R")]},
        {"does": "update", "attack": [{"id": 2, "do": "refuse"}, {"id": 9, "do": "nothing"}]},
    ]);
    let id = server.enqueue("school", &events).await;
    let path = format!("/log/{id}");
    let reply = call(&server, "GET", &path, &Value::Null).await;
    assert_eq!(reply.body, json!({"total": 0, "errors": 0, "done": false, "lines": []}));

    server.work();
    server.finished(id).await;
    let reply = call(&server, "GET", &path, &Value::Null).await;
    let (total, errors, done) = (&reply.body["total"], &reply.body["errors"], &reply.body["done"]);
    assert_eq!((total, errors, done), (&json!(5), &json!(2), &json!(true)), "{}", reply.body);
    let line = |id: &str, did: &str, text: &str, level: &str| json!({"name": "attack", "id": id, "did": did, "told": [{"text": text, "level": level}]});
    assert_eq!(reply.body["lines"][0], line("1", "nothing", "attack 1 is new here", "warning"));
    assert_eq!(reply.body["lines"][4], line("9", "nothing", "there is no attack 9", "error"));
    assert_eq!(reply.body["lines"][2]["told"][0]["level"], "warning", "{}", reply.body["lines"][2]);

    for (query, body, ids) in [
        ("", json!({"limit": 2, "offset": 3}), json!(["2", "9"])),
        ("?limit=1", Value::Null, json!(["1"])),
        ("?limit=1", json!({"limit": 2, "offset": 4}), json!(["9"])),
        ("", json!({"offset": 7}), json!([])),
    ] {
        let reply = call(&server, "GET", &format!("{path}{query}"), &body).await;
        let found: Value = reply.body["lines"].as_array().unwrap().iter().map(|line| line["id"].clone()).collect();
        assert_eq!((&found, &reply.body["total"]), (&ids, &json!(5)), "{query} {body}");
    }
    for body in ["{", "[]", "{\"limit\": 0}", "{\"limit\": \"all\"}"] {
        let headers = [("token", "school"), ("content-type", "text/plain")];
        let reply = server.send("GET", &format!("/{PARTNER}{path}"), &headers, body).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.body);
    }
    for path in ["/log/nonsense".to_owned(), format!("/log/{}", uuid::Uuid::nil())] {
        let reply = call(&server, "GET", &path, &Value::Null).await;
        assert_eq!((reply.status, &reply.body["reason"]), (404, &json!("nothing of that name")), "{path}");
    }
    let foreign = server.call("GET", &format!("/{PARTNER}{path}"), "annex", "").await;
    assert_eq!(foreign.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_as_a_whole_says_so_in_its_log() {
    let mut site = Site::new();
    site.config.limits.mapper.faults_per_delivery_max = 0;
    let mut server = site.start().await;
    let id = server.enqueue("school", &json!([{"does": "insert", "attack": [{"id": 1, "do": "panic"}]}])).await;
    server.work();
    server.finished(id).await;
    let reply = call(&server, "GET", &format!("/log/{id}"), &Value::Null).await;
    let (errors, done) = (&reply.body["errors"], &reply.body["done"]);
    assert_eq!((errors, done), (&json!(1), &json!(true)));
    assert_eq!(reply.body["lines"][0]["told"], json!([{"text": "it broke", "level": "error"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_what_is_worked_on_later_answers_with_its_log() {
    let server = server().await;
    let body = json!({"sender": "me", "events": [{"does": "insert", "attack": [attack(1)]}]}).to_string();
    let headers = [("token", "school"), ("rollcall-dry-run", "true")];
    let reply = server.send("POST", &format!("/{PARTNER}/test/events"), &headers, &body).await;
    let told = json!([{"text": "attack 1 is new here", "level": "warning"}]);
    let lines = json!([{"name": "attack", "id": "1", "did": "nothing", "told": told}]);
    assert_eq!(reply.body, json!({"total": 1, "errors": 0, "done": true, "lines": lines}));
    assert_eq!((reply.status, reply.delivery, kept(&server).await), (200, None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_reads_the_document_and_finds_the_server_in_it() {
    let server = server().await;
    let reply = server.send("GET", &format!("/{PARTNER}/openapi.json"), &[], "").await;
    assert_eq!((reply.status, &reply.body["openapi"]), (200, &json!("3.1.0")));
    assert_eq!(reply.body["servers"], json!([{"url": format!("http://hub.example/{PARTNER}")}]));
    assert_eq!(reply.body["paths"]["/attacks"]["get"]["operationId"], "listAttacks");
    assert!(!reply.body.to_string().contains("x-rollcall"));
    assert_eq!(server.send("POST", &format!("/{PARTNER}/openapi.json"), &[], "").await.status, 404);
}
