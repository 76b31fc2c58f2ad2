//! Turns Jusoor's branches, classes and sections into schools, courses, classes, people and enrollments.
//!
//! | Jusoor | canonical, and its source id |
//! |---|---|
//! | branch | `org` `branch:b` |
//! | class, which is a grade | `course` `branch:b/class:c` |
//! | subject | `course` `branch:b/subject:s` |
//! | section | `class` `branch:b/class:c/section:n` |
//! | student | `user` `student:no`, `enrollment` `branch:b/class:c/section:n/student:no` |
//! | teacher of a subject | `user` `teacher:no`, `enrollment` `branch:b/class:c/section:n/teacher:no/subject:s` |
//! | manager, admin | `user` `manager:no`, `admin:no` |
//! | option `schoolYear` | `academicSession` `schoolYear:name` |
//!
//! A student and a teacher with one number are two people. Where numbers are unique only within a branch, the option
//! `personScope: branch` puts the branch before them: `branch:b/student:no`.

mod ids;
mod people;

use std::collections::HashMap;

use rollcall_mapper_sdk::canonical::{
    AcademicSession, AcademicSessionRef, AcademicSessionType, Class, ClassClassType, Course, CourseRef, Enrollment,
    EnrollmentMetadata, EnrollmentRole, Org, OrgRef, OrgType,
};
use rollcall_mapper_sdk::{Contributions, Mapper, Refusal, Text, name};
use serde::Deserialize;

use self::ids::{PersonScope, branch_id, course_id, person_id, section_id, subject_id};
use self::partner::{PeopleItem as Person, Record};
use self::people::Role;

rollcall_mapper_sdk::partner!();

/// The mapper.
#[derive(Debug)]
pub struct Jusoor;

/// A connection's options, as the description declares them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Options {
    /// The term of every class.
    school_year: Option<SchoolYear>,
    /// How far a person's number reaches.
    person_scope: PersonScope,
}

#[derive(Debug, Deserialize)]
struct SchoolYear {
    name: String,
    start: String,
    end: String,
}

impl SchoolYear {
    fn id(&self) -> String {
        format!("schoolYear:{}", name::escape(&self.name))
    }
}

impl Mapper for Jusoor {
    const PARTNER: &'static str = "jusoor";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Options = Options;
    type Record<'a> = Record<'a>;

    fn map(record: &Record<'_>, options: &Options, out: &mut Contributions) -> Result<(), Refusal> {
        match record {
            Record::Branch(branch, mirror) => map_branch(branch, mirror, options, out),
            Record::Class(class, branch) => map_class(class, branch, out),
            Record::Section(section, class) => map_section(section, class, options, out),
        }
        Ok(())
    }
}

rollcall_mapper_sdk::export_mapper!(Jusoor);

/// The school itself, its year, and who runs it: its own people and those named beside all branches.
fn map_branch(
    branch: &partner::Branch<'_>,
    mirror: &partner::BranchAncestors<'_>,
    options: &Options,
    out: &mut Contributions,
) {
    let school = branch_id(branch.id);
    out.add(
        &school,
        &Org {
            name: Some((&branch.name).into()),
            r#type: Some(OrgType::School),
            identifier: Some(branch.id.to_string().into()),
            ..Org::default()
        },
    );
    if let Some(year) = &options.school_year {
        let ends_in = year.end.split('-').next().unwrap_or_default();
        out.add(
            &year.id(),
            &AcademicSession {
                title: Some((&year.name).into()),
                start_date: Some((&year.start).into()),
                end_date: Some((&year.end).into()),
                r#type: Some(AcademicSessionType::SchoolYear),
                school_year: Some(ends_in.into()),
                ..AcademicSession::default()
            },
        );
    }
    let mut people = Staff { school: &school, branch: branch.id, options, seen: HashMap::new() };
    people.add(Role::Manager, &branch.managers, "/managers", out);
    people.add(Role::Manager, &mirror.managers, "/managers", out);
    people.add(Role::Admin, &branch.school_admins, "/school_admins", out);
    people.add(Role::Admin, &mirror.school_admins, "/school_admins", out);
}

/// The people of one record in one school. Who appears twice and is the same both times is said once.
struct Staff<'a> {
    school: &'a str,
    branch: i64,
    options: &'a Options,
    seen: HashMap<(Role, i64), &'a Person<'a>>,
}

impl<'a> Staff<'a> {
    fn add(&mut self, role: Role, all: &'a [Person<'_>], pointer: &str, out: &mut Contributions) {
        for (nth, person) in all.iter().enumerate() {
            let place = || format!("{pointer}/{nth}");
            self.one(role, person, place, out);
        }
    }

    /// Says who the person is; gives the person's id.
    fn one(
        &mut self,
        role: Role,
        person: &'a Person<'_>,
        place: impl FnOnce() -> String,
        out: &mut Contributions,
    ) -> String {
        let id = person_id(role, person.user_no, self.branch, self.options.person_scope);
        let first = *self.seen.entry((role, person.user_no)).or_insert(person);
        if std::ptr::eq(first, person) || first != person {
            people::map_person(&id, role, person, self.school, place, out);
        }
        id
    }
}

/// A class of Jusoor is a grade: what is taught there is a course of the school.
fn map_class(class: &partner::Class<'_>, branch: &partner::ClassAncestors, out: &mut Contributions) {
    let school = branch_id(branch.id);
    out.add(
        &course_id(branch.id, class.id),
        &Course {
            title: Some((&class.name).into()),
            course_code: Some(class.id.to_string().into()),
            org: Some(OrgRef::from(&school)),
            ..Course::default()
        },
    );
}

/// The class, its subjects, its people, and what they do in it.
fn map_section(
    section: &partner::Section<'_>,
    grade: &partner::SectionAncestors<'_>,
    options: &Options,
    out: &mut Contributions,
) {
    let branch = grade.parent.id;
    let school = branch_id(branch);
    let class = section_id(branch, grade.id, &section.name);
    let year = options.school_year.as_ref().map(SchoolYear::id);
    let mut subjects: Vec<Text<'_>> = section.subjects.iter().map(|subject| (&subject.name).into()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    out.add(
        &class,
        &Class {
            title: Some((&section.name).into()),
            class_type: Some(ClassClassType::Homeroom),
            course: Some(CourseRef::from(course_id(branch, grade.id))),
            school: Some(OrgRef::from(&school)),
            terms: year.iter().map(AcademicSessionRef::from).collect(),
            subjects,
            ..Class::default()
        },
    );
    let mut people = Staff { school: &school, branch, options, seen: HashMap::new() };
    for (nth, student) in section.students.iter().enumerate() {
        let user = people.one(Role::Student, student, || format!("/students/{nth}"), out);
        let id = format!("{class}/student:{}", student.user_no);
        out.add(&id, &enrollment(&user, &class, &school, EnrollmentRole::Student));
    }
    for (at, subject) in section.subjects.iter().enumerate() {
        let course = subject_id(branch, subject.id);
        out.add(
            &course,
            &Course {
                title: Some((&subject.name).into()),
                course_code: Some(subject.id.to_string().into()),
                org: Some(OrgRef::from(&school)),
                ..Course::default()
            },
        );
        for (nth, teacher) in subject.teachers.iter().enumerate() {
            let user = people.one(Role::Teacher, teacher, || format!("/subjects/{at}/teachers/{nth}"), out);
            let id = format!("{class}/teacher:{}/subject:{}", teacher.user_no, subject.id);
            let metadata = Some(EnrollmentMetadata { course: Some(CourseRef::from(&course)) });
            out.add(&id, &Enrollment { metadata, ..enrollment(&user, &class, &school, EnrollmentRole::Teacher) });
        }
    }
}

fn enrollment<'a>(user: &'a String, class: &'a String, school: &'a String, role: EnrollmentRole<'a>) -> Enrollment<'a> {
    Enrollment {
        user: Some(user.into()),
        class: Some(class.into()),
        school: Some(school.into()),
        role: Some(role),
        ..Enrollment::default()
    }
}

#[cfg(test)]
mod tests;
