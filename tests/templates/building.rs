//! Turns a template (`mappers/templates`) into components, the way its page tells integrators, once for all tests: what was
//! built is kept under the digest of everything that it was built from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use rollcall_core::digest::Digest;
use rollcall_core::limits::MapperLimits;
use rollcall_tests::jusoor::PARTNER;
use rollcall_tests::site::{copy_folder, project};

use super::{CANONICAL, PRYING, host};

/// A language that mappers can be written in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Language {
    JavaScript,
    Python,
}

/// The components that are made of one template.
#[derive(Debug)]
pub(super) struct Built {
    /// The template itself.
    pub(super) mapper: Vec<u8>,
    /// What looks for whatever it can see, written with the same means.
    pub(super) prying: Vec<u8>,
}

static JAVASCRIPT: LazyLock<Built> = LazyLock::new(|| Language::JavaScript.build());
static PYTHON: LazyLock<Built> = LazyLock::new(|| Language::Python.build());

impl Language {
    /// What is built of its template.
    pub(super) fn built(self) -> &'static Built {
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

    /// Builds all components of a template that are not there yet.
    fn build(self) -> Built {
        let (name, _, ending) = self.names();
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("templates").join(name);
        // A copy, so that nothing is installed or built among the sources; the contract is where the template looks for it.
        let folder = place.join("mappers/templates").join(name);
        replace(&project().join("mappers/wit"), &place.join("mappers/wit"));
        for source in files(&project().join("mappers/templates").join(name)) {
            put(&source, &folder);
        }
        put(&project().join(format!("tests/templates/prying.{ending}")), &folder);
        let built = |module: &str| {
            let component = folder.join(format!("{module}.wasm"));
            let (inputs, mark) = (inputs(&folder, &place.join("mappers/wit")), component.with_extension("inputs"));
            if !fs::read_to_string(&mark).is_ok_and(|kept| kept == inputs) {
                self.install(&folder);
                self.componentize(&folder, module);
                fs::write(&mark, &inputs).expect("the folder is ours");
            }
            fs::read(&component).unwrap_or_else(|error| panic!("{}: {error}", component.display()))
        };
        let built = Built { mapper: built("jusoor"), prying: built("prying") };
        // Compiled once, and kept, before several tests want to at the same time.
        for (partner, component) in [(PARTNER, &built.mapper), (PRYING, &built.prying)] {
            host(&MapperLimits::default()).load(partner, component, &CANONICAL).expect("it loads");
        }
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
                run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder), npm);
            }
            Self::Python => {
                let python = "Python 3.10 or later with `venv` (https://www.python.org)";
                run(Command::new("python3").args(["-m", "venv", "--clear", ".venv"]).current_dir(folder), python);
                let mut pip = Command::new(folder.join(".venv/bin/pip"));
                run(pip.args(["install", "--quiet", "--requirement", pinned]).current_dir(folder), python);
            }
        }
        fs::write(mark, wanted).expect("the folder is ours");
    }

    fn componentize(self, folder: &Path, module: &str) {
        let output = format!("{module}.wasm");
        match self {
            Self::JavaScript => {
                let mut npm = Command::new("npm");
                npm.args(["run", "build"]).env("MAPPER", module).current_dir(folder);
                run(&mut npm, "Node.js with npm");
            }
            Self::Python => {
                let mut program = Command::new(folder.join(".venv/bin/componentize-py"));
                program.args(["--wit-path", "../../wit/v1", "--world", "mapper", "componentize", module]);
                run(program.args(["--output", &output]).current_dir(folder), "Python with `venv`");
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
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; this needs {needs}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}\nthis needs {needs}", String::from_utf8_lossy(&said));
}
