//! What descriptions are written in: YAML files with positions, the words under `x-rollcall`, and what is said about
//! them when they are wrong.
//!
//! Partners' descriptions and the canonical schemas are written in one language and read by the same code; what a
//! particular file means stands in [`crate::canonical`] and [`crate::description`].

pub mod described;
pub mod diagnostic;
pub mod files;
pub mod grammar;
pub mod keys;
pub mod picture;
pub mod schema;
pub mod source;
pub mod words;

pub use self::diagnostic::{Diagnostic, render};
pub use self::files::{Files, Folder};
pub use self::grammar::Grammar;
pub(crate) use self::source::reference;
pub use self::source::{Document, Place};

/// The file beside a vendor's document that says what it does not.
pub const OVERLAY: &str = rollcall_openapi::OVERLAY;

/// The extension key of OpenAPI and JSON Schema objects that our words stand under.
pub const EXTENSION: &str = "x-rollcall";
