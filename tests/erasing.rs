//! People are taken out of everything that is stored, in the formats of partners: out of lists in records, with the records
//! that are about them, from what was sent, from logs; out of the very files; and out of what is restored from a backup.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use rollcall_tests::client::{Answer, Client};
use rollcall_tests::jusoor::{self, BRANCHES};
use rollcall_tests::site::{Server, Site};
use serde_json::{Value, json};

use crate::keeping::{rollcall, said};
use crate::site;
use crate::state::{changes, deliveries, encode, entities, everything, rows, text};

/// Part of the name and address of whoever is erased; nobody else has it in theirs.
const MARKER: &str = "Zubaydamarker";

const PATIENCE: Duration = Duration::from_mins(3);

/// A school with two sections: students of each by number, and one teacher of both.
fn school(students: [&[u64]; 2]) -> Value {
    let person = |number: u64| {
        let name = if number == 1001 { format!("{MARKER} Haddad") } else { format!("Student Number {number}") };
        json!({"user_no": number, "name_user": name, "user_email": format!("{}@school.example", name.replace(' ', "."))})
    };
    let teacher = json!({"user_no": 1001, "name_user": "Hala Farah"});
    let section = |name: &str, students: &[u64]| {
        let students: Vec<_> = students.iter().map(|number| person(*number)).collect();
        json!({"name": name, "students": students, "subjects": [{"id": 5, "name": "Maths", "teachers": [teacher]}]})
    };
    let sections = [section("A", students[0]), section("B", students[1])];
    json!({
        "branches": [{"id": 10, "name": "North", "classes": [{"id": 1, "name": "One", "sections": sections}], "managers": [person(1)]}],
        "managers": [person(2)],
    })
}

fn post(client: &Client, body: &Value) -> Answer {
    client.post(BRANCHES, &jusoor::headers("north-school"), body.to_string().as_bytes())
}

fn sent(client: &Client, body: &Value) -> Value {
    let answer = post(client, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The users of `north` whose name is that of whoever is erased.
fn marked(server: &Server) -> Vec<String> {
    let users = entities(server, "north-reader", "user", "");
    users.into_iter().filter(|(_, user)| user.to_string().contains(MARKER)).map(|(id, _)| id).collect()
}

fn erase(server: &Server, named: &Value, dry_run: bool) -> Answer {
    let dry = [("rollcall-dry-run", if dry_run { "true" } else { "false" })];
    let headers = [("authorization", "Bearer operator"), ("content-type", "application/json"), dry[0]];
    let path = "/admin/v1/tenants/north/connections/school/erasures";
    server.post(path, &headers, named.to_string().as_bytes())
}

#[track_caller]
fn erased(server: &Server, named: &Value, dry_run: bool) -> Value {
    let answer = erase(server, named, dry_run);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["erased"].clone()
}

fn user(id: &str) -> Value {
    json!({"entities": [{"kind": "user", "sourcedId": id}]})
}

/// All stored bodies of `north`, by delivery.
fn bodies(server: &Server) -> BTreeMap<String, Option<String>> {
    let body = |delivery: &Value| {
        let id = text(delivery, "id");
        let answer = server.get(&format!("/api/v1/deliveries/{id}/body"), "north-reader");
        (id, (answer.status == 200).then(|| answer.text()))
    };
    deliveries(server, "north-reader").iter().map(body).collect()
}

/// The files of the site's database that hold the marker, or the bytes of it as they would be compressed.
fn files_with_marker(site: &Site) -> Vec<String> {
    let holds = |bytes: &[u8]| bytes.windows(MARKER.len()).any(|window| window == MARKER.as_bytes());
    let mut found = Vec::new();
    for entry in fs::read_dir(site.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if (name.contains(".db") || name == "log") && holds(&fs::read(&path).unwrap()) {
            found.push(name);
        }
    }
    found
}

/// The tables that hold the marker in any row.
fn rows_with_marker(database: &rollcall_test_cluster::Database) -> Vec<String> {
    let tables = "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'";
    let holds = |table: &String| {
        // What is packed shows its letters in hexadecimal digits.
        let digits = encode(MARKER).replace('%', "").to_lowercase();
        let rows = format!(
            "select 'found'::text from \"{table}\" r where r::text like '%{MARKER}%' or r::text like '%{digits}%'"
        );
        !database.texts(&rows).unwrap().is_empty()
    };
    database.texts(tables).unwrap().into_iter().filter(holds).collect()
}

#[test]
fn a_person_in_the_lists_of_records_leaves_no_trace_and_nobody_else_changes() {
    leaves_no_trace(&site(), &files_with_marker);
}

#[test]
fn a_person_leaves_no_trace_in_postgresql() {
    let database = rollcall_test_cluster::Database::fresh();
    let mut site = site();
    site.config["database_url"] = json!(database.url());
    leaves_no_trace(&site, &|_| rows_with_marker(&database));
}

/// `found` says where the marker is found in what is stored.
fn leaves_no_trace(site: &Site, found: &dyn Fn(&Site) -> Vec<String>) {
    let server = site.start();
    sent(&server, &school([&[1001, 1002], &[1003]]));
    sent(&server, &school([&[1002], &[1003, 1001]]));
    let mut bad = school([&[1001], &[]]);
    bad["branches"][0]["id"] = json!("ten");
    assert_eq!(post(&server, &bad).status, 422);
    let ids = marked(&server);
    assert_eq!(ids.len(), 1);
    assert!(!found(site).is_empty(), "nothing would be found");

    let (before, stored) = (everything(&server, "north-reader"), bodies(&server));
    let would = erased(&server, &user(&ids[0]), true);
    assert_eq!((everything(&server, "north-reader"), bodies(&server)), (before.clone(), stored), "it only looked");
    let mut done = erased(&server, &user(&ids[0]), false);
    done["entitiesBlanked"] = 0.into();
    assert_eq!(done, would, "it does what it said");
    assert_eq!(done["recordsChanged"], json!({"Section": 1}));
    assert_eq!(done["recordsRemoved"], json!({}));
    assert_eq!(done["bodiesRewritten"].as_array().unwrap().len(), 2);
    assert_eq!(done["bodiesDropped"].as_array().unwrap().len(), 1, "the bad one cannot be told apart");

    let after = everything(&server, "north-reader");
    for (kind, of_kind) in &after {
        for (id, entity) in of_kind {
            if *id == ids[0] || (*kind == "enrollment" && entity["user"].is_null()) {
                let members: Vec<_> = entity.as_object().unwrap().keys().map(String::as_str).collect();
                assert_eq!(
                    (members, &entity["status"]),
                    (vec!["sourcedId", "status", "dateLastModified"], &json!("tobedeleted"))
                );
            } else {
                assert_eq!(*entity, before[kind][id], "{kind} {id}");
            }
        }
    }
    let feed = changes(&server, "north-reader", 0);
    assert!(feed.iter().any(|change| change["sourcedId"] == *ids[0] && change["status"] == "tobedeleted"));
    for (delivery, body) in bodies(&server) {
        let body = body.unwrap_or_default();
        assert!(!body.contains(MARKER), "{delivery}");
        assert!(body.is_empty() || body.contains("Hala Farah"), "the teacher with the same number is someone else");
    }
    assert_eq!(found(site), Vec::<String>::new());
    assert_eq!(erase(&server, &user(&ids[0]), false).status, 404, "nothing is left to erase");

    let again = sent(&server, &school([&[1002], &[1003]]));
    assert_eq!(again["status"], "unchanged", "what is left is what would have been sent without them: {again}");
    sent(&server, &school([&[1002], &[1003, 1001]]));
    assert_eq!(marked(&server), ids, "who is sent again is there again");
}

#[test]
fn who_was_erased_is_erased_from_what_is_restored() {
    let site = site();
    let server = site.start();
    sent(&server, &school([&[1001, 1002], &[1003]]));
    let ids = marked(&server);
    let file = site.path().join("backup.sqlite");
    let made = rollcall(&site, &["backup", file.to_str().unwrap()]);
    assert!(made.status.success(), "{}", said(&made));
    erased(&server, &user(&ids[0]), false);
    let listed = server.get_json("/admin/v1/erasures", "operator");
    let lines = rows(&listed);
    assert_eq!(lines.len(), 1);
    assert!(lines[0]["finishedAt"].is_string() && !listed.to_string().contains(&ids[0]), "{listed}");
    server.kill();

    for is_lost in [false, true] {
        let log = site.path().join("erasures.json");
        fs::write(&log, listed.to_string()).unwrap();
        let mut arguments = vec!["restore", file.to_str().unwrap()];
        if is_lost {
            // The machine is gone: what was written down beside the backup is all there is.
            for ending in ["", "-wal", "-shm"] {
                fs::remove_file(format!("{}{ending}", site.database().display())).ok();
            }
            arguments.extend(["--erasures", log.to_str().unwrap()]);
        } else {
            arguments.push("--replace");
        }
        let restored = rollcall(&site, &arguments);
        assert!(restored.status.success(), "{}", said(&restored));
        assert_eq!(files_with_marker(&site), Vec::<String>::new());
        let server = site.start();
        assert_eq!(marked(&server), Vec::<String>::new());
        assert_eq!(server.get_json("/admin/v1/erasures", "operator")["erasures"][0]["id"], lines[0]["id"]);
        assert_eq!(entities(&server, "north-reader", "user", "status=active").len(), 5);
        server.kill();
    }
}

#[test]
fn a_person_whom_events_are_about_goes_with_what_links_them_to_others() {
    let mut site = Site::new(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), "educacional");
    for (tenant, connection) in [("north", "school"), ("north", "annex"), ("south", "school")] {
        site.config["tenants"][tenant]["connections"][connection]["options"] = json!({"org_ids": ["escola"]});
    }
    let server = site.start();
    let headers = [("x-api-key", "north-school"), ("content-type", "application/json")];
    let send = |events: Value| {
        let message =
            json!({"doo": "2030/11/05T15:25:16.584Z", "ver": "1.0.0", "who": "sis", "org_id": "escola", "dat": events});
        let answer = server.post("/educacional/prod/sync/v1", &headers, message.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let id = text(&answer.json(), "messageId");
        let path = format!("/educacional/prod/instituicao/getLog/{id}");
        let log = || server.call("GET", &path, &headers[..1], Some(b"{\"limit\":100}")).json();
        let start = Instant::now();
        while log()["status"].as_i64().is_none_or(|status| status <= 2) {
            assert!(start.elapsed() < PATIENCE, "{}", log());
            std::thread::yield_now();
        }
        let told = log();
        (path, told)
    };
    let student = |code: &str, name: &str| json!({"name": name, "code": code, "sis_id": format!("sis-{code}"), "dob": "2011-03-09", "roles": [{"code": "aluno"}]});
    let name = format!("{MARKER} Souza");
    let (path, before) = send(json!([
        {"typ": "insert", "obj": {"section": [{"name": "7A", "code": "7A", "sis_id": "407", "level": "7º Série", "period": 1}]}},
        {"typ": "insert", "obj": {"user": [student("a1", &name), student("a2", "Bia Lima")]}},
        {"typ": "insert", "obj": {"sectionstudent": [
            {"sis_id": "81", "section": {"code": "7A"}, "student": {"code": "a1"}},
            {"sis_id": "82", "section": {"code": "7A"}, "student": {"code": "a2"}},
        ]}},
    ]));
    send(json!([{"typ": "update", "obj": {"user": [{"code": "a1", "cellphone": "41999990000"}]}}]));
    let ids = marked(&server);
    assert_eq!(ids.len(), 1, "{before}");
    assert_eq!(entities(&server, "north-reader", "enrollment", "status=active").len(), 2);

    let done = erased(&server, &user(&ids[0]), false);
    assert_eq!(done["recordsRemoved"], json!({"SectionStudent": 1, "User": 1}), "{done}");
    assert_eq!(marked(&server), Vec::<String>::new());
    assert_eq!(entities(&server, "north-reader", "enrollment", "status=active").len(), 1);
    let log = server.call("GET", &path, &headers[..1], Some(b"{\"limit\":100}")).json();
    let lines = |log: &Value| log["log"].as_array().or(log["logs"].as_array()).map(Vec::len);
    assert_eq!(lines(&log), lines(&before), "the numbers stay: {log}");
    assert!(!log.to_string().contains("a1") && log.to_string().contains("a2"), "{log}");
    for body in bodies(&server).into_values().flatten() {
        assert!(!body.contains(MARKER) && !body.contains("\"a1\"") && !body.contains("41999990000"), "{body}");
    }
    assert_eq!(files_with_marker(&site), Vec::<String>::new());
}

#[test]
fn a_person_who_was_made_call_by_call_goes_with_what_was_said_in_each_call() {
    let mut site = Site::new(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), "eduframe");
    for (tenant, connection) in [("north", "school"), ("north", "annex"), ("south", "school")] {
        site.config["tenants"][tenant]["connections"][connection]["options"] = json!({
            "slug": "horizon", "tenant_id": "5b0c4c1e-6a3d-4a52-9a57-0d6f4f2b8a11", "name": "Horizon Academy",
            "website_url": "https://horizon.example", "currency": "EUR",
        });
    }
    let server = site.start();
    let headers = [("authorization", "Bearer north-school"), ("content-type", "application/json")];
    let call = |method: &str, path: &str, body: &Value| {
        let path = format!("/eduframe/api/v1{path}");
        server.call(method, &path, &headers, Some(body.to_string().as_bytes()))
    };
    let made = |path: &str, body: &Value| {
        let answer = call("POST", path, body);
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
    };
    made("/users", &json!({"first_name": MARKER, "last_name": "Haddad", "email": format!("{MARKER}@school.example")}));
    made("/users", &json!({"first_name": "Grace", "last_name": "Hopper", "email": "grace@school.example"}));
    for user in [1, 2] {
        made("/teachers", &json!({"user_id": user}));
    }
    assert_eq!(call("PATCH", "/users/1", &json!({"middle_name": format!("van {MARKER}")})).status, 200);
    let ids = marked(&server);
    assert_eq!(ids.len(), 1);

    let done = erased(&server, &user(&ids[0]), false);
    assert_eq!(done["recordsRemoved"]["User"], 1, "{done}");
    assert_eq!(done["bodiesDropped"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(call("GET", "/users/1", &Value::Null).status, 404);
    assert_eq!(call("GET", "/users/2", &Value::Null).status, 200);
    let kept: Vec<_> = bodies(&server).into_values().flatten().collect();
    assert!(kept.iter().any(|body| body.contains("grace@school.example")), "{kept:?}");
    assert_eq!(files_with_marker(&site), Vec::<String>::new());
}

#[test]
fn a_tutor_goes_with_each_contract_that_names_them_and_whoever_is_in_others_stays() {
    let mut site = Site::new(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), "campus-skills");
    for (tenant, connection) in [("north", "school"), ("north", "annex"), ("south", "school")] {
        site.config["tenants"][tenant]["connections"][connection]["options"] = json!({"name": "CFA", "sandbox": true});
    }
    let server = site.start();
    let contract = |number: u64, learner: u64, tutor: &str| {
        let mut contract = json!({
            "dateDebut": "01/09/2025", "dateFin": "31/08/2026", "nomEntreprise": "Fournil d'Or", "codeGroupe": "G1",
            "nomGroupe": "BTS 1", "codeSite": "LYO", "nomSite": "Lyon", "codePeriode": "2025", "nomPeriode": "2025/2026",
            "codeAnnee": "1", "nomAnnee": "1re année", "codeFormation": "MCO", "nomFormation": "BTS MCO",
            "codeMarque": "CV", "nomMarque": "Campus Vert", "rncp": "RNCP38362",
        });
        contract["codeContrat"] = json!(format!("C-{number}"));
        for (role, code) in [("Apprenant", format!("A-{learner}")), ("Personnel", "P-1".to_owned())] {
            contract[format!("code{role}")] = json!(code);
            contract[format!("nom{role}")] = json!(format!("Nom {code}"));
            contract[format!("prenom{role}")] = json!("Léa");
            contract[format!("email{role}")] = json!(format!("{code}@cfa.example"));
        }
        contract["codeMaitreApprentissage"] = json!(format!("M-{tutor}"));
        contract["nomMaitreApprentissage"] = json!(tutor);
        contract["prenomMaitreApprentissage"] = json!("Paul");
        contract["emailMaitreApprentissage"] = json!(format!("{tutor}@fournil.example"));
        contract
    };
    let all = json!({"contrats": [contract(1, 1, MARKER), contract(2, 1, "Roux"), contract(3, 2, MARKER)]});
    let headers = [("authorization", "Bearer north-school"), ("content-type", "application/json")];
    let answer = server.post("/campus-skills/api/sync/v1/contrats", &headers, all.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let ids = marked(&server);
    assert_eq!(ids.len(), 1);
    let active = |kind| entities(&server, "north-reader", kind, "status=active").len();
    assert_eq!((active("contract"), active("user")), (3, 5));

    let done = erased(&server, &user(&ids[0]), false);
    assert_eq!((&done["recordsRemoved"], &done["recordsChanged"]), (&json!({"Contrat": 2}), &json!({})), "{done}");
    assert_eq!((active("contract"), active("user")), (1, 3), "the learner and both tutors of the second contract");
    assert_eq!(done["bodiesRewritten"].as_array().unwrap().len(), 1, "{done}");
    let kept: Vec<_> = bodies(&server).into_values().flatten().collect();
    assert!(kept.iter().any(|body| body.contains("C-2")) && !kept.concat().contains("A-2"), "{kept:?}");
    assert_eq!((marked(&server), files_with_marker(&site)), (Vec::new(), Vec::new()));
}

#[test]
fn erasures_are_done_again_on_request() {
    let site = site();
    let server = site.start();
    let again = |body: &str| {
        let headers = [("authorization", "Bearer operator"), ("content-type", "application/json")];
        server.post("/admin/v1/erasures", &headers, body.as_bytes())
    };
    assert_eq!(again("").json(), json!({"connections": []}), "there are none");
    sent(&server, &school([&[1001, 1002], &[1003]]));
    let ids = marked(&server);
    erased(&server, &user(&ids[0]), false);
    let listed = server.get_json("/admin/v1/erasures", "operator");
    sent(&server, &school([&[1001, 1002], &[1003]]));
    assert_eq!(marked(&server), ids);

    for (body, removed) in [(String::new(), json!({"Section": 1})), (listed.to_string(), json!({}))] {
        let answer = again(&body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let done = &answer.json()["connections"][0];
        assert_eq!((&done["connection"], &done["erasures"]), (&json!("school"), &json!(1)), "{done}");
        assert_eq!(done["erased"]["recordsChanged"], removed, "{done}");
        assert_eq!((marked(&server), files_with_marker(&site)), (Vec::new(), Vec::new()));
    }
    let mut odd = listed.clone();
    odd["erasures"][0]["digest"] = json!(MARKER);
    for wrong in [odd.to_string(), "{".to_owned(), json!({"erasures": MARKER}).to_string()] {
        let answer = again(&wrong);
        assert!(answer.status == 422 && !answer.text().contains(MARKER), "{}", answer.text());
    }
}

#[test]
fn only_operators_erase_and_are_told_what_is_wrong() {
    let site = site();
    let server = site.start();
    let path = "/admin/v1/tenants/north/connections/school/erasures";
    for (credential, status) in [("north-reader", 403), ("north-school", 403), ("nobody", 401)] {
        let headers = [("authorization", format!("Bearer {credential}"))];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(server.post(path, &headers, b"{}").status, status);
        assert_eq!(server.call("GET", "/admin/v1/erasures", &headers, None).status, status);
        assert_eq!(server.post("/admin/v1/erasures", &headers, b"").status, status);
    }
    assert_eq!(erase(&server, &json!({"texts": [MARKER]}), false).status, 404);
    for wrong in [json!({"who": MARKER}), json!(MARKER), json!({"entities": [{"kind": "user", "sourcedId": MARKER}]})] {
        let answer = erase(&server, &wrong, false);
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert!(!answer.text().contains(MARKER), "{}", answer.text());
    }
    assert_eq!(files_with_marker(&site), Vec::<String>::new());
}
