//! The `rollcall` server: HTTP around [`rollcall_core`], and nothing of a partner. The `rollcall` program is a thin
//! command line around this library.

pub mod access;
pub mod admission;
pub mod app;
pub mod backlog;
pub mod body;
pub mod client;
pub mod component;
pub mod condition;
pub mod config;
pub mod connections;
pub mod credential;
pub mod database;
pub mod demo;
pub mod diff;
pub mod erasing;
pub mod examples;
#[cfg(test)]
mod fixture;
pub mod hands;
pub mod holding;
pub mod infer;
pub mod intake;
pub mod log;
pub mod metrics;
pub mod newcomer;
pub mod panic;
pub mod partners;
pub mod presence;
pub mod preview;
pub mod problem;
pub mod pruning;
pub mod query;
pub mod rebuilding;
pub mod references;
pub mod registry;
pub mod reprocessing;
pub mod routes;
pub mod server;
mod socket;
pub mod start;
pub mod trace;
pub mod turn;
mod unread;
pub mod versions;
pub mod webhook;
pub mod worker;
