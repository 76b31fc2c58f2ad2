//! Turns texts and numbers into others of their kind, the same into the same.
//!
//! To keep the look of a further alphabet: add it to [`ALPHABETS`].

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use uuid::Uuid;

use super::dates::{Order, moved, time};
use crate::json::Json;

/// The letters and digits that take each other's place.
const ALPHABETS: [RangeInclusive<char>; 15] = [
    '0'..='9',
    'a'..='z',
    'à'..='ö',
    'ø'..='ÿ',
    'α'..='ρ',
    'а'..='я',
    'א'..='ת',
    '٠'..='٩',
    'ء'..='غ',
    'ف'..='ي',
    'क'..='ह',
    'ぁ'..='ん',
    'ァ'..='ン',
    '一'..='龥',
    '가'..='힣',
];

/// What hexadecimal texts are made of.
const HEX: &[u8] = b"0123456789abcdef";

/// Letters and digits from which on a text that could be hexadecimal is taken for that.
const HEX_MIN: usize = 8;

/// Draws for a word until it is no other word.
const DRAWS_MAX: u32 = 64;

/// What is taken for a year.
const YEARS: RangeInclusive<i64> = 1900..=2100;

/// How many years, and how many weeks more, days move at most.
const YEARS_MAX: u8 = 9;
const WEEKS_MAX: u8 = 8;

/// Weeks that are taken for a year.
const WEEKS_OF_YEAR: i64 = 52;

/// Digits of a number that may not fit into 64 bits.
const LONGEST: usize = 19;

/// Which of several disguises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) nth: u8,
}

/// Gives values others.
pub(super) struct Disguise {
    key: [u8; 32],
    years: i64,
    weeks: i64,
    /// The disguise of each word, by way.
    words: HashMap<(u8, String), String>,
    /// What is somebody's disguise already.
    taken: HashSet<String>,
    /// What stands in the original: no other word's disguise, as far as there is a choice.
    originals: HashSet<String>,
}

impl Way {
    pub(super) const FIRST: Self = Self { nth: 0 };

    fn order(self) -> Order {
        if self.nth.is_multiple_of(2) { Order::DayFirst } else { Order::MonthFirst }
    }
}

impl Disguise {
    pub(super) fn new(key: [u8; 32]) -> Self {
        let drawn = blake3::keyed_hash(&key, b"distance");
        let [years, weeks, sign, ..] = *drawn.as_bytes();
        let years = i64::from(years % YEARS_MAX) + 1;
        let weeks = years * WEEKS_OF_YEAR + i64::from(weeks % WEEKS_MAX);
        let sign = if sign.is_multiple_of(2) { 1 } else { -1 };
        let (words, taken, originals) = (HashMap::new(), HashSet::new(), HashSet::new());
        Self { key, years: sign * years, weeks: sign * weeks, words, taken, originals }
    }

    /// Takes note of the words of a payload.
    pub(super) fn avoid(&mut self, json: &Json<'_>) {
        match json {
            Json::Null | Json::Boolean(_) => {}
            Json::Number(number) => self.avoid_words(number.as_str()),
            Json::Text(text) => self.avoid_words(text),
            Json::List(items) => items.iter().for_each(|item| self.avoid(item)),
            Json::Object(members) => members.iter().for_each(|(_, member)| self.avoid(member)),
        }
    }

    fn avoid_words(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = run(rest).unwrap_or(first.len_utf8());
            if first.is_alphanumeric() {
                self.originals.insert(rest[..length].to_lowercase());
            }
            rest = &rest[length..];
        }
    }

    /// Another text of the same kind.
    pub(super) fn text(&mut self, text: &str, way: Way) -> String {
        if let Some(uuid) = Uuid::try_parse(text).ok().filter(|_| text.len() == uuid::fmt::Hyphenated::LENGTH) {
            return self.uuid(uuid, text);
        }
        if let Some((name, host)) = address(text) {
            return format!("{}@{}", self.words_of(name, way), self.host(host, way));
        }
        if let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| scheme.starts_with("http")) {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            return format!("{scheme}://{}{}", self.host(host, way), self.words_of(path, way));
        }
        self.words_of(text, way)
    }

    /// Another number, as long as it was.
    pub(super) fn number(&mut self, spelled: &str, way: Way) -> String {
        let digits_end = spelled.find(['e', 'E']).unwrap_or(spelled.len());
        let (number, exponent) = spelled.split_at(digits_end);
        let (sign, number) = number.strip_prefix('-').map_or(("", number), |number| ("-", number));
        match number.split_once('.') {
            None => format!("{sign}{}{exponent}", self.word(number, way)),
            Some((whole, part)) => {
                // What follows the point is no number by itself.
                let part: String = self.drawn(&format!(".{part}"), way, 0).chars().skip(1).collect();
                format!("{sign}{}.{part}{exponent}", self.word(whole, way))
            }
        }
    }

    /// Another integer between two bounds, both included, if there is another.
    pub(super) fn integer(&self, was: i64, least: i64, most: i64) -> Option<String> {
        let others = u64::try_from(most.checked_sub(least)?).ok().filter(|others| *others > 0)?;
        let drawn = blake3::keyed_hash(&self.key, &was.to_le_bytes());
        let [first, ..] = drawn.as_bytes().as_chunks::<8>().0 else { return None };
        let drawn = least + i64::try_from(u64::from_le_bytes(*first) % others).ok()?;
        Some((drawn + i64::from(drawn >= was)).to_string())
    }

    fn words_of(&mut self, text: &str, way: Way) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let is_inside = out.ends_with(|last: char| last.is_ascii_digit());
            let day = if is_inside { None } else { moved(rest, self.weeks, way.order()) };
            let length = if let Some((day, length)) = day {
                out.push_str(&day);
                let ends = &rest[length..];
                let time = ends.strip_prefix('T').and_then(time).map_or(0, |time| time + 1);
                out.push_str(&ends[..time]);
                length + time
            } else if let Some(length) = time(rest).filter(|_| !is_inside) {
                out.push_str(&rest[..length]);
                length
            } else if let Some(length) = run(rest) {
                let word = self.word(&rest[..length], way);
                out.push_str(&word);
                length
            } else {
                out.push(first);
                first.len_utf8()
            };
            rest = &rest[length..];
        }
        out
    }

    /// A name below `.example`, for a host's.
    fn host(&mut self, host: &str, way: Way) -> String {
        let labels = host.rsplit_once('.').map_or(host, |(labels, _)| labels);
        format!("{}.example", self.words_of(labels, way))
    }

    /// Another word, which no other word has.
    fn word(&mut self, word: &str, way: Way) -> String {
        if matches!(word, "0" | "1") {
            return word.to_owned();
        }
        let lower = word.to_lowercase();
        let known = (way.nth, lower);
        let found = if let Some(found) = self.words.get(&known) {
            found.clone()
        } else {
            let found = self.free(&known.1, way);
            self.taken.insert(found.clone());
            self.words.insert(known, found.clone());
            found
        };
        cased(&found, word)
    }

    fn free(&self, word: &str, way: Way) -> String {
        let year = word.parse::<i64>().ok().filter(|year| YEARS.contains(year) && word.len() == 4);
        let later = year.map(|year| (year + self.years).to_string()).filter(|_| way == Way::FIRST);
        let is_free = |found: &String| found != word && !self.taken.contains(found);
        let mut draws = (0..DRAWS_MAX).map(|nth| self.drawn(word, way, nth));
        let is_new = |found: &String| is_free(found) && !self.originals.contains(found);
        let found = later.filter(is_free).or_else(|| draws.find(is_new));
        let found = found.or_else(|| (0..DRAWS_MAX).map(|nth| self.drawn(word, way, nth)).find(is_free));
        // All short words are taken: a longer one.
        found.unwrap_or_else(|| self.free(&format!("{word}{}", word.chars().last().unwrap_or('x')), way))
    }

    /// The nth draw for a word: letters and digits for letters and digits.
    fn drawn(&self, word: &str, way: Way, nth: u32) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&[way.nth]).update(&nth.to_le_bytes()).update(word.as_bytes());
        let mut drawn = hasher.finalize_xof();
        let is_hex = is_hex(word);
        let has_more = word.starts_with(|first: char| matches!(first, '1'..='9'));
        let is_longest = word.len() >= LONGEST;
        let draw = |(place, letter): (usize, char)| {
            let mut bytes = [0; 8];
            drawn.fill(&mut bytes);
            let number = u64::from_le_bytes(bytes);
            match letter {
                _ if is_hex => char::from(HEX[below(number, HEX.len())]),
                '0'..='9' if place == 0 && has_more && is_longest => within('1', number, 8),
                // One digit: neither 0 nor 1, which stay.
                '0'..='9' if word.len() == 1 => within('2', number, 8),
                '0'..='9' if place == 0 && has_more => within('1', number, 9),
                letter => another(letter, number),
            }
        };
        word.chars().enumerate().map(draw).collect()
    }

    fn uuid(&self, uuid: Uuid, text: &str) -> String {
        let mut drawn = *blake3::keyed_hash(&self.key, uuid.as_bytes()).as_bytes();
        // What kind of id it is stays: these bits say it.
        let was = uuid.as_bytes();
        drawn[6] = (was[6] & 0xf0) | (drawn[6] & 0x0f);
        drawn[8] = (was[8] & 0xc0) | (drawn[8] & 0x3f);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&drawn[..16]);
        cased(&Uuid::from_bytes(bytes).to_string(), text)
    }
}

/// The beginning of a text that is one word: letters, digits, or a hexadecimal number.
fn run(text: &str) -> Option<usize> {
    let length = |is: fn(char) -> bool| text.find(|letter| !is(letter)).unwrap_or(text.len());
    let mixed = length(char::is_alphanumeric);
    if is_hex(&text[..mixed]) {
        return Some(mixed);
    }
    match text.chars().next() {
        Some('0'..='9') => Some(length(|letter| letter.is_ascii_digit())),
        Some(first) if first.is_alphanumeric() => {
            Some(length(|letter| letter.is_alphanumeric() && !letter.is_ascii_digit()))
        }
        _ => None,
    }
}

fn is_hex(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.bytes().any(|byte| is(&byte));
    text.len() >= HEX_MIN
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
}

/// An e-mail address: name and host.
fn address(text: &str) -> Option<(&str, &str)> {
    let (name, host) = text.split_once('@')?;
    let is_host = host.contains('.') && !host.contains(|letter: char| letter == '@' || letter.is_whitespace());
    (is_host && !name.contains(char::is_whitespace)).then_some((name, host))
}

/// Another letter of the same alphabet.
fn another(letter: char, number: u64) -> char {
    let Some(alphabet) = ALPHABETS.iter().find(|alphabet| alphabet.contains(&letter)) else {
        return if letter.is_alphanumeric() { 'x' } else { letter };
    };
    let (first, last) = (u32::from(*alphabet.start()), u32::from(*alphabet.end()));
    within(*alphabet.start(), number, (last - first + 1) as usize)
}

/// One of the `count` letters from `first` on.
fn within(first: char, number: u64, count: usize) -> char {
    let place = u32::try_from(below(number, count)).unwrap_or_default();
    char::from_u32(u32::from(first) + place).unwrap_or(first)
}

fn below(number: u64, count: usize) -> usize {
    usize::try_from(number % count as u64).unwrap_or_default()
}

/// A word with its letters as large as those of another one.
fn cased(word: &str, like: &str) -> String {
    let mut like = like.chars();
    let case = |letter: char| {
        let is_upper = like.next().is_some_and(char::is_uppercase);
        let mut upper = letter.to_uppercase();
        match (is_upper, upper.next(), upper.next()) {
            (true, Some(upper), None) => upper,
            _ => letter,
        }
    };
    word.chars().map(case).collect()
}
