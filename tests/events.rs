//! What the event-sending systems' client may rely on: every documented route, object, rule and error, from the files in
//! `events/`; the vendor's own example; what becomes of what waits too long; and that no message is lost or done twice,
//! whenever the process dies.

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rollcall_tests::database::Kind;
use rollcall_tests::site::{Server, Site, project};
use serde_json::{Map, Value, json};

use crate::scenario::{self, Partner};
use crate::state::{deliveries, entities, everything};
use crate::{on_every_database, site_of};

on_every_database!(
    every_route_answers_as_documented,
    every_object_is_inserted_updated_and_deleted,
    every_rule_costs_the_object_that_breaks_it_and_no_other,
    what_refers_to_something_unknown_waits_and_links_itself,
    what_waits_too_long_is_quarantined_until_what_it_waits_for_comes_after_all,
    messages_of_one_connection_are_worked_on_in_their_order_whatever_is_wrong_with_one,
    an_acknowledged_message_is_worked_on_once_whenever_the_process_dies,
);

/// The partner and its client.
pub(crate) const PARTNER: Partner = Partner {
    name: "educacional",
    base: "",
    credential: |token| ("x-api-key", token.to_owned()),
    options: || json!({}),
    expand,
};

/// How long a message may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// The objects that a number stands for.
static OBJECTS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let text = fs::read_to_string(project().join("tests/events/objects.yaml")).expect("it is there");
    serde_yaml::from_str(&text).expect("it is YAML")
});

fn every_route_answers_as_documented(kind: Kind) {
    scenario::run(&PARTNER, site(kind), "events/routes");
}

#[test]
fn every_error_around_the_objects_is_told_at_once() {
    scenario::run(&PARTNER, site(Kind::Sqlite), "events/errors");
}

fn every_object_is_inserted_updated_and_deleted(kind: Kind) {
    scenario::run(&PARTNER, site(kind), "events/objects");
}

fn every_rule_costs_the_object_that_breaks_it_and_no_other(kind: Kind) {
    scenario::run(&PARTNER, site(kind), "events/rules");
}

fn what_refers_to_something_unknown_waits_and_links_itself(kind: Kind) {
    scenario::run(&PARTNER, site(kind), "events/references");
}

#[test]
fn the_vendors_own_example_goes_through() {
    let site = site(Kind::Sqlite);
    let server = site.start();
    finished(&server, &send(&server, &example("eventos.before")));
    let log = finished(&server, &send(&server, &example("eventos")));
    let expected = json!({
        "status": 4,
        "log": [
            "user 3001 i Perfil atualizado com sucesso",
            "user 3002 i Perfil atualizado com sucesso",
            "user 4001 w Perfil incluído com sucesso",
            "subject 6001 i Disciplina incluída com sucesso",
            "section 5001 i Turma incluída com sucesso",
            "sectionstudent 7001 i Vínculo cadastrado com sucesso",
            "sectionteacher 7002 i Vínculo cadastrado com sucesso",
            "user 0 i Perfil removido com sucesso",
        ],
    });
    assert_eq!(log, expanded(expected));
    let people = entities(&server, "north-reader", "user", "");
    let found: BTreeMap<_, _> =
        people.values().map(|user| (user["identifier"].as_str(), (&user["familyName"], &user["status"]))).collect();
    assert_eq!(found[&Some("100871")], (&json!("Vinícius Prado"), &json!("active")));
    assert_eq!(found[&Some("100954")], (&json!("Duarte Lima Rocha"), &json!("active")));
    assert_eq!(found[&Some("201801")], (&json!("Clara Souza"), &json!("active")));
    assert_eq!(found[&Some("125054")], (&json!("Batista Reis"), &json!("tobedeleted")));
    let enrollments = entities(&server, "north-reader", "enrollment", "status=active");
    let mut roles: Vec<_> = enrollments.values().map(|one| one["role"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["student", "teacher"]);
}

fn what_waits_too_long_is_quarantined_until_what_it_waits_for_comes_after_all(kind: Kind) {
    let mut site = site(kind);
    let description = site.copy_schemas().join(PARTNER.name).join("openapi.yaml");
    let text = fs::read_to_string(&description).unwrap();
    assert!(text.contains("P7D"));
    fs::write(&description, text.replace("P7D", "PT0.1S")).unwrap();
    let server = site.start();
    let message = json!({"events": [{"insert": {
        "section": [{"turma": 1}],
        "sectionstudent": [{"sis_id": "81", "section": {"code": "t1"}, "student": {"code": "a1"}}],
    }}]});
    let id = send(&server, &expanded(message));
    assert_eq!(finished(&server, &id)["status"], 4);
    // Whoever waits is looked at in rounds, the first one at the start.
    server.kill();
    let server = site.start();
    let expected = expanded(json!({
        "status": 3,
        "log": [
            "section 401 i Turma incluída com sucesso",
            "sectionstudent 81 e O registro aguardado não foi recebido no prazo",
        ],
    }));
    until(|| log(&server, &id, 25) == expected, || log(&server, &id, 25).to_string());

    // Better late than never.
    let late = json!({"events": [{"insert": {"user": [{"aluno": 1}]}}]});
    finished(&server, &send(&server, &expanded(late)));
    assert_eq!(entities(&server, "north-reader", "enrollment", "status=active").len(), 1);
    let expected = expanded(json!({
        "status": 4,
        "log": ["section 401 i Turma incluída com sucesso", "sectionstudent 81 i Vínculo cadastrado com sucesso"],
    }));
    assert_eq!(log(&server, &id, 25), expected);
}

fn messages_of_one_connection_are_worked_on_in_their_order_whatever_is_wrong_with_one(kind: Kind) {
    let site = site(kind);
    let server = site.start();
    let mut sent = Vec::new();
    for nth in 1..=20 {
        let event = match nth {
            1 => json!({"insert": {"user": [{"aluno": 1}]}}),
            // Poison: neither the description nor the mapper takes it.
            7 => json!({"insert": {"user": [{"aluno": 2, "roles": 7}, {"aluno": 3, "roles": [{"code": "capitao"}]}]}}),
            _ => json!({"update": {"user": [{"code": "a1", "name": format!("Nome {nth}")}]}}),
        };
        sent.push(send(&server, &expanded(json!({ "events": [event] }))));
    }
    let statuses: Vec<_> = sent.iter().map(|id| finished(&server, id)["status"].clone()).collect();
    let expected: Vec<_> = (1..=20).map(|nth| if nth == 7 { 3 } else { 4 }).collect();
    assert_eq!(statuses, expected);
    let people = entities(&server, "north-reader", "user", "status=active");
    assert_eq!(people.values().map(|user| &user["familyName"]).collect::<Vec<_>>(), ["20"]);
}

fn an_acknowledged_message_is_worked_on_once_whenever_the_process_dies(kind: Kind) {
    const KILLS: u32 = 10;
    const MEGABYTES_MAX: u64 = 512;
    let large = expanded(json!({ "events": school() }));
    let control = site(kind);
    let server = control.start();
    let id = send(&server, &large);
    let start = Instant::now();
    until_done(&server, &id);
    let time = start.elapsed();
    let expected_log = finished(&server, &id);
    let expected = timeless(&server);
    assert_eq!((&expected_log["qtdeRegistros"], &expected_log["status"]), (&json!(10_000), &json!(4)));
    assert_told_elsewhere(&server, &id);
    let megabytes = server.peak_memory() >> 20;
    assert!(megabytes < MEGABYTES_MAX, "it took {megabytes} MB");
    server.kill();

    let site = site(kind);
    let mut server = site.start();
    let id = send(&server, &large);
    let mut caught = 0;
    for kill in 0..KILLS {
        let start = Instant::now();
        // Each time a little later in the work, the first time right after the acknowledgement.
        while start.elapsed() < time * 3 * kill / (4 * KILLS) {
            std::thread::yield_now();
        }
        caught += u32::from(log(&server, &id, 1)["status"] == 1);
        server.kill();
        server = site.start();
    }
    // The first ones at least, though the machine be several times as fast as when it was measured.
    assert!(caught > KILLS / 4, "only {caught} of {KILLS} times it died before the work was done");
    let log = finished(&server, &id);
    assert!(log == expected_log, "the log is not that of an uninterrupted run");
    assert!(timeless(&server) == expected, "the entities are not those of an uninterrupted run");
    assert_eq!(deliveries(&server, "north-reader").len(), 1);
}

/// Operators and readers see of a message what its log says.
#[track_caller]
fn assert_told_elsewhere(server: &Server, id: &str) {
    let delivery = server.get_json(&format!("/api/v1/deliveries/{id}"), "north-reader");
    assert_eq!((&delivery["status"], &delivery["operation"]), (&json!("applied"), &json!("sync")));
    assert!(delivery["report"]["counts"]["user"]["created"].as_u64() > Some(0), "{delivery}");
    let has = |metric: &str, value: &str| {
        let metrics = server.get("/metrics", "operator").text();
        metrics.lines().any(|line| line.starts_with(metric) && line.contains("north") && line.ends_with(value))
    };
    assert!(has("rollcall_deliveries_total{", " 1"));
    let start = Instant::now();
    while !has("rollcall_deliveries_queued{", " 0") {
        assert!(start.elapsed() < PATIENCE, "what was worked on is still counted as queued");
        std::thread::yield_now();
    }
}

/// 10,000 objects: a term, subjects, sections, people, and what links them.
fn school() -> Vec<Value> {
    let numbered =
        |name: &'static str, count: u32| (1..=count).map(move |nth| json!({ name: nth })).collect::<Vec<_>>();
    let student = |nth: u32| json!({"code": format!("a{nth}")});
    let section = |nth: u32| json!({"code": format!("t{}", 1 + nth % 100)});
    let parents = (1..=2_000).map(|nth| json!({"student": student(nth), "parent": {"code": format!("r{nth}")}}));
    // The last thousand are in a second section.
    let students = (1..=3_000).map(|nth| {
        json!({"section": section(nth + nth / 2_001), "student": student(1 + (nth - 1) % 2_000), "term_code": "p6"})
    });
    let teachers = (1..=600).map(|nth| {
        let (teacher, subject) = (format!("p{}", 1 + nth % 199), format!("d{}", 1 + nth % 100));
        json!({"section": section(nth), "teacher": {"code": teacher}, "subject": {"code": subject}, "term_code": "p6"})
    });
    let sections = (1..=100).map(|nth| json!({"turma": nth, "term_code": "p6"}));
    vec![
        json!({"insert": {
            "studentparent": parents.collect::<Vec<_>>(), "sectionstudent": students.collect::<Vec<_>>(),
            "sectionteacher": teachers.collect::<Vec<_>>(),
        }}),
        json!({"insert": {
            "term": [{"periodo": 6, "status": "active"}], "subject": numbered("disciplina", 100),
            "section": sections.collect::<Vec<_>>(),
        }}),
        json!({"insert": {"user": numbered("aluno", 2_000)}}),
        json!({"insert": {"user": numbered("responsavel", 2_000)}}),
        json!({"insert": {"user": numbered("professor", 199)}}),
    ]
}

/// A site whose connections are the partner's.
pub(crate) fn site(kind: Kind) -> Site {
    let mut site = site_of(kind, PARTNER.name);
    site.config["limits"] = json!({"lease_seconds": 2});
    for (tenant, connection) in [("north", "school"), ("north", "annex"), ("south", "school")] {
        site.config["tenants"][tenant]["connections"][connection]["options"] =
            json!({"org_ids": ["escola", "b253081c016x11eab2d30672699b542a"]});
    }
    site
}

/// An example of the partner's.
fn example(name: &str) -> Value {
    let path = project().join("schemas").join(PARTNER.name).join("examples").join(format!("{name}.json"));
    serde_json::from_slice(&fs::read(path).expect("it is there")).expect("it is JSON")
}

/// Sends a message; says its id.
#[track_caller]
pub(crate) fn send(server: &Server, message: &Value) -> String {
    let headers = [("x-api-key", "north-school"), ("content-type", "application/json")];
    let answer = server.post(&format!("/{}/prod/sync/v1", PARTNER.name), &headers, message.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["messageId"].as_str().expect("it has an id").to_owned()
}

/// The log of a message as it is now, its first entries.
#[track_caller]
fn log(server: &Server, id: &str, limit: u32) -> Value {
    let path = format!("/{}/prod/instituicao/getLog/{id}?limit={limit}", PARTNER.name);
    let answer = server.call("GET", &path, &[("x-api-key", "north-school")], None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The whole log of a message, once it is done.
#[track_caller]
pub(crate) fn finished(server: &Server, id: &str) -> Value {
    until_done(server, id);
    log(server, id, u32::MAX)
}

#[track_caller]
fn until_done(server: &Server, id: &str) {
    let is_done = |log: &Value| log["status"].as_i64() > Some(2);
    until(|| is_done(&log(server, id, 1)), || log(server, id, 1).to_string());
}

#[track_caller]
fn until(holds: impl Fn() -> bool, found: impl FnOnce() -> String) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it takes too long; found {}", found());
        std::thread::yield_now();
    }
}

/// All entities, without when they changed.
fn timeless(server: &Server) -> BTreeMap<&'static str, BTreeMap<String, Value>> {
    let mut everything = everything(server, "north-reader");
    for entity in everything.values_mut().flat_map(BTreeMap::values_mut) {
        entity["dateLastModified"] = Value::Null;
    }
    everything
}

pub(crate) fn expanded(mut value: Value) -> Value {
    expand(&mut value);
    value
}

/// Replaces every `{aluno: 1, …}` by the whole object, where null takes a member away; `{events: [{insert: …}]}` by a
/// message, and `{log: [user 1 i Texto]}` by the answer with these entries.
fn expand(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(expand),
        Value::Object(members) => {
            members.values_mut().for_each(expand);
            if let Some(Value::Array(events)) = members.remove("events") {
                *members = message(events, members);
            } else if let Some(Value::Array(entries)) = members.remove("log") {
                *members = answer(&entries, members);
            } else if let Some((name, number)) =
                OBJECTS.keys().find_map(|name| Some((name.clone(), members.get(name)?.as_u64()?)))
            {
                members.remove(&name);
                *members = object(&OBJECTS[&name], number, members);
            }
        }
        _ => {}
    }
}

fn message(events: Vec<Value>, changes: &Map<String, Value>) -> Map<String, Value> {
    let event = |event: Value| match event {
        Value::Object(verbs) => verbs.into_iter().map(|(verb, objects)| json!({"typ": verb, "obj": objects})).collect(),
        _ => Vec::new(),
    };
    let events: Vec<_> = events.into_iter().flat_map(event).collect();
    let message =
        json!({"doo": "2018/11/05T15:25:16.584Z", "ver": "1.0.0", "who": "sis", "org_id": "escola", "dat": events});
    object(&message, 0, changes)
}

fn answer(entries: &[Value], changes: &Map<String, Value>) -> Map<String, Value> {
    let entry = |entry: &Value| {
        let words: Vec<_> = entry.as_str().unwrap_or_default().splitn(4, ' ').collect();
        let [name, sis_id, level, text] = words[..] else { panic!("no entry: {entry}") };
        json!({"baseItem": {"obj": name, "sis_id": sis_id, "mensagem": [{"dsc_error": text, "level_Error": level}]}})
    };
    let logs: Vec<_> = entries.iter().map(entry).collect();
    object(&json!({"qtdeRegistros": logs.len(), "logs": logs}), 0, changes)
}

/// The template with `number` for `#`, and with the changes.
fn object(template: &Value, number: u64, changes: &Map<String, Value>) -> Map<String, Value> {
    let filled = |value: &Value| {
        value.as_str().map_or_else(|| value.clone(), |text| text.replace('#', &number.to_string()).into())
    };
    let template = template.as_object().into_iter().flatten();
    let mut object: Map<_, _> = template.map(|(name, value)| (name.clone(), filled(value))).collect();
    object.extend(changes.iter().map(|(name, value)| (name.clone(), value.clone())));
    object.retain(|_, value| !value.is_null());
    object
}
