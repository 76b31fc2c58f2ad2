//! Turns New Partner's records into canonical entities. None is turned into any yet: give a record type `kinds` in
//! `schemas/new-partner/overlay.yaml`, and it has a variant of [`Record`] here.

use rollcall_mapper_sdk::{Contributions, Mapper, Refusal};
use serde::Deserialize;

use self::partner::Record;

rollcall_mapper_sdk::partner!();

/// The mapper.
#[derive(Debug)]
pub struct NewPartner;

/// A connection's options, as the description declares them.
#[derive(Debug, Default, Deserialize)]
pub struct Options {}

impl Mapper for NewPartner {
    const PARTNER: &'static str = "new-partner";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Options = Options;
    type Record<'a> = Record<'a>;

    fn map(record: &Record<'_>, _: &Options, _: &mut Contributions) -> Result<(), Refusal> {
        match record {
            Record::None(never, _) => match *never {},
        }
    }
}

rollcall_mapper_sdk::export_mapper!(NewPartner);

#[cfg(test)]
mod tests;
