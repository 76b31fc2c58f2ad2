//! Turns a body that was taken but for some of its records into one that holds only those, so that they can be sent once
//! more without the others being said again.

use std::collections::BTreeSet;

use super::payload::Payload;
use super::{Ingest, Loaded, Sender};
use crate::costs::Costs;
use crate::description::Operation;
use crate::digest::Digest;
use crate::erasure::without;
use crate::json::{Json, Pointer};

impl Ingest {
    /// The body without the records of which nothing stands at these places; `None` where it is one whole, or none of its
    /// records stands there.
    pub fn only(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        operation: &Operation,
        body: &[u8],
        places: &[Pointer],
    ) -> Option<Vec<u8>> {
        let (limits, types) = (&self.limits, &loaded.partner.records);
        let none = Digest::of(b"");
        let read = Payload::read(operation, &sender.options, types, none, limits, body, &Costs::default());
        let Ok((Payload::OneByOne { sent, .. }, _)) = read else { return None };
        let (wanted, others): (Vec<_>, Vec<_>) =
            sent.into_iter().map(|sent| sent.pointer).partition(|record| places.iter().any(|at| is_in(at, record)));
        if wanted.is_empty() {
            return None;
        }
        let json = Json::parse(body, limits.json_depth_max).ok()?;
        let gone: BTreeSet<_> = others.iter().map(|record| outermost(&json, record, &wanted)).collect();
        let gone: Vec<_> = gone.into_iter().collect();
        Some(without(&json, &gone).0.to_bytes())
    }
}

/// Whether a place is that of a record, or in it.
fn is_in(place: &Pointer, record: &Pointer) -> bool {
    let rest = place.as_str().strip_prefix(record.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The outermost item of a list that holds a record and none that is wanted: what stands around records goes with the
/// last of them.
fn outermost(json: &Json<'_>, record: &Pointer, wanted: &[Pointer]) -> Pointer {
    let (mut at, mut here) = (Pointer::root(), json);
    for step in record.steps() {
        let is_item = here.as_list().is_some();
        let below = match here.as_list() {
            Some(items) => step.parse::<usize>().ok().and_then(|nth| items.get(nth)),
            None => here.get(&step),
        };
        at.push(&step);
        if is_item && !wanted.iter().any(|wanted| is_in(wanted, &at)) {
            return at;
        }
        let Some(below) = below else { break };
        here = below;
    }
    record.clone()
}

#[cfg(test)]
mod tests {
    use super::outermost;
    use crate::erasure::without;
    use crate::json::{Json, Pointer};

    #[test]
    fn what_stands_around_records_goes_with_the_last_of_them() {
        let body = br#"{"at":1,"lots":[{"books":["a","b"]},{"books":["c"]},{"books":["d"],"readers":["e"]}]}"#;
        let json = Json::parse(body, 16).unwrap();
        let all = ["/lots/0/books/0", "/lots/0/books/1", "/lots/1/books/0", "/lots/2/books/0", "/lots/2/readers/0"];
        for (wanted, left) in [
            (&all[1..2], r#"{"at":1,"lots":[{"books":["b"]}]}"#),
            (&all[2..4], r#"{"at":1,"lots":[{"books":["c"]},{"books":["d"],"readers":[]}]}"#),
            (&all[..], r#"{"at":1,"lots":[{"books":["a","b"]},{"books":["c"]},{"books":["d"],"readers":["e"]}]}"#),
        ] {
            let wanted: Vec<_> = wanted.iter().map(|at| Pointer::from(*at)).collect();
            let others = all.iter().map(|at| Pointer::from(*at)).filter(|at| !wanted.contains(at));
            let gone: Vec<_> = others.map(|other| outermost(&json, &other, &wanted)).collect();
            assert_eq!(String::from_utf8(without(&json, &gone).0.to_bytes()).unwrap(), left);
        }
    }
}
