//! Turns Educacional HUB's codes into source ids. They are stable for ever: every published id depends on them.

use rollcall_mapper_sdk::name::escape;

/// `org:b253081c`
pub(crate) fn school(org_id: &str) -> String {
    format!("org:{}", escape(org_id))
}

/// `user:125054`
pub(crate) fn user(code: &str) -> String {
    format!("user:{}", escape(code))
}

/// `section:7A/term:2026`, or `section:7A` where no term is known.
pub(crate) fn section(code: &str, term: Option<&str>) -> String {
    match term {
        Some(term) => format!("section:{}/term:{}", escape(code), escape(term)),
        None => format!("section:{}", escape(code)),
    }
}

/// `level:7º Série`
pub(crate) fn level(level: &str) -> String {
    format!("level:{}", escape(level))
}

/// `subject:MAT7`
pub(crate) fn subject(code: &str) -> String {
    format!("subject:{}", escape(code))
}

/// `term:2026`
pub(crate) fn term(code: &str) -> String {
    format!("term:{}", escape(code))
}

/// `section:7A/term:2026/student:125054`
pub(crate) fn student(section: &str, student: &str) -> String {
    format!("{section}/student:{}", escape(student))
}

/// `section:7A/term:2026/teacher:4711/subject:MAT7`
pub(crate) fn teacher(section: &str, teacher: &str, subject: &str) -> String {
    format!("{section}/teacher:{}/subject:{}", escape(teacher), escape(subject))
}
