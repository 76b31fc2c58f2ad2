//! What a client of the partner Campus Skills does: it posts all its contracts at once, as many as there are.

use std::fmt::Write as _;

/// The partner's name.
pub const PARTNER: &str = "campus-skills";

/// Where all contracts are posted.
pub const CONTRACTS: &str = "/campus-skills/api/sync/v1/contrats";

/// The headers of a client with this token.
pub fn headers(token: &str) -> [(&'static str, String); 2] {
    [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())]
}

/// So many contracts, each of a learner of their own; ten learners have one tutor at the school.
pub fn contracts(count: u64) -> Vec<u8> {
    let mut body = String::from(r#"{"contrats":["#);
    for number in 1..=count {
        let (comma, tutor) = (if number > 1 { "," } else { "" }, number / 10);
        write!(
            body,
            r#"{comma}{{"codeContrat":"C{number}","dateDebut":"01/09/2025","dateFin":"31/08/2026","nomEntreprise":"Fournil d'Or","codeGroupe":"MCO1","nomGroupe":"MCO 1re année Lyon","codeSite":"LYO","nomSite":"Lyon","codePeriode":"2025","nomPeriode":"2025/2026","codeAnnee":"1","nomAnnee":"1re année","codeFormation":"MCO","nomFormation":"BTS MCO","codeApprenant":"A{number}","nomApprenant":"Petit","prenomApprenant":"Léa","emailApprenant":"a{number}@cfa.example","codePersonnel":"P{tutor}","nomPersonnel":"Roux","prenomPersonnel":"Anne","emailPersonnel":"p{tutor}@cfa.example","codeMaitreApprentissage":"M{number}","nomMaitreApprentissage":"Martin","prenomMaitreApprentissage":"Paul","emailMaitreApprentissage":"m{number}@fournil.example"}}"#
        )
        .expect("a text can be written to");
    }
    body.push_str("]}");
    body.into_bytes()
}
