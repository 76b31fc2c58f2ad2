//! A school that sends all that it is, again and again: people come, go and are renamed. Now and then it is large, and
//! now and then it is wrong.

use fastrand::Rng;
use serde_json::json;

use super::{Partner, Request, Script};
use crate::jusoor::{BRANCHES, PARTNER as NAME, headers};
use crate::school::{Payload, Person, Size};

/// What it is called, and how.
pub(super) const PARTNER: Partner = Partner {
    name: NAME,
    options: || json!({}),
    headers: |credential| headers(credential).map(|(name, value)| (name, value.to_owned())).into(),
    records: &["Mirror"],
    script: |_, _| Box::new(School { nth: 0, payload: Payload::of(Size::SMALL) }),
};

/// More than the others.
const LARGE: Size = Size { classes: 6, sections: 3, subjects: 2, students: 15 };

struct School {
    nth: u64,
    payload: Payload,
}

impl Script for School {
    fn next(&mut self, rng: &mut Rng) -> Request {
        self.nth += 1;
        match rng.u8(..16) {
            0 => self.payload = Payload::of(if rng.bool() { LARGE } else { Size::SMALL }),
            1 => self.payload.branches[0].classes[0].name = format!("Grade {}", self.nth),
            2 => self.payload.shuffle(rng.u64(..)),
            3 => return self.wrong(),
            4 | 5 => _ = self.students(rng).pop(),
            _ => {
                let person = Person::nth(500_000 + self.nth, "students");
                self.students(rng).push(person);
            }
        }
        let (name, people) = (format!("Renamed {}", self.nth), &mut self.payload.branches[0].classes[0].sections[0]);
        people.subjects[0].teachers[0].name_user = name;
        Request { method: "POST", path: BRANCHES.to_owned(), body: self.payload.to_bytes() }
    }
}

impl School {
    /// The students of any section.
    fn students(&mut self, rng: &mut Rng) -> &mut Vec<Person> {
        let classes = &mut self.payload.branches[0].classes;
        let class = rng.usize(..classes.len());
        let sections = &mut classes[class].sections;
        let section = rng.usize(..sections.len());
        &mut sections[section].students
    }

    fn wrong(&self) -> Request {
        Request::post(BRANCHES, &json!({"branches": [{"id": "ten", "name": format!("Nowhere {}", self.nth)}]}))
    }
}
