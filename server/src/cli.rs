//! Turns arguments into a run of one subcommand, and its [`Outcome`] into an exit code.
//!
//! To add a subcommand: a file under `cli/` with its arguments and `run`, and a line in [`Command`].

mod completions;
mod serve;
mod token;

use std::process::ExitCode;

/// A sync hub for education data.
///
/// Partner systems push data in their own documented format; Rollcall checks it against the partner's own description,
/// keeps it, maps it to one canonical model in a sandbox, and publishes what changed.
#[derive(Debug, clap::Parser)]
#[command(
    name = "rollcall",
    version,
    after_help = "Exit codes: 0 done; 1 problems were found in what was looked at; 2 wrong usage; 3 could not be done."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Serve(serve::Serve),
    Token(token::Token),
    Completions(completions::Completions),
}

/// How a subcommand ended, beside failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well: 0.
    Done,
    /// What was looked at has problems, and they have been told: 1.
    Problems,
    /// It could not be done: 3 (2 is wrong usage).
    Failed,
}

impl Cli {
    /// Runs the subcommand.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Serve(command) => command.run(),
            Command::Token(command) => command.run(),
            Command::Completions(command) => Ok(command.run()),
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Problems => 1,
            Outcome::Failed => 3,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
