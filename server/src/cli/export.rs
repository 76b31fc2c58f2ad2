//! `rollcall export`: a partner's description as other tools read it.

use std::io::Write as _;

use rollcall_server::partners::Folders;

use super::Outcome;

/// Print a partner's OpenAPI document
///
/// It is what a running server shows at `/<partner>/openapi.json`: in one piece, with what clients can call and without our own
/// words. OpenAPI 3.0 is for tools that read nothing newer, and says less where it has no words.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// Whose document
    partner: String,
    /// The version of OpenAPI
    #[arg(long, value_enum, default_value_t = Version::New)]
    openapi: Version,
    /// Folder of the descriptions
    #[arg(long, env = "ROLLCALL_SCHEMAS_DIR", value_name = "DIR", default_value = "schemas")]
    schemas_dir: std::path::PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Version {
    /// 3.1
    #[value(name = "3.1")]
    New,
    /// 3.0
    #[value(name = "3.0")]
    Old,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let folders = Folders { schemas: self.schemas_dir, mappers: std::path::PathBuf::new() };
        let mut document = folders.describe(&self.partner)?.document;
        if self.openapi == Version::Old {
            rollcall_openapi::age(&mut document);
        }
        writeln!(std::io::stdout(), "{document:#}")?;
        Ok(Outcome::Done)
    }
}
