//! Turns the bytes of a large body into a tree that has gaps where its records stand, if nothing is wrong with either.
//!
//! What is wrong is told by who reads the body as a whole: the same, in the same order, whatever its size.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use crate::costs::{Costs, Stage};
use crate::description::{Media, Sparse};
use crate::json::{Gaps, Items, Json, Pointer};
use crate::limits::Limits;
use crate::parcel::PARCEL_BYTES;
use crate::validate::{Schema, Violations};

/// The tree, its gaps, and what no schema declares in it; `None` where something is wrong, or a body of this form can be
/// read as a whole only.
pub(super) fn read<'b>(
    media: &Media,
    body: &'b [u8],
    limits: &Limits,
    costs: &Costs,
) -> Option<(Json<'b>, Gaps<'b>, Violations)> {
    let sparse = media.sparse.as_ref()?;
    let read = costs.stage(Stage::Parse, || Gaps::parse(body, limits.json_depth_max, &sparse.ways));
    let (json, gaps) = read.ok()?;
    let unknown = costs.stage(Stage::Validate, || validate(media, sparse, &json, &gaps, limits.warnings_max))?;
    Some((json, gaps, unknown))
}

fn validate(media: &Media, sparse: &Sparse, json: &Json<'_>, gaps: &Gaps<'_>, limit: usize) -> Option<Violations> {
    let around = sparse.around.as_ref().unwrap_or(&media.schema);
    if !around.is_valid(json) {
        return None;
    }
    let lists: Vec<_> = gaps.lists().collect();
    let of_lists = lists.into_par_iter().map(|(pointer, items)| {
        let parts = items.parts(PARCEL_BYTES).into_par_iter();
        let schema = sparse.items.get(items.way());
        let of_parts = parts.map(|part| of_items(schema, pointer, items, part, limit)).collect::<Option<Vec<_>>>()?;
        let mut all = Violations::default();
        for part in &of_parts {
            all.add(part, limit);
        }
        Some((pointer, all))
    });
    let of_lists = of_lists.collect::<Option<BTreeMap<_, _>>>()?;
    Some(around.unknown_around(json, &|pointer| of_lists.get(pointer), limit))
}

/// What no schema declares in some items of the list at `pointer`; `None` where something is wrong with one.
fn of_items(
    schema: Option<&Schema>,
    pointer: &Pointer,
    items: Items<'_, '_>,
    part: Range<usize>,
    limit: usize,
) -> Option<Violations> {
    let mut unknown = Violations::default();
    for nth in part {
        let item = items.read(nth).ok()?;
        if let Some(schema) = schema {
            if !schema.is_valid(&item) {
                return None;
            }
            unknown.add(&schema.unknown_at(&item, &mut pointer.item(nth), limit), limit);
        }
    }
    Some(unknown)
}
