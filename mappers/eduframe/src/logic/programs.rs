//! Enrollments in programs: they are cancelled with the enrollments in courses that came with them, and end with a
//! certificate.

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::json;

use super::enrolling::{self, today};
use super::known::Known;
use crate::Options;

#[derive(Debug, Deserialize)]
struct ProgramEnrollment<'d> {
    id: i64,
    #[serde(borrow)]
    state: Text<'d>,
    order_id: Option<i64>,
    certificate_template_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Element {
    course_enrollment_id: Option<i64>,
}

/// `PUT /program/enrollments/{id}/cancel`. Enrollments in courses that did not come with it stay.
pub(super) fn cancel(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let enrollment = confirmed(desk)?;
    desk.put("ProgramEnrollment", json!({"id": enrollment.id, "state": "canceled"}));
    let elements = desk.records::<Element>("PersonalProgramElement").with("enrollment_id", enrollment.id).all()?;
    let places: Vec<_> = elements.into_iter().filter_map(|element| element.course_enrollment_id).collect();
    if places.is_empty() {
        return Ok(());
    }
    let places = desk.records("Enrollment").any("id", places);
    enrolling::cancel_all(desk, places.with("order_id", enrollment.order_id))
}

/// Cancels the enrollments in programs that came with an order.
pub(super) fn cancel_all(desk: &Desk<'_>, order_id: i64) -> Result<(), Stop> {
    let all = desk.records::<Known>("ProgramEnrollment").with("order_id", order_id).with("state", "confirmed").all()?;
    for enrollment in all {
        desk.put("ProgramEnrollment", json!({"id": enrollment.id, "state": "canceled"}));
    }
    Ok(())
}

/// `PUT /program/enrollments/{id}/award_certificate`
pub(super) fn award_certificate(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    confirmed(desk)?;
    let passed =
        json!({"graduation_state": "passed", "graduation_date": today(desk), "certificate_awarded_at": desk.now()});
    desk.keep_with("ProgramEnrollment", passed);
    Ok(())
}

/// `POST /program/enrollments/{id}/delete_certificate`
pub(super) fn delete_certificate(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let enrollment: ProgramEnrollment<'_> = desk.record()?;
    if enrollment.certificate_template_id.is_none() {
        return Err(Stop::clash("no-certificate", "there is no certificate to delete").at("graduation_state"));
    }
    desk.put(
        "ProgramEnrollment",
        json!({
            "id": enrollment.id, "graduation_state": "awaiting_judgement", "graduation_date": null,
            "certificate_template_id": null, "certificate_awarded_at": null,
        }),
    );
    Ok(())
}

/// The enrollment that the call is about, unless it is cancelled.
fn confirmed<'d>(desk: &Desk<'d>) -> Result<ProgramEnrollment<'d>, Stop> {
    let enrollment: ProgramEnrollment<'_> = desk.record()?;
    if &*enrollment.state == "canceled" {
        return Err(Stop::clash("over", "the enrollment is canceled already").at("state"));
    }
    Ok(enrollment)
}
