//! B4: what the sandbox costs. Maps one payload's sections in WebAssembly, the whole way from a record's bytes to checked
//! contributions, and with the same code natively, in turns.
//!
//! `cargo bench --bench mapping` prints the smallest and the median time of each, in milliseconds.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Instant;

use mapper_jusoor::Jusoor;
use rollcall_core::canonical::{Canonical, KindId};
use rollcall_core::json::Json;
use rollcall_core::limits::{Limits, MapperLimits};
use rollcall_core::map::{Budget, Host, Input, Mapped, Mapper, decode, encode};
use rollcall_mapper_sdk::{Answer, Outcome, convert};
use rollcall_tests::school::{Payload, Section, Size};
use serde_json::json;

const ROUNDS: usize = 60;

/// A section with what it stands in, both canonical JSON.
struct Record {
    body: Vec<u8>,
    ancestors: Vec<u8>,
}

fn main() -> anyhow::Result<()> {
    let canonical = Canonical::load(Path::new("../schemas/canonical")).map_err(|_| anyhow::anyhow!("bad schemas"))?;
    let limits = Limits::default();
    let host = Host::new(&MapperLimits::default(), None)?;
    let mapper = host.load("jusoor", &mapper_artifacts::component("jusoor")?, &canonical)?;
    let records = records()?;
    let kinds: Vec<KindId> = canonical.iter().map(|(id, _)| id).collect();
    let inputs: Vec<Input<'_>> = records
        .iter()
        .map(|one| Input { record: "Section", kinds: &kinds, body: &one.body, ancestors: &one.ancestors })
        .collect();
    let batch = 36;
    let one_thread = || {
        let whole = Limits { batch_bytes: usize::MAX, ..limits.clone() };
        inputs.chunks(batch).flat_map(|batch| map(&mapper, &canonical, batch, &whole)).collect::<Vec<_>>()
    };
    let contributions: Vec<_> = one_thread().into_iter().filter_map(contributions).collect();
    let blobs: Vec<Vec<u8>> = contributions.iter().map(|one| encode(one, &canonical)).collect();
    let mut rows: [(&str, Vec<f64>); 6] = [
        ("wasm, one thread", Vec::new()),
        ("wasm, as shipped", Vec::new()),
        ("native, mapping only", Vec::new()),
        ("native, with the same checks", Vec::new()),
        ("encode", Vec::new()),
        ("decode", Vec::new()),
    ];
    for _ in 0..ROUNDS {
        time(&mut rows[0].1, one_thread);
        time(&mut rows[1].1, || map(&mapper, &canonical, &inputs, &limits));
        time(&mut rows[2].1, || inputs.chunks(batch).map(native).collect::<Vec<_>>());
        time(&mut rows[3].1, || {
            let checked = inputs.chunks(batch).map(|batch| {
                let answers = native(batch);
                mapper.check(&canonical, &kinds, answers.iter().map(rows_of))
            });
            checked.collect::<Vec<_>>()
        });
        time(&mut rows[4].1, || contributions.iter().map(|one| encode(one, &canonical)).collect::<Vec<_>>());
        time(&mut rows[5].1, || blobs.iter().map(|blob| decode(blob, &canonical)).collect::<Vec<_>>());
    }
    let mut out = io::stdout().lock();
    let bytes: usize = records.iter().map(|one| one.body.len() + one.ancestors.len()).sum();
    let count: usize = contributions.iter().map(Vec::len).sum();
    let stored: usize = blobs.iter().map(Vec::len).sum();
    writeln!(out, "{} records, {bytes} bytes, {count} contributions, {stored} bytes stored", records.len())?;
    for (name, times) in &mut rows {
        times.sort_by(f64::total_cmp);
        if let (Some(least), Some(median)) = (times.first(), times.get(times.len() / 2)) {
            writeln!(out, "{name:30} {least:7.2} {median:7.2}")?;
        }
    }
    Ok(())
}

fn time<T>(times: &mut Vec<f64>, work: impl FnOnce() -> T) {
    let start = Instant::now();
    let result = work();
    times.push(start.elapsed().as_secs_f64() * 1e3);
    drop(result);
}

fn map(mapper: &Mapper, canonical: &Canonical, inputs: &[Input<'_>], limits: &Limits) -> Vec<Mapped> {
    mapper.map(canonical, b"{}", inputs, &Budget::new(limits)).expect("the mapper maps")
}

fn native(inputs: &[Input<'_>]) -> Vec<Answer> {
    let inputs = inputs.iter().map(|one| (one.record, one.body, one.ancestors));
    convert::<Jusoor>(b"{}", inputs).collect()
}

fn rows_of(answer: &Answer) -> &[u8] {
    if let Outcome::Contributions(rows) = &answer.outcome { rows } else { &[] }
}

fn contributions(mapped: Mapped) -> Option<Vec<rollcall_core::map::Contribution>> {
    if let rollcall_core::map::Outcome::Contributions(contributions) = mapped.outcome {
        Some(contributions)
    } else {
        None
    }
}

fn records() -> anyhow::Result<Vec<Record>> {
    let mut records = Vec::new();
    for branch in Payload::of(Size::LARGE).branches {
        for class in branch.classes {
            let parent = json!({"id": branch.id, "name": branch.name});
            let ancestors = json!({"id": class.id, "name": class.name, "parent": parent});
            for section in &class.sections {
                records.push(Record { body: canonical_bytes(section)?, ancestors: serde_json::to_vec(&ancestors)? });
            }
        }
    }
    Ok(records)
}

fn canonical_bytes(section: &Section) -> anyhow::Result<Vec<u8>> {
    Ok(Json::parse(&serde_json::to_vec(section)?, 64)?.to_bytes())
}
