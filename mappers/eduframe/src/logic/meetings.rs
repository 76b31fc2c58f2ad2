//! Meetings of planned courses, and planning events around them: who and what is there is given as numbers, and kept as
//! rows. A meeting that moves can take its planning events along.

use jiff::{SignedDuration, Timestamp};
use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{catalog, known, teachers};
use crate::Options;

type Row = Map<String, Value>;

#[derive(Debug, Deserialize)]
struct Meeting<'d> {
    id: i64,
    #[serde(borrow)]
    start_date_time: Text<'d>,
    #[serde(borrow)]
    end_date_time: Text<'d>,
    #[serde(default)]
    planning_attendees: Vec<Row>,
    #[serde(default)]
    planning_materials: Vec<Row>,
}

/// `POST /meetings`
pub(super) fn create_meeting(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    plan(desk, "Meeting", "Meeting").map(drop)
}

/// `PUT /meetings/{id}`
pub(super) fn update_meeting(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let before: Meeting<'_> = desk.record()?;
    let after = plan(desk, "Meeting", "Meeting")?;
    if known::says(desk, "shift_planning_events")? {
        let by = instant(&before.start_date_time)?.duration_until(instant(&after.start_date_time)?);
        shift(desk, after.id, by)?;
    }
    Ok(())
}

/// `POST /planning/events`
pub(super) fn create_event(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    plan(desk, "PlanningEvent", "Planning::Event").map(drop)
}

/// `PUT /planning/events/{id}`
pub(super) fn update_event(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    plan(desk, "PlanningEvent", "Planning::Event").map(drop)
}

/// Writes a meeting or planning event with its rows; `kind` is what rows call it.
fn plan<'d>(desk: &Desk<'d>, of: &str, kind: &str) -> Result<Meeting<'d>, Stop> {
    let after: Meeting<'_> = known::change(desk)?;
    catalog::in_order(Some(&after.start_date_time), Some(&after.end_date_time), "end_date_time")?;
    let mut attendees = after.planning_attendees.clone();
    if let Some(teachers) = known::argument(desk, "teacher_ids")? {
        name(&mut attendees, "teacher_id", &teachers, &json!({}));
        teachers::known(desk, &teachers, "teacher_ids")?;
    }
    for attendee in &mut attendees {
        attendee.entry("attendable_type").or_insert_with(|| kind.into());
        attendee.entry("attendable_id").or_insert_with(|| after.id.into());
    }
    let mut materials = after.planning_materials.clone();
    if let Some(named) = known::argument(desk, "material_ids")? {
        name(&mut materials, "material_id", &named, &json!({"amount": 1}));
        known::each(desk, "Material", &named, "material_ids")?;
    }
    teachers::known(desk, &numbers(&attendees, "teacher_id"), "planning_attendees_attributes")?;
    known::each(desk, "Material", &numbers(&materials, "material_id"), "planning_materials_attributes")?;
    let rows = json!({"id": after.id, "planning_attendees": attendees, "planning_materials": materials});
    desk.keep_with(of, rows);
    Ok(after)
}

/// Has rows for exactly these numbers; those that are there stay as they are.
fn name(rows: &mut Vec<Row>, member: &str, named: &[i64], more: &Value) {
    let number = |row: &Row| row.get(member).and_then(Value::as_i64);
    rows.retain(|row| number(row).is_some_and(|number| named.contains(&number)));
    for new in named {
        if !rows.iter().any(|row| number(row) == Some(*new)) {
            let mut row = more.as_object().cloned().unwrap_or_default();
            row.insert(member.to_owned(), (*new).into());
            rows.push(row);
        }
    }
}

fn numbers(rows: &[Row], member: &str) -> Vec<i64> {
    rows.iter().filter_map(|row| row.get(member)?.as_i64()).collect()
}

/// Moves the planning events of a meeting.
fn shift(desk: &Desk<'_>, meeting_id: i64, by: SignedDuration) -> Result<(), Stop> {
    if by.is_zero() {
        return Ok(());
    }
    for event in desk.records::<Meeting<'_>>("PlanningEvent").with("meeting_id", meeting_id).all()? {
        let moved = |text: &str| Ok::<_, Stop>(stamp(instant(text)?.saturating_add(by).map_err(|_| too_far())?));
        let (start, end) = (moved(&event.start_date_time)?, moved(&event.end_date_time)?);
        desk.put("PlanningEvent", json!({"id": event.id, "start_date_time": start, "end_date_time": end}));
    }
    Ok(())
}

fn instant(text: &str) -> Result<Timestamp, Stop> {
    text.parse().map_err(|_| too_far())
}

/// `2026-08-30T07:00:00.000Z`
fn stamp(instant: Timestamp) -> String {
    format!("{instant:.3}")
}

fn too_far() -> Stop {
    Stop::invalid("range", "is too far away").at("start_date_time")
}
