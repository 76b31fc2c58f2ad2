//! Attendances and grades are about enrollments; whose they are is noted with them, so that each speaks for itself.

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::json;

use super::known;
use crate::Options;

#[derive(Debug, Deserialize)]
struct Attendance {
    meeting_id: i64,
    enrollment_id: i64,
}

#[derive(Debug, Deserialize)]
struct Meeting {
    planned_course_id: i64,
}

#[derive(Debug, Deserialize)]
struct Enrollment {
    student_id: i64,
    planned_course_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Grade<'d> {
    gradeable_id: i64,
    #[serde(borrow)]
    gradeable_type: Text<'d>,
}

/// `POST /attendances/upsert`
pub(super) fn mark_attendance(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let sent: Attendance = known::change(desk)?;
    let meeting: Meeting = known::one(desk, "Meeting", sent.meeting_id, "meeting_id")?;
    let enrollment: Enrollment = known::one(desk, "Enrollment", sent.enrollment_id, "enrollment_id")?;
    if enrollment.planned_course_id != Some(meeting.planned_course_id) {
        return Err(Stop::invalid("elsewhere", "is no enrollment in the course of the meeting").at("enrollment_id"));
    }
    desk.keep_with("Attendance", json!({"student_id": enrollment.student_id}));
    Ok(())
}

/// `POST /grades` and `PUT /grades/{id}`
pub(super) fn grade(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let sent: Grade<'_> = known::change(desk)?;
    let of = match &*sent.gradeable_type {
        "Enrollment" => "Enrollment",
        "Program::Enrollment" => "ProgramEnrollment",
        _ => return Err(Stop::invalid("enum", "is nothing that is graded").at("gradeable_type")),
    };
    let enrollment: Enrollment = known::one(desk, of, sent.gradeable_id, "gradeable_id")?;
    desk.keep_with("Grade", json!({"student_id": enrollment.student_id}));
    Ok(())
}
