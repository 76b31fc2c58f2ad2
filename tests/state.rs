//! What a tenant's data look like from outside, to be compared before and after.

use std::collections::BTreeMap;

use rollcall_tests::client::Client;
use serde_json::Value;

/// Where the OneRoster API is.
pub(crate) const ONEROSTER: &str = "/ims/oneroster/rostering/v1p2";

/// Every kind of canonical entity.
pub(crate) const KINDS: [&str; 10] =
    ["org", "academicSession", "program", "course", "class", "user", "enrollment", "contract", "event", "attendance"];

/// Any text as it stands in a query.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02X}"))
}

/// How many entities a OneRoster list has.
#[track_caller]
pub(crate) fn total(client: &Client, token: &str, list: &str) -> u64 {
    let separator = if list.contains('?') { '&' } else { '?' };
    let answer = client.get(&format!("{ONEROSTER}/{list}{separator}limit=1"), token);
    assert_eq!(answer.status, 200, "{list}: {}", answer.text());
    answer.header("x-total-count").parse().expect("the total is a number")
}

/// The entities of a kind, by `sourcedId`.
pub(crate) fn entities(client: &Client, token: &str, kind: &str, filter: &str) -> BTreeMap<String, Value> {
    let page = client.get_json(&format!("/api/v1/entities/{kind}?limit=10000&{filter}"), token);
    rows(&page).iter().map(|row| (text(row, "sourcedId"), row.clone())).collect()
}

/// All entities of a tenant as they can be read, by kind and `sourcedId`.
pub(crate) fn everything(client: &Client, token: &str) -> BTreeMap<&'static str, BTreeMap<String, Value>> {
    KINDS.into_iter().map(|kind| (kind, entities(client, token, kind, ""))).collect()
}

/// The changes after a place in the feed.
pub(crate) fn changes(client: &Client, token: &str, after: i64) -> Vec<Value> {
    rows(&client.get_json(&format!("/api/v1/changes?limit=10000&after={after}"), token)).clone()
}

/// The place of the latest change.
pub(crate) fn feed_end(client: &Client, token: &str) -> i64 {
    let mut after = 0;
    loop {
        match changes(client, token, after).last() {
            Some(last) => after = last["sequence"].as_i64().expect("places are numbers"),
            None => return after,
        }
    }
}

/// The deliveries of a tenant, newest first.
pub(crate) fn deliveries(client: &Client, token: &str) -> Vec<Value> {
    rows(&client.get_json("/api/v1/deliveries?limit=1000", token)).clone()
}

/// The rows of a page of `/api/v1`: the one list in it.
#[track_caller]
pub(crate) fn rows(page: &Value) -> &Vec<Value> {
    let members = page.as_object().expect("a page is an object");
    members.values().find_map(Value::as_array).expect("a page has a list")
}

/// A member that is text.
#[track_caller]
pub(crate) fn text(row: &Value, member: &str) -> String {
    row[member].as_str().unwrap_or_else(|| panic!("no {member} in {row}")).to_owned()
}

/// What an answer says that happened to the entities of a kind: created, updated, unchanged, removed.
#[track_caller]
pub(crate) fn counts(answer: &Value, kind: &str) -> (u64, u64, u64, u64) {
    let count = |member: &str| answer["counts"][kind][member].as_u64().unwrap_or_default();
    assert!(answer["counts"].is_object(), "no counts in {answer}");
    (count("created"), count("updated"), count("unchanged"), count("removed"))
}
