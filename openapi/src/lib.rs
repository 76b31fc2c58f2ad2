//! Turns a vendor's OpenAPI document, as it was published, into the one that descriptions are made of: what an overlay says
//! is put in ([`overlay`]), and OpenAPI 3.0 becomes 3.1 ([`modern`]). And back, for tools that are older ([`older`]).
//!
//! The runtime and the mappers' build scripts read descriptions, and both read them through this crate, so that a mapper's
//! types and the runtime never disagree. It works on plain values and knows no files and no positions; who keeps positions
//! is told by [`Edit`]s what came from where.

pub mod modern;
pub mod older;
pub mod overlay;

pub use self::modern::{is_old, modernize};
pub use self::older::age;
pub use self::overlay::{Edit, Mistake, apply};

/// The file beside a vendor's document that says what is to be added to it and taken from it.
pub const OVERLAY: &str = "overlay.yaml";

/// A step of a JSON Pointer: a name as it stands there.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What a pointer leads into, and the last step, as it is called there.
fn parent(pointer: &str) -> Option<(&str, String)> {
    let (parent, step) = pointer.rsplit_once('/')?;
    Some((parent, step.replace("~1", "/").replace("~0", "~")))
}
