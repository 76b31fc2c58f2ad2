//! Turns Eduframe's numbers into source ids. They are stable for ever: every published id depends on them.

use rollcall_mapper_sdk::name::escape;

/// `educator:academy`: the one who owns the environment.
pub(crate) fn educator(slug: &str) -> String {
    format!("educator:{}", escape(slug))
}

macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {
        $($(#[$doc])*
        pub(crate) fn $name(id: i64) -> String {
            format!(concat!($word, ":{}"), id)
        })*
    };
}

numbered! {
    /// `account:3`
    account "account";
    /// `attendance:3`
    attendance "attendance";
    /// `category:3`
    category "category";
    /// `course:3`
    course "course";
    /// `course_location:3`
    course_location "course_location";
    /// `credit:3`
    credit "credit";
    /// `enrollment:3`
    enrollment "enrollment";
    /// `grade:3`
    grade "grade";
    /// `invoice:3`
    invoice "invoice";
    /// `label:3`
    label "label";
    /// `lead:3`
    lead "lead";
    /// `meeting:3`
    meeting "meeting";
    /// `meeting_location:3`
    meeting_location "meeting_location";
    /// `order:3`
    order "order";
    /// `payment:3`
    payment "payment";
    /// `planned_course:3`
    planned_course "planned_course";
    /// `planning_event:3`
    planning_event "planning_event";
    /// `catalog_product:3`
    product "catalog_product";
    /// `program:3`
    program "program";
    /// `program_edition:3`
    program_edition "program_edition";
    /// `program_enrollment:3`
    program_enrollment "program_enrollment";
    /// `task:3`
    task "task";
    /// `teacher_enrollment:3`
    teacher_enrollment "teacher_enrollment";
    /// `user:3`
    user "user";
    /// `catalog_variant:3`
    variant "catalog_variant";
}
