use std::time::Duration;

use jiff::Timestamp;
use rollcall_core::bundle::VersionId;
use rollcall_core::digest::Sha256;
use rollcall_core::store::administration::{Action, Activation};
use serde_json::json;

use super::version_at;
use crate::fixture::{PARTNER, Site};

fn version(name: &str) -> VersionId {
    VersionId::from(Sha256::of(name.as_bytes()))
}

#[test]
fn history_tells_which_version_a_connection_used() {
    let connection = |name: &str| ("north".to_owned(), name.to_owned());
    let at = |hour: i8| jiff::civil::date(2026, 9, 1).at(hour, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
    let at = |hour: i8| -> Timestamp { at(hour).timestamp() };
    let activation = |number: i64, hour: i8, pinned: Option<&str>, name: Option<&str>| Activation {
        partner: PARTNER.to_owned(),
        number,
        connection: pinned.map(connection),
        version: name.map(version),
        action: Action::Apply,
        at: at(hour),
        who: "operator".to_owned(),
        plan: None,
    };
    let activations = vec![
        activation(1, 8, None, Some("one")),
        activation(2, 10, Some("school"), Some("own")),
        activation(3, 12, None, Some("two")),
        activation(4, 14, Some("school"), None),
        activation(5, 16, None, None),
    ];
    for (name, hour, wanted) in [
        ("school", 7, None),
        ("school", 8, Some("one")),
        ("school", 11, Some("own")),
        ("annex", 11, Some("one")),
        ("school", 13, Some("own")),
        ("annex", 13, Some("two")),
        ("school", 15, Some("two")),
        ("school", 17, None),
    ] {
        let found = version_at(activations.clone(), PARTNER, &connection(name), at(hour));
        assert_eq!(found, wanted.map(version), "{name} at {hour}");
    }
    assert_eq!(version_at(activations, "another", &connection("school"), at(11)), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_worked_on_again_by_the_version_that_it_met() {
    let site = Site::new();
    let server = site.start().await;
    let first = server.app.registry.get(PARTNER).unwrap().version;
    let body = json!([{"id": 1, "do": "panic"}]).to_string();
    let reply = server.call("POST", &format!("/{PARTNER}/attacks/all-or-none"), "school", &body).await;
    let delivery = reply.delivery.unwrap();
    drop(server);
    site.clock.advance(Duration::from_mins(1));
    site.describe(|text| text.replace("it broke", "it broke again"));
    let server = site.start().await;
    let second = server.app.registry.get(PARTNER).unwrap().version;
    assert_ne!(first, second);
    for (as_run, wanted) in [(true, first), (false, second)] {
        let path = format!("/admin/v1/deliveries/{delivery}/reprocess");
        let asked = json!({"asRun": as_run}).to_string();
        let headers = [("authorization", "Bearer operator"), ("rollcall-dry-run", "true")];
        let done = server.send("POST", &path, &headers, &asked).await;
        assert_eq!((done.status, &done.body["version"]), (200, &json!(wanted)), "{}", done.body);
        assert_eq!(done.body["report"]["faults"][0]["code"], "fault", "{}", done.body);
    }
}
