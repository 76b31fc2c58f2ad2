//! Turns Eduframe's accounts, users, courses, programs, planning, orders and invoices into orgs, people, classes, places,
//! events, and what is sold, owed and achieved. What its calls do beside is in [`logic`].
//!
//! | Eduframe | canonical, and its source id |
//! |---|---|
//! | the educator | `org` `educator:slug` |
//! | account | `org` `account:n` |
//! | user, teacher | `user` `user:n` |
//! | affiliation | adds a role in the account's org to the user |
//! | course | `course` `course:n` |
//! | planned course | `class` `planned_course:n` |
//! | program | `program` `program:n`, and the `course` of its editions, `program:n` |
//! | edition of a program | `class` `program_edition:n` |
//! | enrollment | `enrollment` `enrollment:n` |
//! | teacher enrollment | `enrollment` `teacher_enrollment:n` |
//! | program enrollment | `enrollment` `program_enrollment:n`; its certificate, `credential` `program_enrollment:n` |
//! | course location, meeting location | `location` `course_location:n`, `meeting_location:n` |
//! | meeting, planning event | `event` `meeting:n`, `planning_event:n` |
//! | attendance | `attendance` `attendance:n` |
//! | grade | `result` `grade:n` |
//! | credit | `credential` `credit:n` |
//! | category | `category` `category:n` |
//! | product, variant | `product` `catalog_product:n`, `offer` `catalog_variant:n` |
//! | order, invoice, payment | `order` `order:n`, `invoice` `invoice:n`, `payment` `payment:n` |
//! | lead | `lead` `lead:n` |
//! | task | `task` `task:n` |
//! | label | `tag` `label:n` |
//!
//! An edition is a `class`, since people enrol in it and it has days; its course stands for the whole program.
//!
//! What is cancelled of enrollments is not said any more. A planned course that is cancelled stays, because meetings and
//! orders still speak of it: nobody is enrolled in it, and its metadata says so.
//!
//! Whatever needs the educator's org says it, from the connection's options, so that it is there as soon as any of them is;
//! what the operator says of the educator only adds to it. A reference is said only where the description makes sure that
//! its target is there.

mod enrollments;
mod ids;
mod logic;
mod people;
mod planning;
mod results;
mod sales;
mod tasks;
mod teaching;

use rollcall_mapper_sdk::canonical::{Address, Org, OrgRef, OrgType};
use rollcall_mapper_sdk::{Contributions, Mapper, Refusal, Text};
use serde::Deserialize;

use self::partner::Record;

rollcall_mapper_sdk::partner!();

/// The mapper.
#[derive(Debug)]
pub struct Eduframe;

/// A connection's options, as the description declares them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Options {
    /// The educator's subdomain.
    slug: String,
    /// The educator's name.
    name: String,
    /// Where its website is.
    website_url: String,
    /// What everything costs is in this.
    currency: String,
    /// Whose credential it is.
    user_id: Option<i64>,
    /// Days until an opened invoice is due.
    invoice_days: Option<i64>,
}

impl Options {
    /// The source id of the educator's org.
    fn educator(&self) -> String {
        ids::educator(&self.slug)
    }

    /// The educator's org, as all records say it that need it.
    fn say_educator(&self, out: &mut Contributions) -> OrgRef<'static> {
        let id = self.educator();
        out.add(
            &id,
            &Org {
                name: Some((&self.name).into()),
                r#type: Some(OrgType::School),
                identifier: Some((&self.slug).into()),
                ..Org::default()
            },
        );
        OrgRef::from(id)
    }
}

impl Mapper for Eduframe {
    const PARTNER: &'static str = "eduframe";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Options = Options;
    type Record<'a> = Record<'a>;

    fn map(record: &Record<'_>, options: &Options, out: &mut Contributions) -> Result<(), Refusal> {
        match record {
            Record::Account(account) => people::map_account(account, out),
            Record::Affiliation(link) => people::map_affiliation(link, out),
            Record::Attendance(attendance) => results::map_attendance(attendance, out),
            Record::CatalogProduct(product) => sales::map_product(product, out),
            Record::CatalogVariant(variant) => sales::map_variant(variant, out),
            Record::Category(category) => sales::map_category(category, out),
            Record::Course(course) => teaching::map_course(course, options, out),
            Record::CourseLocation(location) => planning::map_course_location(location, out),
            Record::Credit(credit) => results::map_credit(credit, out),
            Record::Educator(educator) => people::map_educator(educator, options, out),
            Record::Enrollment(enrollment) => enrollments::map_enrollment(enrollment, options, out),
            Record::Grade(grade) => results::map_grade(grade, out),
            Record::Invoice(invoice) => sales::map_invoice(invoice, options, out),
            Record::Label(label) => tasks::map_label(label, out),
            Record::Lead(lead) => sales::map_lead(lead, options, out),
            Record::Meeting(meeting) => planning::map_meeting(meeting, out),
            Record::MeetingLocation(location) => planning::map_meeting_location(location, out),
            Record::Order(order) => sales::map_order(order, options, out),
            Record::Payment(payment) => sales::map_payment(payment, out),
            Record::PlannedCourse(course) => teaching::map_planned_course(course, options, out),
            Record::PlanningEvent(event) => planning::map_planning_event(event, out),
            Record::Program(program) => teaching::map_program(program, options, out),
            Record::ProgramEdition(edition) => teaching::map_edition(edition, options, out),
            Record::ProgramEnrollment(enrollment) => enrollments::map_program_enrollment(enrollment, options, out),
            Record::Task(task) => tasks::map_task(task, out),
            Record::TeacherEnrollment(link) => enrollments::map_teacher_enrollment(link, options, out),
            Record::User(user) => people::map_user(user, options, out),
        }
        Ok(())
    }
}

rollcall_mapper_sdk::export_mapper!(Eduframe, logic);

/// A text, if there is one and it is not empty.
fn said<'a>(text: Option<&'a Text<'_>>) -> Option<Text<'a>> {
    text.filter(|text| !text.is_empty()).map(Into::into)
}

/// The day of a date or an instant: `2026-08-30T07:00:00.000Z` as `2026-08-30`. Whatever else was taken says no day.
fn day<'a>(text: Option<&'a Text<'_>>) -> Option<Text<'a>> {
    let day = text?.get(..10)?;
    day.parse::<jiff::civil::Date>().ok().map(|_| day.into())
}

/// Where somebody or something is.
fn address<'a>(address: Option<&'a partner::OptionalAddress<'_>>) -> Option<Address<'a>> {
    let address = address?;
    Some(Address {
        name: said(address.addressee.as_ref()),
        street_address: said(address.address.as_ref()),
        extended_address: said(address.address_line2.as_ref()),
        postal_code: said(address.postal_code.as_ref()),
        address_locality: said(address.city.as_ref()),
        address_region: said(address.state_province.as_ref()),
        address_country: address.country.map(|country| country.as_str().into()),
    })
}

#[cfg(test)]
mod tests;
