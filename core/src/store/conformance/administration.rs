//! What operators decide: kept as it was decided, in order, once.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::sample::World;
use super::{Database, conformance};
use crate::bundle::VersionId;
use crate::clock::Clock as _;
use crate::store::StoreError;
use crate::store::administration::{
    Act, Action, Activation, Active, Administration, ReaderSetup, Setup, SetupCredential, StoredPlan, StoredVersion,
};

conformance!(
    a_version_is_kept_once_and_never_changed,
    what_is_active_is_what_the_last_activation_says,
    of_two_who_decide_at_the_same_time_one_is_refused,
    a_connection_is_what_was_decided_last,
    a_reader_is_what_was_decided_last,
    plans_are_kept_until_they_are_made_anew,
    every_decision_is_a_line_of_the_log,
);

impl World {
    fn office(&self) -> &dyn Administration {
        self.store.administration()
    }

    fn activation(&self, number: i64, action: Action, version: Option<VersionId>) -> Activation {
        Activation {
            partner: "library".to_owned(),
            number,
            connection: None,
            version,
            action,
            at: self.clock.now(),
            who: "ann".to_owned(),
            plan: None,
        }
    }
}

fn version(name: &str) -> VersionId {
    VersionId::of(name.as_bytes())
}

fn school() -> (String, String) {
    ("north".to_owned(), "school".to_owned())
}

async fn a_version_is_kept_once_and_never_changed(database: &dyn Database) {
    let world = World::new(database).await;
    let stored = |name: &str, at: Timestamp| StoredVersion {
        id: version(name),
        partner: "library".to_owned(),
        name: name.to_owned(),
        at,
    };
    let first = stored("1", world.clock.now());
    world.office().put_version(&first, &[0, 1, 255]).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    world.office().put_version(&stored("1", world.clock.now()), b"something else").await.unwrap();
    let second = stored("2", world.clock.now());
    world.office().put_version(&second, b"").await.unwrap();
    assert_eq!(world.office().versions().await.unwrap(), [first.clone(), second]);
    assert_eq!(world.office().bundle(first.id).await.unwrap().unwrap(), [0, 1, 255]);
    assert_eq!(world.office().bundle(version("3")).await.unwrap(), None);
}

async fn what_is_active_is_what_the_last_activation_says(database: &dyn Database) {
    let world = World::new(database).await;
    let (one, two) = (Some(version("1")), Some(version("2")));
    let pin = |number, action, version| Activation {
        connection: Some(school()),
        ..world.activation(number, action, version)
    };
    let plan = Some(world.clock.next_id());
    let mut made = vec![
        world.activation(1, Action::Start, one),
        pin(2, Action::Pin, one),
        Activation { plan, ..world.activation(3, Action::Apply, two) },
    ];
    let mut other = world.activation(1, Action::Start, two);
    other.partner = "archive".to_owned();
    for activation in made.iter().chain([&other]) {
        world.office().activate(activation).await.unwrap();
    }
    made.insert(0, other);
    let kept = world.office().activations().await.unwrap();
    assert_eq!(kept, made);
    let active = Active::of("library", &kept);
    assert_eq!((active.number, active.version()), (3, two));
    assert_eq!(active.pins, [(school(), version("1"))].into());

    world.office().activate(&pin(4, Action::Unpin, None)).await.unwrap();
    world.office().activate(&world.activation(5, Action::Disable, None)).await.unwrap();
    let all = Active::all(&world.office().activations().await.unwrap());
    let active = &all["library"];
    assert_eq!((active.number, active.version(), active.pins.len()), (5, None, 0));
    assert_eq!(all["archive"].version(), two);
}

async fn of_two_who_decide_at_the_same_time_one_is_refused(database: &dyn Database) {
    let world = World::new(database).await;
    let one = world.activation(1, Action::Apply, Some(version("1")));
    let other = Activation { who: "bob".to_owned(), ..one.clone() };
    let (first, second) = tokio::join!(world.office().activate(&one), world.office().activate(&other));
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    for number in [1, 3, 0, -1] {
        let refused = world.office().activate(&world.activation(number, Action::Apply, None)).await;
        assert!(matches!(refused, Err(StoreError::Stale)), "{number}");
    }
    assert_eq!(world.office().activations().await.unwrap().len(), 1);
    assert_eq!(world.office().generation().await.unwrap(), 1);
}

async fn a_connection_is_what_was_decided_last(database: &dyn Database) {
    let world = World::new(database).await;
    let credential = SetupCredential { digest: "0f".repeat(32), since: world.clock.now(), until: None };
    let act =
        |what: &str| Act { at: world.clock.now(), who: "ann".to_owned(), what: what.to_owned(), about: json!({}) };
    let mut setup = Setup {
        tenant: "north".to_owned(),
        connection: "school".to_owned(),
        revision: 1,
        partner: "library".to_owned(),
        options: json!({"site": "a\u{0}b", "list": [1, null]}),
        disabled: false,
        credentials: vec![credential],
        terms: serde_json::Map::new(),
    };
    world.office().put_setup(&setup, &act("connection.create")).await.unwrap();
    assert!(matches!(world.office().put_setup(&setup, &act("connection.create")).await, Err(StoreError::Stale)));
    assert_eq!(world.office().setups().await.unwrap(), [setup.clone()]);
    (setup.revision, setup.disabled) = (2, true);
    setup.terms.insert("webhook_secrets".to_owned(), json!([0, 1]));
    setup.credentials[0].until = Some(world.clock.now());
    world.office().put_setup(&setup, &act("connection.disable")).await.unwrap();
    assert!(matches!(world.office().put_setup(&setup, &act("connection.disable")).await, Err(StoreError::Stale)));
    assert_eq!(world.office().setups().await.unwrap(), [setup]);
    let acts = world.office().acts(None, 10).await.unwrap();
    let done: Vec<_> = acts.iter().map(|(number, act)| (*number, act.what.as_str())).collect();
    assert_eq!(done, [(2, "connection.disable"), (1, "connection.create")]);
}

async fn a_reader_is_what_was_decided_last(database: &dyn Database) {
    let world = World::new(database).await;
    let act =
        |what: &str| Act { at: world.clock.now(), who: "ann".to_owned(), what: what.to_owned(), about: json!({}) };
    let reader = |tenant: &str, revision, disabled, digits: &str| ReaderSetup {
        tenant: tenant.to_owned(),
        reader: "board".to_owned(),
        revision,
        disabled,
        credentials: vec![SetupCredential { digest: digits.repeat(32), since: world.clock.now(), until: None }],
    };
    let (south, first) = (reader("south", 1, false, "0f"), reader("north", 1, false, "1f"));
    for created in [&south, &first] {
        world.office().put_reader(created, &act("reader.create")).await.unwrap();
        let again = world.office().put_reader(created, &act("reader.create")).await;
        assert!(matches!(again, Err(StoreError::Stale)), "{again:?}");
    }
    assert_eq!(world.office().readers().await.unwrap(), [first, south.clone()]);
    let second = reader("north", 2, true, "2f");
    world.office().put_reader(&second, &act("reader.disable")).await.unwrap();
    let late = world.office().put_reader(&second, &act("reader.disable")).await;
    assert!(matches!(late, Err(StoreError::Stale)), "{late:?}");
    assert_eq!(world.office().readers().await.unwrap(), [second, south]);
    assert!(world.office().setups().await.unwrap().is_empty());
    let acts = world.office().acts(None, 10).await.unwrap();
    let done: Vec<_> = acts.iter().map(|(number, act)| (*number, act.what.as_str())).collect();
    assert_eq!(done, [(3, "reader.disable"), (2, "reader.create"), (1, "reader.create")]);
}

async fn plans_are_kept_until_they_are_made_anew(database: &dyn Database) {
    let world = World::new(database).await;
    let mut made = Vec::new();
    for nth in 0..3 {
        world.clock.advance(Duration::from_secs(1));
        let plan = StoredPlan {
            id: world.clock.next_id(),
            partner: "library".to_owned(),
            version: version("1"),
            after: nth,
            at: world.clock.now(),
            who: "ann".to_owned(),
            body: json!({"nth": nth}),
        };
        world.office().put_plan(&plan).await.unwrap();
        made.push(plan);
    }
    made[1].body = json!({"removed": 7});
    world.office().put_plan(&made[1]).await.unwrap();
    assert_eq!(world.office().plan(made[1].id).await.unwrap().unwrap(), made[1]);
    assert_eq!(world.office().plan(Uuid::nil()).await.unwrap(), None);
    made.reverse();
    assert_eq!(world.office().plans("library", 2).await.unwrap(), made[..2]);
    assert!(world.office().plans("archive", 2).await.unwrap().is_empty());
}

async fn every_decision_is_a_line_of_the_log(database: &dyn Database) {
    let world = World::new(database).await;
    assert_eq!(world.office().generation().await.unwrap(), 0);
    world.office().activate(&world.activation(1, Action::Start, Some(version("1")))).await.unwrap();
    let other = Act { at: world.clock.now(), who: "bob".to_owned(), what: "else".to_owned(), about: json!({"n": 1}) };
    assert_eq!(world.office().note_act(&other).await.unwrap(), 2);
    assert_eq!(world.office().generation().await.unwrap(), 2);
    let acts = world.office().acts(None, 10).await.unwrap();
    assert_eq!(acts[0], (2, other));
    assert_eq!((acts[1].1.what.as_str(), acts[1].1.who.as_str()), ("partner.start", "ann"));
    assert_eq!(acts[1].1.about["version"], json!(version("1")));
    assert_eq!(world.office().acts(Some(2), 10).await.unwrap(), acts[1..]);
    assert_eq!(world.office().acts(None, 1).await.unwrap(), acts[..1]);
}
