//! Turns Campus Skills' contracts, absences and calendars into sites, companies, programmes, groups, people and what
//! they have agreed on.
//!
//! | Campus Skills | canonical, and its source id |
//! |---|---|
//! | site | `org` `site:s` |
//! | marque, a brand of a site | `org` `site:s/marque:m` |
//! | entreprise, which has no code | `org` `entreprise:nom` |
//! | periode | `academicSession` `periode:p` |
//! | formation | `program` `formation:f` |
//! | formation and année | `course` `formation:f/annee:a` |
//! | groupe | `class` `site:s/formation:f/periode:p/annee:a/groupe:g` |
//! | apprenant, personnel, maître d'apprentissage | `user` `personne:code` |
//! | apprenant in a groupe | `enrollment` `…/groupe:g/apprenant:code` |
//! | contrat | `contract` `contrat:code` |
//! | calendrier of a groupe | `event` `calendrier:g` |
//! | absence | `attendance` `absence:email/type:t/debut:instant` |
//!
//! People share one kind of source id, because the vendor wants their codes to be unique whatever their role. A calendar
//! names its group by a code alone, which does not say which class it is; so its event refers to none.

mod absences;
mod contract;
mod dates;
mod ids;
mod people;

use rollcall_mapper_sdk::canonical::{Event, EventType};
use rollcall_mapper_sdk::{Contributions, Mapper, Refusal};
use serde::Deserialize;

use self::partner::Record;

rollcall_mapper_sdk::partner!();

/// The mapper.
#[derive(Debug)]
pub struct CampusSkills;

/// A connection's options; none of them changes what a record says.
#[derive(Debug, Default, Deserialize)]
pub struct Options {}

impl Mapper for CampusSkills {
    const PARTNER: &'static str = "campus-skills";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Options = Options;
    type Record<'a> = Record<'a>;

    fn map(record: &Record<'_>, _: &Options, out: &mut Contributions) -> Result<(), Refusal> {
        match record {
            Record::Contrat(contrat) => contract::map_contract(contrat, out)?,
            Record::AbsencesApprenant(absences) => absences::map_absences(absences, out)?,
            Record::CalendrierGroupe(calendar) => map_calendar(calendar, out),
        }
        Ok(())
    }
}

rollcall_mapper_sdk::export_mapper!(CampusSkills);

/// Where the lessons of a group can be read.
fn map_calendar(calendar: &partner::CalendrierGroupe<'_>, out: &mut Contributions) {
    out.add(
        &ids::calendar_id(&calendar.group_id),
        &Event {
            title: Some((&calendar.group_id).into()),
            r#type: Some(EventType::Ext("ext:calendar".into())),
            url: Some((&calendar.calendar_url).into()),
            ..Event::default()
        },
    );
}

#[cfg(test)]
mod tests;
