//! Mappers in other languages than Rust: the same results, from a runtime that can see nothing of the world.
//!
//! To add a language: a folder in `mappers/templates`, how it is built in `building`, something that pries beside it.

mod building;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use rollcall_core::canonical::{Canonical, KindId};
use rollcall_core::ingest::Loaded;
use rollcall_core::limits::{Limits, MapperLimits, WasiLimits};
use rollcall_core::map::{Budget, Host, Input, Mapped, Mapper, Outcome, Profile, Value as Said};
use rollcall_server::partners::Folders;
use rollcall_server::preview::Previewer;
use rollcall_tests::jusoor::{PARTNER, sync};
use rollcall_tests::school::{Payload, Person, Size};
use rollcall_tests::site::project;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::building::Language;
use crate::site;
use crate::state::entities;

/// What is built: the template with a record type more, which looks for whatever can be seen. One component for both,
/// because it costs a minute to compile one in which Python is.
const PRYING: &str = "prying";

static CANONICAL: LazyLock<Canonical> =
    LazyLock::new(|| Canonical::load(&project().join("schemas/canonical")).expect("the canonical schemas are good"));

/// Where compiled components are kept from one run of the tests to the next.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("mapper-cache")
}

/// The usual limits, on a machine that may be busy with other tests.
fn limits() -> Limits {
    let mapper = MapperLimits { deadline_ms: 600_000, ..MapperLimits::default() };
    Limits { mapper, ..Limits::default() }
}

fn host(limits: &MapperLimits) -> Host {
    let host = Host::new(limits, Some(&cache())).expect("the sandbox starts");
    host.permitting([(PARTNER.to_owned(), Profile::Wasi)].into())
}

/// A folder with the template's component in the place of the partner's mapper.
fn mappers(language: Language) -> TempDir {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    fs::write(folder.path().join(format!("{PARTNER}.wasm")), language.built()).expect("the folder is ours");
    folder
}

mod javascript {
    use super::Language::JavaScript;

    #[test]
    fn every_example_becomes_the_same() {
        super::every_example_becomes_the_same(JavaScript);
    }

    #[test]
    fn any_school_becomes_the_same() {
        super::any_school_becomes_the_same(JavaScript);
    }

    #[test]
    fn nothing_of_the_world_can_be_seen() {
        super::nothing_of_the_world_can_be_seen(
            JavaScript,
            &[
                ("clock", r#"[946684800000,"2000-01-01T00:00:00.000Z",0,0,0]"#),
                ("environment", r#"["ReferenceError","ReferenceError","ReferenceError","ReferenceError"]"#),
                ("file", r#"["ReferenceError","ReferenceError","ReferenceError","ReferenceError"]"#),
                ("socket", r#"["ReferenceError","ReferenceError","ReferenceError","ReferenceError"]"#),
                // What there is beside the language, nothing of which leads anywhere.
                (
                    "beside",
                    r#"["DOMException","InternalError","__cqjs","atob","btoa","performance","queueMicrotask","wit"]"#,
                ),
            ],
        );
    }

    #[test]
    fn who_breaks_a_limit_is_stopped() {
        let faults = [("throw", ""), ("recurse", ""), ("grow", ""), ("loop", "fuel")];
        super::who_breaks_a_limit_is_stopped(JavaScript, &faults);
    }
}

mod python {
    use super::Language::Python;

    #[test]
    fn every_example_becomes_the_same() {
        super::every_example_becomes_the_same(Python);
    }

    #[test]
    fn any_school_becomes_the_same() {
        super::any_school_becomes_the_same(Python);
    }

    #[test]
    fn nothing_of_the_world_can_be_seen() {
        super::nothing_of_the_world_can_be_seen(
            Python,
            &[
                ("clock", r#"[946684800.0, 0.0, 0.0, "2000-01-01 00:00:00", 0.0]"#),
                ("environment", "[{}, []]"),
                ("file", r#"["FileNotFoundError", "FileNotFoundError", "FileNotFoundError", "FileNotFoundError"]"#),
                ("socket", r#"["PermissionError", "PermissionError", "PermissionError"]"#),
                ("print", "[null, null]"),
            ],
        );
    }

    #[test]
    fn who_breaks_a_limit_is_stopped() {
        let faults = [("throw", ""), ("exit", "ended itself"), ("recurse", ""), ("grow", ""), ("loop", "fuel")];
        super::who_breaks_a_limit_is_stopped(Python, &faults);
    }
}

fn every_example_becomes_the_same(language: Language) {
    let folder = mappers(language);
    let mut rollcall = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    rollcall.args(["test", PARTNER, "--mapper-profile", "wasi", "--mappers-dir"]).arg(folder.path());
    rollcall.arg("--cache-dir").arg(cache()).current_dir(project());
    let tested = rollcall.output().expect("the program is built before tests");
    let said = format!("{}{}", String::from_utf8_lossy(&tested.stdout), String::from_utf8_lossy(&tested.stderr));
    assert!(tested.status.success() && said.contains(" 0 failed"), "{said}");
    assert!(said.lines().filter(|line| line.starts_with("ok ")).count() >= 6, "{said}");
}

/// Names and numbers that languages see differently: other spaces, other orders, numbers that are no longer exact.
fn odd(person: u64) -> Person {
    const NAMES: [&str; 12] = [
        "",
        " ",
        "\u{feff}Sara\u{feff} Amri",
        "Sara\u{85}Amri",
        "\u{1c}Sara\u{1f}Amri",
        "سارة\u{a0}العمري",
        "a\u{2028}b\nc",
        "\"quoted\" \\ / %2F",
        "\u{10ffff}\u{e000} \u{1f600}",
        "e\u{301} é",
        "\u{180e}\u{200b} x",
        "\u{3000}",
    ];
    let name = NAMES[usize::try_from(person).unwrap() % NAMES.len()];
    let email =
        [None, Some(String::new()), Some("a@example.org".to_owned())][usize::try_from(person).unwrap() % 3].clone();
    Person { user_no: (i64::MAX as u64) - person / 2, name_user: name.to_owned(), user_email: email }
}

fn schools() -> Vec<Payload> {
    let mut odd_school = Payload::of(Size::SMALL);
    for (nth, class) in odd_school.branches.iter_mut().flat_map(|branch| &mut branch.classes).enumerate() {
        for section in &mut class.sections {
            section.name.push_str("/%2F%");
            section.students = (0..40).map(odd).collect();
            for (subject, name) in section.subjects.iter_mut().zip(["\u{1f600}", "\u{ffff}", "Z", "a"]) {
                subject.name = name.to_owned();
                subject.teachers = (nth as u64..30).map(odd).collect();
            }
        }
    }
    vec![Payload::of(Size { classes: 4, sections: 2, subjects: 3, students: 20 }), odd_school]
}

fn any_school_becomes_the_same(language: Language) {
    let folders = |mappers: &Path| Folders { schemas: project().join("schemas"), mappers: mappers.to_owned() };
    let in_rust = tempfile::tempdir().expect("there is a place for temporary files");
    mapper_artifacts::copy_to(in_rust.path()).expect("the folder is ours");
    let in_language = mappers(language);
    let limits = limits();
    let host = host(&limits.mapper);
    let load = |folder: &Path| -> Loaded {
        folders(folder).load(&[PARTNER.to_owned()], &CANONICAL, &host).expect("it loads").remove(0)
    };
    let (rust, other) = (load(in_rust.path()), load(in_language.path()));
    let year = json!({"name": "2026/27", "start": "2026-09-01", "end": "2027-06-30"});
    for options in [json!({}), json!({"schoolYear": year}), json!({"schoolYear": year, "personScope": "branch"})] {
        for payload in schools() {
            let preview = |loaded: &Loaded| {
                let operation = loaded.partner.operation("mirrorBranches").expect("it is described");
                let previewer =
                    Previewer { canonical: &CANONICAL, loaded, operation, options: &options, limits: &limits };
                previewer.preview(None, &payload.to_bytes()).expect("it is mapped")
            };
            let (wanted, found) = (preview(&rust), preview(&other));
            assert!(wanted.is_clean() && wanted.entities["user"].len() > 20, "{options}");
            assert_eq!(serde_json::to_string(&found).unwrap(), serde_json::to_string(&wanted).unwrap(), "{options}");
        }
    }
}

/// Has the prying mapper look, each time in one new instance.
fn look(mapper: &Mapper, limits: &Limits, at: &[&str]) -> Vec<Mapped> {
    let kinds: Vec<KindId> = CANONICAL.id("org").into_iter().collect();
    let bodies: Vec<_> = at.iter().map(|at| json!({ "at": at }).to_string()).collect();
    let inputs: Vec<_> = bodies
        .iter()
        .map(|body| Input { record: "Look", kinds: &kinds, body: body.as_bytes(), ancestors: b"{}" })
        .collect();
    mapper.map(&CANONICAL, b"{}", &inputs, &Budget::new(limits)).expect("a fault is its record's alone")
}

/// What it says to have seen.
fn seen(mapped: &Mapped) -> String {
    let Outcome::Contributions(contributions) = &mapped.outcome else { return format!("{:?}", mapped.outcome) };
    let (_, value) = &contributions[0].fields[0];
    if let Said::Text(text) = value { text.clone() } else { format!("{value:?}") }
}

fn nothing_of_the_world_can_be_seen(language: Language, wanted: &[(&str, &str)]) {
    let limits = limits();
    let load = |host: &Host| host.load(PARTNER, language.built(), &CANONICAL).expect("it loads");
    let mapper = load(&host(&limits.mapper));
    let found: Vec<_> = wanted.iter().map(|(at, _)| (*at, seen(&look(&mapper, &limits, &[at])[0]))).collect();
    let found: Vec<_> = found.iter().map(|(at, seen)| (*at, seen.as_str())).collect();
    assert_eq!(found, wanted);
    // What is random is the same in the next instance, and in that of another host.
    let everything = ["random", "clock", "environment", "file", "socket", "nothing"];
    let first = look(&mapper, &limits, &everything);
    assert!(seen(&first[0]).len() > 20, "{}", seen(&first[0]));
    for again in [look(&mapper, &limits, &everything), look(&load(&host(&limits.mapper)), &limits, &everything)] {
        assert_eq!(first, again);
    }
    // One batch is one instance, in which random numbers go on; in a batch of its own each is the first.
    let twice = look(&mapper, &limits, &["random", "random"]);
    assert_ne!(seen(&twice[0]), seen(&twice[1]));
}

fn who_breaks_a_limit_is_stopped(language: Language, faults: &[(&str, &str)]) {
    let wasi = WasiLimits { fuel_base: 300_000_000, fuel_per_byte: 0, ..WasiLimits::default() };
    let usual = limits();
    let all = Limits { mapper: MapperLimits { wasi, ..usual.mapper }, ..usual };
    let mapper = host(&all.mapper).load(PARTNER, language.built(), &CANONICAL).expect("it loads");
    for (at, why) in faults {
        let answers = look(&mapper, &all, &["nothing", at, "nothing"]);
        let Outcome::Fault(fault) = &answers[1].outcome else { panic!("{at}: {}", seen(&answers[1])) };
        assert!(fault.contains(why), "{at}: {fault}");
        assert!(!fault.contains("secret"), "{at}: {fault}");
        assert_eq!([seen(&answers[0]), seen(&answers[2])], ["[]", "[]"], "{at}: the others have to be as ever");
    }
}

#[test]
fn what_imports_something_runs_only_where_that_is_permitted() {
    let mut site = site();
    let payload = Payload::of(Size::SMALL);
    let of = |server: &rollcall_tests::site::Server| {
        sync(server, "north-school", &payload);
        ["org", "class", "user", "enrollment"].map(|kind| entities(server, "north-reader", kind, "connection=school"))
    };
    let wanted = of(&site.start());

    site.put_mapper(PARTNER, Language::JavaScript.built());
    let refused = site.start_expecting_failure();
    for word in ["wasi:clocks/wall-clock@0.2", "profile `wasi`", "mappers: {profiles: {…: wasi}}"] {
        assert!(refused.contains(word), "{word}: {refused}");
    }
    site.config["mappers"] = json!({ "profiles": { PARTNER: "wasi" } });
    let refused = site.start_expecting_failure();
    for word in ["tenants.north.connections.school.mapper_profile", "tenants.south.", "`wasi`"] {
        assert!(refused.contains(word), "{word}: {refused}");
    }
    for (tenant, name) in [("north", "school"), ("north", "annex"), ("south", "school")] {
        site.config["tenants"][tenant]["connections"][name]["mapper_profile"] = json!("wasi");
    }
    let server = site.start();
    let found = of(&server);
    let set_up = |terms: &Value| {
        let wish = json!({"action": "create", "partner": PARTNER, "terms": terms}).to_string();
        let headers = [("authorization", "Bearer operator"), ("content-type", "application/json")];
        server.post("/admin/v1/tenants/east/connections/school", &headers, wish.as_bytes())
    };
    let refused = set_up(&json!({}));
    assert!(refused.status == 422 && refused.text().contains("mapper_profile"), "{}", refused.text());
    assert_eq!(set_up(&json!({"mapper_profile": "wasi"})).status, 200);
    let without_times = |all: &std::collections::BTreeMap<String, Value>| -> Vec<Value> {
        let mut all: Vec<_> = all.values().cloned().collect();
        for entity in &mut all {
            entity.as_object_mut().expect("entities are objects").remove("dateLastModified");
        }
        all
    };
    for (wanted, found) in wanted.iter().zip(&found) {
        assert!(!wanted.is_empty());
        assert_eq!(without_times(found), without_times(wanted));
    }
}
