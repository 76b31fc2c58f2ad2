//! `rollcall completions`: a shell's completion script.

use clap::CommandFactory as _;

use super::{Cli, Outcome};

/// Print a completion script for a shell
///
/// For bash: `rollcall completions bash > ~/.local/share/bash-completion/completions/rollcall`
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// Which shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self) -> Outcome {
        clap_complete::generate(self.shell, &mut Cli::command(), "rollcall", &mut std::io::stdout());
        Outcome::Done
    }
}
