//! Turns Jusoor's people into users: one name becomes two, a role becomes a role at the school.

use rollcall_mapper_sdk::canonical::{Flag, OrgRef, User, UserMetadata, UserRole, UserRoleRole, UserRoleRoleType};
use rollcall_mapper_sdk::{Contributions, name};

use crate::partner::PeopleItem as Person;

/// What a person is in a school.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Student,
    Teacher,
    Manager,
    Admin,
}

impl Role {
    /// The first part of a person's source id.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Student => "student",
            Self::Teacher => "teacher",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    fn canonical(self) -> UserRoleRole<'static> {
        match self {
            Self::Student => UserRoleRole::Student,
            Self::Teacher => UserRoleRole::Teacher,
            Self::Manager => UserRoleRole::Principal,
            Self::Admin => UserRoleRole::SiteAdministrator,
        }
    }
}

/// Says who the person with the id `id` is, and what they are at `school`.
pub(crate) fn map_person(
    id: &str,
    role: Role,
    person: &Person<'_>,
    school: &str,
    place: impl FnOnce() -> String,
    out: &mut Contributions,
) {
    let (given, family) = name::split(&person.name_user);
    if given.is_empty() {
        out.warn("no-name", format!("{}/name_user", place()), "the name is empty");
    }
    let role = UserRole {
        role_type: Some(UserRoleRoleType::Primary),
        role: Some(role.canonical()),
        org: Some(OrgRef::from(school)),
        ..UserRole::default()
    };
    out.add(
        id,
        &User {
            enabled_user: Some(Flag(true)),
            given_name: Some(given.into()),
            family_name: Some(family.into()),
            roles: vec![role],
            email: person.user_email.as_ref().filter(|email| !email.is_empty()).map(Into::into),
            metadata: Some(UserMetadata { name: Some((&person.name_user).into()) }),
            ..User::default()
        },
    );
}
