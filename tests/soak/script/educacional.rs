//! A school that sends events, each answered before it is worked on: people and sections come, change and go, and links
//! between them that may come before what they link.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Partner, Request, Script, json_headers};

/// What it is called, and how.
pub(super) const PARTNER: Partner = Partner {
    name: "educacional",
    options: || json!({"org_ids": ["escola"]}),
    headers: |credential| json_headers("x-api-key", credential.to_owned()),
    records: &["User", "Section", "SectionStudent"],
    script: |_, _| Box::new(Events::default()),
};

/// So many people, and so many sections, there are at most.
const PEOPLE: u64 = 60;
const SECTIONS: u64 = 6;

#[derive(Default)]
struct Events {
    nth: u64,
}

impl Script for Events {
    fn next(&mut self, rng: &mut Rng) -> Request {
        self.nth += 1;
        let events: Vec<_> = (0..rng.usize(1..=4)).map(|_| self.event(rng)).collect();
        let message = json!({
            "doo": "2018/11/05T15:25:16.584Z", "ver": "1.0.0", "who": format!("sis.{}", self.nth), "org_id": "escola",
            "dat": events,
        });
        Request::post("/educacional/prod/sync/v1", &message)
    }
}

impl Events {
    fn event(&self, rng: &mut Rng) -> Value {
        let (person, section) = (rng.u64(..PEOPLE), rng.u64(..SECTIONS));
        let (user, group) = (json!({"code": format!("a{person}")}), json!({"code": format!("t{section}")}));
        let (kind, objects) = match rng.u8(..10) {
            0..=3 => ("insert", json!({"user": [self.student(person)]})),
            4 => ("update", json!({"user": [{"code": user["code"], "name": format!("Aluno {}", self.nth)}]})),
            5 => ("delete", json!({"user": [{"code": user["code"], "roles": [{"code": "aluno"}]}]})),
            6 => ("insert", json!({"section": [self.section(section)]})),
            7 => ("update", json!({"section": [{"code": group["code"], "level": format!("{}º Série", self.nth % 9)}]})),
            _ => ("insert", json!({"sectionstudent": [{"section": group, "student": user}]})),
        };
        json!({"typ": kind, "obj": objects})
    }

    fn student(&self, number: u64) -> Value {
        json!({
            "name": format!("Aluno {}", self.nth), "code": format!("a{number}"), "sis_id": format!("10{number}"),
            "dob": "2011/03/09T00:00:00.000Z", "roles": [{"code": "aluno"}],
        })
    }

    fn section(&self, number: u64) -> Value {
        json!({
            "name": format!("Turma {number}"), "code": format!("t{number}"), "sis_id": format!("40{number}"),
            "level": format!("{}º Série", self.nth % 9), "period": 1,
        })
    }
}
