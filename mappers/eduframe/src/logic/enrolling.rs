//! Enrols students in what a catalogue variant stands for: a planned course, or an edition of a program with the planned
//! courses that it is made of. And takes them out again.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Query, Stop};
use serde::Deserialize;
use serde_json::json;

use super::known::{self, Known};
use super::roles::Roles;
use crate::{Options, day};

/// Steps of students through an edition that one call makes: it asks for a number for each, and for each enrollment.
const STEPS_MAX: usize = 400;

/// The states of an enrollment that take a place.
const SEATED: [&str; 3] = ["confirmed", "active", "completed"];

/// What is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// A planned course.
    PlannedCourse(i64),
    /// An edition of a program.
    Edition(i64),
}

#[derive(Debug, Deserialize)]
struct Variant<'d> {
    #[serde(borrow)]
    variantable_type: Text<'d>,
    variantable_id: i64,
}

#[derive(Debug, Deserialize)]
struct PlannedCourse<'d> {
    id: i64,
    #[serde(borrow)]
    status: Text<'d>,
    start_date: Option<Text<'d>>,
    end_date: Option<Text<'d>>,
    max_participants: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Edition {
    max_participants: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Element {
    id: i64,
    course_id: i64,
    planned_course_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Enrollment {
    id: i64,
    student_id: i64,
}

impl Subject {
    /// What the variant with this number, which stands in `field`, stands for.
    pub(super) fn of(desk: &Desk<'_>, variant_id: i64, field: &str) -> Result<Self, Stop> {
        let variant: Variant<'_> = known::one(desk, "CatalogVariant", variant_id, field)?;
        Ok(match &*variant.variantable_type {
            "PlannedCourse" => Self::PlannedCourse(variant.variantable_id),
            _ => Self::Edition(variant.variantable_id),
        })
    }

    /// Enrols students, who get their role.
    pub(super) fn enrol(self, desk: &Desk<'_>, order_id: i64, students: &[i64], roles: &mut Roles) -> Result<(), Stop> {
        for student in students {
            roles.give(*student, "student");
        }
        match self {
            Self::PlannedCourse(id) => {
                let seats = Seats::of(desk, &[id])?;
                seats.take(desk, order_id, id, students)?;
                Ok(())
            }
            Self::Edition(id) => enrol_in_edition(desk, order_id, id, students),
        }
    }
}

/// Planned courses, with those who have a place.
struct Seats<'d>(BTreeMap<i64, (PlannedCourse<'d>, Vec<Enrollment>)>);

impl<'d> Seats<'d> {
    fn of(desk: &Desk<'d>, ids: &[i64]) -> Result<Self, Stop> {
        let seated =
            |id: &i64| desk.records::<Enrollment>("Enrollment").with("planned_course_id", id).any("status", SEATED);
        let courses = desk.records::<PlannedCourse<'_>>("PlannedCourse").any("id", ids);
        let (courses, seated) = desk.all((courses, ids.iter().map(seated).collect::<Vec<_>>()))?;
        let mut seated: BTreeMap<i64, Vec<Enrollment>> = ids.iter().copied().zip(seated).collect();
        let seats =
            courses.into_iter().map(|course| (course.id, (seated.remove(&course.id).unwrap_or_default(), course)));
        Ok(Self(seats.map(|(id, (seated, course))| (id, (course, seated))).collect()))
    }

    /// The enrollment of a student who has a place already.
    fn held(&self, planned_course_id: i64, student_id: i64) -> Option<i64> {
        let (_, seated) = self.0.get(&planned_course_id)?;
        seated.iter().find(|enrollment| enrollment.student_id == student_id).map(|enrollment| enrollment.id)
    }

    /// Gives places to students who have none. Gives back their enrollments.
    fn take(&self, desk: &Desk<'_>, order_id: i64, id: i64, students: &[i64]) -> Result<Vec<i64>, Stop> {
        let (course, seated) = self.0.get(&id).ok_or_else(|| Stop::clash("gone", "the planned course is gone"))?;
        if ["canceled", "completed"].contains(&&*course.status) {
            return Err(Stop::clash("over", format!("the planned course is {}", course.status)).at("status"));
        }
        if students.iter().any(|student| self.held(id, *student).is_some()) {
            return Err(Stop::clash("enrolled", "a student is enrolled already").at("student_ids"));
        }
        fits(course.max_participants, seated.len() + students.len())?;
        let ids = desk.numbers("Enrollment", students.len())?;
        let start = day(course.start_date.as_ref()).unwrap_or_else(|| today(desk).into());
        let status = if &*course.status == "active" { "active" } else { "confirmed" };
        for (enrollment_id, student_id) in ids.iter().zip(students) {
            desk.put(
                "Enrollment",
                json!({
                    "id": enrollment_id, "student_id": student_id, "planned_course_id": id, "order_id": order_id,
                    "start_date": start, "end_date": day(course.end_date.as_ref()), "status": status,
                    "graduation_state": "awaiting_judgement",
                }),
            );
        }
        Ok(ids)
    }
}

/// Enrols students in an edition and in the planned courses of its elements; who is in one already stays there.
fn enrol_in_edition(desk: &Desk<'_>, order_id: i64, edition_id: i64, students: &[i64]) -> Result<(), Stop> {
    let (editions, seated, elements) = desk.all((
        desk.records::<Edition>("ProgramEdition").with("id", edition_id),
        desk.records::<Enrollment>("ProgramEnrollment").with("edition_id", edition_id).with("state", "confirmed"),
        desk.records::<Element>("ProgramElement").with("edition_id", edition_id),
    ))?;
    let edition = editions.first().ok_or_else(|| Stop::clash("gone", "the edition is gone"))?;
    if seated.iter().any(|enrollment| students.contains(&enrollment.student_id)) {
        return Err(Stop::clash("enrolled", "a student is enrolled already").at("student_ids"));
    }
    fits(edition.max_participants, seated.len() + students.len())?;
    if students.len() * (elements.len() + 1) > STEPS_MAX {
        let many = "has more students than can be enrolled in all that the edition is made of at once";
        return Err(Stop::invalid("maxItems", many).at("student_ids"));
    }
    let planned: BTreeSet<_> = elements.iter().filter_map(|element| element.planned_course_id).collect();
    let places = take_all(desk, order_id, &planned.into_iter().collect::<Vec<_>>(), students)?;
    let ids = desk.numbers("ProgramEnrollment", students.len())?;
    let steps = desk.numbers("PersonalProgramElement", students.len() * elements.len())?;
    let mut steps = steps.into_iter();
    for (id, student) in ids.iter().zip(students) {
        desk.put(
            "ProgramEnrollment",
            json!({
                "id": id, "student_id": student, "edition_id": edition_id,
                "order_id": order_id, "state": "confirmed", "graduation_state": "awaiting_judgement",
            }),
        );
        for (element, step) in elements.iter().zip(&mut steps) {
            let place = element.planned_course_id.and_then(|course| places.get(&(course, *student)));
            desk.put(
                "PersonalProgramElement",
                json!({
                    "id": step, "enrollment_id": id, "course_id": element.course_id, "element_id": element.id,
                    "course_enrollment_id": place,
                }),
            );
        }
    }
    Ok(())
}

/// The enrollment of each student in each of these planned courses: the one that is there, or a new one.
fn take_all(
    desk: &Desk<'_>,
    order_id: i64,
    planned: &[i64],
    students: &[i64],
) -> Result<BTreeMap<(i64, i64), i64>, Stop> {
    let mut places = BTreeMap::new();
    if planned.is_empty() {
        return Ok(places);
    }
    let seats = Seats::of(desk, planned)?;
    for course_id in planned {
        let held =
            students.iter().filter_map(|student| Some(((*course_id, *student), seats.held(*course_id, *student)?)));
        places.extend(held);
        let new: Vec<_> =
            students.iter().copied().filter(|student| !places.contains_key(&(*course_id, *student))).collect();
        if !new.is_empty() {
            let taken = seats.take(desk, order_id, *course_id, &new)?;
            places.extend(new.iter().zip(taken).map(|(student, place)| ((*course_id, *student), place)));
        }
    }
    Ok(places)
}

/// Declines where there are not as many places.
fn fits(places: Option<usize>, wanted: usize) -> Result<(), Stop> {
    if places.is_none_or(|places| wanted <= places) {
        return Ok(());
    }
    Err(Stop::invalid("full", "there are not enough places").at("max_participants"))
}

/// The day of the call.
pub(super) fn today<'d>(desk: &Desk<'d>) -> &'d str {
    desk.now().split('T').next().unwrap_or_default()
}

/// Cancels these enrollments, unless they are completed or cancelled already.
pub(super) fn cancel_all<'d>(desk: &Desk<'d>, of: Query<'_, 'd, Known>) -> Result<(), Stop> {
    for enrollment in of.any("status", ["confirmed", "active"]).all()? {
        desk.put("Enrollment", json!({"id": enrollment.id, "status": "canceled"}));
    }
    Ok(())
}

/// `PUT /enrollments/{id}/cancel`
pub(super) fn cancel(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    #[derive(Deserialize)]
    struct Cancelled<'d> {
        id: i64,
        #[serde(borrow)]
        status: Text<'d>,
    }
    let enrollment: Cancelled<'_> = desk.record()?;
    if ["canceled", "completed"].contains(&&*enrollment.status) {
        return Err(Stop::clash("over", format!("the enrollment is {} already", enrollment.status)).at("status"));
    }
    desk.put("Enrollment", json!({"id": enrollment.id, "status": "canceled"}));
    Ok(())
}
