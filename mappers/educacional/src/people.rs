//! Turns users into users with names, roles and ids of their own, and the links between students and parents into what
//! they add to them.

use rollcall_mapper_sdk::canonical::{
    Flag, OrgRef, User, UserMetadata, UserRef, UserRole, UserRoleRole, UserRoleRoleType, UserUserId,
};
use rollcall_mapper_sdk::{Contributions, Refusal, Text, name};

use crate::partner::{self, Status};
use crate::{Options, ids, roles};

/// A person with everything that is known of it.
pub(crate) fn map_user(user: &partner::User<'_>, options: &Options, out: &mut Contributions) -> Result<(), Refusal> {
    let codes = roles::codes(&user.roles, options).map_err(|nth| {
        let message = "Papel desconhecido: não está na tabela do HUB nem entre os papéis da conexão";
        Refusal::new("unknown-role", format!("/roles/{nth}"), message)
    })?;
    let school = options.school();
    let (given, family) = name::split(&user.name);
    let enabled = user.status.is_none_or(|status| status == Status::Active);
    out.add(
        &ids::user(&user.code),
        &User {
            enabled_user: Some(Flag(enabled)),
            username: user.login.as_ref().map(Into::into),
            given_name: Some(given.into()),
            family_name: Some(family.into()),
            identifier: Some((&user.code).into()),
            user_ids: user_ids(user),
            roles: codes.iter().enumerate().map(|(nth, code)| role(nth, roles::canonical(code), &school)).collect(),
            primary_org: Some(OrgRef::from(&school)),
            email: user.email.as_ref().map(Into::into),
            sms: user.cellphone.as_ref().map(Into::into),
            metadata: Some(UserMetadata { name: Some((&user.name).into()) }),
            ..User::default()
        },
    );
    Ok(())
}

/// Who is responsible for whom.
pub(crate) fn map_guardian(link: &partner::StudentParent<'_>, options: &Options, out: &mut Contributions) {
    let (school, parent) = (options.school(), ids::user(&link.parent.code));
    out.add(&ids::user(&link.student.code), &User { agents: vec![UserRef::from(&parent)], ..User::default() });
    out.add(&parent, &User { roles: vec![role(0, UserRoleRole::Guardian, &school)], ..User::default() });
}

fn role<'a>(nth: usize, role: UserRoleRole<'a>, school: &'a String) -> UserRole<'a> {
    UserRole {
        role_type: Some(if nth == 0 { UserRoleRoleType::Primary } else { UserRoleRoleType::Secondary }),
        role: Some(role),
        org: Some(OrgRef::from(school)),
        ..UserRole::default()
    }
}

/// What else the person is known by.
fn user_ids<'a>(user: &'a partner::User<'_>) -> Vec<UserUserId<'a>> {
    let id = |of: &'static str, id: Text<'a>| UserUserId { r#type: Some(of.into()), identifier: Some(id) };
    let cpf = user.cpf.as_ref().map(|cpf| id("cpf", cpf.into()));
    let inep = user.inep.map(|inep| id("inep", inep.to_string().into()));
    let sis = user.sis_id.as_ref().map(|sis| id("sis", sis.into()));
    [cpf, inep, sis].into_iter().flatten().collect()
}
