//! Turns the links of students and teachers to sections into enrollments.

use rollcall_mapper_sdk::canonical::{
    ClassRef, CourseRef, Enrollment, EnrollmentMetadata, EnrollmentRole, OrgRef, UserRef,
};
use rollcall_mapper_sdk::{Contributions, Refusal, Text};

use crate::classes::known_term;
use crate::dates::day;
use crate::{Options, ids, partner};

/// A student of a class.
pub(crate) fn map_student(link: &partner::SectionStudent<'_>, options: &Options, out: &mut Contributions) {
    let class = ids::section(&link.section.code, known_term(link.term.as_ref()));
    let id = ids::student(&class, &link.student.code);
    let user = ids::user(&link.student.code);
    out.add(&id, &enrollment(user, class, options.school(), EnrollmentRole::Student));
}

/// A teacher of a class, and what is taught in it.
pub(crate) fn map_teacher(
    link: &partner::SectionTeacher<'_>,
    options: &Options,
    out: &mut Contributions,
) -> Result<(), Refusal> {
    let class = ids::section(&link.section.code, known_term(link.term.as_ref()));
    let id = ids::teacher(&class, &link.teacher.code, &link.subject.code);
    let user = ids::user(&link.teacher.code);
    let subject = ids::subject(&link.subject.code);
    out.add(
        &id,
        &Enrollment {
            begin_date: date(link.start_date.as_ref(), "/start_date")?,
            end_date: date(link.end_date.as_ref(), "/end_date")?,
            metadata: Some(EnrollmentMetadata { course: Some(CourseRef::from(&subject)) }),
            ..enrollment(user, class, options.school(), EnrollmentRole::Teacher)
        },
    );
    Ok(())
}

fn date<'a>(text: Option<&'a Text<'_>>, member: &str) -> Result<Option<Text<'a>>, Refusal> {
    let read = |text: &'a Text<'_>| day(text).ok_or_else(|| Refusal::new("date", member, "Data inválida"));
    Ok(text.map(read).transpose()?.map(Text))
}

fn enrollment(user: String, class: String, school: String, role: EnrollmentRole<'static>) -> Enrollment<'static> {
    Enrollment {
        user: Some(UserRef::from(user)),
        class: Some(ClassRef::from(class)),
        school: Some(OrgRef::from(school)),
        role: Some(role),
        ..Enrollment::default()
    }
}
