//! Signing up on the website: whoever signs up, those who are to learn, the account that pays, and the order, in one go.
//! People and accounts that are known already, by number or address, are not made again.

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::enrolling::Subject;
use super::known::{self, Known, Truth};
use super::orders::{self, Request};
use super::party::{Human, Party};
use super::people::{self, Person};
use crate::Options;

/// Where the one who signs up stands.
const CREATOR: &str = "creator_attributes";

/// Where the students stand.
const STUDENTS: &str = "enrollments_attributes";

#[derive(Debug, Deserialize)]
struct Sent {
    id: i64,
    catalog_variant_id: Option<i64>,
    planned_course_id: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Learner {
    creator_is_student: Truth,
    student_attributes: Human,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payer<'d> {
    id: Option<i64>,
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'d>>,
    #[serde(borrow)]
    name: Option<Text<'d>>,
    #[serde(borrow)]
    email: Option<Text<'d>>,
    #[serde(borrow)]
    phone: Option<Text<'d>>,
    address_attributes: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Educator<'d> {
    #[serde(borrow)]
    signup_default_account_type: Option<Text<'d>>,
}

/// `POST /signup`
pub(super) fn sign_up(desk: &Desk<'_>, options: &Options) -> Result<(), Stop> {
    let sent: Sent = known::change(desk)?;
    let (variant_id, subject) = orders::ordered(desk, sent.catalog_variant_id, sent.planned_course_id)?;
    let learners = desk.argument(STUDENTS)?.map_or_else(Vec::new, known::listed);
    let unreadable = |_| Stop::invalid("type", "is not a student").at(STUDENTS);
    let learners: Vec<Learner> =
        learners.into_iter().map(serde_json::from_value).collect::<Result<_, _>>().map_err(unreadable)?;
    let creator: Human = desk.argument(CREATOR)?.unwrap_or_default();
    let others = learners.iter().filter(|learner| !learner.creator_is_student.0);
    let others = others.map(|learner| (&learner.student_attributes, STUDENTS));
    let mut party = Party::gather(desk, &[(&creator, CREATOR)].into_iter().chain(others).collect::<Vec<_>>())?;
    let mut others = party.people[1..].iter().map(|person| person.id);
    let creator = party.people[0].clone();
    let is_creator = |learner: &Learner| learner.creator_is_student.0;
    let mut students: Vec<_> = learners
        .iter()
        .filter_map(|learner| if is_creator(learner) { Some(creator.id) } else { others.next() })
        .collect();
    if (1..students.len()).any(|nth| students[..nth].contains(&students[nth])) {
        return Err(Stop::invalid("twice", "names a student twice").at(STUDENTS));
    }
    if students.is_empty() {
        students.push(creator.id);
    }
    places_left(desk, subject)?;
    let account_id = account(desk, &creator)?;
    party.roles.give(creator.id, "customer");
    let (id, creator_id) = (sent.id, creator.id);
    let request = Request { id, variant_id, subject, creator_id, account_id, students, cost: None, cost_scheme: None };
    let mut order = orders::written(desk, &request)?;
    order.insert("origin".to_owned(), "website".into());
    party.settle(desk)?;
    desk.keep_with("Order", order);
    desk.tell("location", format!("{}/orders/{id}", options.website_url));
    Ok(())
}

/// Nobody signs up for what does not take place any more.
fn places_left(desk: &Desk<'_>, subject: Subject) -> Result<(), Stop> {
    let Subject::PlannedCourse(id) = subject else { return Ok(()) };
    let over =
        desk.records::<Known>("PlannedCourse").with("id", id).any("status", ["canceled", "completed"]).first()?;
    match over {
        Some(_) => Err(Stop::invalid("over", "does not take place any more").at("planned_course_id")),
        None => Ok(()),
    }
}

/// The account that pays: one that is known, the person's own, or a new one.
fn account(desk: &Desk<'_>, creator: &Person<'_>) -> Result<i64, Stop> {
    const FIELD: &str = "account_attributes";
    let payer: Payer<'_> = desk.argument(FIELD)?.unwrap_or_default();
    if let Some(id) = payer.id {
        return known::one::<Known>(desk, "Account", id, FIELD).map(|account| account.id);
    }
    let educator = desk.records::<Educator<'_>>("Educator").first()?;
    let usual = educator.and_then(|educator| educator.signup_default_account_type);
    let kind = payer.kind.or(usual).unwrap_or_else(|| "personal".into());
    if &*kind != "business" {
        return people::personal_account(desk, creator);
    }
    let name = payer.name.filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| Stop::invalid("required", "needs a name").at(FIELD))?;
    let id = desk.number("Account")?;
    desk.put(
        "Account",
        json!({
            "id": id, "name": name, "account_type": "business", "email": payer.email, "phone": payer.phone,
            "address": payer.address_attributes,
        }),
    );
    people::join(desk, id, creator.id, true)?;
    Ok(id)
}
