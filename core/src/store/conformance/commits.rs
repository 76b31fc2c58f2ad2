//! Commits: all or nothing, on the state that they were planned on, with gapless places in the feed.

use std::cell::Cell as Counter;
use std::collections::BTreeSet;

use uuid::Uuid;

use super::sample::{BRANCH, ORG, PERSON, Plan, SECTION, World, branch, id, line, org, section, text};
use super::{Database, conformance};
use crate::delivery::{Applied, Outcome, Report, Status};
use crate::digest::Digest;
use crate::identity::Namespace;
use crate::store::{
    Commit, EntityLink, EntityRow, EntityStep, Fate, Finish, HeldEntity, HeldRecord, RecordId, RecordRow, RecordStep,
    StoreError, WaitStep,
};
use crate::table::Cell;

conformance!(
    what_is_committed_is_held,
    a_plan_on_an_older_generation_is_stale,
    a_step_that_fails_leaves_nothing_behind,
    new_entities_are_as_they_were_said_however_many_come,
    one_of_many_new_entities_that_is_there_already_leaves_none,
    bad_records_keep_their_contributions,
    removed_records_make_room_for_their_key,
    retired_entities_keep_what_they_said_and_come_back,
    relinking_is_no_change,
    a_large_commit_is_held_as_a_small_one_is,
    every_change_takes_the_next_place,
    a_reader_that_polls_while_others_commit_skips_nothing,
    a_connection_belongs_to_one_partner,
    what_was_applied_is_remembered,
    a_commit_may_bring_its_delivery_along,
    a_commit_that_fails_leaves_nothing_of_the_delivery_it_brought,
    what_is_left_open_is_seen_by_the_next_and_one_that_fails_costs_no_other,
    no_number_is_given_out_twice,
);

async fn what_is_committed_is_held(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let (one, other) = (id("org", "branch:1"), id("org", "branch:2"));
    let many = || EntityLink {
        kind: ORG,
        sourced_id: other,
        uniform: false,
        contributors: vec![RecordId(2), RecordId(900), RecordId(3)],
    };
    let plan = Plan {
        records: vec![RecordStep::Put(section(2, "[1,\"A\"]", "A")), RecordStep::Put(branch(1, "[1]", "North"))],
        entities: vec![
            EntityStep::Put(EntityRow { link: many(), ..org(other, "branch:2", "South") }),
            EntityStep::Put(org(one, "branch:1", "North")),
        ],
    };
    world.apply(&connection, plan).await.unwrap();

    let connection = world.connection("demo", "school").await;
    assert_eq!((connection.generation, connection.next_record, connection.active["org"]), (1, 3, 1));
    let held = |id, of, key: &str, name: &str| HeldRecord {
        id: RecordId(id),
        of,
        key: key.to_owned(),
        digest: Some(Digest::of(name.as_bytes())),
        waits: false,
        as_of: None,
    };
    assert_eq!(
        world.store.held_records(&connection, &world.partner).await.unwrap(),
        [held(1, BRANCH, "[1]", "North"), held(2, SECTION, "[1,\"A\"]", "A")]
    );
    let asked = [(SECTION, RecordId(2)), (BRANCH, RecordId(7)), (BRANCH, RecordId(1))];
    let contributions = world.store.contributions(&connection, &world.partner, &asked).await.unwrap();
    assert_eq!(contributions, [b"A".to_vec(), Vec::new(), b"North".to_vec()]);

    let asked = [(ORG, one), (PERSON, one), (ORG, other)];
    let held = world.store.held_entities(&connection, &world.canonical, &asked).await.unwrap();
    let entity = |name: &str, uniform, contributors| {
        Some(HeldEntity { digest: Digest::of(name.as_bytes()), active: true, uniform, contributors })
    };
    let expected = [entity("North", true, vec![RecordId(1)]), None, entity("South", false, many().contributors)];
    assert_eq!(held, expected);
}

async fn a_plan_on_an_older_generation_is_stale(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    world.apply(&connection, Plan::default()).await.unwrap();
    let plan = Plan { records: vec![RecordStep::Put(branch(1, "[1]", "North"))], entities: Vec::new() };
    assert!(matches!(world.apply(&connection, plan).await, Err(StoreError::Stale)));
    let connection = world.connection("demo", "school").await;
    assert!(world.store.held_records(&connection, &world.partner).await.unwrap().is_empty());
}

async fn a_step_that_fails_leaves_nothing_behind(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let (there, absent) = (id("org", "branch:1"), id("org", "branch:2"));
    let failing: [fn(Uuid) -> EntityStep<'static>; 4] = [
        |absent| EntityStep::Retire(ORG, absent),
        |absent| EntityStep::Put(EntityRow { new: false, ..org(absent, "branch:2", "South") }),
        |absent| EntityStep::Put(EntityRow { cells: vec![text("South")], ..org(absent, "branch:2", "South") }),
        |absent| EntityStep::Put(EntityRow { cells: vec![Cell::Integer(1), text("x")], ..org(absent, "2", "South") }),
    ];
    for step in failing {
        let plan = Plan {
            records: vec![RecordStep::Put(branch(1, "[1]", "North"))],
            entities: vec![EntityStep::Put(org(there, "branch:1", "North")), step(absent)],
        };
        let delivery = world.receive(&connection, "{}").await;
        let (report, entries) = (Report::new(Status::Applied), [line(0, Outcome::Parked)]);
        let mut commit = world.commit(&connection, delivery, plan, &report);
        let (record, for_what) = (RecordId(1), "owner".to_owned());
        commit.waits = vec![WaitStep::Wait { of: BRANCH, record, for_what, until: Some(commit.at), entry: Some(0) }];
        commit.entries = &entries;
        assert!(world.store.commit(&world.canonical, &world.partner, commit).await.is_err());
        let log = world.store.log("demo", "school", delivery, 10, 0).await.unwrap().unwrap();
        assert_eq!((log.sent, log.finished, log.entries), (0, false, Vec::new()));
    }
    assert_eq!(world.store.quarantine_expired(world.received("").at).await.unwrap(), 0);
    let same = world.connection("demo", "school").await;
    assert_eq!((same.generation, same.next_record), (0, connection.next_record));
    assert!(world.store.held_records(&same, &world.partner).await.unwrap().is_empty());
    assert!(world.store.changes(&world.canonical, "demo", 0, 10).await.unwrap().is_empty());
    assert_eq!(world.store.entity(&world.canonical, "demo", ORG, there).await.unwrap(), None);
    let deliveries = world.store.deliveries("demo", None, None, 10).await.unwrap();
    assert!(deliveries.iter().all(|delivery| delivery.status == Status::Received));
}

const LETTERS: [&str; 20] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"];

async fn new_entities_are_as_they_were_said_however_many_come(database: &dyn Database) {
    let world = World::new(database).await;
    for count in [1, 7, 8, 9, 20] {
        let school = format!("school-{count}");
        let connection = world.connection("demo", &school).await;
        let sourced_id = |nth: usize| Namespace::of("demo", &school).sourced_id("org", LETTERS[nth]);
        // What one does not say must not come from its neighbour.
        let name = |nth: usize| (!nth.is_multiple_of(3)).then_some(LETTERS[nth]);
        let put = |nth: usize| {
            let cells = vec![name(nth).map_or(Cell::Null, text), Cell::Null];
            EntityStep::Put(EntityRow { cells, ..org(sourced_id(nth), LETTERS[nth], LETTERS[nth]) })
        };
        let plan = Plan { records: Vec::new(), entities: (0..count).map(put).collect() };
        world.apply(&connection, plan).await.unwrap();
        let connection = world.connection("demo", &school).await;
        let asked: Vec<_> = (0..count).map(|nth| (ORG, sourced_id(nth))).collect();
        let held = world.store.held_entities(&connection, &world.canonical, &asked).await.unwrap();
        for (nth, held) in held.iter().enumerate() {
            assert_eq!(held.as_ref().unwrap().digest, Digest::of(LETTERS[nth].as_bytes()), "{nth} of {count}");
            let entity = world.store.entity(&world.canonical, "demo", ORG, sourced_id(nth)).await.unwrap().unwrap();
            assert_eq!(entity.get("name").and_then(|name| name.as_str()), name(nth), "{nth} of {count}");
        }
    }
}

async fn one_of_many_new_entities_that_is_there_already_leaves_none(database: &dyn Database) {
    let world = World::new(database).await;
    let put = |letter: &'static str| EntityStep::Put(org(id("org", letter), letter, letter));
    let apply = async |letters: &[&'static str]| {
        let connection = world.connection("demo", "school").await;
        world
            .apply(&connection, Plan { records: Vec::new(), entities: letters.iter().copied().map(put).collect() })
            .await
    };
    apply(&LETTERS[4..5]).await.unwrap();
    assert!(apply(&LETTERS).await.is_err());
    assert_eq!(world.store.changes(&world.canonical, "demo", 0, 100).await.unwrap().len(), 1);
    assert_eq!(world.store.entity(&world.canonical, "demo", ORG, id("org", "a")).await.unwrap(), None);
}

async fn bad_records_keep_their_contributions(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let put = |row| Plan { records: vec![RecordStep::Put(row)], entities: Vec::new() };
    world.apply(&connection, put(branch(1, "[1]", "North"))).await.unwrap();
    let connection = world.connection("demo", "school").await;
    let mut bad = branch(1, "[1]", "Nowhere");
    (bad.new, bad.digest, bad.contributions) = (false, None, None);
    world.apply(&connection, put(bad)).await.unwrap();

    let held = world.store.held_records(&connection, &world.partner).await.unwrap();
    assert_eq!(held[0].digest, None);
    let asked = [(BRANCH, RecordId(1))];
    let contributions = world.store.contributions(&connection, &world.partner, &asked).await.unwrap();
    assert_eq!(contributions, [b"North".to_vec()]);
}

async fn removed_records_make_room_for_their_key(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let put = RecordStep::Put(branch(1, "[1]", "North"));
    world.apply(&connection, Plan { records: vec![put], entities: Vec::new() }).await.unwrap();
    let connection = world.connection("demo", "school").await;
    let records = vec![RecordStep::Put(branch(2, "[1]", "North")), RecordStep::Remove(BRANCH, RecordId(1))];
    world.apply(&connection, Plan { records, entities: Vec::new() }).await.unwrap();
    let held = world.store.held_records(&connection, &world.partner).await.unwrap();
    assert_eq!(held.iter().map(|record| record.id).collect::<Vec<_>>(), [RecordId(2)]);
}

async fn retired_entities_keep_what_they_said_and_come_back(database: &dyn Database) {
    let world = World::new(database).await;
    let sourced_id = id("org", "branch:1");
    let step = async |step| {
        let connection = world.connection("demo", "school").await;
        world.apply(&connection, Plan { records: Vec::new(), entities: vec![step] }).await.unwrap();
        let entity = world.store.entity(&world.canonical, "demo", ORG, sourced_id).await.unwrap().unwrap();
        let held = world.store.held_entities(&connection, &world.canonical, &[(ORG, sourced_id)]).await.unwrap();
        (entity, held.into_iter().next().flatten())
    };
    step(EntityStep::Put(org(sourced_id, "branch:1", "North"))).await;
    let (entity, held) = step(EntityStep::Retire(ORG, sourced_id)).await;
    assert_eq!((&entity["status"], &entity["name"]), (&"tobedeleted".into(), &"North".into()));
    let held = held.unwrap();
    assert!(!held.active && held.contributors.is_empty());

    let back = EntityRow { new: false, ..org(sourced_id, "branch:1", "North again") };
    let (entity, held) = step(EntityStep::Put(back)).await;
    assert_eq!((&entity["status"], &entity["name"]), (&"active".into(), &"North again".into()));
    assert!(held.unwrap().active);
}

async fn relinking_is_no_change(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    let sourced_id = id("org", "branch:1");
    let put = EntityStep::Put(org(sourced_id, "branch:1", "North"));
    let end = world.apply(&connection, Plan { records: Vec::new(), entities: vec![put] }).await.unwrap();
    let connection = world.connection("demo", "school").await;
    let contributors = vec![RecordId(5), RecordId(4)];
    let link = EntityLink { kind: ORG, sourced_id, uniform: true, contributors: contributors.clone() };
    let plan = Plan { records: Vec::new(), entities: vec![EntityStep::Relink(link)] };
    assert_eq!(world.apply(&connection, plan).await.unwrap(), end);
    assert!(world.store.changes(&world.canonical, "demo", end, 10).await.unwrap().is_empty());
    let held = world
        .store
        .held_entities(&world.connection("demo", "school").await, &world.canonical, &[(ORG, sourced_id)])
        .await
        .unwrap();
    assert_eq!(held[0].as_ref().unwrap().contributors, contributors);
}

/// Beyond the numbers of rows at which stores begin to write otherwise.
const MANY: i64 = 12_000;

async fn a_large_commit_is_held_as_a_small_one_is(database: &dyn Database) {
    let world = World::new(database).await;
    let keys: Vec<_> = (1..=MANY).map(|id| format!("[{id}]")).collect();
    let row =
        |id: i64, new, name| RecordRow { new, key: &keys[usize::try_from(id - 1).unwrap()], ..section(id, "", name) };
    let entity =
        |nth: i64, new, name| EntityStep::Put(EntityRow { new, ..org(id("org", &nth.to_string()), "x", name) });
    for (new, name) in [(true, "North"), (false, "South")] {
        let connection = world.connection("demo", "school").await;
        let delivery = world.receive(&connection, "{}").await;
        let report = Report::new(Status::Applied);
        let mut commit = world.commit(&connection, delivery, Plan::default(), &report);
        commit.records = (1..=MANY).map(|id| RecordStep::Put(row(id, new, name))).collect();
        commit.entities = (1..=MANY).map(|nth| entity(nth, new, name)).collect();
        commit.next_record = MANY + 1;
        world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();

        let connection = world.connection("demo", "school").await;
        let held = world.store.held_records(&connection, &world.partner).await.unwrap();
        assert_eq!(held.iter().map(|record| record.key.as_str()).collect::<Vec<_>>(), keys);
        let last = [RecordId(MANY), RecordId(1)];
        let bodies = world.store.bodies(&connection, &world.partner, SECTION, &last).await.unwrap();
        assert_eq!(bodies, [(); 2].map(|()| format!("{{\"name\":\"{name}\",\"students\":[]}}").into_bytes()));
        let ids: Vec<_> = (1..=MANY).map(|nth| (ORG, id("org", &nth.to_string()))).collect();
        let held = world.store.held_entities(&connection, &world.canonical, &ids).await.unwrap();
        assert!(held.iter().flatten().all(|held| held.digest == Digest::of(name.as_bytes()) && held.active));
        assert_eq!(held.iter().flatten().count(), ids.len());
        let feed = world.store.changes(&world.canonical, "demo", 0, u32::MAX).await.unwrap();
        let last = feed.last().unwrap();
        assert_eq!((feed.len(), last.sequence - feed[0].sequence), (ids.len(), MANY - 1));
        assert_eq!((last.sourced_id, last.status.as_str()), (ids[ids.len() - 1].1, "active"));
    }
}

async fn every_change_takes_the_next_place(database: &dyn Database) {
    let world = World::new(database).await;
    let (one, two) = (id("org", "1"), id("org", "2"));
    let apply = async |entities| {
        let connection = world.connection("demo", "school").await;
        world.apply(&connection, Plan { records: Vec::new(), entities }).await.unwrap()
    };
    let put = |id, new| EntityStep::Put(EntityRow { new, ..org(id, "x", "North") });
    assert_eq!(apply(vec![put(one, true), put(two, true)]).await, 2);
    assert_eq!(apply(vec![EntityStep::Retire(ORG, one)]).await, 3);
    assert_eq!(apply(vec![put(one, false)]).await, 4);
    let other = world.connection("elsewhere", "school").await;
    let entities = vec![put(one, true)];
    // Whether tenants share their numbers is the database's own affair.
    let place = world.apply(&other, Plan { records: Vec::new(), entities }).await.unwrap();
    let feed = world.store.changes(&world.canonical, "elsewhere", 0, 10).await.unwrap();
    assert_eq!(feed.iter().map(|change| change.sequence).collect::<Vec<_>>(), [place]);
    assert_eq!(apply(Vec::new()).await, 4);
}

async fn a_reader_that_polls_while_others_commit_skips_nothing(database: &dyn Database) {
    const COMMITS: usize = 20;
    let world = World::new(database).await;
    let ended = Counter::new(0);
    let write = async |name: &str| {
        for nth in 0..COMMITS {
            let connection = world.connection("demo", name).await;
            let new = id("org", &format!("{name}:{nth}"));
            let entities = vec![EntityStep::Put(org(new, "x", "North"))];
            world.apply(&connection, Plan { records: Vec::new(), entities }).await.unwrap();
        }
        ended.set(ended.get() + 1);
    };
    let read = async {
        let (mut cursor, mut seen) = (0, BTreeSet::new());
        loop {
            let is_last = ended.get() == 3;
            let changes = world.store.changes(&world.canonical, "demo", cursor, 3).await.unwrap();
            if is_last && changes.is_empty() {
                return seen;
            }
            for change in changes {
                assert!(change.sequence > cursor && seen.insert(change.sourced_id));
                cursor = change.sequence;
            }
            tokio::task::yield_now().await;
        }
    };
    let ((), (), (), seen) = tokio::join!(write("one"), write("two"), write("three"), read);
    assert_eq!(seen.len(), 3 * COMMITS);
}

async fn a_connection_belongs_to_one_partner(database: &dyn Database) {
    let world = World::new(database).await;
    let first = world.connection("demo", "school").await;
    assert_eq!(world.connection("demo", "school").await.id, first.id);
    assert_ne!(world.connection("demo", "other").await.id, first.id);
    assert_ne!(world.connection("elsewhere", "school").await.id, first.id);
    assert!(matches!(world.store.connection("demo", "school", "library").await, Err(StoreError::Inconsistent(_))));
}

async fn what_was_applied_is_remembered(database: &dyn Database) {
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    assert_eq!(connection.applied, None);
    let delivery = world.receive(&connection, "{}").await;
    let report = Report::new(Status::Applied);
    let applied = Applied { sha256: [7; 32], setting: Digest::of(b"setting"), state: Digest::of(b"state") };
    let mut commit = world.commit(&connection, delivery, Plan::default(), &report);
    commit.applied = Some(applied);
    world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
    assert_eq!(world.connection("demo", "school").await.applied, Some(applied));
    world.apply(&world.connection("demo", "school").await, Plan::default()).await.unwrap();
    assert_eq!(world.connection("demo", "school").await.applied, None);
}

async fn a_commit_may_bring_its_delivery_along(database: &dyn Database) {
    let world = World::new(database).await;
    let report = Report::new(Status::Applied);
    for body in ["{\"name\":\"North\"}", "{\"name\":\"South\"}", "{\"name\":\"North\"}", ""] {
        let received = world.received(body);
        let connection = world.connection("demo", "school").await;
        let mut commit = world.commit(&connection, received.id, Plan::default(), &report);
        commit.received = Some(&received);
        world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
        let stored = world.store.body("demo", received.id).await.unwrap().unwrap();
        assert_eq!(stored.bytes, body.as_bytes());
        let delivery = world.store.delivery("demo", received.id).await.unwrap().unwrap();
        assert_eq!((delivery.status, delivery.operation.as_str()), (Status::Applied, "mirror"));
        assert_eq!((delivery.received_at, delivery.report), (received.at, Some(report.clone())));
    }
    assert_eq!(database.count("body"), 3);
    for delivery in world.store.deliveries("demo", None, None, 10).await.unwrap() {
        assert!(world.store.body("demo", delivery.id).await.unwrap().is_some());
    }
}

async fn a_commit_that_fails_leaves_nothing_of_the_delivery_it_brought(database: &dyn Database) {
    let world = World::new(database).await;
    let stale = world.connection("demo", "school").await;
    world.apply(&stale, Plan::default()).await.unwrap();
    let fresh = world.connection("demo", "school").await;
    let report = Report::new(Status::Applied);
    let bad = || Plan { records: Vec::new(), entities: vec![EntityStep::Retire(ORG, id("org", "nobody"))] };
    for (connection, plan) in [(&stale, Plan::default()), (&fresh, bad())] {
        let received = world.received("{\"brought\":true}");
        let mut commit = world.commit(connection, received.id, plan, &report);
        commit.received = Some(&received);
        commit.numbers = vec![("Branch".to_owned(), 7)];
        assert!(world.store.commit(&world.canonical, &world.partner, commit).await.is_err());
        assert_eq!(world.store.delivery("demo", received.id).await.unwrap(), None);
        assert_eq!(world.store.body("demo", received.id).await.unwrap(), None);
        assert_eq!(world.store.numbers(&fresh, &["Branch".to_owned()]).await.unwrap(), [0]);
    }
    let now = world.received("").at;
    assert_eq!(world.store.bury(now, now).await.unwrap(), 0);
}

async fn what_is_left_open_is_seen_by_the_next_and_one_that_fails_costs_no_other(database: &dyn Database) {
    let world = World::new(database).await;
    let report = Report::new(Status::Applied);
    let there = id("org", "branch:1");
    let put = |record, entity| Plan { records: vec![RecordStep::Put(record)], entities: vec![entity] };
    let plans = [
        ("one", put(branch(1, "[1]", "North"), EntityStep::Put(org(there, "branch:1", "North")))),
        ("failing", put(branch(2, "[2]", "South"), EntityStep::Put(org(there, "branch:1", "North")))),
        ("other", put(branch(2, "[2]", "East"), EntityStep::Retire(ORG, there))),
    ];
    let mut open = Vec::new();
    for (body, plan) in plans {
        let connection = world.connection("demo", "school").await;
        let received = world.received(body);
        let fate = Fate::default();
        let commit = world.commit(&connection, received.id, plan, &report);
        let commit = Commit { received: Some(&received), finish: Finish::Open(&fate), ..commit };
        let done = world.store.commit(&world.canonical, &world.partner, commit).await;
        assert_eq!(done.is_err(), body == "failing", "{done:?}");
        open.push((received.id, fate));
    }
    let unchanged = Report::new(Status::Unchanged);
    for is_stale in [false, true] {
        let mut connection = world.connection("demo", "school").await;
        connection.generation -= i64::from(is_stale);
        let (received, fate) = (world.received("nothing new"), Fate::default());
        let concluded =
            world.store.conclude(&connection, &received, received.at, &unchanged, Finish::Open(&fate)).await;
        assert_eq!(matches!(concluded, Err(StoreError::Stale)), is_stale, "{concluded:?}");
        open.push((received.id, fate));
    }
    assert_eq!(world.store.committed().await.unwrap(), 0, "nothing was lost");
    world.store.synced().await.unwrap();
    assert!(open.iter().all(|(_, fate)| fate.lost().is_none()));
    let again = database.open().await.unwrap();
    let connection = again.connection("demo", "school", "school").await.unwrap();
    assert_eq!(connection.generation, 2);
    let held = again.held_records(&connection, &world.partner).await.unwrap();
    assert_eq!(
        held.iter().map(|held| held.digest).collect::<Vec<_>>(),
        [Some(Digest::of(b"North")), Some(Digest::of(b"East"))]
    );
    for ((delivery, _), is_kept) in open.into_iter().zip([true, false, true, true, false]) {
        assert_eq!(again.delivery("demo", delivery).await.unwrap().is_some(), is_kept);
    }
}

async fn no_number_is_given_out_twice(database: &dyn Database) {
    let world = World::new(database).await;
    let report = Report::new(Status::Applied);
    let give_out = async |tenant: &str, numbers: &[(&str, i64)]| {
        let connection = world.connection(tenant, "school").await;
        let delivery = world.receive(&connection, "{}").await;
        let mut commit = world.commit(&connection, delivery, Plan::default(), &report);
        commit.numbers = numbers.iter().map(|(of, last)| ((*of).to_owned(), *last)).collect();
        world.store.commit(&world.canonical, &world.partner, commit).await.unwrap();
        let asked = ["Section", "Branch", "$series/2026"].map(str::to_owned);
        world.store.numbers(&connection, &asked).await.unwrap()
    };
    assert_eq!(give_out("demo", &[]).await, [0, 0, 0]);
    assert_eq!(give_out("demo", &[("Branch", 3), ("$series/2026", 1)]).await, [0, 3, 1]);
    assert_eq!(give_out("demo", &[("Branch", 2), ("Section", 9)]).await, [9, 3, 1]);
    assert_eq!(give_out("demo", &[("Branch", i64::MAX)]).await, [9, i64::MAX, 1]);
    assert_eq!(give_out("elsewhere", &[("Branch", 1)]).await, [0, 1, 0]);
    let world = World::new(database).await;
    let connection = world.connection("demo", "school").await;
    assert_eq!(world.store.numbers(&connection, &["Section".to_owned()]).await.unwrap(), [9]);
    assert!(world.store.numbers(&connection, &[]).await.unwrap().is_empty());
}
