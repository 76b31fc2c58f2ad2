//! Turns New Partner's records into canonical entities.
//!
//! | New Partner | canonical, and its source id |
//! |---|---|
//! | course | `course` `course:code` |

use rollcall_mapper_sdk::canonical::Course;
use rollcall_mapper_sdk::{Contributions, Mapper, Refusal, name};
use serde::Deserialize;

use self::partner::Record;

rollcall_mapper_sdk::partner!();

/// The mapper.
#[derive(Debug)]
pub struct NewPartner;

/// A connection's options, as the description declares them.
#[derive(Debug, Default, Deserialize)]
pub struct Options {}

impl Mapper for NewPartner {
    const PARTNER: &'static str = "new-partner";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Options = Options;
    type Record<'a> = Record<'a>;

    fn map(record: &Record<'_>, _: &Options, out: &mut Contributions) -> Result<(), Refusal> {
        match record {
            Record::Course(course) => map_course(course, out),
        }
        Ok(())
    }
}

rollcall_mapper_sdk::export_mapper!(NewPartner);

fn map_course(course: &partner::Course<'_>, out: &mut Contributions) {
    out.add(
        &format!("course:{}", name::escape(&course.code)),
        &Course {
            title: Some((&course.title).into()),
            course_code: Some((&course.code).into()),
            subjects: course.subject.iter().map(Into::into).collect(),
            ..Course::default()
        },
    );
}

#[cfg(test)]
mod tests;
