//! People, the accounts that pay for them, and the ways in which they sign in.

use rollcall_mapper_sdk::Text;
use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::Deserialize;
use serde_json::json;

use super::known::{self, Known};
use crate::Options;

/// The ways to sign in, in the order of their numbers, which start at 1.
const PROVIDERS: [&str; 4] = ["eduframe", "azure_active_directory", "openid_connect", "surf_conext"];

/// A person with a name.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Person<'d> {
    pub(super) id: i64,
    #[serde(borrow)]
    pub(super) first_name: Text<'d>,
    #[serde(borrow)]
    pub(super) middle_name: Option<Text<'d>>,
    #[serde(borrow)]
    pub(super) last_name: Text<'d>,
    #[serde(borrow)]
    pub(super) email: Option<Text<'d>>,
}

impl Person<'_> {
    /// `Ada de Vries`
    pub(super) fn name(&self) -> String {
        let parts = [Some(&self.first_name), self.middle_name.as_ref(), Some(&self.last_name)];
        let parts: Vec<&str> =
            parts.into_iter().flatten().map(|part| &**part).filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    }
}

/// The account that is a person's own; it is made where there is none.
pub(super) fn personal_account(desk: &Desk<'_>, person: &Person<'_>) -> Result<i64, Stop> {
    match desk.records::<Known>("Account").with("personal_user_id", person.id).first()? {
        Some(account) => Ok(account.id),
        None => open_personal_account(desk, person),
    }
}

/// Makes the account of a person who has none.
pub(super) fn open_personal_account(desk: &Desk<'_>, person: &Person<'_>) -> Result<i64, Stop> {
    let id = desk.number("Account")?;
    desk.put(
        "Account",
        json!({
            "id": id, "name": person.name(), "email": person.email, "account_type": "personal",
            "personal_user_id": person.id,
        }),
    );
    join(desk, id, person.id, true)?;
    Ok(id)
}

/// Makes a person one of an account.
pub(super) fn join(desk: &Desk<'_>, account_id: i64, user_id: i64, key_contact: bool) -> Result<(), Stop> {
    let id = desk.number("Affiliation")?;
    let link = json!({"id": id, "account_id": account_id, "user_id": user_id, "key_contact": key_contact});
    desk.put("Affiliation", link);
    Ok(())
}

/// Lets people, who are given with their addresses, sign in with address and password.
pub(super) fn authenticate(desk: &Desk<'_>, people: &[(i64, &str)]) -> Result<(), Stop> {
    for (id, (user_id, email)) in desk.numbers("Authentication", people.len())?.iter().zip(people) {
        desk.put(
            "Authentication",
            json!({
                "id": id, "user_id": user_id, "uid": email, "authentication_provider_type": PROVIDERS[0],
                "authentication_provider_id": 1, "otp_enabled": false,
            }),
        );
    }
    Ok(())
}

/// `POST /users`
pub(super) fn create_user(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let person: Person<'_> = known::change(desk)?;
    desk.keep("User");
    if known::says(desk, "with_authentication")? {
        authenticate(desk, &[(person.id, person.email.as_deref().unwrap_or_default())])?;
    }
    Ok(())
}

/// `PUT /users/{id}`
pub(super) fn update_user(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let person: Person<'_> = known::change(desk)?;
    desk.keep("User");
    if known::says(desk, "with_authentication")? {
        let own = desk.records::<Known>("Authentication").with("user_id", person.id);
        if own.with("authentication_provider_type", PROVIDERS[0]).first()?.is_none() {
            authenticate(desk, &[(person.id, person.email.as_deref().unwrap_or_default())])?;
        }
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Authentication<'d> {
    id: i64,
    user_id: i64,
    #[serde(borrow)]
    uid: Text<'d>,
    #[serde(rename = "authentication_provider_type", borrow)]
    kind: Text<'d>,
}

/// `POST /authentications`. Nobody signs in in two ways of one kind, and no two people in the same way.
pub(super) fn create_authentication(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let sent: Authentication<'_> = known::change(desk)?;
    let kind = &sent.kind;
    let (own, same) = desk.all((
        desk.records::<Known>("Authentication")
            .with("user_id", sent.user_id)
            .with("authentication_provider_type", kind),
        desk.records::<Known>("Authentication").with("uid", &sent.uid).with("authentication_provider_type", kind),
    ))?;
    if !own.is_empty() {
        let taken = Stop::invalid("taken", "the user has an authentication of this type already");
        return Err(taken.at("authentication_provider_type"));
    }
    if !same.is_empty() {
        return Err(Stop::invalid("taken", "somebody has this authentication already").at("uid"));
    }
    let number = PROVIDERS.iter().position(|provider| *provider == &**kind).map(|at| at + 1);
    desk.keep_with("Authentication", json!({"authentication_provider_id": number, "otp_enabled": false}));
    Ok(())
}

/// `DELETE /users/{user_id}/authentications/{id}`. The last one stays: who has none cannot sign in any more.
pub(super) fn delete_authentication(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let going: Authentication<'_> = desk.record()?;
    let all = desk.records::<Known>("Authentication").with("user_id", going.user_id).all()?;
    if all.len() < 2 {
        return Err(Stop::clash("last", "the last authentication cannot be removed").at("id"));
    }
    desk.remove("Authentication", going.id);
    Ok(())
}
