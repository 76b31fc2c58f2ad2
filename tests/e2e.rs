//! The end-to-end tests: a real server process, real sockets, real databases, real payloads. One test binary; the files
//! beside this one are its modules.

#[cfg(test)]
mod architecture;
