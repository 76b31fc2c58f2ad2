//! The `rollcall` server: HTTP around [`rollcall_core`], and nothing of a partner. The `rollcall` program is a thin
//! command line around this library.

pub mod access;
pub mod body;
pub mod config;
pub mod credential;
pub mod problem;
pub mod turn;
