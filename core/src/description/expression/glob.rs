//! Turns a pattern with `*` and `?` and a text into whether they fit.

/// Whether `text` fits `pattern` as a whole: `*` stands for any characters or none, `?` for exactly one, everything else
/// for itself.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where the last `*` left off: what follows it, and the text that it has not taken yet.
    let mut last = None;
    loop {
        let (mut wanted, mut found) = (pattern.clone(), text.clone());
        match (wanted.next(), found.next()) {
            (Some('*'), _) => {
                pattern = wanted;
                last = Some((pattern.clone(), text.clone()));
                continue;
            }
            (Some('?'), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            (None, None) => return true,
            _ => {
                // The last `*` takes one character more.
                let Some((after, rest)) = &mut last else { return false };
                if rest.next().is_none() {
                    return false;
                }
                (pattern, text) = (after.clone(), rest.clone());
                continue;
            }
        }
        (pattern, text) = (wanted, found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::glob;

    #[test]
    fn stars_and_question_marks_stand_for_characters() {
        let table = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "abc", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*b*", "abc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("?", "é", true),
            ("PARIS-*-2?", "PARIS-1-*-25", true),
            ("abc", "ABC", false),
            ("*aab", "aaaaab", true),
            ("a.c", "abc", false),
        ];
        for (pattern, text, fits) in table {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    /// What fits, said as shortly as possible, and slowly.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', after @ ..], _) => naive(after, text) || !text.is_empty() && naive(pattern, &text[1..]),
            ([wanted, after @ ..], [found, rest @ ..]) => (*wanted == '?' || wanted == found) && naive(after, rest),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn nothing_fits_but_what_should(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(glob(&pattern, &text), naive(&characters(&pattern), &characters(&text)));
        }
    }
}
