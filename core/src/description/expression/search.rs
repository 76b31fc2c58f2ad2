//! Turns a text that is looked for into the spellings in which a database finds it.

/// How `text` is spelled where its case does not matter, all ASCII letters lower case: databases know the case of ASCII
/// only, so a text with other letters is looked for in its usual spellings: as given, small, capital, with a capital
/// first letter.
pub fn spellings(text: &str) -> Vec<String> {
    let mut spellings = vec![text.to_owned()];
    if !text.is_ascii() {
        let lower = text.to_lowercase();
        let mut letters = lower.chars();
        let capitalised = letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>());
        spellings.extend([Some(text.to_uppercase()), capitalised, Some(lower)].into_iter().flatten());
    }
    for spelling in &mut spellings {
        spelling.make_ascii_lowercase();
    }
    spellings.sort();
    spellings.dedup();
    spellings
}

/// Whether `wanted` occurs in `text`, whatever the case.
pub(super) fn occurs(wanted: &str, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    spellings(wanted).iter().any(|spelling| text.contains(spelling.as_str()))
}

#[cfg(test)]
mod tests {
    use super::{occurs, spellings};

    #[test]
    fn letters_beyond_ascii_are_looked_for_in_their_usual_spellings() {
        assert_eq!(spellings("Ada"), ["ada"]);
        assert_eq!(spellings("éCOLE"), ["École", "école"]);
        assert_eq!(spellings("سارة"), ["سارة"]);
    }

    #[test]
    fn a_text_is_found_whatever_its_case() {
        let table =
            [("LOVE", "Ada Lovelace", true), ("É", "école", true), ("école", "ÉCOLE", true), ("x", "ada", false)];
        for (wanted, text, found) in table.into_iter().chain([("", "ada", true), ("%", "ada", false)]) {
            assert_eq!(occurs(wanted, text), found, "{wanted} {text}");
        }
    }
}
