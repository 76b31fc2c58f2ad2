//! The `rollcall` program. Each subcommand is a file under `cli/`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its terminal")]

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(outcome) => outcome.into(),
        // Whoever reads our output has seen enough: `rollcall map … | head`.
        Err(error) if error.chain().filter_map(|cause| cause.downcast_ref()).any(is_closed_pipe) => {
            cli::Outcome::Done.into()
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            cli::Outcome::Failed.into()
        }
    }
}

fn is_closed_pipe(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}
