//! What the end-to-end tests and the benchmark start from: a school to send, and a server process to send it to.
#![expect(clippy::missing_panics_doc, reason = "a test that cannot go on panics: that is its answer")]

pub mod school;
