//! A copy of the project's sources in which a test can do what an integrator does: begin partners, change files, build.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::site::project;

/// There is one copy, so that what Cargo builds of it is there the next time.
static COPY: Mutex<()> = Mutex::new(());

/// What no copy needs.
const LEFT_OUT: [&str; 4] = ["target", "node_modules", "bench-out", "examples"];

/// The copy, and whose turn it is to use it.
#[derive(Debug)]
pub struct Tree {
    path: PathBuf,
    program: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Tree {
    /// A fresh copy in `folder`, where `program` is what `rollcall` means.
    pub fn copy(program: &str, folder: &str) -> Self {
        let turn = COPY.lock().unwrap_or_else(PoisonError::into_inner);
        let path = fresh(folder, "tree");
        copy(project(), &path);
        Self::sharing(path, program, folder, turn)
    }

    /// What is there, with what was built the last time.
    fn sharing(path: PathBuf, program: &str, folder: &str, turn: MutexGuard<'static, ()>) -> Self {
        let built = Path::new(folder).join("tree-target");
        fs::create_dir_all(&built).expect("the folder is ours");
        std::os::unix::fs::symlink(&built, path.join("target")).expect("the folder is ours");
        Self { path, program: program.into(), _turn: turn }
    }

    /// An empty folder in `folder` in its stead, beside the copy.
    pub fn empty(program: &str, folder: &str) -> Self {
        let turn = COPY.lock().unwrap_or_else(PoisonError::into_inner);
        let path = fresh(folder, "empty");
        fs::create_dir_all(&path).expect("the folder is ours");
        Self::sharing(path, program, folder, turn)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a command that has to go well; gives back what it said.
    pub fn run(&self, words: &[&str]) -> String {
        let output = self.output(words);
        assert!(output.status.success(), "`{}`:\n{}", words.join(" "), said(&output));
        said(&output)
    }

    /// Runs a command that has to fail; gives back what it said.
    pub fn fail(&self, words: &[&str]) -> String {
        let output = self.output(words);
        assert!(!output.status.success(), "`{}` went well:\n{}", words.join(" "), said(&output));
        said(&output)
    }

    /// The digest of all that a folder holds.
    pub fn digest(&self, folder: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        digest(&self.path.join(folder), &mut hasher);
        hasher.finalize().to_hex().to_string()
    }

    /// Removes the folders of all partners but one.
    pub fn keep_only(&self, partner: &str) {
        for entry in fs::read_dir(self.path.join("schemas")).expect("it is there") {
            let path = entry.expect("it is there").path();
            let keeps = path.ends_with(partner) || path.ends_with("canonical");
            if path.is_dir() && !keeps {
                fs::remove_dir_all(&path).expect("the folder is ours");
            }
        }
    }

    /// A command in the copy. Nothing is fetched, and nothing of the outer Cargo is seen.
    pub fn command(&self, program: &str) -> Command {
        let mut command = match program {
            "rollcall" => Command::new(&self.program),
            other => Command::new(other),
        };
        let programs = self.program.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        let path = std::env::var("PATH").unwrap_or_default();
        let outer = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("CARGO_"));
        for name in outer.filter(|name| name != "CARGO_HOME") {
            command.env_remove(name);
        }
        command.current_dir(&self.path).env("PATH", format!("{programs}:{path}")).env("CARGO_NET_OFFLINE", "true");
        command
    }

    fn output(&self, words: &[&str]) -> Output {
        let [program, arguments @ ..] = words else { panic!("a command has a program") };
        self.command(program).args(arguments).output().expect("the program is there")
    }
}

/// Where nothing is left of the last time.
fn fresh(folder: &str, name: &str) -> PathBuf {
    let path = Path::new(folder).join(name);
    if path.exists() {
        fs::remove_dir_all(&path).expect("the folder is ours");
    }
    path
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Copies sources with their times, so that Cargo knows what has not changed.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder is ours");
    for entry in fs::read_dir(from).expect("it is there") {
        let path = entry.expect("it is there").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("files have names");
        if name.starts_with('.') || LEFT_OUT.contains(&name) {
            continue;
        }
        let target = to.join(name);
        if path.is_dir() {
            copy(&path, &target);
            continue;
        }
        fs::copy(&path, &target).expect("the folder is ours");
        let modified = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("it is there");
        let file = File::options().append(true).open(&target).expect("it is ours");
        file.set_modified(modified).expect("it is ours");
    }
}

fn digest(path: &Path, hasher: &mut blake3::Hasher) {
    hasher.update(path.as_os_str().as_encoded_bytes());
    if path.is_file() {
        hasher.update(&fs::read(path).expect("it is there"));
        return;
    }
    let entries = fs::read_dir(path).expect("it is there").map(|entry| entry.expect("it is there").path());
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    for path in entries {
        digest(&path, hasher);
    }
}
