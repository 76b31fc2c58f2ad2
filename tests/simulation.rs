//! Random histories: whatever a school went through, what can be read in the end is what its last payload alone would have
//! given.

use std::collections::BTreeMap;

use fastrand::Rng;
use rollcall_tests::database::Kind;
use rollcall_tests::jusoor::{BRANCHES, headers, post, sync};
use rollcall_tests::school::{Payload, Person, Size};
use rollcall_tests::site::{Server, Site};
use serde_json::Value;

use crate::state::everything;
use crate::{on_every_database, site_on};

on_every_database!(only_the_last_payload_counts,);

/// How many histories, and how long each is.
const HISTORIES: u64 = 4;
const STEPS: usize = 8;

fn only_the_last_payload_counts(kind: Kind) {
    for seed in 0..HISTORIES {
        let mut rng = Rng::with_seed(seed);
        let (site, mut school) = (site_on(kind), Payload::of(Size::SMALL));
        let mut server = site.start();
        let mut history = Vec::new();
        for _ in 0..STEPS {
            let step = rng.choice(STEP).expect("there are steps");
            history.push(step.0);
            server = (step.1)(&mut rng, &site, server, &mut school);
        }
        sync(&server, "north-school", &school);
        let fresh = site_on(kind);
        let control = fresh.start();
        sync(&control, "north-school", &school);
        assert_eq!(active(&server), active(&control), "seed {seed}, after {history:?}");
    }
}

type Step = fn(&mut Rng, &Site, Server, &mut Payload) -> Server;

/// What can happen to a school and its server.
const STEP: [(&str, Step); 7] = [
    ("a student is renamed", |rng, _, server, school| {
        any_student(rng, school).name_user = format!("Renamed {}", rng.u16(..));
        sync_shuffled(rng, server, school)
    }),
    ("a student moves", |rng, _, server, school| {
        let moved = any_student(rng, school).clone();
        for section in school.branches[0].classes.iter_mut().flat_map(|class| &mut class.sections) {
            section.students.retain(|student| student.user_no != moved.user_no);
        }
        school.section(0, 0).students.push(moved);
        sync_shuffled(rng, server, school)
    }),
    ("a student arrives", |rng, _, server, school| {
        let user_no = 200_000 + u64::from(rng.u16(..));
        school.section(1, 0).students.push(Person::nth(user_no, "students"));
        sync_shuffled(rng, server, school)
    }),
    ("a section is closed or opened", |rng, _, server, school| {
        let sections = &mut school.branches[0].classes[1].sections;
        if sections.len() > 1 {
            sections.pop();
        } else {
            sections.push(Payload::of(Size::SMALL).section(1, 1).clone());
        }
        sync_shuffled(rng, server, school)
    }),
    ("a grade is renamed", |rng, _, server, school| {
        school.branches[0].classes[0].name = format!("Grade {}", rng.u16(..));
        sync_shuffled(rng, server, school)
    }),
    ("the server is killed and started", |_, site, server, _| {
        server.kill();
        site.start()
    }),
    ("something bad is sent", |_, _, server, school| {
        let mut twice = school.clone();
        twice.branches.push(school.branches[0].clone());
        assert_eq!(post(&server, "north-school", &twice).status, 422);
        let bytes = school.to_bytes();
        let half = server.post(BRANCHES, &headers("north-school"), &bytes[..bytes.len() / 2]);
        assert_eq!(half.status, 400);
        server
    }),
];

fn sync_shuffled(rng: &mut Rng, server: Server, school: &mut Payload) -> Server {
    school.shuffle(rng.u64(..));
    // Places in the payload mean something to the steps: put them back after it was sent.
    sync(&server, "north-school", school);
    school.branches[0].classes.sort_by_key(|class| class.id);
    for class in &mut school.branches[0].classes {
        class.sections.sort_by(|one, other| one.name.cmp(&other.name));
    }
    server
}

fn any_student<'a>(rng: &mut Rng, school: &'a mut Payload) -> &'a mut Person {
    let students = school.branches[0].classes.iter_mut().flat_map(|class| &mut class.sections);
    let mut students: Vec<_> = students.flat_map(|section| &mut section.students).collect();
    let chosen = rng.usize(..students.len());
    students.swap_remove(chosen)
}

/// What is active, without when it became so.
fn active(server: &Server) -> BTreeMap<&'static str, BTreeMap<String, Value>> {
    let mut everything = everything(server, "north-reader");
    for rows in everything.values_mut() {
        rows.retain(|_, row| row["status"] == "active");
        for row in rows.values_mut() {
            row["dateLastModified"] = Value::Null;
        }
    }
    everything
}
