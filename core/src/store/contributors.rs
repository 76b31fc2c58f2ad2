//! Turns the records that contribute to an entity into the few bytes beside it, and back.
//!
//! The first contributor has a column of its own. The others, if any, are one blob: the difference of each number from
//! the one before it, zigzag (small whatever its sign) and in groups of seven bits. Two hundred sections of one school
//! take about two hundred bytes.

use super::{RecordId, StoreError};

/// How many bits one byte carries.
const GROUP_BITS: u32 = 7;

/// The bit that says that more groups follow.
const MORE: u8 = 0x80;

/// The first contributor and the encoded others, each `None` where there are none.
pub(super) fn encode(contributors: &[RecordId]) -> (Option<i64>, Option<Vec<u8>>) {
    let Some((first, others)) = contributors.split_first() else {
        return (None, None);
    };
    if others.is_empty() {
        return (Some(first.0), None);
    }
    let mut bytes = Vec::with_capacity(others.len() * 2);
    let mut previous = first.0;
    for other in others {
        push(other.0.wrapping_sub(previous), &mut bytes);
        previous = other.0;
    }
    (Some(first.0), Some(bytes))
}

/// What [`encode`] was given.
pub(super) fn decode(first: Option<i64>, others: Option<&[u8]>) -> Result<Vec<RecordId>, StoreError> {
    let Some(mut previous) = first else {
        return Ok(Vec::new());
    };
    let mut contributors = vec![RecordId(previous)];
    let mut rest = others.unwrap_or_default();
    while !rest.is_empty() {
        let difference = take(&mut rest).ok_or_else(|| damaged("the contributors of an entity"))?;
        previous = previous.wrapping_add(difference);
        contributors.push(RecordId(previous));
    }
    Ok(contributors)
}

/// The error for stored bytes that cannot be read back.
pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Inconsistent(format!("{what} cannot be read back"))
}

fn push(difference: i64, bytes: &mut Vec<u8>) {
    let mut zigzag = (difference.wrapping_shl(1) ^ (difference >> 63)).cast_unsigned();
    loop {
        let group = zigzag.to_le_bytes()[0] & !MORE;
        zigzag >>= GROUP_BITS;
        if zigzag == 0 {
            bytes.push(group);
            return;
        }
        bytes.push(group | MORE);
    }
}

fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut zigzag = 0_u64;
    for nth in 0..u64::BITS.div_ceil(GROUP_BITS) {
        let (&group, rest) = bytes.split_first()?;
        *bytes = rest;
        zigzag |= u64::from(group & !MORE) << (nth * GROUP_BITS);
        if group & MORE == 0 {
            return Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{RecordId, decode, encode};

    #[test]
    fn neighbours_take_a_byte_each() {
        let records: Vec<_> = (1..=200).map(RecordId).collect();
        let (first, others) = encode(&records);
        assert_eq!((first, others.map(|bytes| bytes.len())), (Some(1), Some(199)));
        assert_eq!(encode(&records[..1]), (Some(1), None));
    }

    #[test]
    fn bytes_that_end_too_early_are_refused() {
        assert!(decode(Some(1), Some(&[0x80])).is_err());
        assert!(decode(Some(1), Some(&[0xff; 11])).is_err());
    }

    proptest! {
        #[test]
        fn any_list_survives_being_stored(numbers: Vec<i64>) {
            let records: Vec<_> = numbers.into_iter().map(RecordId).collect();
            let (first, others) = encode(&records);
            prop_assert_eq!(decode(first, others.as_deref()).unwrap(), records);
        }
    }
}
