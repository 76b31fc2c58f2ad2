//! Turns a text that is a decimal into a number, and orders texts of which some are.

use std::cmp::Ordering;

/// The number that a text is: digits, with a `-` before them and one point among them if need be.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_decimal = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1;
    if is_decimal { text.parse().ok() } else { None }
}

/// Decimals first, as numbers; then all other texts, and decimals that are the same number, as texts.
pub(super) fn order(one: &str, other: &str) -> Ordering {
    match (decimal(one), decimal(other)) {
        (Some(a), Some(b)) => a.total_cmp(&b).then_with(|| one.cmp(other)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.cmp(other),
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::{decimal, order};

    #[test]
    fn a_decimal_is_digits_with_a_point() {
        let table = [("12.50", Some(12.5)), ("-3", Some(-3.0)), ("007", Some(7.0)), ("2.", Some(2.0))];
        for (text, number) in table {
            assert_eq!(decimal(text), number, "{text}");
        }
        for text in ["", "-", ".5", "1e3", "1,5", "+1", "1.2.3", "2026-01-01", "--1", "1 ", "inf", "٣"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_ordered_as_numbers_and_other_texts_as_texts() {
        let table = [("9.00", "10", Less), ("-1", "0", Less), ("1.0", "1.00", Less), ("b", "a", Greater)];
        for (one, other, expected) in table.into_iter().chain([("x", "12", Greater), ("2.5", "2.5", Equal)]) {
            assert_eq!(order(one, other), expected, "{one} {other}");
        }
    }
}
