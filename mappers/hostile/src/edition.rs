//! Records that say of themselves what each of two editions of this mapper makes of them, so that a test has two versions
//! that differ wherever it wants them to. The second edition is this very component with one word of its data replaced.

use std::hint::black_box;

use rollcall_mapper_sdk::Contributions;
use rollcall_mapper_sdk::canonical::{Org, OrgRef, OrgType};
use serde::Deserialize;

/// What makes an edition: whoever wants the second one replaces this text in the component.
static EDITION: [u8; 20] = *b"rollcall edition one";

/// What a record says in each edition; an edition that is not named declines it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Editions {
    one: Option<Vec<Word>>,
    two: Option<Vec<Word>>,
}

/// A word about an organisation. Without a name it only adds to what others say.
#[derive(Debug, Deserialize)]
struct Word {
    org: String,
    name: Option<String>,
    parent: Option<String>,
    #[serde(default)]
    children: Vec<String>,
}

impl Editions {
    /// The packed rows of what this edition says; `None` where it declines. Traps on a word about nothing.
    pub(crate) fn rows(&self) -> Option<Vec<u8>> {
        let words = if black_box(&EDITION).ends_with(b"two") { &self.two } else { &self.one };
        let mut out = Contributions::default();
        for word in words.as_ref()? {
            assert!(!word.org.is_empty(), "a word about nothing");
            let org = Org {
                name: word.name.as_deref().map(Into::into),
                r#type: word.name.as_ref().map(|_| OrgType::School),
                identifier: word.name.as_ref().map(|_| word.org.as_str().into()),
                parent: word.parent.as_deref().map(OrgRef::from),
                children: word.children.iter().map(|child| OrgRef::from(child.as_str())).collect(),
                ..Org::default()
            };
            out.add(&word.org, &org);
        }
        Some(out.into_rows())
    }
}
