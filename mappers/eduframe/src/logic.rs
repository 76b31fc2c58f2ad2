//! What Eduframe does beside writing a record: one file per group of calls, by the names that the description calls them.
//!
//! | call | of | what it does beside |
//! |---|---|---|
//! | `create-course`, `create-program` | `POST /courses`, `/program/programs` | lists a product |
//! | `create-planned-course`, `create-edition` | `POST /planned_courses`, `/program/editions` | offers a variant; has teachers teach |
//! | `update-planned-course` | `PUT /planned_courses/{id}` | exchanges its teachers |
//! | `update-product`, `update-variant` | `PUT /catalog/products/{id}`, `/catalog/variants/{id}` | changes what they sell |
//! | `cancel-planned-course`, `cancel-enrollment` | `PUT …/cancel` | cancels enrollments, and orders nobody decided on |
//! | `place-order` | `POST /orders` | opens a personal account; counts what it costs; may approve it |
//! | `approve-order`, `deny-order`, `cancel-order` | `PUT /orders/{id}/…` | enrols students, or takes them out |
//! | `label-order` | `POST /orders/{id}/labels` | |
//! | `sign-up` | `POST /signup` | makes people, an account, an order |
//! | `create-invoice`, `open-invoice` | `POST /invoices`, `/invoices/{id}/open` | counts totals; gives numbers |
//! | `pay-invoice`, `delete-payment` | `/invoices/{invoice_id}/payments` | keeps what is open |
//! | `award-certificate`, `delete-certificate`, `cancel-program-enrollment` | `/program/enrollments/{id}/…` | |
//! | `mark-attendance`, `grade` | `/attendances/upsert`, `/grades` | notes whose it is |
//! | `make-teacher`, `activate-teacher`, `deactivate-teacher` | `/teachers` | changes the user |
//! | `create-meeting`, `update-meeting`, `create-planning-event`, `update-planning-event` | `/meetings`, `/planning/events` | makes rows of numbers; moves planning events |
//! | `planning-conflicts` | `GET /planning/conflicts` | finds them |
//! | `create-user`, `update-user` | `/users` | lets them sign in |
//! | `create-authentication`, `delete-authentication` | `/authentications` | keeps the last one |
//! | `create-lead` | `POST /leads` | makes a comment and rows |
//! | `complete-task` | `/tasks` | says when, and by whom |
//!
//! Everything is said in the members of records. Most events follow from that and stand in the description; a call raises
//! only what cannot be seen there.

mod catalog;
mod conflicts;
mod enrolling;
mod invoices;
mod known;
mod leads;
mod meetings;
mod money;
mod orders;
mod party;
mod people;
mod planned_courses;
mod programs;
mod results;
mod roles;
mod signup;
mod tasks;
mod teachers;

use rollcall_mapper_sdk::logic::{Call, Keys, Logic};

use crate::{Eduframe, Options, partner};

impl Logic for Eduframe {
    const KEYS: Keys = partner::KEYS;
    const CALLS: &'static [(&'static str, Call<Options>)] = &[
        ("activate-teacher", teachers::activate),
        ("approve-order", orders::approve),
        ("award-certificate", programs::award_certificate),
        ("cancel-enrollment", enrolling::cancel),
        ("cancel-order", orders::cancel),
        ("cancel-planned-course", planned_courses::cancel),
        ("cancel-program-enrollment", programs::cancel),
        ("complete-task", tasks::complete),
        ("create-authentication", people::create_authentication),
        ("create-course", catalog::create_course),
        ("create-edition", catalog::create_edition),
        ("create-invoice", invoices::create),
        ("create-lead", leads::create),
        ("create-meeting", meetings::create_meeting),
        ("create-planned-course", planned_courses::create),
        ("create-planning-event", meetings::create_event),
        ("create-program", catalog::create_program),
        ("create-user", people::create_user),
        ("deactivate-teacher", teachers::deactivate),
        ("delete-authentication", people::delete_authentication),
        ("delete-certificate", programs::delete_certificate),
        ("delete-payment", invoices::delete_payment),
        ("deny-order", orders::deny),
        ("grade", results::grade),
        ("label-order", orders::label),
        ("make-teacher", teachers::make),
        ("mark-attendance", results::mark_attendance),
        ("open-invoice", invoices::open),
        ("pay-invoice", invoices::pay),
        ("place-order", orders::place),
        ("planning-conflicts", conflicts::list),
        ("sign-up", signup::sign_up),
        ("update-meeting", meetings::update_meeting),
        ("update-planned-course", planned_courses::update),
        ("update-planning-event", meetings::update_event),
        ("update-product", catalog::update_product),
        ("update-user", people::update_user),
        ("update-variant", catalog::update_variant),
    ];
}

#[cfg(test)]
mod tests;
