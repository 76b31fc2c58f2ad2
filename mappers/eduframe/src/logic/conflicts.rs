//! Finds what is planned for two things at the same time: teachers, places, and materials that are reserved rather than
//! used up.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::{Value, json};

use super::known::Known;
use super::people::Person;
use crate::Options;

/// A meeting or a planning event.
#[derive(Debug, Deserialize)]
struct Event<'d> {
    id: i64,
    planned_course_id: Option<i64>,
    /// The meeting that a planning event belongs to.
    meeting_id: Option<i64>,
    #[serde(borrow)]
    start_date_time: Text<'d>,
    #[serde(borrow)]
    end_date_time: Text<'d>,
    meeting_location_id: Option<i64>,
    #[serde(default)]
    planning_meeting_location_ids: Vec<i64>,
    #[serde(default)]
    planning_attendees: Vec<Attendee>,
    #[serde(default)]
    planning_materials: Vec<Used>,
}

#[derive(Debug, Deserialize)]
struct Attendee {
    teacher_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Used {
    material_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Named<'d> {
    id: i64,
    #[serde(borrow)]
    name: Text<'d>,
}

/// What is needed: `Teacher`, `MeetingLocation` or `Material`, and its number.
type Resource = (&'static str, i64);

/// An event, with what its kind is called.
type Planned<'e, 'd> = (&'static str, &'e Event<'d>);

/// What is needed by two events at the same time.
type Pair<'e, 'd> = (Resource, Planned<'e, 'd>, Planned<'e, 'd>);

type Names = BTreeMap<Resource, String>;

/// Meetings, and planning events, that one call can look at.
const PLANNED_MAX: u32 = 8_000;

/// Conflicts that it can tell.
const CONFLICTS_MAX: usize = 5_000;

/// `GET /planning/conflicts`
pub(super) fn list(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let (meetings, events) = desk.all((
        desk.records::<Event<'_>>("Meeting").limit(PLANNED_MAX + 1),
        desk.records::<Event<'_>>("PlanningEvent").limit(PLANNED_MAX + 1),
    ))?;
    if meetings.len().max(events.len()) > PLANNED_MAX as usize {
        return Err(too_many("meetings"));
    }
    let (canceled, reserved) = beside(desk, &meetings, &events)?;
    let is_off = |meeting: &Event<'_>| meeting.planned_course_id.is_some_and(|course| canceled.contains(&course));
    let off: BTreeSet<_> = meetings.iter().filter(|meeting| is_off(meeting)).map(|meeting| meeting.id).collect();
    let meetings = meetings.iter().filter(|meeting| !off.contains(&meeting.id)).map(|meeting| ("Meeting", meeting));
    let events = events.iter().filter(|event| event.meeting_id.is_none_or(|meeting| !off.contains(&meeting)));
    let planned: Vec<_> = meetings.chain(events.map(|event| ("Planning::Event", event))).collect();
    let pairs = overlaps(&planned, &|material| reserved.contains_key(&material))?;
    let names = names(desk, &pairs, &reserved)?;
    desk.tell("rows", pairs.iter().map(|pair| row(pair, &names)).collect::<Vec<_>>());
    Ok(())
}

/// The planned courses that are cancelled, and the materials that are reserved rather than used up, by name.
fn beside<'d>(
    desk: &Desk<'d>,
    meetings: &[Event<'_>],
    events: &[Event<'_>],
) -> Result<(BTreeSet<i64>, BTreeMap<i64, Text<'d>>), Stop> {
    let courses: BTreeSet<_> = meetings.iter().filter_map(|meeting| meeting.planned_course_id).collect();
    let used = meetings.iter().chain(events).flat_map(|event| &event.planning_materials);
    let used: BTreeSet<_> = used.filter_map(|used| used.material_id).collect();
    let (canceled, reserved) = desk.all((
        desk.records::<Known>("PlannedCourse").any("id", &courses).with("status", "canceled"),
        desk.records::<Named<'_>>("Material").any("id", &used).with("use_type", "reservable"),
    ))?;
    let canceled = canceled.into_iter().map(|course| course.id).collect();
    Ok((canceled, reserved.into_iter().map(|material| (material.id, material.name)).collect()))
}

/// What all that clashes is called.
fn names(desk: &Desk<'_>, pairs: &[Pair<'_, '_>], reserved: &BTreeMap<i64, Text<'_>>) -> Result<Names, Stop> {
    let of =
        |kind| pairs.iter().map(|pair| pair.0).filter(move |resource| resource.0 == kind).map(|resource| resource.1);
    let (teachers, places): (BTreeSet<_>, BTreeSet<_>) = (of("Teacher").collect(), of("MeetingLocation").collect());
    let (teachers, places) = desk.all((
        desk.records::<Person<'_>>("User").any("id", &teachers),
        desk.records::<Named<'_>>("MeetingLocation").any("id", &places),
    ))?;
    let mut names = Names::new();
    names.extend(teachers.iter().map(|teacher| (("Teacher", teacher.id), teacher.name())));
    names.extend(places.iter().map(|place| (("MeetingLocation", place.id), place.name.to_string())));
    names.extend(reserved.iter().map(|(id, name)| (("Material", *id), name.to_string())));
    Ok(names)
}

/// All that two events at the same time need, by start.
fn overlaps<'e, 'd>(planned: &[Planned<'e, 'd>], is_reserved: &dyn Fn(i64) -> bool) -> Result<Vec<Pair<'e, 'd>>, Stop> {
    let mut needed: BTreeMap<Resource, Vec<Planned<'e, 'd>>> = BTreeMap::new();
    for (kind, event) in planned {
        for resource in resources(event).into_iter().filter(|(of, id)| *of != "Material" || is_reserved(*id)) {
            needed.entry(resource).or_default().push((*kind, *event));
        }
    }
    let mut pairs = Vec::new();
    for (resource, mut events) in needed {
        events.sort_by_key(|(kind, event)| (&event.start_date_time, *kind, event.id));
        for (nth, one) in events.iter().enumerate() {
            // Those after it start later: once one starts after its end, all others do.
            let during = events[nth + 1..].iter().take_while(|other| other.1.start_date_time < one.1.end_date_time);
            pairs.extend(during.filter(|other| !belong_together(one, other)).map(|other| (resource, *one, *other)));
            if pairs.len() > CONFLICTS_MAX {
                return Err(too_many("conflicts"));
            }
        }
    }
    pairs.sort_by_key(|(resource, one, other)| {
        (&other.1.start_date_time, *resource, one.0, one.1.id, other.0, other.1.id)
    });
    Ok(pairs)
}

fn too_many(what: &str) -> Stop {
    Stop::invalid("too-many", format!("there are too many {what} to be looked at"))
}

fn resources(event: &Event<'_>) -> BTreeSet<Resource> {
    let teachers = event.planning_attendees.iter().filter_map(|attendee| attendee.teacher_id);
    let places = event.planning_meeting_location_ids.iter().copied().chain(event.meeting_location_id);
    let materials = event.planning_materials.iter().filter_map(|used| used.material_id);
    let teachers = teachers.map(|id| ("Teacher", id));
    teachers.chain(places.map(|id| ("MeetingLocation", id))).chain(materials.map(|id| ("Material", id))).collect()
}

/// A meeting and what is planned for it are one thing.
fn belong_together(one: &Planned<'_, '_>, other: &Planned<'_, '_>) -> bool {
    let meeting = |(kind, event): &Planned<'_, '_>| if *kind == "Meeting" { Some(event.id) } else { event.meeting_id };
    one.0 != other.0 && meeting(one) == meeting(other)
}

fn row(pair: &Pair<'_, '_>, names: &Names) -> Value {
    let (resource, (kind, event), (other_kind, other)) = pair;
    json!({
        "resource_type": resource.0, "resource_id": resource.1,
        "resource_name": names.get(resource).map_or("", String::as_str),
        "event_id": event.id, "event_type": kind,
        "event_start_date_time": event.start_date_time, "event_end_date_time": event.end_date_time,
        "conflicting_event_id": other.id, "conflicting_event_type": other_kind,
        "conflicting_event_start_date_time": other.start_date_time,
        "conflicting_event_end_date_time": other.end_date_time,
        "start_date_time": other.start_date_time,
        "end_date_time": (&event.end_date_time).min(&other.end_date_time),
    })
}
