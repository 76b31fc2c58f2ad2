//! Runs batches of records through instances of a mapper, and narrows a trap down to the record that causes it.
//!
//! Every batch gets an instance of its own, which dies with it. Batches run beside each other on threads of this delivery
//! alone, so that a mapper that takes all its time holds up nobody else's. When a batch traps, it is halved until the
//! records that trap alone in a new instance are found: only that is a verdict, whatever was in the batch before.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use wasmtime::{PoolConcurrencyLimitError, Store, Trap};

use super::check::Checker;
use super::host::Guest;
use super::profile::Profile;
use super::raw::{RawAnswer, RawInput};
use super::wasi::Forbidden;
use super::{Input, MapError, Mapped, Mapper, Outcome};
use crate::canonical::Canonical;
use crate::limits::{Limits, MapperLimits};

/// What one delivery may use up in all, and what it has used.
#[derive(Debug)]
pub struct Budget {
    batch_bytes: usize,
    /// By what their profile lets mappers use.
    fuel_max: BTreeMap<Profile, u64>,
    fuel_used: AtomicU64,
    memory_used: AtomicU64,
    faults_max: usize,
    faults: AtomicUsize,
}

impl Budget {
    /// A whole delivery's.
    pub fn new(limits: &Limits) -> Self {
        Self {
            batch_bytes: limits.batch_bytes.max(1),
            fuel_max: Profile::ALL
                .map(|profile| (profile, profile.limits(&limits.mapper).fuel_per_delivery_max))
                .into(),
            fuel_used: AtomicU64::new(0),
            memory_used: AtomicU64::new(0),
            faults_max: limits.mapper.faults_per_delivery_max,
            faults: AtomicUsize::new(0),
        }
    }

    /// Fuel used so far; for metrics.
    pub fn fuel_used(&self) -> u64 {
        self.fuel_used.load(Ordering::Relaxed)
    }

    /// The most memory that an instance had so far, in bytes; for metrics.
    pub fn memory_used(&self) -> u64 {
        self.memory_used.load(Ordering::Relaxed)
    }

    /// Takes note of what the instance of a store used up of the fuel that it was given.
    pub(super) fn spend(&self, store: &Store<Guest>, fuel: u64, profile: Profile) -> Result<(), MapError> {
        self.memory_used.fetch_max(store.data().memory_bytes as u64, Ordering::Relaxed);
        let fuel = fuel.saturating_sub(store.get_fuel().unwrap_or_default());
        let used = self.fuel_used.fetch_add(fuel, Ordering::Relaxed).saturating_add(fuel);
        let most = self.fuel_max.get(&profile).copied().unwrap_or_default();
        if used > most { Err(MapError::Fuel(most)) } else { Ok(()) }
    }

    fn fault(&self) -> Result<(), MapError> {
        let faults = self.faults.fetch_add(1, Ordering::Relaxed) + 1;
        if faults > self.faults_max { Err(MapError::Faults(self.faults_max)) } else { Ok(()) }
    }
}

/// What all batches of one call have in common.
pub(super) struct Run<'a> {
    pub(super) mapper: &'a Mapper,
    pub(super) canonical: &'a Canonical,
    pub(super) options: &'a [u8],
    pub(super) budget: &'a Budget,
}

/// What one instance made of its batch.
enum Attempt {
    /// An answer for each record, checked.
    Answers(Vec<Result<Mapped, String>>),
    /// Nothing, and why.
    Trapped(String),
}

impl Run<'_> {
    /// Maps all inputs, cut into batches.
    pub(super) fn all(&self, inputs: &[Input<'_>]) -> Result<Vec<Mapped>, MapError> {
        let threads = self.mapper.sandbox.threads;
        let batches = cut(inputs, self.budget.batch_bytes, threads);
        if batches.len() <= 1 {
            return self.batch(inputs);
        }
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(batches.len()));
        let work = || {
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                let Some(batch) = batches.get(nth) else { break };
                let mapped = self.batch(batch);
                let failed = mapped.is_err();
                done.lock().unwrap_or_else(PoisonError::into_inner).push((nth, mapped));
                if failed {
                    // The delivery has failed as a whole: nobody needs the batches that are left.
                    next.store(batches.len(), Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.min(batches.len()) {
                // A thread that the system does not grant is missed, no more: this one works too.
                let _granted = std::thread::Builder::new().name("mapping".to_owned()).spawn_scoped(scope, work);
            }
            work();
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|(nth, _)| *nth);
        let mut mapped = Vec::with_capacity(inputs.len());
        for (_, batch) in done {
            mapped.extend(batch?);
        }
        Ok(mapped)
    }

    /// Maps one batch, and its parts again where it traps.
    fn batch(&self, inputs: &[Input<'_>]) -> Result<Vec<Mapped>, MapError> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        match self.attempt(inputs)? {
            Attempt::Trapped(why) if inputs.len() == 1 => Ok(vec![self.fault(why)?]),
            Attempt::Trapped(_) => {
                let (first, second) = inputs.split_at(inputs.len() / 2);
                let mut mapped = self.batch(first)?;
                mapped.extend(self.batch(second)?);
                Ok(mapped)
            }
            Attempt::Answers(answers) => {
                let mut mapped = Vec::with_capacity(inputs.len());
                for (answer, input) in answers.into_iter().zip(inputs) {
                    match answer {
                        Ok(one) => mapped.push(one),
                        Err(why) if inputs.len() == 1 => mapped.push(self.fault(why)?),
                        // Another record of the batch may have led the mapper astray.
                        Err(_) => mapped.extend(self.batch(std::slice::from_ref(input))?),
                    }
                }
                Ok(mapped)
            }
        }
    }

    fn fault(&self, why: String) -> Result<Mapped, MapError> {
        self.budget.fault()?;
        Ok(Mapped { outcome: Outcome::Fault(why), diagnostics: Vec::new() })
    }

    /// Gives the batch to a new instance.
    fn attempt(&self, inputs: &[Input<'_>]) -> Result<Attempt, MapError> {
        let sandbox = &self.mapper.sandbox;
        let limits = &sandbox.limits;
        let Some(raw) = self.mapper.number(inputs) else {
            return Ok(Attempt::Trapped("it does not take records of this type".to_owned()));
        };
        let bytes: usize = inputs.iter().map(bytes).sum::<usize>() + self.options.len();
        let fuel = fuel(limits, bytes);
        let mut store = sandbox.store(fuel);
        let answers = self.mapper.prepared.convert(&mut store, self.options, &raw);
        self.budget.spend(&store, fuel, sandbox.profile)?;
        match answers {
            Ok(answers) if answers.len() == inputs.len() => Ok(Attempt::Answers(self.check(answers, inputs))),
            Ok(_) => Ok(Attempt::Trapped("it did not answer to each record".to_owned())),
            Err(error) => verdict(&error, store.data(), limits, limits.result_bytes_max).map(Attempt::Trapped),
        }
    }

    fn check(&self, answers: Vec<RawAnswer>, inputs: &[Input<'_>]) -> Vec<Result<Mapped, String>> {
        let mut checker = Checker::new(self.canonical, &self.mapper.agreement, &self.mapper.sandbox.limits);
        answers.into_iter().zip(inputs).map(|(answer, input)| checker.answer(answer, input.kinds)).collect()
    }
}

impl Mapper {
    /// The inputs with their record types by number; `None` if the mapper does not take one of them.
    fn number<'a>(&self, inputs: &[Input<'a>]) -> Option<Vec<RawInput<'a>>> {
        let number = |input: &Input<'a>| {
            let of = self.records.iter().position(|record| record == input.record)?;
            Some(RawInput { of: u16::try_from(of).ok()?, body: input.body, ancestors: input.ancestors })
        };
        inputs.iter().map(number).collect()
    }
}

/// Bytes that an instance is given for a record.
pub(super) fn bytes(input: &Input<'_>) -> usize {
    input.body.len() + input.ancestors.len()
}

/// Cuts the inputs into batches of at most `bytes_max` bytes (or one record), of about the same size, and as many as keep
/// all threads busy.
fn cut<'i, 'a>(inputs: &'i [Input<'a>], bytes_max: usize, threads: usize) -> Vec<&'i [Input<'a>]> {
    let total: usize = inputs.iter().map(bytes).sum();
    if total <= bytes_max {
        return vec![inputs];
    }
    let count = total.div_ceil(bytes_max).next_multiple_of(threads);
    let aim = total.div_ceil(count);
    let mut batches = Vec::with_capacity(count + 1);
    let (mut start, mut size) = (0, 0);
    for (at, input) in inputs.iter().enumerate() {
        if at > start && size + bytes(input) > aim.min(bytes_max) {
            batches.push(&inputs[start..at]);
            (start, size) = (at, 0);
        }
        size += bytes(input);
    }
    batches.push(&inputs[start..]);
    batches
}

/// Fuel for an instance that is given so many bytes.
pub(super) fn fuel(limits: &MapperLimits, bytes: usize) -> u64 {
    limits.fuel_base.saturating_add(limits.fuel_per_byte.saturating_mul(bytes as u64))
}

/// What ended an instance: its own fault, in words, or the host's trouble.
pub(super) fn verdict(
    error: &wasmtime::Error,
    guest: &Guest,
    limits: &MapperLimits,
    result_bytes_max: usize,
) -> Result<String, MapError> {
    if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        return Err(MapError::Deadline(limits.deadline_ms));
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Err(MapError::Busy);
    }
    Ok(cause(error, guest, result_bytes_max))
}

/// What went wrong inside an instance, in words that give nothing of its data away.
pub(super) fn cause(error: &wasmtime::Error, guest: &Guest, result_bytes_max: usize) -> String {
    if let Some(what) = guest.denied {
        return format!("it asked for more {what} than it may use");
    }
    if let Some(forbidden) = error.downcast_ref::<Forbidden>() {
        return forbidden.to_string();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => "it used up its fuel".to_owned(),
        Some(Trap::StackOverflow) => "it nested its calls too deeply".to_owned(),
        // The stack of a guest's own language is often in its memory, and ends there.
        Some(Trap::MemoryOutOfBounds) => "it reached beyond its memory or its stack".to_owned(),
        Some(Trap::UnreachableCodeReached) => "it panicked".to_owned(),
        Some(trap) => format!("it trapped: {trap}"),
        None if format!("{error:?}").contains("fuel allocated for hostcalls") => {
            format!("it returned more than {result_bytes_max} bytes")
        }
        None => "it returned what the contract does not allow".to_owned(),
    }
}
