//! The end-to-end tests: a real server process, real sockets, real databases, real payloads. One test binary; the files
//! beside this one are its modules.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod bad_input;
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
mod hostile;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod keeping;
#[cfg(test)]
mod mirror;
#[cfg(test)]
mod oneroster;
#[cfg(test)]
mod options;
#[cfg(test)]
mod receiving;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod skipping;
#[cfg(test)]
mod state;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod webhooks;

/// A fresh place for a server.
#[cfg(test)]
fn site() -> rollcall_tests::site::Site {
    use rollcall_tests::jusoor::PARTNER;
    rollcall_tests::site::Site::new(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), PARTNER)
}
