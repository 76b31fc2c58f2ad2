//! Turns `01/09/2025` and `01/09/2025-08:30` into ISO 8601.

use rollcall_mapper_sdk::Refusal;

/// `01/09/2025` as `2025-09-01`; `place` is where it stands.
pub(crate) fn date(text: &str, place: &str) -> Result<String, Refusal> {
    iso_date(text).ok_or_else(|| Refusal::new("date", place, "is not a date DD/MM/YYYY"))
}

/// `01/09/2025-08:30` as `2025-09-01T08:30`; the vendor does not say in which zone.
pub(crate) fn time(text: &str, place: &str) -> Result<String, Refusal> {
    let parts = text.split_once('-').and_then(|(date, time)| Some((iso_date(date)?, time)));
    let (date, time) = parts.ok_or_else(|| Refusal::new("date", place, "is not a date DD/MM/YYYY-HH:mm"))?;
    Ok(format!("{date}T{time}"))
}

fn iso_date(text: &str) -> Option<String> {
    let mut parts = text.split('/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let sound = (day.len(), month.len(), year.len(), parts.next()) == (2, 2, 4, None);
    sound.then(|| format!("{year}-{month}-{day}"))
}

/// The last year that a name speaks of: 2026 of `2025/2026`.
pub(crate) fn last_year(name: &str) -> Option<&str> {
    name.split(|letter: char| !letter.is_ascii_digit()).rfind(|word| word.len() == 4)
}

#[cfg(test)]
mod tests {
    use super::{date, last_year, time};

    #[test]
    fn dates_become_iso() {
        assert_eq!(date("01/09/2025", "").unwrap(), "2025-09-01");
        assert_eq!(time("01/09/2025-08:30", "").unwrap(), "2025-09-01T08:30");
        for bad in ["", "2025-09-01", "1/9/2025", "01/09/25", "01/09/2025/1"] {
            assert_eq!(date(bad, "/dateDebut").unwrap_err().pointer, "/dateDebut", "{bad}");
            assert!(time(bad, "").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_school_year_is_called_after_the_year_in_which_it_ends() {
        let table = [
            ("2025/2026", Some("2026")),
            ("Année 2025-2026", Some("2026")),
            ("2026", Some("2026")),
            ("P20252026", None),
            ("25/26", None),
            ("", None),
        ];
        for (name, year) in table {
            assert_eq!(last_year(name), year, "{name}");
        }
    }
}
