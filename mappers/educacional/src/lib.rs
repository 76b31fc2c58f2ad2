//! Turns Educacional HUB's users, sections, subjects, terms and links into a school, its people, classes and courses.
//!
//! | Educacional HUB | canonical, and its source id |
//! |---|---|
//! | option `org_ids`, its first | `org` `org:o` |
//! | user | `user` `user:c` |
//! | section | `class` `section:c/term:t`, or `section:c` where no term is known |
//! | level of a section | `course` `level:l`; of a section without one, `section:c` |
//! | subject | `course` `subject:c` |
//! | term | `academicSession` `term:c` |
//! | studentparent | adds the parent to the student's `agents`, and the role of a guardian to the parent |
//! | sectionstudent | `enrollment` `section:c/term:t/student:c` |
//! | sectionteacher | `enrollment` `section:c/term:t/teacher:c/subject:c` |
//!
//! What the mapper declines is told in the language of those who read the log.
//!
//! Every object that can be there without others speaks of the school, so that it is there as soon as any of them is.

mod classes;
mod dates;
mod enrollments;
mod ids;
mod people;
mod roles;

use std::collections::BTreeMap;

use rollcall_mapper_sdk::canonical::{Org, OrgType};
use rollcall_mapper_sdk::{Contributions, Mapper, Refusal};
use serde::Deserialize;

use self::partner::Record;

rollcall_mapper_sdk::partner!();

/// The mapper.
#[derive(Debug)]
pub struct Educacional;

/// A connection's options, as the description declares them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Options {
    /// The organisations that the connection speaks for. The first is the school.
    org_ids: Vec<String>,
    /// The school's name.
    org_name: Option<String>,
    /// Further roles: their codes by their ids.
    roles: BTreeMap<String, String>,
}

impl Options {
    fn org_id(&self) -> &str {
        self.org_ids.first().map_or("", String::as_str)
    }

    /// The source id of the school.
    fn school(&self) -> String {
        ids::school(self.org_id())
    }
}

impl Mapper for Educacional {
    const PARTNER: &'static str = "educacional";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Options = Options;
    type Record<'a> = Record<'a>;

    fn map(record: &Record<'_>, options: &Options, out: &mut Contributions) -> Result<(), Refusal> {
        match record {
            Record::User(user) => people::map_user(user, options, out)?,
            Record::Section(section) => classes::map_section(section, options, out),
            Record::Subject(subject) => classes::map_subject(subject, options, out),
            Record::Term(term) => classes::map_term(term, out)?,
            Record::StudentParent(link) => people::map_guardian(link, options, out),
            Record::SectionStudent(link) => enrollments::map_student(link, options, out),
            Record::SectionTeacher(link) => enrollments::map_teacher(link, options, out)?,
        }
        if matches!(record, Record::User(_) | Record::Section(_) | Record::Subject(_) | Record::Term(_)) {
            map_school(options, out);
        }
        Ok(())
    }
}

rollcall_mapper_sdk::export_mapper!(Educacional);

/// The school itself. No object describes it: what is known of it are its key and what the connection says.
fn map_school(options: &Options, out: &mut Contributions) {
    out.add(
        &options.school(),
        &Org {
            name: Some(options.org_name.as_deref().unwrap_or(options.org_id()).into()),
            r#type: Some(OrgType::School),
            identifier: Some(options.org_id().into()),
            ..Org::default()
        },
    );
}

#[cfg(test)]
mod tests;
