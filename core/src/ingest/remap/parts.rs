//! Puts records that are mapped anew into the parts in which that is done.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Part;
use crate::store::RecordId;

/// The records in parts of about `size`; those that are tied, directly or by others, are in one. What `ended` as it stands
/// already needs no part of its own.
pub(super) fn parts(
    records: &[RecordId],
    ties: &[(RecordId, RecordId)],
    ended: &BTreeSet<RecordId>,
    size: usize,
) -> Vec<Part> {
    let places: HashMap<_, _> = records.iter().zip(0..).map(|(record, place)| (*record, place)).collect();
    let mut group: Vec<usize> = (0..records.len()).collect();
    for (one, other) in ties {
        let (Some(one), Some(other)) = (places.get(one), places.get(other)) else { continue };
        let (one, other) = (head(&mut group, *one), head(&mut group, *other));
        group[one.max(other)] = one.min(other);
    }
    let mut groups: BTreeMap<usize, Vec<RecordId>> = BTreeMap::new();
    for (place, record) in records.iter().enumerate() {
        groups.entry(head(&mut group, place)).or_default().push(*record);
    }
    let mut parts: Vec<Part> = Vec::new();
    for together in groups.into_values() {
        if together.iter().all(|record| ended.contains(record)) {
            continue;
        }
        match parts.last_mut() {
            Some(last) if last.len() + together.len() <= size => last.0.extend(together),
            _ => parts.push(Part(together)),
        }
    }
    parts
}

/// The first of the group that `place` is in; shortens the way there.
fn head(group: &mut [usize], place: usize) -> usize {
    let mut head = place;
    while group[head] != head {
        group[head] = group[group[head]];
        head = group[head];
    }
    head
}

#[cfg(test)]
mod tests {
    use super::parts;
    use crate::store::RecordId;

    #[test]
    fn what_is_tied_is_in_one_part_and_the_rest_fills_parts_up() {
        let records: Vec<_> = (1..=7).map(RecordId).collect();
        let tie = |one, other| (RecordId(one), RecordId(other));
        let ties = [tie(5, 2), tie(7, 5), tie(3, 9)];
        let ids = |ended: &[i64]| -> Vec<Vec<i64>> {
            let ended = ended.iter().copied().map(RecordId).collect();
            let parts = parts(&records, &ties, &ended, 2);
            parts.iter().map(|part| part.0.iter().map(|id| id.0).collect()).collect()
        };
        assert_eq!(ids(&[]), [vec![1], vec![2, 5, 7], vec![3, 4], vec![6]]);
        assert_eq!(ids(&[2, 4]), [vec![1], vec![2, 5, 7], vec![3, 6]]);
    }
}
