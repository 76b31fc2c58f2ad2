//! Turns Jusoor's numbers and names into source ids. They are stable for ever: every published id depends on them.

use rollcall_mapper_sdk::name::escape;
use serde::Deserialize;

use crate::people::Role;

/// How far a person's number reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PersonScope {
    /// One number, one person of the whole connection.
    #[default]
    Connection,
    /// Each branch counts for itself.
    Branch,
}

/// `branch:10`
pub(crate) fn branch_id(branch: i64) -> String {
    format!("branch:{branch}")
}

/// `branch:10/class:1`
pub(crate) fn course_id(branch: i64, class: i64) -> String {
    format!("branch:{branch}/class:{class}")
}

/// `branch:10/subject:7`
pub(crate) fn subject_id(branch: i64, subject: i64) -> String {
    format!("branch:{branch}/subject:{subject}")
}

/// `branch:10/class:1/section:A`
pub(crate) fn section_id(branch: i64, class: i64, name: &str) -> String {
    format!("branch:{branch}/class:{class}/section:{}", escape(name))
}

/// `student:4711`, or `branch:10/student:4711` where each branch counts for itself
pub(crate) fn person_id(role: Role, number: i64, branch: i64, scope: PersonScope) -> String {
    let noun = role.noun();
    match scope {
        PersonScope::Connection => format!("{noun}:{number}"),
        PersonScope::Branch => format!("branch:{branch}/{noun}:{number}"),
    }
}
