//! Turns what a client sent into what the logic works with: numbers into the records that they are the keys of, lists
//! and truths of all spellings into lists and truths. Or into what is wrong with it.

use rollcall_mapper_sdk::logic::{Desk, Stop};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// A record of which no more is asked than that it is there.
#[derive(Debug, Deserialize)]
pub(super) struct Known {
    pub(super) id: i64,
}

/// The record with this number, which stands in `field`.
pub(super) fn one<'d, T: Deserialize<'d>>(desk: &Desk<'d>, of: &str, id: i64, field: &str) -> Result<T, Stop> {
    desk.records(of).key(id)?.ok_or_else(|| missing(of, field))
}

/// Makes sure that there are records with all of these numbers, which stand in `field`.
pub(super) fn each(desk: &Desk<'_>, of: &str, ids: &[i64], field: &str) -> Result<(), Stop> {
    if ids.is_empty() {
        return Ok(());
    }
    let there = desk.records::<Known>(of).any("id", ids).all()?;
    if ids.iter().all(|id| there.iter().any(|known| known.id == *id)) { Ok(()) } else { Err(missing(of, field)) }
}

/// That there is no such record, whose number stands in `field`.
pub(super) fn missing(of: &str, field: &str) -> Stop {
    Stop::invalid("reference", format!("there is no such {of}")).at(field)
}

/// Declines more than a call can work on at once.
pub(super) fn few<T>(list: &[T], field: &str) -> Result<(), Stop> {
    const MOST: usize = 250;
    if list.len() <= MOST {
        return Ok(());
    }
    Err(Stop::invalid("maxItems", format!("has more than {MOST} items")).at(field))
}

/// Numbers in the order in which they were sent, each once. Some lists of the documentation hold them as texts.
pub(super) fn numbers(list: &[Value], field: &str) -> Result<Vec<i64>, Stop> {
    few(list, field)?;
    let mut numbers = Vec::new();
    for one in list {
        let number = one.as_i64().or_else(|| one.as_str()?.parse().ok());
        let number = number.ok_or_else(|| Stop::invalid("type", "is not a number of a record").at(field))?;
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// The numbers in an argument of the call, if it is there.
pub(super) fn argument(desk: &Desk<'_>, name: &str) -> Result<Option<Vec<i64>>, Stop> {
    let list: Option<Vec<Value>> = desk.argument(name)?;
    list.map(|list| numbers(&list, name)).transpose()
}

/// A truth in any of the spellings that the API takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Truth(pub(super) bool);

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        let is_true = [json!(true), json!(1), json!("1"), json!("true")].contains(&value);
        Ok(Self(is_true))
    }
}

/// Whether an argument of the call is true.
pub(super) fn says(desk: &Desk<'_>, name: &str) -> Result<bool, Stop> {
    Ok(desk.argument::<Truth>(name)?.unwrap_or_default().0)
}

/// The items of a list, or of an object whose members they are in the order of their numbers.
pub(super) fn listed(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Object(members) => {
            let mut items: Vec<_> = members.into_iter().collect();
            items.sort_by_key(|(name, _)| name.parse::<u64>().unwrap_or(u64::MAX));
            items.into_iter().map(|(_, item)| item).collect()
        }
        _ => Vec::new(),
    }
}

/// What the verb would write, as far as the logic looks at it.
pub(super) fn change<'d, T: Deserialize<'d>>(desk: &Desk<'d>) -> Result<T, Stop> {
    let failed = |_| Stop::Failed("what the verb would write is not what the logic expects".to_owned());
    T::deserialize(desk.change()).map_err(failed)
}
