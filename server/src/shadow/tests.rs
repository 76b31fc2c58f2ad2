use rollcall_core::bundle::Bundle;
use serde_json::{Value, json};
use tokio::task::yield_now;
use uuid::Uuid;

use super::{Offered, offer};
use crate::fixture::{PARTNER, Reply, Server, Site};

const SHADOW: &str = "/admin/v1/partners/hostile/shadow";

async fn ask(server: &Server, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    server.send(method, path, &[("authorization", "Bearer operator")], &body).await
}

/// A server that has two versions: the second one, which is not in use, takes no attack with a long name, and is otherwise the
/// same.
async fn two_versions() -> (Server, String) {
    let site = Site::new();
    let server = site.start().await;
    let active = server.app.registry.get(PARTNER).unwrap().version;
    let administration = server.app.ingest.store.administration();
    let bytes = administration.bundle(active).await.unwrap().unwrap();
    let bundle = Bundle::open(&bytes, &server.app.ingest.limits.bundle).unwrap();
    let mut files = bundle.files().by_name.clone();
    let text = String::from_utf8(files["openapi.yaml"].clone()).unwrap();
    let stricter = text.replace("do: {type: string}", "do: {type: string, maxLength: 7}");
    assert_ne!(text, stricter);
    files.insert("openapi.yaml".to_owned(), stricter.into_bytes());
    let manifest = bundle.manifest();
    let limits = &server.app.ingest.limits.bundle;
    let other = Bundle::pack(PARTNER, &manifest.version, files, bundle.mapper().to_vec(), limits).unwrap();
    let loaded = server.app.versions.load(&other, server.app.canonical()).unwrap();
    let examined = crate::versions::Examined { bundle: other, loaded, signer: None };
    crate::versions::keep(&server.app, &examined).await.unwrap();
    (server, examined.bundle.id().to_string())
}

/// What runs beside, when so many deliveries have been looked at.
async fn looked_at(server: &Server, deliveries: u64) -> Value {
    loop {
        let shown = ask(server, "GET", SHADOW, &Value::Null).await.body;
        let counts = shown["shadow"]["counts"].as_object().unwrap();
        if counts.values().map(|count| count.as_u64().unwrap()).sum::<u64>() >= deliveries {
            return shown["shadow"].clone();
        }
        yield_now().await;
    }
}

async fn attack(server: &Server, attacks: Value) -> Uuid {
    server.call("POST", &format!("/{PARTNER}/attacks"), "school", &attacks.to_string()).await.delivery.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_version_would_make_of_what_is_sent_is_counted_and_not_stored() {
    let (server, version) = two_versions().await;
    let begun = ask(&server, "POST", SHADOW, &json!({"version": version})).await;
    assert_eq!((begun.status, &begun.body["shadow"]["version"]), (200, &json!(version)), "{}", begun.body);
    attack(&server, json!([{"id": 1, "do": "nothing"}])).await;
    let second = attack(&server, json!([{"id": 1, "do": "nothing"}, {"id": 2, "do": "remember"}])).await;
    let shadow = looked_at(&server, 2).await;
    assert_eq!(shadow["counts"], json!({"same": 1, "refused": 1}), "{shadow}");
    assert_eq!((&shadow["last"][0]["delivery"], &shadow["last"][0]["outcome"]), (&json!(second), &json!("refused")));
    assert!(shadow["last"][0]["differences"].to_string().contains("rejected or refused: 1 instead of 0"), "{shadow}");
    let active = server.app.registry.get(PARTNER).unwrap().version.to_string();
    assert_ne!(active, version, "it is not in use");
    let metrics = server.send("GET", "/metrics", &[("authorization", "Bearer operator")], "").await;
    assert!(metrics.body.to_string().contains("rollcall_shadow_deliveries_total"), "{}", metrics.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_ends_when_it_is_dropped_or_comes_into_use() {
    let (server, version) = two_versions().await;
    let path = "/admin/v1/partners/hostile/activations";
    for (how, body) in [(SHADOW, json!({"version": null})), (path, json!({"action": "apply", "version": version}))] {
        ask(&server, "POST", SHADOW, &json!({"version": version})).await;
        assert!(server.app.shadows.of(PARTNER).is_some());
        let ended = ask(&server, "POST", how, &body).await;
        assert_eq!(ended.status, 200, "{}", ended.body);
        assert!(server.app.shadows.of(PARTNER).is_none(), "{how}");
    }
    for (credential, status) in [("Bearer school", 403), ("Bearer nobody", 401)] {
        let reply = server.send("POST", SHADOW, &[("authorization", credential)], "{\"version\": null}").await;
        assert_eq!(reply.status, status);
    }
    assert_eq!(ask(&server, "POST", SHADOW, &json!({"version": "ffff"})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_no_room_for_is_left_out_and_counted() {
    let (server, version) = two_versions().await;
    ask(&server, "POST", SHADOW, &json!({"version": version})).await;
    let (app, loaded) = (&server.app, server.app.registry.get(PARTNER).unwrap());
    let from = app.access().connection("north", "school").cloned().unwrap();
    let one = |body: Vec<u8>| Offered { delivery: Uuid::nil(), operation: "pushAttacks".to_owned(), body: body.into() };
    offer(app, &from, &loaded, one(vec![b' '; app.ingest.limits.shadow_bytes_max + 1]));
    let turn = app.shadows.turn.acquire().await.unwrap();
    for _ in 0..app.ingest.limits.shadow_deliveries_max + 3 {
        offer(app, &from, &loaded, one(b"[]".to_vec()));
    }
    assert_eq!(looked_at(&server, 4).await["counts"], json!({"dropped": 4}));
    drop(turn);
    let most = u64::try_from(app.ingest.limits.shadow_deliveries_max).unwrap();
    assert_eq!(looked_at(&server, most + 4).await["counts"], json!({"dropped": 4, "same": most}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_beside_is_known_after_a_restart() {
    let (server, version) = two_versions().await;
    ask(&server, "POST", SHADOW, &json!({"version": version})).await;
    server.app.shadows.set(PARTNER, None);
    super::follow(&server.app, 0).await.unwrap();
    assert_eq!(server.app.shadows.of(PARTNER).unwrap().version().to_string(), version);
}
