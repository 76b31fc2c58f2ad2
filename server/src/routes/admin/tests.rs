//! What operators do to records, and nobody else.

use serde_json::{Value, json};

use crate::fixture::{PARTNER, Reply, Server, Site};

const ROOMS: &str = "/admin/v1/tenants/north/connections/school/records/Room";

async fn ask(server: &Server, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    server.send(method, path, &[("authorization", "Bearer operator")], &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_record_lets_go_who_waited_for_it() {
    let server = Site::new().start().await;
    let attack = json!([{"id": 1, "do": "nothing", "room": "R1"}]).to_string();
    server.call("POST", &format!("/{PARTNER}/attacks"), "school", &attack).await;
    let settled = async || {
        let reply = server.call("GET", &format!("/{PARTNER}/attacks/settled"), "school", "").await;
        reply.body["total"].as_u64().unwrap()
    };
    assert_eq!(settled().await, 0);

    let rooms = json!([{"code": "R1"}, {"code": "R2", "floor": 1}]);
    let put = ask(&server, "PUT", ROOMS, &rooms).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let told = json!([
        {"key": ["R1"], "outcome": "created", "notes": []}, {"key": ["R2"], "outcome": "created", "notes": []},
    ]);
    assert_eq!(put.body["records"], told);
    assert_eq!(put.delivery.unwrap().to_string(), put.body["delivery"]);
    assert_eq!(settled().await, 1);

    let put = ask(&server, "PUT", ROOMS, &json!({"code": "R2", "floor": 2})).await;
    assert_eq!(put.body["records"][0]["outcome"], "updated");
    let listed = ask(&server, "GET", &format!("{ROOMS}?limit=1&offset=1"), &Value::Null).await;
    let room = json!({"key": ["R2"], "waiting": false, "body": {"code": "R2", "floor": 2}});
    assert_eq!(listed.body, json!({"records": [room], "total": 2}));
    let waiting = ask(&server, "GET", &ROOMS.replace("Room", "Attack?waiting=true"), &Value::Null).await;
    assert_eq!(waiting.body["total"], 0);

    let delete = |key: &str| format!("{ROOMS}?key={key}");
    let deleted = ask(&server, "DELETE", &delete("%5B%22R1%22%5D"), &Value::Null).await;
    assert_eq!((deleted.status, &deleted.body["records"][0]["outcome"]), (200, &json!("deleted")), "{}", deleted.body);
    assert_eq!(settled().await, 0, "it waits again");
    let again = ask(&server, "DELETE", &delete("%5B%22R1%22%5D"), &Value::Null).await;
    assert_eq!(again.status, 404, "{}", again.body);
    for key in ["R1", "%5B%5D", "%5B1%2C2%5D", "%7B%7D"] {
        assert_eq!(ask(&server, "DELETE", &delete(key), &Value::Null).await.status, 400, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_an_operator_keeps_nothing() {
    let server = Site::new().start().await;
    let headers = [("authorization", "Bearer operator"), ("rollcall-dry-run", "true")];
    let reply = server.send("PUT", ROOMS, &headers, "{\"code\":\"R1\"}").await;
    assert_eq!((reply.status, reply.delivery, &reply.body["delivery"]), (200, None, &Value::Null));
    assert_eq!(reply.body["records"][0]["outcome"], "created");
    assert_eq!(ask(&server, "GET", ROOMS, &Value::Null).await.body["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_records_and_wrong_places_are_refused() {
    let server = Site::new().start().await;
    let put = async |path: &str, body: &str| {
        let reply = server.send("PUT", path, &[("authorization", "Bearer operator")], body).await;
        (reply.status, reply.body)
    };
    for (place, body, status) in [
        ("school/records/Room", "{", 400),
        ("school/records/Room", "", 400),
        ("school/records/Room", "7", 422),
        ("school/records/Room", "[{\"floor\": 1}]", 422),
        ("school/records/Room", "[{\"code\": \"R1\"}, {\"code\": \"R1\"}]", 422),
        ("school/records/Attack", "[]", 403),
        ("school/records/Zoo", "[]", 404),
        ("nowhere/records/Room", "[]", 404),
    ] {
        let (found, answer) = put(&format!("/admin/v1/tenants/north/connections/{place}"), body).await;
        assert_eq!(found, status, "{place} {body}: {answer}");
    }
    for (credential, status) in [("Bearer nobody", 401), ("Bearer school", 403)] {
        for method in ["GET", "PUT", "DELETE"] {
            let reply = server.send(method, ROOMS, &[("authorization", credential)], "{\"code\":\"R1\"}").await;
            assert_eq!(reply.status, status, "{method} {credential}");
        }
    }
    assert_eq!(ask(&server, "GET", "/admin/v1/nothing", &Value::Null).await.status, 404);
}
