//! What the end-to-end tests and the benchmark start from: a school to send, a server process to send it to, and a client.
#![expect(clippy::missing_panics_doc, reason = "a test that cannot go on panics: that is its answer")]

pub mod campus;
pub mod client;
pub mod database;
pub mod jusoor;
pub mod process;
pub mod proxy;
pub mod school;
pub mod site;
pub mod soak;
pub mod tree;
