//! Turns the three people of a contract into users with a role at their organisation.

use rollcall_mapper_sdk::canonical::{Flag, OrgRef, User, UserRole, UserRoleRole, UserRoleRoleType};
use rollcall_mapper_sdk::{Contributions, Text};

use crate::ids::Ids;
use crate::partner::Contrat;

/// A person as a contract names them.
struct Person<'a> {
    id: &'a str,
    code: &'a Text<'a>,
    given: &'a Text<'a>,
    family: &'a Text<'a>,
    email: &'a Text<'a>,
    role: UserRoleRole<'a>,
    org: &'a str,
}

/// Says who the learner and both tutors are.
pub(crate) fn map_people(contrat: &Contrat<'_>, ids: &Ids, out: &mut Contributions) {
    let learner = Person {
        id: &ids.learner,
        code: &contrat.code_apprenant,
        given: &contrat.prenom_apprenant,
        family: &contrat.nom_apprenant,
        email: &contrat.email_apprenant,
        role: UserRoleRole::Student,
        org: &ids.site,
    };
    let school_tutor = Person {
        id: &ids.school_tutor,
        code: &contrat.code_personnel,
        given: &contrat.prenom_personnel,
        family: &contrat.nom_personnel,
        email: &contrat.email_personnel,
        role: UserRoleRole::Ext("ext:schoolTutor".into()),
        org: &ids.site,
    };
    let company_tutor = Person {
        id: &ids.company_tutor,
        code: &contrat.code_maitre_apprentissage,
        given: &contrat.prenom_maitre_apprentissage,
        family: &contrat.nom_maitre_apprentissage,
        email: &contrat.email_maitre_apprentissage,
        role: UserRoleRole::Ext("ext:companyTutor".into()),
        org: &ids.company,
    };
    for person in [learner, school_tutor, company_tutor] {
        map_person(person, out);
    }
}

fn map_person(person: Person<'_>, out: &mut Contributions) {
    let role = UserRole {
        role_type: Some(UserRoleRoleType::Primary),
        role: Some(person.role),
        org: Some(OrgRef::from(person.org)),
        ..UserRole::default()
    };
    out.add(
        person.id,
        &User {
            enabled_user: Some(Flag(true)),
            identifier: Some(person.code.into()),
            given_name: Some(person.given.into()),
            family_name: Some(person.family.into()),
            email: Some(person.email.into()),
            roles: vec![role],
            ..User::default()
        },
    );
}
