//! Attacks the sandbox with a mapper that does whatever a record asks for, and looks whether it holds.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde_json::json;

use super::{Budget, Contribution, Host, Input, LoadError, MapError, Mapped, Mapper, Outcome, Value, decode, encode};
use crate::canonical::{Canonical, KindId};
use crate::limits::{Limits, MapperLimits};

static CANONICAL: LazyLock<Canonical> =
    LazyLock::new(|| Canonical::load(Path::new("../schemas/canonical")).expect("the canonical schemas are good"));
static HOST: LazyLock<Host> = LazyLock::new(|| Host::new(&limits().mapper, None).expect("the sandbox starts"));
static HOSTILE: LazyLock<Mapper> = LazyLock::new(|| load(&HOST).expect("the hostile mapper loads"));

/// Small enough that every attack ends soon, even in a debug build.
fn limits() -> Limits {
    let mapper = MapperLimits {
        fuel_base: 30_000_000,
        fuel_per_byte: 100,
        result_bytes_max: 8 << 20,
        memory_bytes_max: 32 << 20,
        contributions_per_record_max: 1_000,
        ..MapperLimits::default()
    };
    Limits { mapper, ..Limits::default() }
}

fn load(host: &Host) -> Result<Mapper, LoadError> {
    host.load("hostile", &mapper_artifacts::component(mapper_artifacts::HOSTILE).unwrap(), &CANONICAL)
}

/// Kinds that the attacks may write: all but `course`.
fn kinds() -> Vec<KindId> {
    CANONICAL.iter().filter(|(_, kind)| kind.name != "course").map(|(id, _)| id).collect()
}

fn try_attacks(mapper: &Mapper, attacks: &[&str], limits: &Limits) -> Result<Vec<Mapped>, MapError> {
    let bodies: Vec<_> =
        attacks.iter().enumerate().map(|(id, attack)| json!({"id": id, "do": attack}).to_string()).collect();
    let kinds = kinds();
    let inputs: Vec<_> = bodies
        .iter()
        .map(|body| Input { record: "Attack", kinds: &kinds, body: body.as_bytes(), ancestors: b"{}" })
        .collect();
    mapper.map(&CANONICAL, b"{}", &inputs, &Budget::new(limits))
}

fn attack(attacks: &[&str]) -> Vec<Mapped> {
    try_attacks(&HOSTILE, attacks, &limits()).unwrap()
}

fn fault(mapped: &Mapped) -> &str {
    if let Outcome::Fault(why) = &mapped.outcome { why } else { "" }
}

fn is_good(mapped: &Mapped) -> bool {
    matches!(&mapped.outcome, Outcome::Contributions(some) if some.len() == 1 && some[0].source_id.starts_with("org:"))
}

#[test]
fn every_attack_is_a_fault_of_its_record_alone() {
    let table = [
        ("loop", "fuel"),
        ("grow-memory", "memory"),
        ("recurse", "stack"),
        ("panic", "panicked"),
        ("giant-output", ""),
        ("many-contributions", ""),
        ("long-diagnostic", "diagnostic"),
        ("wrong-kind", "course"),
        ("undescribed-kind", "did not describe"),
        ("undescribed-field", "did not describe"),
        ("field-twice", "org.name twice"),
        ("missing-field", "org.type is missing"),
        ("wrong-type", "org.name must be a text, not a boolean"),
        ("wrong-word", "org.type must be one of"),
        ("text-as-reference", "org.parent must be a reference, not a text"),
        ("empty-source-id", "source id"),
        ("long-source-id", "source id"),
        ("broken-nested", "user.roles breaks its schema at `/0`"),
        ("malformed-nested", "org.children is not JSON"),
        ("deep-nested", "org.metadata is not JSON that is taken: nested deeper"),
        ("bad-utf8", "cannot be read"),
        ("truncated-rows", "cannot be read"),
        ("unknown-tag", "cannot be read"),
        ("silence", "did not answer"),
    ];
    for (name, why) in table {
        let mapped = attack(&["nothing", "nothing", name, "nothing"]);
        assert!(fault(&mapped[2]).contains(why) && !fault(&mapped[2]).is_empty(), "{name}: {:?}", mapped[2].outcome);
        for at in [0, 1, 3] {
            assert!(is_good(&mapped[at]), "{name} took record {at} with it: {:?}", mapped[at].outcome);
        }
        assert!(is_good(&attack(&["nothing"])[0]), "after {name} nothing can be mapped");
    }
}

#[test]
fn a_reference_to_nowhere_is_not_a_fault() {
    let mapped = attack(&["reference-to-nowhere"]);
    let Outcome::Contributions(contributions) = &mapped[0].outcome else { panic!("{mapped:?}") };
    assert!(contributions[0].fields.iter().any(|(_, value)| *value == Value::Reference("org:nowhere".to_owned())));
}

#[test]
fn a_refusal_keeps_its_reasons_up_to_the_limit() {
    let mapped = attack(&["refuse", "many-diagnostics"]);
    assert_eq!((&mapped[0].outcome, mapped[0].diagnostics.len()), (&Outcome::Refused, 1));
    assert_eq!(mapped[0].diagnostics[0].pointer.as_str(), "/do");
    assert_eq!(mapped[1].diagnostics.len(), limits().mapper.diagnostics_per_record_max);
}

#[test]
fn many_attacks_in_one_batch_are_told_apart() {
    let mut all = vec!["nothing"; 40];
    (all[3], all[17], all[18], all[39]) = ("panic", "wrong-word", "panic", "silence");
    let mapped = attack(&all);
    for (at, one) in mapped.iter().enumerate() {
        assert_eq!(is_good(one), all[at] == "nothing", "{at}: {one:?}");
    }
}

#[test]
fn a_record_that_another_one_poisoned_is_judged_by_itself() {
    let mapped = attack(&["nothing", "poison", "nothing", "nothing"]);
    assert!(mapped.iter().all(is_good), "{mapped:?}");
}

#[test]
fn nothing_is_remembered_from_one_batch_to_the_next() {
    for _ in 0..3 {
        let mapped = attack(&["remember"]);
        let Outcome::Contributions(contributions) = &mapped[0].outcome else { panic!("{mapped:?}") };
        assert_eq!(contributions[0].source_id, "org:0");
    }
}

#[test]
fn where_batches_are_cut_makes_no_difference() {
    let all: Vec<_> = (0..60).map(|at| if at % 23 == 5 { "wrong-word" } else { "nothing" }).collect();
    let whole = attack(&all);
    for batch_bytes in [1, 100, 333, 1_000] {
        let cut = try_attacks(&HOSTILE, &all, &Limits { batch_bytes, ..limits() }).unwrap();
        assert!(cut == whole, "cut every {batch_bytes} bytes");
    }
}

#[test]
fn a_delivery_has_only_so_many_faults_and_so_much_fuel() {
    let mut few = limits();
    few.mapper.faults_per_delivery_max = 2;
    let faults = try_attacks(&HOSTILE, &["panic", "panic", "panic"], &few);
    assert_eq!(faults, Err(MapError::Faults(2)));
    let mut little = limits();
    little.mapper.fuel_per_delivery_max = 40_000_000;
    let fuel = try_attacks(&HOSTILE, &["loop", "loop"], &little);
    assert_eq!(fuel, Err(MapError::Fuel(40_000_000)));
}

#[test]
fn the_wall_clock_is_the_hosts_own_trouble() {
    let slow = MapperLimits { deadline_ms: 40, fuel_base: 1 << 50, fuel_per_delivery_max: u64::MAX, ..limits().mapper };
    let limits = Limits { mapper: slow, ..limits() };
    let mapper = load(&Host::new(&limits.mapper, None).unwrap()).unwrap();
    assert_eq!(try_attacks(&mapper, &["loop"], &limits), Err(MapError::Deadline(40)));
    assert!(is_good(&try_attacks(&mapper, &["nothing"], &limits).unwrap()[0]));
}

#[test]
fn one_partners_endless_mapper_holds_up_nobody_elses() {
    let mut endless = limits();
    endless.batch_bytes = 1;
    endless.mapper =
        MapperLimits { fuel_base: 1 << 50, deadline_ms: 60_000, fuel_per_delivery_max: u64::MAX, ..endless.mapper };
    endless.mapper.deadline_ms = 1_500;
    let host = Host::new(&endless.mapper, None).unwrap();
    let (bad, good) = (load(&host).unwrap(), load(&host).unwrap());
    std::thread::scope(|scope| {
        let looping = scope.spawn(|| try_attacks(&bad, &["loop"; 64], &endless));
        for _ in 0..20 {
            assert!(is_good(&try_attacks(&good, &["nothing"], &endless).unwrap()[0]));
        }
        assert!(!looping.is_finished(), "the other deliveries waited for the endless one");
        assert_eq!(looping.join().unwrap(), Err(MapError::Deadline(1_500)));
    });
}

#[test]
fn a_record_of_another_type_is_a_fault() {
    let kinds = kinds();
    let input = Input { record: "Stranger", kinds: &kinds, body: b"{}", ancestors: b"{}" };
    let mapped = HOSTILE.map(&CANONICAL, b"{}", &[input], &Budget::new(&limits())).unwrap();
    assert!(fault(&mapped[0]).contains("does not take records of this type"));
}

/// A component in which one with a memory of its own hands a text to another one.
const COMPOSED: &str = r#"(component
    (component $taker
        (core module $module (memory (export "memory") 1) (func (export "take") (param i32 i32))
            (func (export "grow") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
        (core instance $of (instantiate $module))
        (alias core export $of "memory" (core memory $memory))
        (alias core export $of "take" (core func $take))
        (alias core export $of "grow" (core func $grow))
        (func (export "take") (param "text" string) (canon lift (core func $take) (memory $memory) (realloc $grow))))
    (instance $taker (instantiate $taker))
    (component $giver
        (import "take" (func $take (param "text" string)))
        (core module $memory (memory (export "memory") 1))
        (core instance $of (instantiate $memory))
        (alias core export $of "memory" (core memory $lent))
        (core func $give (canon lower (func $take) (memory $lent)))
        (core module $module (import "" "give" (func (param i32 i32))))
        (core instance (instantiate $module (with "" (instance (export "give" (func $give)))))))
    (instance (instantiate $giver (with "take" (func $taker "take")))))"#;

#[test]
fn what_is_not_a_mapper_is_not_loaded() {
    let exports = |names: &[&str]| {
        let exports: Vec<_> = names.iter().map(|name| format!("(export \"{name}\" (instance $i))")).collect();
        format!("(component (component $c) (instance $i (instantiate $c)) {})", exports.join(" "))
    };
    let export = |name: &str| exports(&[name]);
    let with_logic =
        |version: &str| exports(&["rollcall:mapper/mapping@1.0.0", &format!("rollcall:mapper/logic@{version}")]);
    let table = [
        ("(module)".to_owned(), "is not a WebAssembly component"),
        ("(component)".to_owned(), "does not export rollcall:mapper/mapping"),
        (
            "(component (import \"wasi:clocks/wall-clock@0.2.0\" (instance)))".to_owned(),
            "imports wasi:clocks/wall-clock@0.2.0",
        ),
        (export("rollcall:mapper/mapping@2.0.0"), "version 2.0.0 of the mapper contract, versions 1.x are supported"),
        (export("rollcall:mapper/mapping@1.0.0"), "is not what the contract says"),
        (export("rollcall:mapper/logic@1.1.0"), "does not export rollcall:mapper/mapping"),
        (with_logic("2.0.0"), "version 2.0.0 of the mapper contract, versions 1.x are supported"),
        (with_logic("1.1.0"), "is not what the contract says"),
        ("(component (core module (memory i64 1)))".to_owned(), "is not valid"),
        ("(component (core module (memory 1) (memory 1)))".to_owned(), "is not valid"),
        ("(component (core module (memory 1 1 shared)))".to_owned(), "is not valid"),
        (COMPOSED.to_owned(), "is not valid"),
    ];
    for (text, why) in table {
        let bytes = wat::parse_str(&text).unwrap();
        let error = HOST.load("hostile", &bytes, &CANONICAL).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    let good = mapper_artifacts::component(mapper_artifacts::HOSTILE).unwrap();
    let cut = HOST.load("hostile", &good[..good.len() / 2], &CANONICAL).unwrap_err();
    assert!(matches!(cut, LoadError::Invalid(_)), "{cut}");
    let small = Host::new(&MapperLimits { component_bytes_max: 1_000, ..limits().mapper }, None).unwrap();
    assert!(matches!(load(&small), Err(LoadError::TooLarge { most: 1_000, .. })));
    let other = HOST.load("school", &good, &CANONICAL).unwrap_err();
    assert_eq!(other.to_string(), "the mapper is for hostile, not for school");
}

#[test]
fn a_mapper_for_other_schemas_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir("../schemas/canonical").unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap().replace("preferredFirstName", "calledName");
        std::fs::write(folder.path().join(path.file_name().unwrap()), text).unwrap();
    }
    let other = Canonical::load(folder.path()).unwrap();
    let bytes = mapper_artifacts::component(mapper_artifacts::HOSTILE).unwrap();
    let error = HOST.load("hostile", &bytes, &other).unwrap_err().to_string();
    assert!(error.contains("user.preferredFirstName"), "{error}");
    let mapped = HOSTILE.map(&other, b"{}", &[], &Budget::new(&limits()));
    assert_eq!(mapped, Err(MapError::Canonical));
}

#[test]
fn compiled_mappers_are_kept_and_damaged_ones_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("mappers");
    let files = || -> Vec<_> { std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect() };
    let host = || Host::new(&limits().mapper, Some(&folder)).unwrap();
    load(&host()).unwrap();
    let [file] = &files()[..] else { panic!("{:?}", files()) };
    let kept = std::fs::read(file).unwrap();
    for damaged in [&kept[..kept.len() - 1], b"", &[0; 100]] {
        std::fs::write(file, damaged).unwrap();
        let mapper = load(&host()).unwrap();
        assert!(is_good(&try_attacks(&mapper, &["nothing"], &limits()).unwrap()[0]));
        assert!(std::fs::read(file).unwrap() == kept, "the damaged file was not replaced");
    }
    assert_eq!(files().len(), 1);
}

#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(Host::new(&limits().mapper, Some(folder.path())).is_err());
}

#[test]
fn contributions_survive_being_stored() {
    let fields = |kind: KindId| -> Vec<(u16, Value)> {
        let nested: Arc<str> = format!("{{\"x\":{}}}", kind.0).into();
        let values = [
            Value::Text("سارة".to_owned()),
            Value::Integer(i64::MIN),
            Value::Number("1.10".to_owned()),
            Value::Boolean(true),
            Value::Boolean(false),
            Value::Reference("r".repeat(300)),
            Value::Nested(Arc::clone(&nested)),
            Value::Nested(nested),
        ];
        (0..).zip(values).take(CANONICAL.kind(kind).fields.len()).collect()
    };
    let mut contributions: Vec<_> = CANONICAL
        .iter()
        .map(|(kind, _)| Contribution { kind, source_id: format!("id:{}", kind.0), fields: fields(kind) })
        .collect();
    let few = contributions[..1].to_vec();
    contributions.extend(contributions.clone());
    for (contributions, encoding) in [(few, 1), (contributions, 2)] {
        let blob = encode(&contributions, &CANONICAL);
        assert_eq!(blob[0], encoding, "what is long is compressed");
        assert_eq!(decode(&blob, &CANONICAL), Ok(contributions));
        for end in 0..blob.len() {
            assert!(decode(&blob[..end], &CANONICAL).is_err(), "cut at {end}");
        }
    }
    assert_eq!(decode(&encode(&[], &CANONICAL), &CANONICAL), Ok(Vec::new()));
}
