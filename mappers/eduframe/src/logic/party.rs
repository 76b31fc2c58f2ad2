//! Those who sign up together: who is known already, by number or address, and who is new. However many they are, it takes
//! two questions.

use std::collections::BTreeMap;

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::known::{self, Truth};
use super::people::{self, Person};
use super::roles::Roles;

/// The languages that somebody can be written to in; whoever names another one is written to in the usual one.
const LOCALES: [&str; 7] = ["de", "en", "en-GB", "en-US", "es", "is", "nl"];

/// What was sent of a person.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Human {
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

/// Those who sign up together.
pub(super) struct Party<'d, 'h> {
    /// Who they are, in the order in which they were described.
    pub(super) people: Vec<Person<'d>>,
    /// The roles that they get.
    pub(super) roles: Roles,
    /// Who is made, with the number and what was sent.
    new: Vec<(i64, &'h Human)>,
}

impl Human {
    fn is_called(&self, field: &str) -> Result<[String; 3], Stop> {
        let required = |what: &Option<String>| {
            let text = what.clone().filter(|text| !text.trim().is_empty());
            text.ok_or_else(|| Stop::invalid("required", "needs names and an address").at(field))
        };
        Ok([required(&self.email)?, required(&self.first_name)?, required(&self.last_name)?])
    }
}

impl<'d, 'h> Party<'d, 'h> {
    /// Who is meant by each of these, which stand in the fields beside them.
    pub(super) fn gather(desk: &Desk<'d>, humans: &[(&'h Human, &str)]) -> Result<Self, Stop> {
        let ids: Vec<_> = humans.iter().filter_map(|(human, _)| human.id).collect();
        known::few(humans, humans.last().map_or("", |(_, field)| field))?;
        let emails: Vec<_> = humans.iter().filter_map(|(human, _)| human.email.as_deref()).collect();
        let (by_id, by_email) = desk.all((
            desk.records::<Person<'d>>("User").any("id", ids),
            desk.records::<Person<'d>>("User").any("email", emails),
        ))?;
        let known = |human: &Human| match human.id {
            Some(id) => by_id.iter().find(|person| person.id == id),
            None => by_email.iter().find(|person| person.email.as_deref() == human.email.as_deref()),
        };
        let is_new = humans.iter().filter(|(human, _)| known(human).is_none()).count();
        let mut numbers = desk.numbers("User", is_new)?.into_iter();
        let mut party = Self { people: Vec::new(), roles: Roles::default(), new: Vec::new() };
        let mut new: BTreeMap<String, Person<'d>> = BTreeMap::new();
        for (human, field) in humans {
            let person = match (known(human), human.id) {
                (Some(person), _) => person.clone(),
                (None, Some(_)) => return Err(known::missing("User", field)),
                (None, None) => {
                    let [email, first_name, last_name] = human.is_called(field)?;
                    let address = email.to_lowercase();
                    match (new.get(&address), numbers.next()) {
                        (Some(person), _) => person.clone(),
                        (None, Some(id)) => {
                            let middle_name = human.middle_name.clone().map(Text::from);
                            let (first_name, last_name, email) =
                                (first_name.into(), last_name.into(), Some(email.into()));
                            let person = Person { id, first_name, middle_name, last_name, email };
                            new.insert(address, person.clone());
                            party.new.push((id, human));
                            person
                        }
                        (None, None) => return Err(Stop::Failed("there are fewer numbers than people".to_owned())),
                    }
                }
            };
            party.people.push(person);
        }
        Ok(party)
    }

    /// Writes who is new, and the roles of those who are not.
    pub(super) fn settle(mut self, desk: &Desk<'d>) -> Result<(), Stop> {
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
        }
        let asking = self.new.iter().filter(|(_, human)| human.with_authentication.0);
        let asking = asking.map(|(id, human)| (*id, human.email.as_deref().unwrap_or_default()));
        people::authenticate(desk, &asking.collect::<Vec<_>>())?;
        self.roles.settle(desk)
    }
}
