//! Turns courses and programs, and when they are planned, into courses, programs and classes.

use rollcall_mapper_sdk::canonical::{
    Class, ClassClassType, ClassMetadata, Course, CourseRef, LocationRef, Open, OrgRef, Program,
};
use rollcall_mapper_sdk::{Contributions, Text};

use crate::{Options, day, ids, partner, said};

/// What is taught.
pub(crate) fn map_course(course: &partner::Course<'_>, options: &Options, out: &mut Contributions) {
    let org = options.say_educator(out);
    out.add(
        &ids::course(course.id),
        &Course {
            title: Some((&course.name).into()),
            course_code: Some((&course.code).into()),
            org: Some(org),
            ..Course::default()
        },
    );
}

/// A course at a time. It has no name of its own.
pub(crate) fn map_planned_course(course: &partner::PlannedCourse<'_>, options: &Options, out: &mut Contributions) {
    let start = day(course.start_date.as_ref());
    let title = start.as_ref().map_or_else(|| course.id.to_string(), |start| format!("{} ({start})", course.id));
    let location = course.course_location_id.map(ids::course_location).map(LocationRef::from);
    let status = course.status.map(partner::PlannedCourseStatus::as_str);
    let more = Open::default().with("status", status.unwrap_or("planned")).with("type", course.r#type.as_str());
    map_class(
        &ids::planned_course(course.id),
        Class {
            title: Some(title.into()),
            class_code: Some(course.id.to_string().into()),
            class_type: Some(ClassClassType::Scheduled),
            course: Some(ids::course(course.course_id).into()),
            ..Class::default()
        },
        ClassMetadata { start_date: start, end_date: day(course.end_date.as_ref()), location, more },
        course.cost.as_ref(),
        options,
        out,
    );
}

/// What several courses together lead to, and the course that its editions are of.
pub(crate) fn map_program(program: &partner::Program<'_>, options: &Options, out: &mut Contributions) {
    let org = options.say_educator(out);
    let id = ids::program(program.id);
    let code = said(program.slug.as_ref()).unwrap_or_else(|| program.id.to_string().into());
    out.add(
        &id,
        &Program {
            title: Some((&program.name).into()),
            code: Some(code.clone()),
            org: Some(org.clone()),
            courses: vec![CourseRef::from(&id)],
            ..Program::default()
        },
    );
    let title = Some((&program.name).into());
    out.add(&id, &Course { title, course_code: Some(code), org: Some(org), ..Course::default() });
}

/// A program at a time.
pub(crate) fn map_edition(edition: &partner::ProgramEdition<'_>, options: &Options, out: &mut Contributions) {
    let (start_date, end_date) = (day(edition.start_date.as_ref()), day(edition.end_date.as_ref()));
    map_class(
        &ids::program_edition(edition.id),
        Class {
            title: Some((&edition.name).into()),
            class_code: Some(edition.id.to_string().into()),
            class_type: Some(ClassClassType::Ext("ext:programEdition".into())),
            course: Some(ids::program(edition.program_id).into()),
            ..Class::default()
        },
        ClassMetadata { start_date, end_date, ..ClassMetadata::default() },
        edition.cost.as_ref(),
        options,
        out,
    );
}

fn map_class<'a>(
    id: &str,
    class: Class<'a>,
    mut metadata: ClassMetadata<'a>,
    cost: Option<&'a Text<'_>>,
    options: &'a Options,
    out: &mut Contributions,
) {
    let school: OrgRef<'_> = options.say_educator(out);
    if let Some(cost) = said(cost) {
        metadata.more = metadata.more.with("price", cost).with("priceCurrency", &options.currency);
    }
    out.add(id, &Class { school: Some(school), metadata: Some(metadata), ..class });
}
