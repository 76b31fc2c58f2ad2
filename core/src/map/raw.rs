//! What goes into the sandbox and what comes out of it, whatever the version of the contract, before it is believed.

pub(super) mod step;

use super::Severity;

/// What a mapper says of itself.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) partner: String,
    pub(super) version: String,
    pub(super) records: Vec<String>,
    /// Kinds with their fields; rows speak of both by place.
    pub(super) kinds: Vec<(String, Vec<String>)>,
}

/// One record on its way in.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawInput<'a> {
    /// Which of [`Profile::records`] it is.
    pub(super) of: u16,
    pub(super) body: &'a [u8],
    pub(super) ancestors: &'a [u8],
}

/// What a mapper answers to one record.
#[derive(Debug)]
pub(super) struct RawAnswer {
    /// Packed rows, see `mappers/wit/v1/mapper.wit`; `None` if it declines the record.
    pub(super) rows: Option<Vec<u8>>,
    pub(super) diagnostics: Vec<RawDiagnostic>,
}

/// Something a mapper says about a record.
#[derive(Debug)]
pub(super) struct RawDiagnostic {
    pub(super) severity: Severity,
    pub(super) code: String,
    pub(super) pointer: String,
    pub(super) message: String,
}

/// One value of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum RawValue<'a> {
    Text(&'a str),
    Integer(i64),
    Number(&'a str),
    Boolean(bool),
    Reference(&'a str),
    Nested(&'a str),
}

/// Reads packed rows. Nothing in them is trusted: whatever does not read is an error, never a panic.
#[derive(Debug)]
pub(super) struct Rows<'a>(&'a [u8]);

/// The rows end in the middle of something, or have a tag that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its rows cannot be read")]
pub(super) struct Unreadable;

impl<'a> Rows<'a> {
    pub(super) fn new(rows: &'a [u8]) -> Self {
        Self(rows)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The head of the next row: kind, source id, how many fields follow.
    pub(super) fn row(&mut self) -> Result<(u16, &'a str, u16), Unreadable> {
        Ok((self.number()?, self.text()?, self.number()?))
    }

    /// The next field of the present row.
    pub(super) fn field(&mut self) -> Result<(u16, RawValue<'a>), Unreadable> {
        let number = self.number()?;
        let value = match self.array::<1>()?[0] {
            0 => RawValue::Text(self.text()?),
            1 => RawValue::Integer(i64::from_le_bytes(self.array()?)),
            2 => RawValue::Number(self.text()?),
            3 => RawValue::Boolean(false),
            4 => RawValue::Boolean(true),
            5 => RawValue::Reference(self.text()?),
            6 => RawValue::Nested(self.text()?),
            _ => return Err(Unreadable),
        };
        Ok((number, value))
    }

    fn number(&mut self) -> Result<u16, Unreadable> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn text(&mut self) -> Result<&'a str, Unreadable> {
        let length = u32::from_le_bytes(self.array()?);
        let length = usize::try_from(length).map_err(|_| Unreadable)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Unreadable)?;
        self.0 = rest;
        str::from_utf8(text).map_err(|_| Unreadable)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(*array)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::Rows;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, kind in any::<u16>()) {
            let mut seeded = kind.to_le_bytes().to_vec();
            seeded.extend_from_slice(&[1, 0, 0, 0, b'x', 2, 0]);
            seeded.extend_from_slice(&bytes);
            for bytes in [&bytes, &seeded] {
                let mut rows = Rows::new(bytes);
                'rows: while !rows.is_empty() {
                    let Ok((_, _, fields)) = rows.row() else { break };
                    for _ in 0..fields {
                        if rows.field().is_err() {
                            break 'rows;
                        }
                    }
                }
            }
        }
    }
}
