//! Attacks the host with logic that does whatever a call asks for, and looks whether it holds.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::check_names;
use crate::canonical::Canonical;
use crate::description::{Partner, ProblemClass};
use crate::limits::{Limits, MapperLimits};
use crate::map::{
    Budget, CallChange, CallEvent, CallInput, Decision, Decline, Found, Host, MapError, Mapper, Question, Step,
};

static HOSTILE: LazyLock<Mapper> = LazyLock::new(|| load(&limits()));

/// Small enough that every attack ends soon, even in a debug build.
fn limits() -> Limits {
    let mapper = MapperLimits {
        fuel_base: 100_000_000,
        fuel_per_byte: 100,
        memory_bytes_max: 64 << 20,
        questions_per_call_max: 100,
        records_per_call_max: 50,
        changes_per_call_max: 500,
        result_bytes_per_call_max: 1 << 20,
        ..MapperLimits::default()
    };
    Limits { mapper, ..Limits::default() }
}

fn load(limits: &Limits) -> Mapper {
    let canonical = Canonical::load(Path::new("../schemas/canonical")).expect("the canonical schemas are good");
    let host = Host::new(&limits.mapper, None).expect("the sandbox starts");
    let bytes = mapper_artifacts::component(mapper_artifacts::HOSTILE).unwrap();
    host.load("hostile", &bytes, &canonical).expect("the hostile mapper loads")
}

fn call_with(
    mapper: &Mapper,
    attack: &str,
    found: &[Found],
    budget: &Budget,
) -> Result<Result<Step, String>, MapError> {
    let context = json!({"now": "2026-08-30T07:00:00.000Z", "arguments": {"do": attack}});
    mapper.call(b"{}", &CallInput { name: "attack", context: &context }, found, budget)
}

/// Works on a call of logic that is written as partners write theirs.
fn lawful(name: &str, options: &Value, context: &Value, found: &[Found]) -> Result<Step, String> {
    let options = options.to_string();
    let input = CallInput { name, context };
    HOSTILE.call(options.as_bytes(), &input, found, &Budget::new(&limits())).unwrap()
}

/// Records, as a store hands them out.
fn records(records: &Value) -> Found {
    Found::Records(records.as_array().unwrap().iter().map(|record| record.to_string().into_bytes()).collect())
}

fn call(attack: &str, found: &[Found]) -> Result<Step, String> {
    call_with(&HOSTILE, attack, found, &Budget::new(&limits())).unwrap()
}

fn good() -> Decision {
    let Value::Object(members) = json!({"id": 1, "name": "School"}) else { unreachable!() };
    Decision {
        changes: vec![CallChange::Put { of: "Org".to_owned(), members }],
        events: vec![CallEvent { event: "org.attacked".to_owned(), of: "Org".to_owned(), key: vec![json!(1)] }],
        ..Decision::default()
    }
}

#[test]
fn every_attack_is_a_fault_of_its_call_alone() {
    let table = [
        ("loop", "fuel"),
        ("grow-memory", "memory"),
        ("recurse", "stack"),
        ("panic", "panicked"),
        ("fail", "it failed: on request"),
        ("long-failure", "a reason of 40000 bytes"),
        ("ask-nothing", "it waits for nothing"),
        ("many-questions", "more than 100 questions"),
        ("value-that-is-a-list", "values of a condition must be texts, numbers or booleans"),
        ("many-values", "values of a condition are too many"),
        ("many-events", "returned more than 1048576 bytes"),
        ("giant-answer", "returned more than 1048576 bytes"),
        ("malformed-members", "the members of a record is not JSON"),
        ("members-in-a-list", "the members of a record must be an object"),
        ("member-twice", "the members of a record is not JSON"),
        ("deep-members", "nested deeper"),
        ("bad-utf8", "the members of a record is not JSON"),
        ("nothing-told", "what is told is not JSON"),
        ("empty-key", "the key of a record is empty"),
        ("key-of-nothing", "the key of a record must be a list"),
        ("key-that-is-none", "the key of a record is empty"),
        ("nameless-record", "a name of a record type of 0 bytes"),
        ("long-name", "a name of a record type of 40000 bytes"),
        ("hosts-own-problem", "a class of problem that is not its to tell"),
        ("unknown-class", "a class of problem that is not its to tell"),
        ("nameless-problem", "a code of 0 bytes"),
        ("long-message", "a message of 40000 bytes"),
        ("no-such-attack", "panicked"),
    ];
    for (attack, why) in table {
        let fault = call(attack, &[]).expect_err(attack);
        assert!(fault.contains(why), "{attack}: {fault}");
        assert_eq!(call("nothing", &[]), Ok(Step::Decide(good())), "after {attack} nothing can be called");
    }
}

#[test]
fn a_call_asks_and_is_answered() {
    let Ok(Step::Ask(questions)) = call("ask", &[]) else { panic!("it decided too early") };
    let members = vec![("parent".to_owned(), vec![json!(1), Value::Null])];
    let number = Question::Number { of: "Org".to_owned() };
    assert_eq!(questions, [Question::Records { of: "Org".to_owned(), members, limit: Some(51) }, number]);
    let found = [records(&json!([{"id": 4, "name": "سارة"}])), Found::Number(i64::MAX)];
    let told = json!({"found": [[{"id": 4, "name": "سارة"}], i64::MAX]});
    let Ok(Step::Decide(decision)) = call("ask", &found) else { panic!("it does not decide") };
    assert_eq!(Value::Object(decision.told), told);
}

#[test]
fn what_the_sdk_writes_is_what_the_host_reads() {
    let options = json!({"prefix": "org-"});
    let context = json!({
        "now": "2026-08-30T07:00:00.000Z", "path": {"id": 1}, "query": {"among": ["a", "b"]},
        "arguments": {"note": "ok"}, "record": {"id": 1, "name": "سارة"}, "change": {"id": 1, "name": "Sara"},
    });
    let call = |found: &[Found]| lawful("defend", &options, &context, found);
    let of = "Org".to_owned();
    let members = vec![("parent".to_owned(), vec![json!(1)]), ("kind".to_owned(), vec![json!("a"), json!("b")])];
    let children = Question::Records { of: of.clone(), members, limit: Some(51) };
    let members = vec![("parent".to_owned(), vec![Value::Null])];
    let roots = Question::Records { of: of.clone(), members, limit: Some(7) };
    assert_eq!(call(&[]), Ok(Step::Ask(vec![children, roots])));

    let found = [records(&json!([{"id": 4}, {"id": 5}])), records(&json!([]))];
    assert_eq!(call(&found), Ok(Step::Ask(vec![Question::Number { of: of.clone() }])));

    let found = [found.as_slice(), &[Found::Number(9)]].concat();
    let object = |value: Value| value.as_object().unwrap().clone();
    let made = object(json!({"id": 9, "code": "org-9", "was": "سارة", "note": "ok", "at": "2026-08-30T07:00:00.000Z"}));
    let expected = Decision {
        changes: vec![
            CallChange::Put { of: of.clone(), members: made },
            CallChange::Put { of: of.clone(), members: object(json!({"id": 1, "name": "Sara", "children": 2})) },
            CallChange::Remove { of: of.clone(), key: vec![json!(4)] },
            CallChange::Remove { of: of.clone(), key: vec![json!(5)] },
        ],
        told: object(json!({"location": "/orgs/9"})),
        events: vec![CallEvent { event: "org.defended".to_owned(), of, key: vec![json!(9)] }],
    };
    assert_eq!(call(&found), Ok(Step::Decide(expected)));
}

#[test]
fn what_the_sdk_declines_is_what_the_host_tells() {
    let context = json!({"record": {"id": 1, "name": "Closed"}, "arguments": {"note": null}});
    let call = |name: &str, options: &Value, context: &Value| lawful(name, options, context, &[]);
    let decline = Decline {
        class: ProblemClass::Clash,
        code: "closed".to_owned(),
        field: Some("name".to_owned()),
        message: "it is closed".to_owned(),
    };
    let options = json!({"prefix": ""});
    assert_eq!(call("defend", &options, &context), Ok(Step::Decline(decline)));
    let failed = |why: &str| Err(format!("it failed: {why}"));
    let nobody = json!({"record": null});
    assert_eq!(call("defend", &options, &nobody), failed("the call is about no record that is stored"));
    let unread = failed("the connection's options are not what the logic expects");
    assert_eq!(call("defend", &json!({"prefix": 1}), &context), unread);
    assert_eq!(call("unheard-of", &options, &context), failed("it takes no call of this name"));
}

#[test]
fn a_call_may_decline() {
    let decline = Decline {
        class: ProblemClass::Invalid,
        code: "hostile".to_owned(),
        field: Some("do".to_owned()),
        message: "declined".to_owned(),
    };
    assert_eq!(call("decline", &[]), Ok(Step::Decline(decline)));
}

#[test]
fn who_asks_for_ever_is_stopped() {
    let mut found = Vec::new();
    let ended = loop {
        match call("ask-for-ever", &found) {
            Ok(Step::Ask(questions)) => found.extend(questions.iter().map(|_| Found::Number(1))),
            ended => break ended,
        }
    };
    assert_eq!(ended, Err("it asked more than 100 questions (`questions_per_call_max`)".to_owned()));
    assert_eq!(found.len(), 100);
}

#[test]
fn who_asks_for_everything_gets_no_more_than_it_may() {
    let of = |count: usize| records(&json!(vec![json!({"id": 1}); count]));
    let limit_after = |found: &[Found]| {
        let Ok(Step::Ask(questions)) = call("ask-without-limit", found) else { panic!("it does not ask") };
        let Question::Records { limit, .. } = &questions[0] else { panic!("{questions:?}") };
        *limit
    };
    assert_eq!(limit_after(&[]), Some(51));
    assert_eq!(limit_after(&[of(20), of(30)]), Some(1));
    let ended = call("ask-without-limit", &[of(20), of(31)]);
    assert_eq!(ended, Err("it asked for more than 50 records (`records_per_call_max`)".to_owned()));
}

#[test]
fn nothing_is_remembered_from_one_call_to_the_next() {
    for _ in 0..3 {
        let Ok(Step::Decide(decision)) = call("remember", &[]) else { panic!("it does not decide") };
        assert_eq!(Value::Object(decision.told), json!({"seen": 0}));
    }
}

#[test]
fn a_million_changes_are_not_even_looked_at() {
    let mut rich = limits();
    rich.mapper.fuel_base = 4_000_000_000;
    let fault = |limits: &Limits, attack| {
        let ended = call_with(&load(limits), attack, &[], &Budget::new(limits));
        ended.unwrap().expect_err(attack)
    };
    assert_eq!(fault(&rich, "many-changes"), "it returned more than 1048576 bytes");
    rich.mapper.result_bytes_per_call_max = 256 << 20;
    assert_eq!(fault(&rich, "many-changes"), "it made more than 500 changes or events (`changes_per_call_max`)");
    assert_eq!(fault(&rich, "many-events"), "it made more than 500 changes or events (`changes_per_call_max`)");
}

#[test]
fn calls_burn_the_fuel_of_their_delivery() {
    let mut little = limits();
    little.mapper.fuel_per_delivery_max = 150_000_000;
    let budget = Budget::new(&little);
    let call = |attack| call_with(&HOSTILE, attack, &[], &budget);
    assert!(call("loop").unwrap().unwrap_err().contains("fuel"));
    assert_eq!(call("loop"), Err(MapError::Fuel(150_000_000)));
    assert!(budget.fuel_used() > 150_000_000);
}

#[test]
fn the_wall_clock_is_the_hosts_own_trouble() {
    let mut slow = limits();
    slow.mapper = MapperLimits { deadline_ms: 40, fuel_base: 1 << 50, fuel_per_delivery_max: u64::MAX, ..slow.mapper };
    let mapper = load(&slow);
    assert_eq!(call_with(&mapper, "loop", &[], &Budget::new(&slow)), Err(MapError::Deadline(40)));
    assert!(call_with(&mapper, "nothing", &[], &Budget::new(&slow)).unwrap().is_ok());
}

#[test]
fn a_description_calls_only_what_is_taken() {
    let description = std::fs::read_to_string("tests/descriptions/valid/resources.yaml").unwrap();
    let canonical = Canonical::load(Path::new("../schemas/canonical")).unwrap();
    let check = |description: &str| {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("hostile");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("openapi.yaml"), description).unwrap();
        let partner = Partner::load(&folder, &canonical, &|_: &str| true).unwrap();
        HOSTILE.check_calls(&partner).map_err(|error| error.to_string())
    };
    let known = description.replace("call: withdraw", "call: attack").replace("call: late", "call: defend");
    assert_eq!(check(&known), Ok(()));
    let unknown = "calls `late`, which the mapper does not take; it takes attack, defend, survey";
    assert!(check(&known.replace("call: defend", "call: late")).unwrap_err().contains(unknown));
}

#[test]
fn calls_are_known_by_name_when_they_are_loaded() {
    assert_eq!(HOSTILE.calls(), ["attack", "defend", "survey"]);
    let many: Vec<_> = (0..300).map(|at| format!("call-{at}")).collect();
    let table = [
        (vec![], ""),
        (vec!["open-invoice", "sign-up2"], ""),
        (vec![""], "not words"),
        (vec!["Open"], "not words"),
        (vec!["a b"], "not words"),
        (vec!["a", "b", "a"], "the call `a` twice"),
        (many.iter().map(String::as_str).collect(), "more than 256 calls"),
    ];
    for (names, why) in table {
        let names: Vec<_> = names.into_iter().map(str::to_owned).collect();
        let checked = check_names(&names, &MapperLimits::default());
        assert_eq!(checked.is_ok(), why.is_empty(), "{names:?}: {checked:?}");
        assert!(checked.err().unwrap_or_default().contains(why), "{names:?}");
    }
}
