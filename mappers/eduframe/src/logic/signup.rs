//! Signing up on the website: whoever signs up, those who are to learn, the account that pays, and the order, in one go.
//! People and accounts that are known already, by number or address, are not made again.

use std::collections::BTreeMap;

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::enrolling::Subject;
use super::known::{self, Known, Truth};
use super::orders::{self, Request};
use super::people::{self, Person};
use super::roles::Roles;
use crate::Options;

/// The languages that somebody can be written to in; whoever names another one is written to in the usual one.
const LOCALES: [&str; 7] = ["de", "en", "en-GB", "en-US", "es", "is", "nl"];

#[derive(Debug, Deserialize)]
struct Sent {
    id: i64,
    catalog_variant_id: Option<i64>,
    planned_course_id: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Human {
    id: Option<i64>,
    first_name: Option<String>,
    middle_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    locale: Option<String>,
    wants_newsletter: Truth,
    with_authentication: Truth,
    address_attributes: Option<Map<String, Value>>,
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

/// Those who sign up together: who is known, and who is new.
#[derive(Default)]
struct Party<'d> {
    /// Those with a number already, those that this call gives included, by address.
    by_email: BTreeMap<String, Person<'d>>,
    /// Who is made, with the number and what else was sent.
    new: Vec<(i64, Human)>,
    /// The roles that they get.
    roles: Roles,
}

impl<'d> Party<'d> {
    /// Who is meant: somebody known, or somebody new, described in `field`.
    fn join(&mut self, desk: &Desk<'d>, human: &Human, field: &str) -> Result<Person<'d>, Stop> {
        if let Some(id) = human.id {
            return known::one(desk, "User", id, field);
        }
        let required = |what: &Option<String>| {
            let text = what.clone().filter(|text| !text.trim().is_empty());
            text.ok_or_else(|| Stop::invalid("required", "needs names and an address").at(field))
        };
        let email = required(&human.email)?;
        let address = email.to_lowercase();
        if let Some(person) = self.by_email.get(&address) {
            return Ok(person.clone());
        }
        if let Some(person) = desk.records::<Person<'d>>("User").with("email", &email).first()? {
            self.by_email.insert(address, person.clone());
            return Ok(person);
        }
        let (first_name, last_name) = (required(&human.first_name)?, required(&human.last_name)?);
        let id = desk.number("User")?;
        let middle_name = human.middle_name.clone().map(Text::from);
        let (first_name, last_name) = (first_name.into(), last_name.into());
        let person = Person { id, first_name, middle_name, last_name, email: Some(email.into()) };
        self.new.push((id, human.clone()));
        self.by_email.insert(address, person.clone());
        Ok(person)
    }

    /// Writes who is new, and the roles of those who are not.
    fn settle(mut self, desk: &Desk<'d>) -> Result<(), Stop> {
        for (id, human) in &self.new {
            desk.put(
                "User",
                json!({
                    "id": id, "first_name": human.first_name, "middle_name": human.middle_name,
                    "last_name": human.last_name, "email": human.email,
                    "locale": human.locale.as_deref().filter(|locale| LOCALES.contains(locale)),
                    "wants_newsletter": human.wants_newsletter.0, "address": human.address_attributes,
                    "roles": self.roles.take(*id),
                }),
            );
            if human.with_authentication.0 {
                people::authenticate(desk, *id, human.email.as_deref().unwrap_or_default())?;
            }
        }
        self.roles.settle(desk)
    }
}

/// `POST /signup`
pub(super) fn sign_up(desk: &Desk<'_>, options: &Options) -> Result<(), Stop> {
    let sent: Sent = known::change(desk)?;
    let (variant_id, subject) = orders::ordered(desk, sent.catalog_variant_id, sent.planned_course_id)?;
    let mut party = Party::default();
    let creator: Human = desk.argument("creator_attributes")?.unwrap_or_default();
    let creator = party.join(desk, &creator, "creator_attributes")?;
    let learners = desk.argument("enrollments_attributes")?.map_or_else(Vec::new, known::listed);
    let mut students = Vec::new();
    for learner in learners {
        let unreadable = |_| Stop::invalid("type", "is not a student").at("enrollments_attributes");
        let learner: Learner = serde_json::from_value(learner).map_err(unreadable)?;
        let student = if learner.creator_is_student.0 {
            creator.id
        } else {
            party.join(desk, &learner.student_attributes, "enrollments_attributes")?.id
        };
        if students.contains(&student) {
            return Err(Stop::invalid("twice", "names a student twice").at("enrollments_attributes"));
        }
        students.push(student);
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
