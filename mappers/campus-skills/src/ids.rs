//! Turns Campus Skills' codes into source ids. They are stable for ever: every published id depends on them.

use rollcall_mapper_sdk::name::escape;

use crate::partner::Contrat;

/// The source ids of all that a contract speaks of.
#[derive(Debug)]
pub(crate) struct Ids {
    /// `site:L`
    pub(crate) site: String,
    /// `entreprise:Boulangerie Martin`
    pub(crate) company: String,
    /// `periode:2025%2F2026`
    pub(crate) period: String,
    /// `formation:MCO`
    pub(crate) program: String,
    /// `formation:MCO/annee:1`
    pub(crate) course: String,
    /// `site:L/formation:MCO/periode:2025%2F2026/annee:1/groupe:G1`
    pub(crate) class: String,
    /// `personne:A1`
    pub(crate) learner: String,
    /// `personne:P1`
    pub(crate) school_tutor: String,
    /// `personne:M1`
    pub(crate) company_tutor: String,
}

impl Ids {
    pub(crate) fn of(contrat: &Contrat<'_>) -> Self {
        let site = format!("site:{}", escape(&contrat.code_site));
        let period = format!("periode:{}", escape(&contrat.code_periode));
        let program = format!("formation:{}", escape(&contrat.code_formation));
        let year = format!("annee:{}", escape(&contrat.code_annee));
        let class = format!("{site}/{program}/{period}/{year}/groupe:{}", escape(&contrat.code_groupe));
        Self {
            site,
            company: format!("entreprise:{}", escape(&contrat.nom_entreprise)),
            period,
            course: format!("{program}/{year}"),
            program,
            class,
            learner: person_id(&contrat.code_apprenant),
            school_tutor: person_id(&contrat.code_personnel),
            company_tutor: person_id(&contrat.code_maitre_apprentissage),
        }
    }

    /// `site:L/marque:B`
    pub(crate) fn brand(&self, code: &str) -> String {
        format!("{}/marque:{}", self.site, escape(code))
    }

    /// `…/groupe:G1/apprenant:A1`
    pub(crate) fn enrollment(&self, learner: &str) -> String {
        format!("{}/apprenant:{}", self.class, escape(learner))
    }
}

fn person_id(code: &str) -> String {
    format!("personne:{}", escape(code))
}

/// `contrat:C1`
pub(crate) fn contract_id(code: &str) -> String {
    format!("contrat:{}", escape(code))
}

/// `calendrier:G1`
pub(crate) fn calendar_id(group: &str) -> String {
    format!("calendrier:{}", escape(group))
}

/// `absence:lea@cfa.example/type:retard/debut:2025-09-01T08:30`
pub(crate) fn absence_id(email: &str, word: &str, start: &str) -> String {
    format!("absence:{}/type:{word}/debut:{start}", escape(email))
}
