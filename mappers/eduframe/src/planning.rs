//! Turns locations into places, and meetings and what is planned around them into events.

use rollcall_mapper_sdk::Contributions;
use rollcall_mapper_sdk::canonical::{Event, EventType, Location, LocationRef, LocationType, UserRef};

use crate::partner::{self, PlanningAttendee};
use crate::{address, ids, said};

/// Where courses take place.
pub(crate) fn map_course_location(location: &partner::CourseLocation<'_>, out: &mut Contributions) {
    out.add(
        &ids::course_location(location.id),
        &Location {
            name: Some((&location.name).into()),
            r#type: Some(LocationType::Campus),
            address: address(location.address.as_ref()),
            ..Location::default()
        },
    );
}

/// A room, or whatever else a meeting takes place in.
pub(crate) fn map_meeting_location(location: &partner::MeetingLocation<'_>, out: &mut Contributions) {
    out.add(
        &ids::meeting_location(location.id),
        &Location {
            name: Some((&location.name).into()),
            r#type: Some(LocationType::Room),
            address: address(location.address.as_ref()),
            maximum_attendee_capacity: location.capacity.filter(|capacity| *capacity >= 0),
            contained_in_place: Some(ids::course_location(location.course_location_id).into()),
            ..Location::default()
        },
    );
}

/// A meeting of a planned course.
pub(crate) fn map_meeting(meeting: &partner::Meeting<'_>, out: &mut Contributions) {
    let id = ids::meeting(meeting.id);
    out.add(
        &id,
        &Event {
            title: Some(said(meeting.name.as_ref()).unwrap_or_else(|| (&id).into())),
            r#type: Some(EventType::Lesson),
            description: said(meeting.description.as_ref()),
            start: Some((&meeting.start_date_time).into()),
            end: Some((&meeting.end_date_time).into()),
            class: Some(ids::planned_course(meeting.planned_course_id).into()),
            places: places(meeting.meeting_location_id, &meeting.planning_meeting_location_ids),
            attendees: teachers(&meeting.planning_attendees),
            ..Event::default()
        },
    );
}

/// What is planned around a meeting.
pub(crate) fn map_planning_event(event: &partner::PlanningEvent<'_>, out: &mut Contributions) {
    let id = ids::planning_event(event.id);
    out.add(
        &id,
        &Event {
            title: Some(said(event.name.as_ref()).unwrap_or_else(|| (&id).into())),
            r#type: Some(EventType::Ext("ext:planning".into())),
            start: Some((&event.start_date_time).into()),
            end: Some((&event.end_date_time).into()),
            super_event: Some(ids::meeting(event.meeting_id).into()),
            places: places(event.meeting_location_id, &event.planning_meeting_location_ids),
            attendees: teachers(&event.planning_attendees),
            ..Event::default()
        },
    );
}

/// Each place once.
fn places(main: Option<i64>, others: &[i64]) -> Vec<LocationRef<'static>> {
    let others = others.iter().copied().filter(|other| Some(*other) != main);
    main.into_iter().chain(others).map(|id| ids::meeting_location(id).into()).collect()
}

fn teachers(attendees: &[PlanningAttendee<'_>]) -> Vec<UserRef<'static>> {
    attendees.iter().filter_map(|attendee| attendee.teacher_id).map(|id| ids::user(id).into()).collect()
}
