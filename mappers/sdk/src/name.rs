//! Turns a name as a partner writes it into the two that OneRoster has, or into a part of a source id.

use std::borrow::Cow;

/// The first word of a person's name and the rest; the same word twice where there is only one.
pub fn split(name: &str) -> (&str, &str) {
    let name = name.trim();
    match name.split_once(char::is_whitespace) {
        Some((given, family)) => (given, family.trim_start()),
        None => (name, name),
    }
}

/// A name or code that stands in a source id: without `/`, which divides its parts, and in a way that no two names meet.
pub fn escape(name: &str) -> Cow<'_, str> {
    if name.contains(['/', '%']) { name.replace('%', "%25").replace('/', "%2F").into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::{escape, split};

    #[test]
    fn names_are_split_at_the_first_word() {
        let table = [
            ("Sara Al Amri", ("Sara", "Al Amri")),
            ("Sara", ("Sara", "Sara")),
            ("  Sara   Amri ", ("Sara", "Amri")),
            ("محمد عبد الله", ("محمد", "عبد الله")),
            ("محمد", ("محمد", "محمد")),
            ("سارة\u{a0}العمري", ("سارة", "العمري")),
            ("", ("", "")),
        ];
        for (name, parts) in table {
            assert_eq!(split(name), parts, "{name}");
        }
    }

    #[test]
    fn names_with_slashes_do_not_meet_other_names() {
        let names = ["A", "A/B", "A%2FB", "A%252FB", "A B", "1/student:5", "أ"];
        for (nth, name) in names.iter().enumerate() {
            assert!(!escape(name).contains('/'));
            assert!(names[..nth].iter().all(|other| escape(other) != escape(name)));
        }
    }
}
