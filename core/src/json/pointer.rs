//! Where in a document something stands: JSON Pointers, RFC 6901.

use std::borrow::Cow;
use std::fmt;

/// A JSON Pointer (RFC 6901): where in a document something stands.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    pub fn root() -> Self {
        Self::default()
    }

    /// The pointer as it is written, `/branches/0/id`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The member `name` of what this points to.
    #[must_use]
    pub fn member(&self, name: &str) -> Self {
        let mut pointer = self.clone();
        pointer.push(name);
        pointer
    }

    /// The item `index` of what this points to.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// Goes down to the member `name`.
    pub fn push(&mut self, name: &str) {
        self.0.push('/');
        if name.contains(['~', '/']) {
            self.0.push_str(&name.replace('~', "~0").replace('/', "~1"));
        } else {
            self.0.push_str(name);
        }
    }

    /// The names and indexes on the way, unescaped.
    pub fn steps(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.split('/').skip(1).map(|step| {
            if step.contains('~') {
                Cow::Owned(step.replace("~1", "/").replace("~0", "~"))
            } else {
                Cow::Borrowed(step)
            }
        })
    }
}

impl Pointer {
    /// Goes down one step in place; [`ascend`](Self::ascend) with the result goes back up.
    pub fn descend(&mut self, step: impl PointerStep) -> usize {
        let length = self.0.len();
        step.push_to(self);
        length
    }

    /// Goes back up to where [`descend`](Self::descend) started.
    pub fn ascend(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

/// A step of a pointer: a member's name or an item's index.
pub trait PointerStep {
    /// Appends the step.
    fn push_to(self, pointer: &mut Pointer);
}

impl PointerStep for &str {
    fn push_to(self, pointer: &mut Pointer) {
        pointer.push(self);
    }
}

impl PointerStep for usize {
    fn push_to(self, pointer: &mut Pointer) {
        pointer.0.push('/');
        pointer.0.push_str(&self.to_string());
    }
}

impl From<String> for Pointer {
    fn from(pointer: String) -> Self {
        Self(pointer)
    }
}

impl From<&str> for Pointer {
    fn from(pointer: &str) -> Self {
        Self(pointer.to_owned())
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
