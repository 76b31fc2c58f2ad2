//! Planned courses: a course at a time, with its teachers, and in the catalogue.

use std::collections::BTreeSet;

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::json;

use super::known::Known;
use super::{catalog, enrolling, known, teachers};
use crate::Options;

#[derive(Debug, Deserialize)]
struct PlannedCourse<'d> {
    id: i64,
    course_id: i64,
    #[serde(default, borrow)]
    status: Text<'d>,
    #[serde(borrow)]
    start_date: Option<Text<'d>>,
    #[serde(borrow)]
    end_date: Option<Text<'d>>,
    min_participants: Option<i64>,
    max_participants: Option<i64>,
    #[serde(borrow)]
    cost: Option<Text<'d>>,
    #[serde(borrow)]
    cost_scheme: Option<Text<'d>>,
}

/// What a course costs where nothing else is said.
#[derive(Debug, Deserialize)]
struct Priced<'d> {
    #[serde(borrow)]
    cost: Option<Text<'d>>,
    #[serde(borrow)]
    cost_scheme: Option<Text<'d>>,
}

impl PlannedCourse<'_> {
    fn check(&self) -> Result<(), Stop> {
        catalog::in_order(self.start_date.as_deref(), self.end_date.as_deref(), "end_date")?;
        catalog::at_least(self.min_participants, self.max_participants)
    }
}

#[derive(Debug, Deserialize)]
struct TeacherEnrollment {
    id: i64,
    teacher_id: i64,
}

/// `POST /planned_courses`
pub(super) fn create(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let course: PlannedCourse<'_> = known::change(desk)?;
    course.check()?;
    let usual: Priced<'_> = known::one(desk, "Course", course.course_id, "course_id")?;
    let cost_scheme = course.cost_scheme.or(usual.cost_scheme);
    desk.keep_with("PlannedCourse", json!({"cost": course.cost.or(usual.cost), "cost_scheme": cost_scheme}));
    let product_id = catalog::product(desk, "Course", "Course", course.course_id, "course_id")?;
    catalog::offer(desk, product_id, "PlannedCourse", course.id)?;
    let teachers = known::argument(desk, "teacher_ids")?.unwrap_or_default();
    assign(desk, course.id, &teachers)
}

/// `PUT /planned_courses/{id}`. Teachers who are named take the place of those who are there.
pub(super) fn update(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let (before, after): (PlannedCourse<'_>, PlannedCourse<'_>) = (desk.record()?, known::change(desk)?);
    after.check()?;
    desk.keep("PlannedCourse");
    if before.course_id != after.course_id {
        let product_id = catalog::product(desk, "Course", "Course", after.course_id, "course_id")?;
        for variant in variants(desk, after.id)? {
            desk.put("CatalogVariant", json!({"id": variant, "product_id": product_id}));
        }
    }
    let Some(teachers) = known::argument(desk, "teacher_ids")? else { return Ok(()) };
    let assigned = desk.records::<TeacherEnrollment>("TeacherEnrollment").with("planned_course_id", after.id).all()?;
    if assigned.len() != teachers.len() || assigned.iter().any(|assigned| !teachers.contains(&assigned.teacher_id)) {
        desk.event("planned_course.teacher_attendees_changed", "PlannedCourse", after.id);
    }
    for gone in assigned.iter().filter(|assigned| !teachers.contains(&assigned.teacher_id)) {
        desk.remove("TeacherEnrollment", gone.id);
    }
    let there: BTreeSet<_> = assigned.iter().map(|assigned| assigned.teacher_id).collect();
    let new: Vec<_> = teachers.into_iter().filter(|teacher| !there.contains(teacher)).collect();
    assign(desk, after.id, &new)
}

/// Has teachers teach a planned course.
fn assign(desk: &Desk<'_>, planned_course_id: i64, new: &[i64]) -> Result<(), Stop> {
    teachers::known(desk, new, "teacher_ids")?;
    for (id, teacher_id) in desk.numbers("TeacherEnrollment", new.len())?.iter().zip(new) {
        let link = json!({"id": id, "planned_course_id": planned_course_id, "teacher_id": teacher_id});
        desk.put("TeacherEnrollment", link);
    }
    Ok(())
}

fn variants(desk: &Desk<'_>, planned_course_id: i64) -> Result<Vec<i64>, Stop> {
    let variants = desk.records::<Known>("CatalogVariant").with("variantable_type", "PlannedCourse");
    let variants = variants.with("variantable_id", planned_course_id).all()?;
    Ok(variants.into_iter().map(|variant| variant.id).collect())
}

/// `PUT /planned_courses/{id}/cancel`. Its enrollments are cancelled, and so are the orders that nobody has decided on.
pub(super) fn cancel(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let course: PlannedCourse<'_> = desk.record()?;
    if ["canceled", "completed"].contains(&&*course.status) {
        return Err(Stop::clash("over", format!("the planned course is {} already", course.status)).at("status"));
    }
    desk.put("PlannedCourse", json!({"id": course.id, "status": "canceled"}));
    enrolling::cancel_all(desk, desk.records("Enrollment").with("planned_course_id", course.id))?;
    let variants = variants(desk, course.id)?;
    if variants.is_empty() {
        return Ok(());
    }
    let open = desk.records::<Known>("Order").any("catalog_variant_id", variants).with("status", "requested").all()?;
    for order in open {
        desk.put("Order", json!({"id": order.id, "status": "canceled"}));
    }
    Ok(())
}
