//! A training administration that sends all contracts there are, or what changed of them.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Partner, Request, Script, json_headers};

/// What it is called, and how.
pub(super) const PARTNER: Partner = Partner {
    name: "campus-skills",
    options: || json!({}),
    headers: |credential| json_headers("authorization", format!("Bearer {credential}")),
    records: &["Contrat"],
    script: |_, _| Box::new(Administration::default()),
};

/// So many contracts there are at most.
const CONTRACTS: u64 = 40;

#[derive(Default)]
struct Administration {
    nth: u64,
}

impl Script for Administration {
    fn next(&mut self, rng: &mut Rng) -> Request {
        self.nth += 1;
        let some = |rng: &mut Rng, most: usize| {
            let count = rng.usize(1..=most);
            (0..count).map(|_| rng.u64(..CONTRACTS)).collect::<BTreeSet<_>>()
        };
        let contracts = |numbers: &BTreeSet<u64>| numbers.iter().map(|of| self.contract(*of)).collect::<Vec<_>>();
        match rng.u8(..8) {
            0 => Request::post("/campus-skills/api/sync/v1/contrats", &json!({"contrats": contracts(&some(rng, 30))})),
            1 => Request::post("/campus-skills/api/sync/v2/contrats", &json!({"contrats": contracts(&some(rng, 30))})),
            _ => {
                let (upserted, removed) = (some(rng, 4), some(rng, 3));
                let removed: Vec<_> = removed.difference(&upserted).map(|of| format!("C{of}")).collect();
                let changes = json!({"updated": contracts(&upserted), "removed": removed});
                Request::post("/campus-skills/api/sync/v2/contrats/changes", &json!({"changes": changes}))
            }
        }
    }
}

impl Administration {
    /// The contract with this number, as it is now.
    fn contract(&self, number: u64) -> Value {
        json!({
            "codeContrat": format!("C{number}"), "dateDebut": "01/09/2025", "dateFin": "31/08/2026",
            "nomEntreprise": "Fournil d'Or", "missionTitle": format!("Vente {}", self.nth),
            "codeGroupe": "MCO1", "nomGroupe": "MCO 1re année Lyon", "codeSite": "LYO", "nomSite": "Lyon",
            "codePeriode": "2025", "nomPeriode": "2025/2026", "codeAnnee": "1", "nomAnnee": "1re année",
            "codeFormation": "MCO", "nomFormation": "BTS MCO",
            "codeApprenant": format!("A{number}"), "nomApprenant": "Petit", "prenomApprenant": "Léa",
            "emailApprenant": format!("a{number}@cfa.example"),
            "codePersonnel": format!("P{}", number / 10), "nomPersonnel": "Roux", "prenomPersonnel": "Anne",
            "emailPersonnel": format!("p{}@cfa.example", number / 10),
            "codeMaitreApprentissage": format!("M{number}"), "nomMaitreApprentissage": "Martin",
            "prenomMaitreApprentissage": "Paul", "emailMaitreApprentissage": format!("m{number}@fournil.example"),
        })
    }
}
