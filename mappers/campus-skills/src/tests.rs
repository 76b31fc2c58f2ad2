//! What Campus Skills' records become.

use std::collections::BTreeMap;

use rollcall_mapper_sdk::{Diagnostic, Row, run_native};
use serde_json::{Value, json};

use crate::CampusSkills;

/// The class of [`contrat`].
const CLASS: &str = "site:L/formation:MCO/periode:2025%2F2026/annee:1/groupe:G1";

type Mapped = BTreeMap<(&'static str, String), Value>;

fn mapped(record: &str, body: &Value) -> (Mapped, Vec<Diagnostic>) {
    let (rows, diagnostics): (Vec<Row>, _) = run_native::<CampusSkills>(record, body, &json!({}), &json!({}));
    (rows.into_iter().map(|row| ((row.kind, row.source_id), json!(row.fields))).collect(), diagnostics)
}

/// A contract with these members changed; null takes one away.
fn contrat(changes: &Value) -> Value {
    let mut contrat = json!({
        "codeContrat": "C1", "dateDebut": "01/09/2025", "dateFin": "31/08/2026",
        "nomEntreprise": "Fournil d'Or", "codeGroupe": "G1", "nomGroupe": "MCO 1 A", "codeSite": "L", "nomSite": "Lyon",
        "codePeriode": "2025/2026", "nomPeriode": "2025/2026", "codeAnnee": "1", "nomAnnee": "1re année",
        "codeFormation": "MCO", "nomFormation": "BTS MCO",
        "codeApprenant": "A1", "nomApprenant": "Petit", "prenomApprenant": "Léa", "emailApprenant": "lea@cfa.example",
        "codePersonnel": "P1", "nomPersonnel": "Roux", "prenomPersonnel": "Anne", "emailPersonnel": "anne@cfa.example",
        "codeMaitreApprentissage": "M1", "nomMaitreApprentissage": "Martin", "prenomMaitreApprentissage": "Paul",
        "emailMaitreApprentissage": "paul@fournil.example",
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        contrat[name] = value.clone();
    }
    contrat.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    contrat
}

fn entity<'a>(all: &'a Mapped, kind: &'static str, id: &str) -> &'a Value {
    all.get(&(kind, id.to_owned())).unwrap_or_else(|| panic!("no {kind} {id} among {:?}", all.keys()))
}

#[test]
fn a_contract_says_where_what_and_by_whom_is_learned() {
    let (all, diagnostics) = mapped("Contrat", &contrat(&json!({})));
    assert_eq!(diagnostics, []);
    let org = |name: &str, word: &str, identifier: &str| json!({"name": name, "type": word, "identifier": identifier});
    assert_eq!(*entity(&all, "org", "site:L"), org("Lyon", "ext:site", "L"));
    let company = entity(&all, "org", "entreprise:Fournil d'Or");
    assert_eq!(*company, org("Fournil d'Or", "ext:company", "Fournil d'Or"));
    assert_eq!(
        *entity(&all, "academicSession", "periode:2025%2F2026"),
        json!({
            "title": "2025/2026", "startDate": "2025-09-01", "endDate": "2026-08-31", "type": "schoolYear",
            "schoolYear": "2026",
        })
    );
    let course = "formation:MCO/annee:1";
    assert_eq!(
        *entity(&all, "program", "formation:MCO"),
        json!({"title": "BTS MCO", "code": "MCO", "courses": [course]})
    );
    assert_eq!(*entity(&all, "course", course), json!({"title": "BTS MCO – 1re année", "courseCode": "MCO/1"}));
    assert_eq!(
        *entity(&all, "class", CLASS),
        json!({
            "title": "MCO 1 A", "classCode": "G1", "classType": "scheduled", "course": course, "school": "site:L",
            "terms": ["periode:2025%2F2026"],
        })
    );
    assert_eq!(all.len(), 11);
}

#[test]
fn its_three_people_have_their_roles_at_their_organisations() {
    let (all, _) = mapped("Contrat", &contrat(&json!({})));
    let table = [
        ("personne:A1", "Léa", "Petit", "lea@cfa.example", "student", "site:L"),
        ("personne:P1", "Anne", "Roux", "anne@cfa.example", "ext:schoolTutor", "site:L"),
        ("personne:M1", "Paul", "Martin", "paul@fournil.example", "ext:companyTutor", "entreprise:Fournil d'Or"),
    ];
    for (id, given, family, email, role, org) in table {
        let identifier = id.trim_start_matches("personne:");
        let expected = json!({
            "enabledUser": "true", "identifier": identifier, "givenName": given, "familyName": family, "email": email,
            "roles": [{"roleType": "primary", "role": role, "org": org}],
        });
        assert_eq!(*entity(&all, "user", id), expected);
    }
    assert_eq!(
        *entity(&all, "enrollment", &format!("{CLASS}/apprenant:A1")),
        json!({
            "user": "personne:A1", "class": CLASS, "school": "site:L", "role": "student", "beginDate": "2025-09-01",
            "endDate": "2026-08-31",
        })
    );
}

#[test]
fn the_contract_itself_names_its_parties_and_its_mission() {
    let changes = json!({"missionTitle": "Vente", "missionDetails": "Accueil des clients"});
    let (all, _) = mapped("Contrat", &contrat(&changes));
    assert_eq!(
        *entity(&all, "contract", "contrat:C1"),
        json!({
            "identifier": "C1", "type": "apprenticeship", "title": "Vente", "description": "Accueil des clients",
            "startDate": "2025-09-01", "endDate": "2026-08-31", "learner": "personne:A1",
            "company": "entreprise:Fournil d'Or", "schoolTutor": "personne:P1", "companyTutor": "personne:M1",
            "school": "site:L", "program": "formation:MCO", "class": CLASS,
        })
    );
}

#[test]
fn what_is_optional_is_said_where_it_is_there() {
    let changes = json!({"codeMarque": "B", "nomMarque": "Bleu", "rncp": "RNCP38362", "monthStartGroup": "10"});
    let (all, _) = mapped("Contrat", &contrat(&changes));
    assert_eq!(
        *entity(&all, "org", "site:L/marque:B"),
        json!({"name": "Bleu", "type": "ext:brand", "identifier": "B", "parent": "site:L"})
    );
    assert_eq!(entity(&all, "course", "formation:MCO/annee:1")["metadata"], json!({"rncp": "RNCP38362"}));
    assert_eq!(entity(&all, "class", CLASS)["metadata"], json!({"monthStartGroup": "10"}));
    let (all, _) = mapped("Contrat", &contrat(&json!({"missionTitle": ""})));
    assert_eq!(entity(&all, "contract", "contrat:C1").get("title"), None);
}

#[test]
fn a_contract_without_both_dates_says_nothing_of_its_period() {
    for missing in ["dateDebut", "dateFin"] {
        let (all, diagnostics) = mapped("Contrat", &contrat(&json!({missing: null})));
        assert!(!all.keys().any(|(kind, _)| *kind == "academicSession"), "{missing}");
        assert_eq!(entity(&all, "class", CLASS)["terms"], json!([]), "{missing}");
        assert_eq!(diagnostics[0].code, "no-dates", "{missing}");
    }
}

#[test]
fn groups_differ_by_site_programme_period_year_and_code() {
    for code in ["codeSite", "codeFormation", "codePeriode", "codeAnnee", "codeGroupe"] {
        let (all, _) = mapped("Contrat", &contrat(&json!({code: "other"})));
        assert!(!all.contains_key(&("class", CLASS.to_owned())), "{code}");
    }
}

#[test]
fn a_date_of_another_shape_is_refused_where_it_stands() {
    let (all, diagnostics) = mapped("Contrat", &contrat(&json!({"dateFin": "2026-08-31"})));
    assert!(all.is_empty());
    assert_eq!((diagnostics[0].code.as_str(), diagnostics[0].pointer.as_str()), ("date", "/dateFin"));
}

#[test]
fn absences_are_attendances_in_either_spelling() {
    let body = json!({"email": "lea@cfa.example", "data": [
        {"dateStart": "01/10/2025-08:30", "dateEnd": "01/10/2025-12:00", "type": "absence", "isJustifie": true,
         "motif": "Rendez-vous"},
        {"dateDebut": "02/10/2025-08:30", "dateFin": "02/10/2025-09:00", "type": "retard", "isJusitifie": false},
    ]});
    let (all, diagnostics) = mapped("AbsencesApprenant", &body);
    assert_eq!(diagnostics, []);
    assert_eq!(
        *entity(&all, "attendance", "absence:lea@cfa.example/type:absence/debut:2025-10-01T08:30"),
        json!({
            "email": "lea@cfa.example", "start": "2025-10-01T08:30", "end": "2025-10-01T12:00",
            "attendanceStatus": "absent", "excused": true, "reason": "Rendez-vous",
        })
    );
    let late = entity(&all, "attendance", "absence:lea@cfa.example/type:retard/debut:2025-10-02T08:30");
    assert_eq!((&late["attendanceStatus"], &late["excused"]), (&json!("late"), &json!(false)));
    assert_eq!(all.len(), 2);
}

#[test]
fn a_calendar_is_an_event_that_can_be_read_elsewhere() {
    let body = json!({"groupId": "G1", "calendarUrl": "https://cfa.example/g1.ics"});
    let (all, _) = mapped("CalendrierGroupe", &body);
    let event = json!({"title": "G1", "type": "ext:calendar", "url": "https://cfa.example/g1.ics"});
    assert_eq!(*entity(&all, "event", "calendrier:G1"), event);
}
