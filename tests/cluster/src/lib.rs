//! Turns installed PostgreSQL binaries into servers that live as long as the test process.
//!
//! [`Database::fresh`] is what most tests need: an empty database, dropped with the value. All of a process are in one
//! server, which is started when the first is asked for. A test that stops servers, fills them up or lets one follow
//! another has a [`Cluster`] of its own.
//!
//! - Data, log and socket lie in a folder of their own below the system's temporary folder ([`Cluster::folder`]) and go
//!   with the process, however it ends: a shell waits for the end of a pipe that only this process holds, see `watchdog`.
//! - `initdb` refuses root. As root, servers run as `postgres`, or as `nobody` where there is no such user.
//! - Binaries are looked for in `$ROLLCALL_TEST_POSTGRES_BIN`, `$PATH` and where Debian has them; the newest are taken.
//! - `$ROLLCALL_TEST_POSTGRES=postgres://…` names a server to make fresh databases in instead; its user must be allowed to
//!   make databases. No server that was not started here is ever stopped or configured.

mod cluster;
mod database;
mod programs;
mod user;
mod watchdog;

pub use self::cluster::{Cluster, Settings, Stop};
pub use self::database::Database;
