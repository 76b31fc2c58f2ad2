//! A partner whose mapper attacks the sandbox harms its own records and nothing else: not its other records, not the
//! server, not another partner's answer.

use std::fs;
use std::thread;

use mapper_artifacts::HOSTILE;
use rollcall_tests::client::{Answer, Client};
use rollcall_tests::jusoor::sync;
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::{Site, digest, project};
use serde_json::{Value, json};

use crate::site;
use crate::state::entities;

/// How many clients of the hostile partner post at the same time: more than it may map, and more than there are cores.
const ATTACKERS: usize = 8;

#[test]
fn a_hostile_mapper_costs_the_attacking_records_only() {
    let server = site_with_attackers().start();
    let first = attack(&server, 0, &[(1, "nothing"), (2, "nothing"), (3, "panic"), (4, "refuse")]);
    assert_eq!((first.status, places(&first, "faults"), places(&first, "refusals")), (200, 1, 1), "{}", first.text());
    let before = entities(&server, "north-reader", "org", "connection=attacker-0");
    assert_eq!(before.len(), 2);

    for what in
        ["panic", "loop", "grow-memory", "recurse", "giant-output", "wrong-kind", "wrong-type", "many-contributions"]
    {
        let answer = attack(&server, 0, &[(1, what), (2, "nothing"), (5, "nothing")]);
        assert_eq!((answer.status, places(&answer, "faults")), (200, 1), "{what}: {}", answer.text());
        let active = entities(&server, "north-reader", "org", "connection=attacker-0&status=active");
        let still: Vec<_> = before.keys().filter(|id| active.contains_key(*id)).collect();
        assert_eq!((still.len(), active.len()), (2, 3), "{what}: a record that faults keeps its last good state");
    }
    let healed = attack(&server, 0, &[(1, "nothing"), (2, "nothing")]);
    assert_eq!((healed.status, places(&healed, "faults")), (200, 0), "{}", healed.text());
    sync(&server, "north-school", &Payload::of(Size::SMALL));
}

#[test]
fn a_hostile_partner_does_not_delay_another() {
    let mut site = site_with_attackers();
    // Enough fuel to loop until the deadline.
    site.config["limits"] = json!({
        "mapper": { "fuel_base": 1_u64 << 42, "fuel_per_delivery_max": 1_u64 << 50, "deadline_ms": 15_000 }
    });
    let server = site.start();
    let loops: Vec<_> = (0..4).map(|id| (id, "loop")).collect();
    thread::scope(|scope| {
        let attacks: Vec<_> = (0..ATTACKERS)
            .map(|nth| {
                scope.spawn({
                    let (server, loops) = (&server, &loops);
                    move || attack(server, nth, loops)
                })
            })
            .collect();
        while !server.get("/metrics", "operator").text().contains("rollcall_deliveries_in_progress") {
            thread::yield_now();
        }
        for seed in 0..3 {
            let mut payload = Payload::of(Size::SMALL);
            payload.section(0, 0).students[0].name_user = format!("Renamed {seed}");
            sync(&server, "north-school", &payload);
        }
        assert!(attacks.iter().all(|attack| !attack.is_finished()), "the attacks were over before they could harm");
        for attack in attacks {
            let answer = attack.join().unwrap();
            assert!(answer.status >= 500, "looping until the deadline is not an answer: {}", answer.text());
        }
    });
    assert_eq!(entities(&server, "north-reader", "user", "connection=school&status=active").len(), 28);
}

/// A site that knows the hostile partner, with a connection for each attacker.
fn site_with_attackers() -> Site {
    let mut site = site();
    let schemas = site.copy_schemas();
    fs::create_dir(schemas.join(HOSTILE)).unwrap();
    fs::copy(project().join("tests/hostile/openapi.yaml"), schemas.join(HOSTILE).join("openapi.yaml")).unwrap();
    site.put_mapper(HOSTILE, &mapper_artifacts::component(HOSTILE).unwrap());
    for nth in 0..ATTACKERS {
        let name = format!("attacker-{nth}");
        let connection = json!({ "partner": HOSTILE, "credentials": [digest(&name)] });
        site.config["tenants"]["north"]["connections"][&name] = connection;
    }
    site
}

fn attack(client: &Client, nth: usize, records: &[(u64, &str)]) -> Answer {
    let attacks: Vec<Value> = records.iter().map(|(id, what)| json!({ "id": id, "do": what })).collect();
    let body = json!({ "attacks": attacks }).to_string();
    let token = format!("attacker-{nth}");
    client.post("/hostile/attacks", &[("token", &token), ("content-type", "application/json")], body.as_bytes())
}

fn places(answer: &Answer, list: &str) -> usize {
    answer.json()[list].as_array().map_or(0, Vec::len)
}
