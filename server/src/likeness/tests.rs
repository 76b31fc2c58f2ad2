use serde_json::{Value, json};

use crate::fixture::{PARTNER, Server, Site};

/// What nobody may find in a likeness.
const PERSONAL: [&str; 3] = ["4711", "815", "Zaragoza"];

async fn drawn(server: &Server, operation: &str, body: &Value, keep: &[&str]) -> Value {
    let reply = server.call("POST", &format!("/{PARTNER}/{operation}"), "school", &body.to_string()).await;
    let path = format!("/admin/v1/deliveries/{}/fixture", reply.delivery.unwrap());
    let wishes = json!({"keep": keep}).to_string();
    let drawn = server.send("POST", &path, &[("authorization", "Bearer operator")], &wishes).await;
    assert_eq!(drawn.status, 200, "{}", drawn.body);
    drawn.body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_likeness_comes_to_the_same_and_tells_of_nobody() {
    let server = Site::new().start().await;
    let body = json!([{"id": 4711, "do": "nothing", "name": "Zaragoza"}, {"id": 815, "do": "panic"}]);
    let drawn = drawn(&server, "attacks", &body, &["/*/do"]).await;
    assert_eq!((&drawn["partner"], &drawn["operation"]), (&json!(PARTNER), &json!("pushAttacks")));
    assert_eq!((&drawn["kept"], &drawn["differences"]), (&json!([]), &json!([])), "{drawn}");
    let payload = &drawn["payload"];
    assert_eq!((&payload[0]["do"], &payload[1]["do"]), (&json!("nothing"), &json!("panic")));
    for personal in PERSONAL {
        assert!(!payload.to_string().contains(personal), "{payload}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_something_else_is_told() {
    let server = Site::new().start().await;
    let drawn = drawn(&server, "attacks", &json!([{"id": 4711, "do": "nothing"}]), &[]).await;
    let differences = drawn["differences"].as_array().unwrap();
    assert!(differences.iter().any(|told| told.as_str().unwrap().starts_with("org with ")), "{drawn}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rejected_is_rejected_in_its_likeness_too() {
    let server = Site::new().start().await;
    let body = json!([{"id": "4711", "do": "nothing"}, {"id": 815}]);
    let drawn = drawn(&server, "attacks/all-or-none", &body, &["/*/do"]).await;
    assert_eq!(drawn["differences"], json!([]), "{drawn}");
    let id = drawn["payload"][0]["id"].as_str().unwrap();
    assert!(id.len() == 4 && id != "4711", "{drawn}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_draw_and_only_what_is_there() {
    let server = Site::new().start().await;
    let path = format!("/admin/v1/deliveries/{}/fixture", uuid::Uuid::nil());
    for (credential, status) in [("Bearer operator", 404), ("Bearer school", 403), ("Bearer nobody", 401)] {
        assert_eq!(server.send("POST", &path, &[("authorization", credential)], "").await.status, status);
    }
}
