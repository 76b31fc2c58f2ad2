//! Turns sections, subjects and terms into classes, courses and academic sessions.

use rollcall_mapper_sdk::canonical::{
    AcademicSession, AcademicSessionRef, AcademicSessionType, Class, ClassClassType, Course, CourseRef, Open, OrgRef,
};
use rollcall_mapper_sdk::{Contributions, Refusal, Text};

use crate::dates::day;
use crate::{Options, ids, partner};

/// A class, and the course that its level is.
pub(crate) fn map_section(section: &partner::Section<'_>, options: &Options, out: &mut Contributions) {
    let school = options.school();
    let term = known_term(section.term.as_ref());
    let course = section.level.as_ref().map_or_else(|| ids::section(&section.code, None), |level| ids::level(level));
    let (title, code) = match &section.level {
        Some(level) => (level, level),
        None => (&section.name, &section.code),
    };
    out.add(
        &course,
        &Course {
            title: Some(title.into()),
            course_code: Some(code.into()),
            org: Some(OrgRef::from(&school)),
            ..Course::default()
        },
    );
    out.add(
        &ids::section(&section.code, term),
        &Class {
            title: Some((&section.name).into()),
            class_code: Some((&section.code).into()),
            class_type: Some(ClassClassType::Homeroom),
            grades: section.level.iter().map(Into::into).collect(),
            periods: section.period.and_then(period).map(Into::into).into_iter().collect(),
            course: Some(CourseRef::from(&course)),
            school: Some(OrgRef::from(&school)),
            terms: term.map(|term| AcademicSessionRef::from(ids::term(term))).into_iter().collect(),
            ..Class::default()
        },
    );
}

/// A course.
pub(crate) fn map_subject(subject: &partner::Subject<'_>, options: &Options, out: &mut Contributions) {
    let school = options.school();
    // The name identifies a subject that has no code.
    let code = subject.code.as_ref().unwrap_or(&subject.name);
    let component = subject.ccc.as_ref().map(Text::from);
    let ministry = subject.mec.map(|number| Text::from(number.to_string()));
    out.add(
        &ids::subject(code),
        &Course {
            title: Some((&subject.name).into()),
            course_code: Some(code.into()),
            subjects: vec![(&subject.name).into()],
            subject_codes: [component, ministry].into_iter().flatten().collect(),
            org: Some(OrgRef::from(&school)),
            ..Course::default()
        },
    );
}

/// A term with its days. A school year in Brazil ends in the year in which its last term does.
pub(crate) fn map_term(term: &partner::Term<'_>, out: &mut Contributions) -> Result<(), Refusal> {
    let day = |text, member| day(text).ok_or_else(|| Refusal::new("date", member, "Data inválida"));
    let (start, end) = (day(&term.start, "/start")?, day(&term.end, "/end")?);
    let year = end.split('-').next().unwrap_or_default();
    out.add(
        &ids::term(&term.code),
        &AcademicSession {
            title: Some(term.title.as_ref().unwrap_or(&term.code).into()),
            start_date: Some((&*start).into()),
            end_date: Some((&*end).into()),
            r#type: Some(AcademicSessionType::Term),
            school_year: Some(year.into()),
            metadata: term.status.map(|status| Open::default().with("status", status.as_str())),
            ..AcademicSession::default()
        },
    );
    Ok(())
}

/// The code of a term, where one is known: a section that came before any term has `-` for one.
pub(crate) fn known_term<'a>(code: Option<&'a Text<'_>>) -> Option<&'a str> {
    code.map(|code| &**code).filter(|code| *code != "-")
}

fn period(number: i64) -> Option<&'static str> {
    match number {
        1 => Some("morning"),
        2 => Some("afternoon"),
        3 => Some("night"),
        4 => Some("full time"),
        _ => None,
    }
}
