//! What the training administrations' client may rely on: every documented route, rule and error, from the files in
//! `contracts/`; and a school year's worth of contracts, diffed and sent.

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use rollcall_tests::database::Kind;
use rollcall_tests::site::{Server, project};
use serde_json::{Map, Value, json};

use crate::scenario::{self, Partner};
use crate::state::entities;
use crate::{on_every_database, site_of};

on_every_database!(
    every_route_answers_as_documented,
    every_rule_blames_every_party_in_french,
    contracts_are_integrated_by_their_sessions,
    a_diff_of_five_hundred_contracts_tells_what_sending_them_does_and_changes_nothing,
);

/// The partner and its client.
const PARTNER: Partner = Partner {
    name: "campus-skills",
    base: "",
    credential: |token| ("authorization", format!("Bearer {token}")),
    options: || json!({}),
    expand,
};

/// The contract that a number stands for.
static CONTRACT: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let text = fs::read_to_string(project().join("tests/contracts/contrat.yaml")).expect("it is there");
    serde_yaml::from_str(&text).expect("it is YAML")
});

fn every_route_answers_as_documented(kind: Kind) {
    scenario::run(&PARTNER, site_of(kind, PARTNER.name), "contracts/routes");
}

fn every_rule_blames_every_party_in_french(kind: Kind) {
    scenario::run(&PARTNER, site_of(kind, PARTNER.name), "contracts/rules");
}

#[test]
fn every_error_says_what_is_wrong_in_french() {
    scenario::run(&PARTNER, site_of(Kind::Sqlite, PARTNER.name), "contracts/errors");
}

fn contracts_are_integrated_by_their_sessions(kind: Kind) {
    scenario::run(&PARTNER, site_of(kind, PARTNER.name), "contracts/sessions");
}

fn a_diff_of_five_hundred_contracts_tells_what_sending_them_does_and_changes_nothing(kind: Kind) {
    let site = site_of(kind, PARTNER.name);
    let server = site.start();
    let before: Vec<Value> = (1..=500).map(contract).collect();
    assert_eq!(post(&server, "v1/contrats", &before)["total"], 500);

    // One is new, two are others now, three are absent.
    let mut after = before.clone();
    after.drain(100..103);
    after[7]["dateFin"] = "30/06/2026".into();
    after[300]["missionTitle"] = "Vente".into();
    after.insert(0, contract(501));
    let tables = site.stored().dump();
    let diff = post(&server, "v1/contrats-diff", &after);
    assert!(site.stored().dump() == tables, "the diff left something behind");
    let expected = json!({
        "same": after.iter().filter(|one| before.contains(one)).collect::<Vec<_>>(),
        "added": [contract(501)],
        "updated": [after[8], after[301]],
        "removed": before[100..103],
    });
    assert_eq!(expected["same"].as_array().map(Vec::len), Some(495));
    assert!(diff == expected, "{:?}", lengths(&diff));

    assert_eq!(post(&server, "v1/contrats", &after)["total"], 498);
    let contracts = entities(&server, "north-reader", "contract", "status=active");
    let codes = |all: &[Value]| all.iter().map(|one| one["codeContrat"].clone().to_string()).collect::<BTreeSet<_>>();
    let found: BTreeSet<_> = contracts.values().map(|one| one["identifier"].to_string()).collect();
    assert_eq!(found, codes(&after));
    let ends = |date: &str| contracts.values().filter(|one| one["endDate"] == date).count();
    assert_eq!((ends("2026-06-30"), ends("2026-08-31")), (1, 497));
    assert_eq!(contracts.values().filter(|one| one["title"] == "Vente").count(), 1);
    let retired = entities(&server, "north-reader", "contract", "status=tobedeleted");
    assert_eq!(
        retired.values().map(|one| one["identifier"].to_string()).collect::<BTreeSet<_>>(),
        codes(&before[100..103])
    );
    let again = post(&server, "v1/contrats-diff", &after);
    assert_eq!(lengths(&again), [("same", 498), ("added", 0), ("updated", 0), ("removed", 0)]);
}

/// Posts contracts; anything but 200 is the test's end.
#[track_caller]
fn post(server: &Server, route: &str, contracts: &[Value]) -> Value {
    let path = format!("/{}/api/sync/{route}", PARTNER.name);
    let headers = [("authorization", "Bearer north-school"), ("content-type", "application/json")];
    let answer = server.post(&path, &headers, json!({ "contrats": contracts }).to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn lengths(diff: &Value) -> [(&'static str, usize); 4] {
    ["same", "added", "updated", "removed"].map(|list| (list, diff[list].as_array().map_or(0, Vec::len)))
}

/// The contract with this number; one tutor of the school has ten learners.
fn contract(number: u64) -> Value {
    let mut contract = json!({ "contrat": number });
    contract["codePersonnel"] = format!("P{}", number / 10).into();
    contract["emailPersonnel"] = format!("p{}@cfa.example", number / 10).into();
    expand(&mut contract);
    contract
}

/// Replaces every `{contrat: 1, …}` by the whole contract; null takes a member away.
fn expand(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(expand),
        Value::Object(members) => {
            if let Some(number) = members.get("contrat").and_then(Value::as_u64) {
                members.remove("contrat");
                *members = numbered(number, members);
            } else {
                members.values_mut().for_each(expand);
            }
        }
        _ => {}
    }
}

fn numbered(number: u64, changes: &Map<String, Value>) -> Map<String, Value> {
    let filled = |value: &Value| {
        value.as_str().map_or_else(|| value.clone(), |text| text.replace('#', &number.to_string()).into())
    };
    let mut contract: Map<_, _> = CONTRACT.iter().map(|(name, value)| (name.clone(), filled(value))).collect();
    contract.extend(changes.iter().map(|(name, value)| (name.clone(), value.clone())));
    contract.retain(|_, value| !value.is_null());
    contract
}
