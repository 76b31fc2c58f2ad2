//! Exact amounts of money: read from text, counted in decimals, rounded half up to hundredths, written as `1250.00`.

use std::fmt;
use std::ops::Neg;

use rollcall_mapper_sdk::logic::Stop;
use rust_decimal::{Decimal, RoundingStrategy};

/// Places behind the point of an amount that somebody pays.
const PLACES: u32 = 2;

/// An amount, or a factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Money(Decimal);

impl Money {
    /// Nothing.
    pub(super) const ZERO: Self = Self(Decimal::ZERO);

    /// The amount spelled so, which stands in `field`.
    pub(super) fn parse(text: &str, field: &str) -> Result<Self, Stop> {
        let amount = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text));
        amount.map(Self).map_err(|_| Stop::invalid("format", "is not an amount").at(field))
    }

    /// Whether nothing is lost when it is written.
    pub(super) fn is_whole(self) -> bool {
        self.0.normalize().scale() <= PLACES
    }

    /// The sum.
    pub(super) fn plus(self, other: Self) -> Result<Self, Stop> {
        self.0.checked_add(other.0).map(Self).ok_or_else(too_large)
    }

    /// The difference.
    pub(super) fn minus(self, other: Self) -> Result<Self, Stop> {
        self.plus(-other)
    }

    /// So many times this, rounded.
    pub(super) fn times(self, factor: Self) -> Result<Self, Stop> {
        let product = self.0.checked_mul(factor.0).ok_or_else(too_large)?;
        Ok(Self(product.round_dp_with_strategy(PLACES, RoundingStrategy::MidpointAwayFromZero)))
    }

    /// A hundredth of it.
    pub(super) fn percent(self) -> Self {
        Self(self.0 / Decimal::ONE_HUNDRED)
    }

    /// As many as there are.
    pub(super) fn count(of: usize) -> Self {
        Self(Decimal::from(of))
    }
}

impl Neg for Money {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.0)
    }
}

fn too_large() -> Stop {
    Stop::invalid("too-large", "the amount is too large")
}

#[cfg(test)]
mod tests {
    use super::Money;

    fn money(text: &str) -> Money {
        Money::parse(text, "amount").unwrap()
    }

    #[test]
    fn amounts_are_exact_and_rounded_half_up() {
        let table = [
            ("1", "19.99", "19.99"),
            ("3", "0.335", "1.01"),
            ("1", "0.125", "0.13"),
            ("1", "2.675", "2.68"),
            ("-1", "0.125", "-0.13"),
            ("0.5", "9.99", "5.00"),
            ("7", "1e2", "700.00"),
            ("0.1", "0.2", "0.02"),
        ];
        for (units, price, total) in table {
            assert_eq!(money(units).times(money(price)).unwrap().to_string(), total, "{units} * {price}");
        }
        assert_eq!(money("100").times(money("21.0").percent()).unwrap().to_string(), "21.00");
        assert_eq!(money("0.1").plus(money("0.2")).unwrap(), money("0.3"));
    }

    #[test]
    fn what_is_no_amount_is_declined() {
        for text in ["", "ten", "1,50", "0x10", "12.5 EUR", "1e99"] {
            assert!(Money::parse(text, "amount").is_err(), "{text}");
        }
        let most = money("79228162514264337593543950335");
        assert!(most.plus(most).is_err());
        assert!(most.times(most).is_err());
        assert!(!money("0.005").is_whole());
        assert!(money("0.500").is_whole());
    }
}
