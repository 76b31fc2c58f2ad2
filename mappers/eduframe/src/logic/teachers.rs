//! Teachers are users with a role; one who is not active any more keeps it.

use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::json;

use super::known;
use crate::Options;

#[derive(Debug, Deserialize)]
struct Person {
    id: i64,
    #[serde(default)]
    roles: Vec<String>,
}

impl Person {
    fn teaches(&self) -> bool {
        self.roles.iter().any(|role| role == "teacher")
    }
}

/// `POST /teachers`: makes a user a teacher. One who is a teacher already stays one, and is active again.
pub(super) fn make(desk: &Desk<'_>, options: &Options) -> Result<(), Stop> {
    let user_id = desk.argument("user_id")?;
    let user_id = user_id.ok_or_else(|| Stop::invalid("required", "says which user").at("user_id"))?;
    let person: Person = known::one(desk, "User", user_id, "user_id")?;
    let mut roles = person.roles.clone();
    if !person.teaches() {
        roles.push("teacher".to_owned());
    }
    desk.put("User", json!({"id": person.id, "roles": roles, "teacher_active": true}));
    desk.tell("location", format!("{}/teachers/{user_id}", options.website_url));
    Ok(())
}

/// `POST /teachers/{id}/activate`
pub(super) fn activate(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    set_active(desk, true)
}

/// `POST /teachers/{id}/deactivate`
pub(super) fn deactivate(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    set_active(desk, false)
}

fn set_active(desk: &Desk<'_>, active: bool) -> Result<(), Stop> {
    let person: Person = desk.record()?;
    desk.put("User", json!({"id": person.id, "teacher_active": active}));
    Ok(())
}

/// Makes sure that all of these, who stand in `field`, are teachers.
pub(super) fn known(desk: &Desk<'_>, ids: &[i64], field: &str) -> Result<(), Stop> {
    if ids.is_empty() {
        return Ok(());
    }
    let people = desk.records::<Person>("User").any("id", ids).all()?;
    let teaches = |id: &i64| people.iter().any(|person| person.id == *id && person.teaches());
    if ids.iter().all(teaches) {
        return Ok(());
    }
    Err(Stop::invalid("reference", "there is no such teacher").at(field))
}
