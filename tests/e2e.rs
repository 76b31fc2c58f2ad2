//! The end-to-end tests: a real server process, real sockets, real databases, real payloads. One test binary; the files
//! beside this one are its modules.
//!
//! What a test says about something that is stored (deliveries, queues, records, entities, feeds, webhooks, whatever must
//! survive) it says of every kind of database, see [`on_every_database`]. What ends before anything is stored, or is made
//! of what was read (bodies, headers, texts, command lines), is tested on SQLite alone.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod book;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod eduframe;
#[cfg(test)]
mod erasing;
#[cfg(test)]
mod events;
#[cfg(test)]
mod explaining;
#[cfg(test)]
mod holding;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod keeping;
#[cfg(test)]
mod large;
#[cfg(test)]
mod markers;
#[cfg(test)]
mod mirror;
#[cfg(test)]
mod newcomer;
#[cfg(test)]
mod oneroster;
#[cfg(test)]
mod options;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod reasons;
#[cfg(test)]
mod receiving;
#[cfg(test)]
mod remapping;
#[cfg(test)]
mod replaying;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod shadowing;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod skipping;
#[cfg(test)]
mod state;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod upgrades;
#[cfg(test)]
mod webhooks;

#[cfg(test)]
use rollcall_tests::database::Kind;
#[cfg(test)]
use rollcall_tests::site::Site;

/// A fresh place for a server.
#[cfg(test)]
fn site() -> Site {
    site_on(Kind::Sqlite)
}

/// A fresh place for servers, on a kind of database.
#[cfg(test)]
fn site_on(kind: Kind) -> Site {
    site_of(kind, rollcall_tests::jusoor::PARTNER)
}

/// A fresh place for servers, on a kind of database, whose connections are of one partner.
#[cfg(test)]
fn site_of(kind: Kind, partner: &str) -> Site {
    Site::on(kind, env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), partner)
}

/// Runs each of the named tests on every kind of database.
#[cfg(test)]
macro_rules! on_every_database {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[test]
                fn $test() {
                    super::$test(rollcall_tests::database::Kind::Sqlite);
                }
            )+
        }
        mod postgres {
            $(
                #[test]
                fn $test() {
                    super::$test(rollcall_tests::database::Kind::Postgres);
                }
            )+
        }
    };
}
#[cfg(test)]
use on_every_database;
