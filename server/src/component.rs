//! Turns a mapper's crate into what is run: a component for the sandbox, and a native program to compare it with. Cargo
//! builds both.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use serde_json::Value;

/// What mappers are compiled for: nothing is there to be imported.
const TARGET: &str = "wasm32-unknown-unknown";

/// The project's profile for them: small and quick to load.
const PROFILE: &str = "mapper";

/// The project's program that makes a component of a module.
const COMPONENTIZE: &str = "rollcall-componentize";

/// A mapper's crate.
#[derive(Debug, Clone)]
pub struct MapperCrate {
    manifest: PathBuf,
    package: String,
}

/// Why a mapper is not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no such crate.
    #[error("there is no mapper {}", .0.display())]
    Missing(PathBuf),
    /// Cargo cannot be run.
    #[error("failed to run cargo")]
    Cargo(#[source] io::Error),
    /// Cargo has said why.
    #[error("cargo could not build `{package}`; if the target is missing: rustup target add {TARGET}")]
    Failed {
        /// What was to be built.
        package: String,
    },
    /// What was built is not what a mapper is built to.
    #[error("`{package}` builds no {what}")]
    Nothing {
        /// What was to be built.
        package: String,
        /// What is missing.
        what: &'static str,
    },
    /// A file cannot be read or written.
    #[error("failed to read or write {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl MapperCrate {
    /// The crate in `folder`, which is `mappers/<partner>`.
    pub fn find(folder: &Path, partner: &str) -> Result<Self, BuildError> {
        let manifest = folder.join("Cargo.toml");
        if !manifest.is_file() {
            return Err(BuildError::Missing(manifest));
        }
        Ok(Self { manifest, package: format!("mapper-{partner}") })
    }

    /// Builds the component and puts it at `target`, which a running server may be reading.
    pub fn build_component(&self, target: &Path) -> Result<(), BuildError> {
        let built = self.build(&["--lib", "--profile", PROFILE, "--target", TARGET])?;
        let module = built.iter().find(|path| path.extension() == Some(OsStr::new("wasm")));
        let module = module.ok_or_else(|| self.nothing("component: `crate-type` has to name `cdylib`"))?;
        let failed = |source| BuildError::File { path: target.to_owned(), source };
        target.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        let mut componentize = cargo("run", COMPONENTIZE, &self.manifest);
        let done = componentize.arg("--").arg(module).arg(target).status().map_err(BuildError::Cargo)?;
        if done.success() { Ok(()) } else { Err(BuildError::Failed { package: COMPONENTIZE.to_owned() }) }
    }

    /// Builds the native program; says where it is.
    pub fn build_native(&self) -> Result<PathBuf, BuildError> {
        let built = self.build(&["--bin", &self.package])?;
        let program = built.into_iter().find(|path| path.file_stem() == Some(OsStr::new(&self.package)));
        program.ok_or_else(|| self.nothing("program `src/bin`"))
    }

    fn nothing(&self, what: &'static str) -> BuildError {
        BuildError::Nothing { package: self.package.clone(), what }
    }

    /// The files that Cargo says it has built of this package. What it tells people goes to standard error.
    fn build(&self, arguments: &[&str]) -> Result<Vec<PathBuf>, BuildError> {
        let mut build = cargo("build", &self.package, &self.manifest);
        build.arg("--message-format=json-render-diagnostics").args(arguments).stderr(Stdio::inherit());
        let output = build.output().map_err(BuildError::Cargo)?;
        if !output.status.success() {
            return Err(BuildError::Failed { package: self.package.clone() });
        }
        let lines = output.stdout.split(|byte| *byte == b'\n');
        let messages = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        Ok(messages.flat_map(|message| self.files(&message)).collect())
    }

    /// The files that a message of Cargo's names, if it is about this package.
    fn files(&self, message: &Value) -> Vec<PathBuf> {
        let of_package = message["manifest_path"].as_str().is_some_and(|path| self.is_manifest(Path::new(path)));
        let files = message["filenames"].as_array().filter(|_| of_package);
        files.into_iter().flatten().filter_map(|file| Some(PathBuf::from(file.as_str()?))).collect()
    }

    fn is_manifest(&self, path: &Path) -> bool {
        self.manifest.canonicalize().is_ok_and(|manifest| path.canonicalize().is_ok_and(|path| path == manifest))
    }
}

/// A command of Cargo's about a package of the project that `manifest` is in.
fn cargo(command: &str, package: &str, manifest: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([command, "--quiet", "--package", package, "--manifest-path"]).arg(manifest);
    cargo
}
