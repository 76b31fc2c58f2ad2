//! Turns a template (`mappers/templates`) into a component, the way its page tells integrators, once for all tests: what was
//! built is kept under the digest of everything that it was built from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use rollcall_core::digest::Digest;
use rollcall_tests::jusoor::PARTNER;
use rollcall_tests::site::{copy_folder, project};

use super::{CANONICAL, PRYING, host, limits};

/// How often an installation is begun before its failure is believed.
const FETCHES_MAX: usize = 3;

/// A language that mappers can be written in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Language {
    JavaScript,
    Python,
}

static JAVASCRIPT: LazyLock<Vec<u8>> = LazyLock::new(|| Language::JavaScript.build());
static PYTHON: LazyLock<Vec<u8>> = LazyLock::new(|| Language::Python.build());

impl Language {
    /// The component that is made of its template: the mapper, and what pries (see [`PRYING`]).
    pub(super) fn built(self) -> &'static [u8] {
        match self {
            Self::JavaScript => &JAVASCRIPT,
            Self::Python => &PYTHON,
        }
    }

    /// The template's folder, the file that pins what it is built with, and what a mapper's file ends with.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::JavaScript => ("javascript", "package-lock.json", "js"),
            Self::Python => ("python", "requirements.txt", "py"),
        }
    }

    /// Builds the component if it is not there yet.
    fn build(self) -> Vec<u8> {
        let (name, _, ending) = self.names();
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("templates").join(name);
        // A copy, so that nothing is installed or built among the sources; the contract is where the template looks for it.
        let folder = place.join("mappers/templates").join(name);
        replace(&project().join("mappers/wit"), &place.join("mappers/wit"));
        for source in files(&project().join("mappers/templates").join(name)) {
            put(&source, &folder);
        }
        put(&project().join(format!("tests/templates/{PRYING}.{ending}")), &folder);
        let component = folder.join(format!("{PRYING}.wasm"));
        let (inputs, mark) = (inputs(&folder, &place.join("mappers/wit")), component.with_extension("inputs"));
        if !fs::read_to_string(&mark).is_ok_and(|kept| kept == inputs) {
            self.install(&folder);
            self.componentize(&folder);
            fs::write(&mark, &inputs).expect("the folder is ours");
        }
        let built = fs::read(&component).unwrap_or_else(|error| panic!("{}: {error}", component.display()));
        // Compiled once, and kept, before several tests want to at the same time.
        host(&limits().mapper).load(PARTNER, &built, &CANONICAL).expect("it loads");
        built
    }

    /// Installs what the template is built with, if it is not there in these versions.
    fn install(self, folder: &Path) {
        let (_, pinned, _) = self.names();
        let (wanted, mark) = (fs::read(folder.join(pinned)).expect("it is pinned"), folder.join(".installed"));
        if fs::read(&mark).is_ok_and(|installed| installed == wanted) {
            return;
        }
        match self {
            Self::JavaScript => {
                let npm = "Node.js 20 or later with npm (https://nodejs.org)";
                let mut install = Command::new("npm");
                install.args(["ci", "--no-audit", "--no-fund", "--fetch-retries", "5"]).current_dir(folder);
                fetch(&mut install, npm);
            }
            Self::Python => {
                let python = "Python 3.10 or later with `venv` (https://www.python.org)";
                run(Command::new("python3").args(["-m", "venv", "--clear", ".venv"]).current_dir(folder), python);
                let mut pip = Command::new(folder.join(".venv/bin/pip"));
                pip.args(["install", "--quiet", "--retries", "10", "--requirement", pinned]).current_dir(folder);
                fetch(&mut pip, python);
            }
        }
        fs::write(mark, wanted).expect("the folder is ours");
    }

    fn componentize(self, folder: &Path) {
        match self {
            Self::JavaScript => {
                let mut npm = Command::new("npm");
                npm.args(["run", "build"]).env("MAPPER", PRYING).current_dir(folder);
                run(&mut npm, "Node.js with npm");
            }
            Self::Python => {
                let mut program = Command::new(folder.join(".venv/bin/componentize-py"));
                program.args(["--wit-path", "../../wit/v1", "--world", "mapper", "componentize", PRYING]);
                run(program.args(["--output", &format!("{PRYING}.wasm")]).current_dir(folder), "Python with `venv`");
            }
        }
    }
}

/// Everything that a component is made of, in one digest.
fn inputs(folder: &Path, wit: &Path) -> String {
    let sources =
        files(folder).into_iter().filter(|path| path.extension().is_some_and(|end| end != "wasm" && end != "inputs"));
    let mut all = Vec::new();
    for path in sources.chain(files(&wit.join("v1"))) {
        all.extend(path.file_name().expect("files have names").as_encoded_bytes());
        all.extend(fs::read(&path).expect("the folder is ours"));
    }
    Digest::of(&all).to_string()
}

/// The files right in a folder, sorted; hidden ones are not ours.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let paths = entries.map(|entry| entry.expect("the folder is ours").path());
    let mut files: Vec<_> = paths.filter(|path| path.is_file() && !hidden(path)).collect();
    files.sort();
    files
}

fn put(file: &Path, folder: &Path) {
    fs::create_dir_all(folder).expect("the folder is ours");
    fs::copy(file, folder.join(file.file_name().expect("files have names"))).expect("the folder is ours");
}

fn replace(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).expect("the folder is ours");
    }
    copy_folder(from, to);
}

fn run(command: &mut Command, needs: &str) {
    attempt(command, needs).unwrap_or_else(|said| panic!("{command:?}: {said}\nthis needs {needs}"));
}

/// Runs what fetches from a registry. It waits and tries again by itself where a call fails; where that was not enough, it is
/// begun anew.
fn fetch(command: &mut Command, needs: &str) {
    if !(1..FETCHES_MAX).any(|_| attempt(command, needs).is_ok()) {
        run(command, needs);
    }
}

/// Runs a program; if it fails, returns what it said.
fn attempt(command: &mut Command, needs: &str) -> Result<(), String> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; this needs {needs}"));
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
}
