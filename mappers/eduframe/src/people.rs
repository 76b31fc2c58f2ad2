//! Turns accounts and the educator into orgs, and users into people with their roles.

use rollcall_mapper_sdk::canonical::{
    Flag, Open, Org, OrgRef, OrgType, User, UserMetadata, UserRole, UserRoleRole, UserRoleRoleType, UserUserId,
};
use rollcall_mapper_sdk::{Contributions, Text};

use crate::partner::{self, AccountType, UserRole as Role};
use crate::{Options, ids, said};

/// What the operator says of the educator. Its name is the connection's, as everywhere.
pub(crate) fn map_educator(educator: &partner::Educator<'_>, options: &Options, out: &mut Contributions) {
    let metadata = contact(&[
        ("email", educator.email.as_ref()),
        ("phone", educator.phone.as_ref()),
        ("url", educator.website_url.as_ref()),
    ]);
    out.add(
        &options.educator(),
        &Org {
            name: Some((&options.name).into()),
            r#type: Some(OrgType::School),
            identifier: Some((&options.slug).into()),
            metadata,
            ..Org::default()
        },
    );
}

/// Who pays: a company, or a person alone.
pub(crate) fn map_account(account: &partner::Account<'_>, out: &mut Contributions) {
    let word = match account.account_type {
        Some(AccountType::Personal) => "ext:personal",
        Some(AccountType::Business) | None => "ext:business",
    };
    out.add(
        &ids::account(account.id),
        &Org {
            name: Some((&account.name).into()),
            r#type: Some(OrgType::Ext(word.into())),
            identifier: Some(account.id.to_string().into()),
            metadata: contact(&[("email", account.email.as_ref()), ("phone", account.phone.as_ref())]),
            ..Org::default()
        },
    );
}

/// How an org can be reached.
fn contact<'a>(parts: &[(&'static str, Option<&'a Text<'_>>)]) -> Option<Open<'a>> {
    let parts = parts.iter().filter_map(|(name, text)| Some((*name, said(*text)?)));
    parts.fold(None, |open: Option<Open<'a>>, (name, text)| Some(open.unwrap_or_default().with(name, text)))
}

/// A person with the roles that the educator gives.
pub(crate) fn map_user(user: &partner::User<'_>, options: &Options, out: &mut Contributions) {
    let educator = options.say_educator(out);
    let name = [Some(&user.first_name), user.middle_name.as_ref(), Some(&user.last_name)];
    let name: Vec<&str> = name.into_iter().flatten().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
    out.add(
        &ids::user(user.id),
        &User {
            enabled_user: Some(Flag(true)),
            identifier: Some(user.id.to_string().into()),
            username: Some((&user.email).into()),
            given_name: Some((&user.first_name).into()),
            middle_name: said(user.middle_name.as_ref()),
            family_name: Some((&user.last_name).into()),
            email: Some((&user.email).into()),
            user_ids: numbers(user),
            roles: roles(&user.roles, &educator),
            primary_org: Some(educator),
            metadata: Some(UserMetadata { name: Some(name.join(" ").into()) }),
            ..User::default()
        },
    );
}

/// What else a person is known by.
fn numbers<'a>(user: &'a partner::User<'_>) -> Vec<UserUserId<'a>> {
    let id = |of: &'static str, text: Text<'a>| UserUserId { r#type: Some(of.into()), identifier: Some(text) };
    let employee = said(user.employee_number.as_ref()).map(|number| id("employee", number));
    let student = said(user.student_number.as_ref()).map(|number| id("student", number));
    [employee, student].into_iter().flatten().collect()
}

/// The roles that a user has with the educator, the weightiest first: that is the primary one.
fn roles<'a>(roles: &[Role], educator: &OrgRef<'a>) -> Vec<UserRole<'a>> {
    const ORDER: [Role; 4] = [Role::Admin, Role::Teacher, Role::Student, Role::Customer];
    let held = ORDER.into_iter().filter(|role| roles.contains(role));
    let one = |(nth, role)| UserRole {
        role_type: Some(if nth == 0 { UserRoleRoleType::Primary } else { UserRoleRoleType::Secondary }),
        role: Some(match role {
            Role::Admin => UserRoleRole::SiteAdministrator,
            Role::Teacher => UserRoleRole::Teacher,
            Role::Student => UserRoleRole::Student,
            Role::Customer => UserRoleRole::Ext("ext:customer".into()),
        }),
        org: Some(educator.clone()),
        ..UserRole::default()
    };
    held.enumerate().map(one).collect()
}

/// That a user is one of an account's, and perhaps the one to talk to.
pub(crate) fn map_affiliation(link: &partner::Affiliation<'_>, out: &mut Contributions) {
    let word = if link.key_contact == Some(true) { "ext:keyContact" } else { "ext:member" };
    let role = UserRole {
        role_type: Some(UserRoleRoleType::Primary),
        role: Some(UserRoleRole::Ext(word.into())),
        org: Some(ids::account(link.account_id).into()),
        ..UserRole::default()
    };
    out.add(&ids::user(link.user_id), &User { roles: vec![role], ..User::default() });
}
