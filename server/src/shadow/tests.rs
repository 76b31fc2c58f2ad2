use std::sync::Arc;

use rollcall_core::bundle::{Bundle, VersionId};
use rollcall_core::store::tally::{Outcome, Tally};
use serde_json::{Value, json};
use tokio::task::yield_now;
use uuid::Uuid;

use super::{Offered, What, counting, offer};
use crate::fixture::{PARTNER, Reply, Server, Site};

const SHADOW: &str = "/admin/v1/partners/hostile/shadow";

async fn ask(server: &Server, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    server.send(method, path, &[("authorization", "Bearer operator")], &body).await
}

/// A server that has two versions: the second one, which is not in use, takes no attack with a long name, and is otherwise the
/// same.
async fn two_versions() -> (Server, String) {
    let server = Site::new().start().await;
    let version = beside(&server, "do: {type: string}", "do: {type: string, maxLength: 7}").await;
    (server, version.to_string())
}

/// A place for servers whose partner's clients call about single attacks.
fn of_calls() -> Site {
    Site::described(include_str!("attack.yaml"), |_| json!({}))
}

/// Keeps a version that has other words in its description than the one in use.
async fn beside(server: &Server, words: &str, others: &str) -> VersionId {
    let active = server.app.registry.get(PARTNER).unwrap().version;
    let administration = server.app.ingest.store.administration();
    let bytes = administration.bundle(active).await.unwrap().unwrap();
    let bundle = Bundle::open(&bytes, &server.app.ingest.limits.bundle).unwrap();
    let mut files = bundle.files().by_name.clone();
    let text = String::from_utf8(files["openapi.yaml"].clone()).unwrap();
    let changed = text.replace(words, others);
    assert_ne!(text, changed);
    files.insert("openapi.yaml".to_owned(), changed.into_bytes());
    let manifest = bundle.manifest();
    let limits = &server.app.ingest.limits.bundle;
    let other = Bundle::pack(PARTNER, &manifest.version, files, bundle.mapper().to_vec(), limits).unwrap();
    let loaded = server.app.versions.load(&other, server.app.canonical()).unwrap();
    let examined = crate::versions::Examined { bundle: other, loaded, signer: None };
    crate::versions::keep(&server.app, &examined).await.unwrap();
    examined.bundle.id()
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
    let one = |body: Vec<u8>| {
        let what = What::Sent { operation: "pushAttacks".to_owned(), body: body.into() };
        Offered { delivery: Uuid::nil(), what }
    };
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
async fn what_runs_beside_and_what_it_came_to_is_known_after_a_restart() {
    let site = Site::new();
    let server = site.start().await;
    let version = beside(&server, "do: {type: string}", "do: {type: string, maxLength: 7}").await;
    ask(&server, "POST", SHADOW, &json!({"version": version})).await;
    let first = attack(&server, json!([{"id": 1, "do": "remember"}])).await;
    let before = looked_at(&server, 1).await;
    drop(server);
    let server = site.start().await;
    assert_eq!(looked_at(&server, 1).await, before);
    let second = attack(&server, json!([{"id": 2, "do": "remember"}])).await;
    attack(&server, json!([])).await;
    let shadow = looked_at(&server, 3).await;
    assert_eq!(shadow["counts"], json!({"same": 1, "refused": 2}), "{shadow}");
    let shown: Vec<_> = shadow["last"].as_array().unwrap().iter().map(|seen| &seen["delivery"]).collect();
    assert_eq!(shown, [&json!(second), &json!(first)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_is_stored_unasked_and_what_still_waits_at_the_end_is_counted_too() {
    let (server, version) = two_versions().await;
    ask(&server, "POST", SHADOW, &json!({"version": version})).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let counting = tokio::spawn(counting::work(Arc::clone(&server.app), stopped));
    attack(&server, json!([{"id": 1, "do": "nothing"}])).await;
    let run = server.app.shadows.of(PARTNER).unwrap().run.clone();
    let tallies = server.app.ingest.store.tallies();
    while tallies.tallies(&run).await.unwrap().is_empty() {
        yield_now().await;
    }
    let turn = server.app.shadows.turn.acquire().await.unwrap();
    attack(&server, json!([{"id": 1, "do": "remember"}])).await;
    stop.send_replace(true);
    drop(turn);
    counting.await.unwrap();
    let sum = Tally::sum(tallies.tallies(&run).await.unwrap());
    assert_eq!(sum.counts, [(Outcome::Same, 1), (Outcome::Refused, 1)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_use_meanwhile_does_not_run_beside_after_a_restart() {
    let site = Site::new();
    let server = site.start().await;
    let version = beside(&server, "do: {type: string}", "do: {type: string, maxLength: 7}").await;
    ask(&server, "POST", SHADOW, &json!({"version": version})).await;
    attack(&server, json!([{"id": 1, "do": "nothing"}])).await;
    looked_at(&server, 1).await;
    let run = server.app.shadows.of(PARTNER).unwrap().run.clone();
    for decision in [json!({"action": "apply", "version": version}), json!({"action": "rollback"})] {
        let decided = ask(&server, "POST", "/admin/v1/partners/hostile/activations", &decision).await;
        assert_eq!(decided.status, 200, "{}", decided.body);
    }
    assert!(server.app.ingest.store.tallies().tallies(&run).await.unwrap().is_empty());
    drop(server);
    let server = site.start().await;
    assert!(server.app.shadows.of(PARTNER).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_calls_about_single_records_wrote_is_looked_at() {
    let server = of_calls().start().await;
    let stricter = beside(&server, "do: {type: string}}\n      x", "do: {type: string, maxLength: 7}}\n      x").await;
    let narrower = beside(&server, "kinds: [org, class, user]", "kinds: [class, user]").await;
    let without = beside(&server, "operationId: changeAttack", "operationId: adjustAttack").await;
    let call = async |method: &str, path: &str, body: Value| {
        let path = format!("/{PARTNER}/attack{path}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        server.call(method, &path, "school", &body).await
    };
    let cases = [
        (stricter, json!({"same": 1, "refused": 1}), "rejected or refused: 1 instead of 0"),
        (narrower, json!({"faulted": 2}), "org: 1 not there"),
        (without, json!({"same": 1, "different": 1}), "there is no operation `changeAttack`"),
    ];
    for (version, counts, difference) in cases {
        let begun = ask(&server, "POST", SHADOW, &json!({"version": version})).await;
        assert_eq!(begun.body["shadow"]["counts"], json!({}), "{}", begun.body);
        let added = call("POST", "", json!({"id": 7, "do": "nothing"})).await;
        let changed = call("PATCH", "/7", json!({"do": "remember"})).await;
        let missing = call("PATCH", "/8", json!({"do": "remember"})).await;
        let same = call("PATCH", "/7", json!({"do": "remember"})).await;
        let removed = call("DELETE", "/7", Value::Null).await;
        let statuses = [&added, &changed, &missing, &same, &removed].map(|reply| reply.status);
        assert_eq!(statuses, [201, 200, 404, 200, 204], "{} {}", added.body, changed.body);
        let shadow = looked_at(&server, 2).await;
        assert_eq!(shadow["counts"], counts, "{shadow}");
        assert_eq!(shadow["last"][0]["delivery"], json!(changed.delivery.unwrap()));
        assert!(shadow["last"][0]["differences"].to_string().contains(difference), "{shadow}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_waits_for_nobody_who_looks_and_what_it_wrote_is_left_out_where_there_is_no_room() {
    let server = of_calls().start().await;
    let version = beside(&server, "do: {type: string}}\n      x", "do: {type: string, maxLength: 7}}\n      x").await;
    ask(&server, "POST", SHADOW, &json!({"version": version})).await;
    let most = server.app.ingest.limits.shadow_deliveries_max;
    let turn = server.app.shadows.turn.acquire().await.unwrap();
    for id in 1..=most + 2 {
        let body = json!({"id": id, "do": "nothing"}).to_string();
        assert_eq!(server.call("POST", &format!("/{PARTNER}/attack"), "school", &body).await.status, 201);
    }
    assert_eq!(looked_at(&server, 2).await["counts"], json!({"dropped": 2}));
    drop(turn);
    let shadow = looked_at(&server, u64::try_from(most).unwrap() + 2).await;
    assert_eq!(shadow["counts"], json!({"dropped": 2, "same": most}));
}
