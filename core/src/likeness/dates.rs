//! Finds a day or a time of day at the beginning of a text, whatever its schema calls it, and moves days.

use jiff::SignedDuration;
use jiff::civil::Date;

/// What stands between the parts of a day.
const BETWEEN: [u8; 3] = *b"-/.";

/// Hours of a week.
const HOURS: i64 = 7 * 24;

/// In which order day and month stand where the year comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    DayFirst,
    MonthFirst,
}

/// The day that `text` begins with, so many weeks later, and how many bytes it takes.
pub(super) fn moved(text: &str, weeks: i64, order: Order) -> Option<(String, usize)> {
    let parts = parts(text)?;
    let [first, second, third] = parts.digits;
    let (year_first, numbers) = match (first.len(), third.len(), order) {
        (4, 2, _) => (true, [first, second, third]),
        (2, 4, Order::DayFirst) => (false, [third, second, first]),
        (2, 4, Order::MonthFirst) => (false, [third, first, second]),
        _ => return None,
    };
    let [year, month, day] = numbers;
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    let date = date.checked_add(SignedDuration::from_hours(HOURS.checked_mul(weeks)?)).ok()?;
    let (year, month, day) = (date.year(), date.month(), date.day());
    let between = char::from(parts.between);
    let moved = match (year_first, order) {
        (true, _) => format!("{year:04}{between}{month:02}{between}{day:02}"),
        (false, Order::DayFirst) => format!("{day:02}{between}{month:02}{between}{year:04}"),
        (false, Order::MonthFirst) => format!("{month:02}{between}{day:02}{between}{year:04}"),
    };
    Some((moved, parts.length))
}

/// How many bytes of `text` are a time of day, with what says where on the earth: these stay.
pub(super) fn time(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let pair = |at: usize| bytes.get(at..at + 2).is_some_and(|pair| pair.iter().all(u8::is_ascii_digit));
    let is = |at: usize, wanted: u8| bytes.get(at) == Some(&wanted);
    if !(pair(0) && is(2, b':') && pair(3)) {
        return None;
    }
    let mut end = 5;
    if is(end, b':') && pair(end + 1) {
        end += 3;
    }
    if is(end, b'.') {
        end += 1 + bytes[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
    if is(end, b'Z') {
        end += 1;
    } else if (is(end, b'+') || is(end, b'-')) && pair(end + 1) && is(end + 3, b':') && pair(end + 4) {
        end += 6;
    }
    (!bytes.get(end).is_some_and(u8::is_ascii_alphanumeric)).then_some(end)
}

/// Three numbers with the same sign between them.
struct Parts<'t> {
    digits: [&'t str; 3],
    between: u8,
    length: usize,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let first = digits(text);
    let between = *text.as_bytes().get(first).filter(|byte| BETWEEN.contains(byte))?;
    let second = first + 1 + digits(&text[first + 1..]);
    if second - first != 3 || text.as_bytes().get(second) != Some(&between) {
        return None;
    }
    let third = second + 1 + digits(&text[second + 1..]);
    let digits = [&text[..first], &text[first + 1..second], &text[second + 1..third]];
    Some(Parts { digits, between, length: third })
}

#[cfg(test)]
mod tests {
    use super::{Order, moved, time};

    #[test]
    fn days_move_and_stay_written_as_they_were() {
        let table = [
            ("2026-09-01", Order::DayFirst, Some("2026-09-15")),
            ("2026/12/31T08:00", Order::DayFirst, Some("2027/01/14")),
            ("01.09.2026 and more", Order::DayFirst, Some("15.09.2026")),
            ("01/09/2026", Order::MonthFirst, Some("01/23/2026")),
            ("09/31/2026", Order::DayFirst, None),
            ("2026-02-30", Order::DayFirst, None),
            ("2026-9-1", Order::DayFirst, None),
            ("2026-09/01", Order::DayFirst, None),
            ("12", Order::DayFirst, None),
            ("9999-12-31", Order::DayFirst, None),
        ];
        for (text, order, wanted) in table {
            assert_eq!(moved(text, 2, order).map(|(text, _)| text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn times_of_day_are_found_with_their_offset() {
        let table = [
            ("08:30", Some(5)),
            ("08:30:15Z rest", Some(9)),
            ("08:30:15.250+03:00", Some(18)),
            ("8:30", None),
            ("08:30pm", None),
            ("0830", None),
        ];
        for (text, wanted) in table {
            assert_eq!(time(text), wanted, "{text}");
        }
    }
}
