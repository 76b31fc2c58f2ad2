//! Turns what records cost into whether their mapper stays within its budget: a share of its limits that leaves room for
//! records larger and odder than the examples.

use std::fmt;

use rollcall_core::map::Cost;

/// What the records of a partner's examples cost.
#[derive(Debug, Default)]
pub(super) struct Budgeted(Vec<Cost>);

/// How costs are spread, in tenths of a percent of the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spread {
    p50: u64,
    p99: u64,
}

impl Budgeted {
    pub(super) fn add(&mut self, costs: impl IntoIterator<Item = Cost>) {
        self.0.extend(costs);
    }

    /// Whether 99 of 100 records take at most so many percent of each limit.
    pub(super) fn is_within(&self, percent: u64) -> bool {
        let [fuel, memory] = self.spreads();
        fuel.p99.max(memory.p99) <= percent.saturating_mul(10)
    }

    fn spreads(&self) -> [Spread; 2] {
        [
            self.0.iter().map(|cost| cost.fuel.per_mille()).collect(),
            self.0.iter().map(|cost| cost.memory.per_mille()).collect(),
        ]
        .map(Spread::of)
    }
}

impl Spread {
    /// By the nearest rank; of nothing, nothing.
    fn of(mut shares: Vec<u64>) -> Self {
        shares.sort_unstable();
        let at = |percent: usize| {
            let rank = (shares.len() * percent).div_ceil(100).max(1);
            shares.get(rank - 1).copied().unwrap_or_default()
        };
        Self { p50: at(50), p99: at(99) }
    }
}

impl fmt::Display for Budgeted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [fuel, memory] = self.spreads();
        write!(f, "{} records by themselves: fuel {fuel}; memory {memory}", self.0.len())
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p99 } = self;
        write!(f, "p50 {}.{} %, p99 {}.{} % of the limit", p50 / 10, p50 % 10, p99 / 10, p99 % 10)
    }
}

#[cfg(test)]
mod tests {
    use rollcall_core::map::{Cost, Share};

    use super::Budgeted;

    fn budgeted(fuel: impl IntoIterator<Item = u64>) -> Budgeted {
        let share = |used| Share { used, limit: 1_000 };
        Budgeted(fuel.into_iter().map(|used| Cost { fuel: share(used), memory: share(15) }).collect())
    }

    #[test]
    fn shares_are_told_by_their_spread() {
        let told = budgeted(1..=200).to_string();
        assert_eq!(
            told,
            "200 records by themselves: fuel p50 10.0 %, p99 19.8 % of the limit; memory p50 1.5 %, p99 1.5 % of the limit"
        );
    }

    #[test]
    fn one_record_of_many_may_take_more() {
        let table = [(vec![], true), (vec![800], true), (vec![801], false)];
        for (fuel, within) in table {
            assert_eq!(budgeted(fuel.clone()).is_within(80), within, "{fuel:?}");
        }
        let mut rare = vec![10; 199];
        rare.push(990);
        assert!(budgeted(rare.clone()).is_within(80));
        rare.extend([990, 990]);
        assert!(!budgeted(rare).is_within(80));
    }
}
