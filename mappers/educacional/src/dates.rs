//! Turns the three spellings of a day into ISO 8601.

use std::borrow::Cow;

/// The day of `05/11/2018`, `2018/11/05T15:25:16.584Z`, `2018-11-05T15:25:16Z` or `2018-11-05`; `None` for anything else.
pub(crate) fn day(text: &str) -> Option<Cow<'_, str>> {
    let date = text.split('T').next().unwrap_or_default();
    let divider = if date.contains('/') { '/' } else { '-' };
    let parts: Vec<_> = date.split(divider).collect();
    let [one, two, three] = parts[..] else { return None };
    match (one.len(), two.len(), three.len()) {
        (4, 2, 2) if divider == '-' => Some(Cow::Borrowed(date)),
        (4, 2, 2) => Some(Cow::Owned(format!("{one}-{two}-{three}"))),
        (2, 2, 4) => Some(Cow::Owned(format!("{three}-{two}-{one}"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn a_day_has_several_spellings() {
        let table = [
            ("05/11/2018", Some("2018-11-05")),
            ("2018/11/05T15:25:16.584Z", Some("2018-11-05")),
            ("2018-11-05T15:25:16.584-03:00", Some("2018-11-05")),
            ("2018-11-05", Some("2018-11-05")),
            ("5/11/2018", None),
            ("20181105", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(day(text).as_deref(), expected, "{text}");
        }
    }
}
