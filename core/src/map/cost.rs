//! Turns a record into what mapping it costs, when nothing else is mapped with it: as a share of what it may cost.

use super::batch::{bytes, fuel};
use super::{Budget, Input, MapError, Mapper};
use crate::canonical::Canonical;
use crate::limits::Limits;

/// What one record costs by itself, the start of its instance included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Steps of the mapper; what more bytes may take more of.
    pub fuel: Share,
    /// Bytes of memory.
    pub memory: Share,
}

/// How much of a limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// What is used.
    pub used: u64,
    /// What may be used.
    pub limit: u64,
}

impl Share {
    /// In tenths of a percent, rounded up.
    pub fn per_mille(self) -> u64 {
        let per_mille = (u128::from(self.used) * 1_000).div_ceil(u128::from(self.limit.max(1)));
        u64::try_from(per_mille).unwrap_or(u64::MAX)
    }
}

impl Mapper {
    /// Maps one record and says what that costs, whatever becomes of it.
    pub fn cost(
        &self,
        canonical: &Canonical,
        options: &[u8],
        input: &Input<'_>,
        limits: &Limits,
    ) -> Result<Cost, MapError> {
        let budget = Budget::new(limits);
        self.map(canonical, options, std::slice::from_ref(input), &budget)?;
        let granted = &self.sandbox.limits;
        let fuel = Share { used: budget.fuel_used(), limit: fuel(granted, bytes(input) + options.len()) };
        let memory = Share { used: budget.memory_used(), limit: granted.memory_bytes_max as u64 };
        Ok(Cost { fuel, memory })
    }
}
