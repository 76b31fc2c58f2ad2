//! Turns Jusoor's people into users: one name becomes two, a role becomes a role at the school.

use rollcall_mapper_sdk::Contributions;
use rollcall_mapper_sdk::canonical::{Flag, OrgRef, User, UserMetadata, UserRole, UserRoleRole, UserRoleRoleType};

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
    let (given, family) = split_name(&person.name_user);
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

/// The first word and the rest; the same word twice where there is only one.
fn split_name(name: &str) -> (&str, &str) {
    let name = name.trim();
    match name.split_once(char::is_whitespace) {
        Some((given, family)) => (given, family.trim_start()),
        None => (name, name),
    }
}

#[cfg(test)]
mod tests {
    use super::split_name;

    #[test]
    fn names_are_split_at_the_first_word() {
        let table = [
            ("Sara Al Amri", ("Sara", "Al Amri")),
            ("Sara", ("Sara", "Sara")),
            ("  Sara   Amri ", ("Sara", "Amri")),
            ("محمد عبد الله", ("محمد", "عبد الله")),
            ("محمد", ("محمد", "محمد")),
            ("سارة\u{a0}العمري", ("سارة", "العمري")),
            ("", ("", "")),
        ];
        for (name, parts) in table {
            assert_eq!(split_name(name), parts, "{name}");
        }
    }
}
