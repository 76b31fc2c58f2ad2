//! Meetings, planning events, and where they clash.

use rollcall_mapper_sdk::logic::{Class, Found, Office, Step, step};
use serde_json::{Value, json};

use super::{all, members, office, person, why};
use crate::Eduframe;

fn planned(id: i64, hours: (&str, &str), more: &Value) -> Value {
    let at = |hour: &str| format!("2026-09-01T{hour}:00.000Z");
    let mut planned = json!({"id": id, "start_date_time": at(hours.0), "end_date_time": at(hours.1)});
    planned.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    planned
}

fn equipped() -> Office<Eduframe> {
    let material = |id: i64, name: &str, of: &str| json!({"id": id, "name": name, "use_type": of});
    office()
        .with("Material", material(1, "Beamer", "reservable"))
        .with("Material", material(2, "Steel", "consumable"))
        .with("MeetingLocation", json!({"id": 6, "name": "Workshop"}))
        .with("User", person(4, "Dee", &["teacher"]))
}

#[test]
fn who_and_what_is_there_becomes_rows() {
    let mut office = equipped();
    let sent = planned(40, ("09:00", "12:00"), &json!({"planned_course_id": 10}));
    let visit = office.call("create-meeting").change(sent);
    visit.argument("teacher_ids", json!([3, 4])).argument("material_ids", json!([1])).run().unwrap();
    let row = |teacher: i64| json!({"teacher_id": teacher, "attendable_type": "Meeting", "attendable_id": 40});
    let materials = json!([{"material_id": 1, "amount": 1}]);
    let rows = members(&office, "Meeting", 40, &["planning_attendees", "planning_materials"]);
    assert_eq!(rows, json!([[row(3), row(4)], materials]));
    // Exactly those who are named stay or come.
    let there = json!([{"id": 1, "teacher_id": 3, "comment": "early", "attendable_type": "Meeting", "attendable_id": 40}, {"id": 2, "teacher_id": 3}]);
    let sent = planned(40, ("09:00", "12:00"), &json!({"planning_attendees": there}));
    let visit = office.call("update-meeting").about("Meeting", 40).change(sent);
    visit.argument("teacher_ids", json!([4, 3])).run().unwrap();
    let attendees = members(&office, "Meeting", 40, &["planning_attendees"]);
    assert_eq!(attendees[0][0]["comment"], "early");
    assert_eq!(
        attendees[0].as_array().unwrap().iter().map(|row| row["teacher_id"].clone()).collect::<Value>(),
        json!([3, 3, 4])
    );
}

#[test]
fn what_cannot_be_planned_is_declined() {
    let table = [
        (json!({}), json!({"teacher_ids": [2]}), ("reference", "teacher_ids")),
        (json!({}), json!({"material_ids": [9]}), ("reference", "material_ids")),
        (json!({"planning_attendees": [{"teacher_id": 9}]}), json!({}), ("reference", "planning_attendees_attributes")),
        (
            json!({"planning_materials": [{"material_id": 9}]}),
            json!({}),
            ("reference", "planning_materials_attributes"),
        ),
        (json!({"end_date_time": "2026-09-01T08:59:59.999Z"}), json!({}), ("order", "end_date_time")),
    ];
    for (more, arguments, (code, field)) in table {
        for call in ["create-meeting", "create-planning-event"] {
            let mut office = equipped();
            let mut visit = office.call(call).change(planned(40, ("09:00", "12:00"), &more));
            for (name, value) in arguments.as_object().unwrap() {
                visit = visit.argument(name, value.clone());
            }
            assert_eq!(why(&visit.run().unwrap_err()), (Class::Invalid, code, field), "{call}");
        }
    }
}

#[test]
fn planning_events_move_with_their_meeting_where_that_is_asked_for() {
    for (asked, start) in [(false, "2026-09-01T08:00:00.000Z"), (true, "2026-09-01T09:30:00.000Z")] {
        let mut office = equipped()
            .with("Meeting", planned(40, ("09:00", "12:00"), &json!({})))
            .with("PlanningEvent", planned(1, ("08:00", "09:00"), &json!({"meeting_id": 40})))
            .with("PlanningEvent", planned(2, ("08:00", "09:00"), &json!({"meeting_id": 41})));
        let visit =
            office.call("update-meeting").about("Meeting", 40).change(planned(40, ("10:30", "12:00"), &json!({})));
        visit.argument("shift_planning_events", asked).run().unwrap();
        assert_eq!(all(&office, "PlanningEvent", "start_date_time"), json!([start, "2026-09-01T08:00:00.000Z"]));
    }
}

/// The conflicts between things that are planned: what, and the two.
fn conflicts(meetings: &[Value], events: &[Value]) -> Vec<String> {
    let office = meetings.iter().cloned().fold(equipped(), |office, meeting| office.with("Meeting", meeting));
    let mut office = events.iter().cloned().fold(office, |office, event| office.with("PlanningEvent", event));
    let done = office.call("planning-conflicts").run().unwrap();
    assert_eq!(done.changes, []);
    let rows = done.told["rows"].as_array().unwrap().iter();
    let shown = rows.map(|row| {
        let text = |name: &str| row[name].as_str().map_or_else(|| row[name].to_string(), str::to_owned);
        let hour = |name: &str| text(name)[11..16].to_owned();
        format!(
            "{} {}: {} {} / {} {}, {} - {}",
            text("resource_type"),
            text("resource_name"),
            text("event_type"),
            text("event_id"),
            text("conflicting_event_type"),
            text("conflicting_event_id"),
            hour("start_date_time"),
            hour("end_date_time"),
        )
    });
    shown.collect()
}

#[test]
fn nobody_and_nothing_is_in_two_places_at_once() {
    let teachers = json!({"planning_attendees": [{"teacher_id": 3}, {"teacher_id": 4}]});
    let one = planned(1, ("09:00", "12:00"), &teachers);
    let table = [
        (
            planned(2, ("11:00", "13:00"), &json!({"planning_attendees": [{"teacher_id": 3}]})),
            vec!["Teacher Cem Moss: Meeting 1 / Meeting 2, 11:00 - 12:00"],
        ),
        (
            planned(2, ("08:00", "13:00"), &json!({"planning_attendees": [{"teacher_id": 4}]})),
            vec!["Teacher Dee Moss: Meeting 2 / Meeting 1, 09:00 - 12:00"],
        ),
        (planned(2, ("12:00", "13:00"), &teachers), vec![]),
        (planned(2, ("09:00", "10:00"), &json!({"planning_attendees": [{}]})), vec![]),
        (
            planned(2, ("09:00", "10:00"), &teachers),
            vec![
                "Teacher Cem Moss: Meeting 1 / Meeting 2, 09:00 - 10:00",
                "Teacher Dee Moss: Meeting 1 / Meeting 2, 09:00 - 10:00",
            ],
        ),
    ];
    for (other, expected) in table {
        assert_eq!(conflicts(&[one.clone(), other.clone()], &[]), expected, "{other}");
    }
}

#[test]
fn places_and_reserved_materials_clash_and_used_up_ones_do_not() {
    let one = planned(
        1,
        ("09:00", "12:00"),
        &json!({"meeting_location_id": 6, "planning_materials": [{"material_id": 1}, {"material_id": 2}]}),
    );
    let other = planned(
        2,
        ("10:00", "11:00"),
        &json!({"planning_meeting_location_ids": [6], "planning_materials": [{"material_id": 1}, {"material_id": 2}]}),
    );
    let expected = [
        "Material Beamer: Meeting 1 / Planning::Event 2, 10:00 - 11:00",
        "MeetingLocation Workshop: Meeting 1 / Planning::Event 2, 10:00 - 11:00",
    ];
    assert_eq!(conflicts(std::slice::from_ref(&one), std::slice::from_ref(&other)), expected);
    // What belongs to one meeting is one thing.
    let mut own = other;
    own["meeting_id"] = json!(1);
    assert!(conflicts(&[one], &[own]).is_empty());
}

#[test]
fn what_is_cancelled_clashes_with_nothing() {
    let there = json!({"meeting_location_id": 6, "planned_course_id": 12});
    let meetings =
        [planned(1, ("09:00", "12:00"), &there), planned(2, ("09:00", "12:00"), &json!({"meeting_location_id": 6}))];
    assert_eq!(conflicts(&meetings, &[]).len(), 1);
    let office = equipped().with("PlannedCourse", json!({"id": 12, "status": "canceled"}));
    let mut office = meetings.into_iter().fold(office, |office, meeting| office.with("Meeting", meeting));
    let event = planned(3, ("10:00", "11:00"), &json!({"meeting_id": 1, "meeting_location_id": 6}));
    office = office.with("PlanningEvent", event);
    assert_eq!(office.call("planning-conflicts").run().unwrap().told["rows"], json!([]));
}

#[test]
fn more_than_can_be_looked_at_is_declined() {
    let busy = json!({"meeting_location_id": 6});
    for (count, more, is_declined) in
        [(8_000, json!({}), false), (8_001, json!({}), true), (100, busy.clone(), false), (101, busy, true)]
    {
        let meetings: Value = (1..=count).map(|id| planned(id, ("09:00", "12:00"), &more)).collect();
        let none = || Found::Records(b"[]".to_vec());
        let found = [Found::Records(meetings.to_string().into_bytes()), none(), none(), none()];
        let step = step::<Eduframe>("planning-conflicts", b"{}", b"{}", &found);
        assert_eq!(matches!(step, Step::Decline(decline) if decline.code == "too-many"), is_declined, "{count}");
    }
}
