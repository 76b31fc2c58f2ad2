//! Turns one contract into all that it speaks of.

use rollcall_mapper_sdk::canonical::{
    AcademicSession, AcademicSessionRef, AcademicSessionType, Class, ClassClassType, ClassMetadata, ClassRef, Contract,
    ContractType, Course, CourseRef, Enrollment, EnrollmentRole, Open, Org, OrgRef, OrgType, Program, ProgramRef,
    UserRef,
};
use rollcall_mapper_sdk::{Contributions, Refusal, Text};

use crate::ids::{Ids, contract_id};
use crate::partner::Contrat;
use crate::{dates, people};

/// When a contract starts and ends, ISO 8601.
struct Term {
    start: Option<String>,
    end: Option<String>,
}

impl Term {
    fn of(contrat: &Contrat<'_>) -> Result<Self, Refusal> {
        let date = |sent: &Option<Text<'_>>, place| sent.as_ref().map(|text| dates::date(text, place)).transpose();
        Ok(Self { start: date(&contrat.date_debut, "/dateDebut")?, end: date(&contrat.date_fin, "/dateFin")? })
    }
}

/// The contract, where and what is learned under it, and by whom.
pub(crate) fn map_contract(contrat: &Contrat<'_>, out: &mut Contributions) -> Result<(), Refusal> {
    let ids = Ids::of(contrat);
    let term = Term::of(contrat)?;
    map_orgs(contrat, &ids, out);
    map_teaching(contrat, &ids, out);
    let known = map_period(contrat, &term, &ids, out);
    map_group(contrat, known, &ids, out);
    people::map_people(contrat, &ids, out);
    out.add(
        &ids.enrollment(&contrat.code_apprenant),
        &Enrollment {
            user: Some(UserRef::from(&ids.learner)),
            class: Some(ClassRef::from(&ids.class)),
            school: Some(OrgRef::from(&ids.site)),
            role: Some(EnrollmentRole::Student),
            begin_date: term.start.as_ref().map(Into::into),
            end_date: term.end.as_ref().map(Into::into),
            ..Enrollment::default()
        },
    );
    out.add(
        &contract_id(&contrat.code_contrat),
        &Contract {
            identifier: Some((&contrat.code_contrat).into()),
            r#type: Some(ContractType::Apprenticeship),
            title: said(contrat.mission_title.as_ref()),
            description: said(contrat.mission_details.as_ref()),
            start_date: term.start.as_ref().map(Into::into),
            end_date: term.end.as_ref().map(Into::into),
            learner: Some(UserRef::from(&ids.learner)),
            company: Some(OrgRef::from(&ids.company)),
            school_tutor: Some(UserRef::from(&ids.school_tutor)),
            company_tutor: Some(UserRef::from(&ids.company_tutor)),
            school: Some(OrgRef::from(&ids.site)),
            program: Some(ProgramRef::from(&ids.program)),
            class: Some(ClassRef::from(&ids.class)),
            ..Contract::default()
        },
    );
    Ok(())
}

/// The site, its brand, and the company.
fn map_orgs(contrat: &Contrat<'_>, ids: &Ids, out: &mut Contributions) {
    let mut add = |id: &str, word: &'static str, name: &Text<'_>, identifier: &Text<'_>, parent: Option<&String>| {
        out.add(
            id,
            &Org {
                name: Some(name.into()),
                r#type: Some(OrgType::Ext(word.into())),
                identifier: Some(identifier.into()),
                parent: parent.map(OrgRef::from),
                ..Org::default()
            },
        );
    };
    add(&ids.site, "ext:site", &contrat.nom_site, &contrat.code_site, None);
    if let Some(code) = &contrat.code_marque {
        let name = contrat.nom_marque.as_ref().unwrap_or(code);
        add(&ids.brand(code), "ext:brand", name, code, Some(&ids.site));
    }
    add(&ids.company, "ext:company", &contrat.nom_entreprise, &contrat.nom_entreprise, None);
}

/// The programme, and what is taught in one of its years.
fn map_teaching(contrat: &Contrat<'_>, ids: &Ids, out: &mut Contributions) {
    let register = || contrat.rncp.as_ref().map(|number| Open::default().with("rncp", number));
    out.add(
        &ids.program,
        &Program {
            title: Some((&contrat.nom_formation).into()),
            code: Some((&contrat.code_formation).into()),
            courses: vec![CourseRef::from(&ids.course)],
            metadata: register(),
            ..Program::default()
        },
    );
    out.add(
        &ids.course,
        &Course {
            title: Some(format!("{} – {}", contrat.nom_formation, contrat.nom_annee).into()),
            course_code: Some(format!("{}/{}", contrat.code_formation, contrat.code_annee).into()),
            metadata: register(),
            ..Course::default()
        },
    );
}

/// The school year, from the first start to the last end of its contracts. A contract without both dates does not know
/// when it is; says whether this one does.
fn map_period(contrat: &Contrat<'_>, term: &Term, ids: &Ids, out: &mut Contributions) -> bool {
    let (Some(start), Some(end)) = (&term.start, &term.end) else {
        out.warn("no-dates", "/dateDebut", "without both dates the contract says nothing of its period");
        return false;
    };
    let named = dates::last_year(&contrat.nom_periode).or_else(|| dates::last_year(&contrat.code_periode));
    out.add(
        &ids.period,
        &AcademicSession {
            title: Some((&contrat.nom_periode).into()),
            start_date: Some(start.into()),
            end_date: Some(end.into()),
            r#type: Some(AcademicSessionType::SchoolYear),
            school_year: Some(named.unwrap_or(&contrat.nom_periode).into()),
            ..AcademicSession::default()
        },
    );
    true
}

/// Those who learn together.
fn map_group(contrat: &Contrat<'_>, period_is_known: bool, ids: &Ids, out: &mut Contributions) {
    out.add(
        &ids.class,
        &Class {
            title: Some((&contrat.nom_groupe).into()),
            class_code: Some((&contrat.code_groupe).into()),
            class_type: Some(ClassClassType::Scheduled),
            course: Some(CourseRef::from(&ids.course)),
            school: Some(OrgRef::from(&ids.site)),
            terms: period_is_known.then(|| AcademicSessionRef::from(&ids.period)).into_iter().collect(),
            metadata: said(contrat.month_start_group.as_ref()).map(|month| ClassMetadata {
                more: Open::default().with("monthStartGroup", month),
                ..ClassMetadata::default()
            }),
            ..Class::default()
        },
    );
}

/// A text, if there is one and it is not empty.
fn said<'a>(text: Option<&'a Text<'_>>) -> Option<Text<'a>> {
    text.filter(|text| !text.is_empty()).map(Into::into)
}
