//! Logic as partners write theirs, beside that which attacks: so that the SDK's side of the contract is tried in the sandbox.

use rollcall_mapper_sdk::logic::{Call, Desk, Keys, Logic, Stop};
use rollcall_mapper_sdk::{Contributions, Foreign, Mapper, ReadError, RecordType, Refusal, Text};
use serde::Deserialize;
use serde_json::{Value, json};

/// It, under the name by which the SDK knows it.
#[derive(Debug)]
pub(crate) struct Lawful;

/// It maps no records.
pub(crate) struct Nothing;

#[derive(Debug, Deserialize)]
pub(crate) struct Options {
    prefix: String,
}

#[derive(Debug, Deserialize)]
struct Org<'d> {
    id: i64,
    #[serde(borrow, default)]
    name: Text<'d>,
}

impl Foreign<'_> for Nothing {
    const TYPES: &'static [RecordType] = &[];

    fn read(_: &str, _: &[u8], _: &[u8]) -> Result<Self, ReadError> {
        Err(ReadError::unknown())
    }
}

impl Mapper for Lawful {
    const PARTNER: &'static str = "hostile";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Options = Options;
    type Record<'a> = Nothing;

    fn map(_: &Nothing, _: &Options, _: &mut Contributions) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Logic for Lawful {
    const KEYS: Keys = &[("Org", &["id"])];
    const CALLS: &'static [(&'static str, Call<Options>)] = &[("defend", defend), ("survey", survey)];
}

/// Lists what there is.
fn survey(desk: &Desk<'_>, _: &Options) -> Result<(), Stop> {
    let rows: Vec<Value> = desk.records("Org").all()?;
    desk.tell("rows", rows);
    Ok(())
}

/// Takes everything that a desk has into the hand once.
fn defend(desk: &Desk<'_>, options: &Options) -> Result<(), Stop> {
    let org: Org<'_> = desk.record()?;
    if &*org.name == "Closed" {
        return Err(Stop::clash("closed", "it is closed").at("name"));
    }
    let id: Option<i64> = desk.path("id")?;
    let among: Vec<&str> = desk.query("among")?.unwrap_or_default();
    let note: Option<Text<'_>> = desk.argument("note")?;
    let (children, _roots) = desk.all((
        desk.records::<Org<'_>>("Org").with("parent", id).any("kind", among),
        desk.records::<Org<'_>>("Org").with("parent", None::<i64>).limit(7),
    ))?;
    let new = desk.number("Org")?;
    let code = format!("{}{new}", options.prefix);
    desk.put("Org", json!({"id": new, "code": code, "was": org.name, "note": note, "at": desk.now()}));
    desk.keep_with("Org", json!({"children": children.len()}));
    for child in children {
        desk.remove("Org", child.id);
    }
    desk.tell("location", format!("/orgs/{new}"));
    desk.event("org.defended", "Org", new);
    Ok(())
}
