//! Turns a name into a new partner: a folder under `schemas/` and a crate under `mappers/` that check, build and pass their
//! tests as they are.
//!
//! What is written are the files of `server/templates/partner`, which are those of a partner called `new-partner`, with its
//! name in every spelling replaced. So they are read, and tested, like any other partner's. To add one: put it there and name
//! it in [`TEMPLATES`].

mod flow;
mod guess;
mod project;
mod proposal;
mod sample;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::{fs, io};

use rollcall_core::canonical::Canonical;
use rollcall_core::description::fits_as_name;
use rollcall_core::language::{Diagnostic, Document, OVERLAY, render};
use toml_edit::DocumentMut;

pub use self::project::{project, write_project};
pub use self::proposal::Proposal;

use crate::partners::DESCRIPTION;

/// What the partner of the templates is called.
const PLACEHOLDER: &str = "new-partner";

/// Where each file goes, and what it says.
const TEMPLATES: [(&str, &str); 9] = [
    ("schemas/new-partner/openapi.yaml", include_str!("../templates/partner/schemas/openapi.yaml")),
    ("schemas/new-partner/demo.yaml", include_str!("../templates/partner/schemas/demo.yaml")),
    ("schemas/new-partner/examples/courses.json", include_str!("../templates/partner/schemas/examples/courses.json")),
    (
        "schemas/new-partner/examples/courses.expected.json",
        include_str!("../templates/partner/schemas/examples/courses.expected.json"),
    ),
    ("mappers/new-partner/Cargo.toml", include_str!("../templates/partner/mapper/Cargo.toml")),
    ("mappers/new-partner/build.rs", include_str!("../templates/partner/mapper/build.rs")),
    ("mappers/new-partner/src/lib.rs", include_str!("../templates/partner/mapper/src/lib.rs")),
    ("mappers/new-partner/src/tests.rs", include_str!("../templates/partner/mapper/src/tests.rs")),
    (
        "mappers/new-partner/src/bin/mapper-new-partner.rs",
        include_str!("../templates/partner/mapper/src/bin/mapper-new-partner.rs"),
    ),
];

/// What is different where a vendor's document is taken as it is: no record type has `kinds` yet.
const OF_VENDOR: [(&str, &str); 3] = [
    ("schemas/new-partner/demo.yaml", include_str!("../templates/vendor/schemas/demo.yaml")),
    ("mappers/new-partner/src/lib.rs", include_str!("../templates/vendor/mapper/src/lib.rs")),
    ("mappers/new-partner/src/tests.rs", include_str!("../templates/vendor/mapper/src/tests.rs")),
];

/// Where a project names what it consists of.
const MANIFEST: &str = "Cargo.toml";

/// Files that are to be written, and what they say.
pub type Files = Vec<(PathBuf, String)>;

/// A partner that is not there yet.
#[derive(Debug, Clone)]
pub struct Newcomer {
    root: PathBuf,
    name: String,
}

/// Why there is no new partner.
#[derive(Debug, thiserror::Error)]
pub enum NewcomerError {
    /// A partner cannot be called so.
    #[error("{problem}: {hint}")]
    Name {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// Something is there already.
    #[error("{} is there already; nothing was changed", .0.display())]
    Taken(PathBuf),
    /// The folder is none that partners can be added to.
    #[error(
        "{} is no project that partners can be added to: it has no {what}. A partner's mapper is built with an SDK and \
         canonical schemas; make a folder with them with `rollcall new project`, or name the folder with --into",
        root.display()
    )]
    Elsewhere {
        /// The folder.
        root: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// The project's manifest cannot be changed.
    #[error("{} cannot be changed: {reason}", path.display())]
    Manifest {
        /// Where it is.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No description can be made of a vendor's document.
    #[error("the document cannot be made a description of\n\n{}", render(.0, false))]
    Vendor(Vec<Diagnostic>),
    /// A file cannot be read or written.
    #[error("failed to read or write {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Newcomer {
    /// A partner called `name` in the project at `root`, if it can be called so and is not there.
    pub fn new(root: &Path, name: &str) -> Result<Self, NewcomerError> {
        fits_as_name(name).map_err(|(problem, hint)| NewcomerError::Name { problem, hint })?;
        for what in ["schemas/canonical", "mappers/sdk", MANIFEST] {
            if !root.join(what).exists() {
                return Err(NewcomerError::Elsewhere { root: root.to_owned(), what });
            }
        }
        let newcomer = Self { root: root.to_owned(), name: name.to_owned() };
        match [newcomer.schemas(), newcomer.mapper()].into_iter().find(|folder| folder.exists()) {
            Some(taken) => Err(NewcomerError::Taken(taken)),
            None => Ok(newcomer),
        }
    }

    /// The partner's folder.
    pub fn schemas(&self) -> PathBuf {
        self.root.join("schemas").join(&self.name)
    }

    /// The mapper's crate.
    pub fn mapper(&self) -> PathBuf {
        self.root.join("mappers").join(&self.name)
    }

    /// The description.
    pub fn description(&self) -> PathBuf {
        self.schemas().join(DESCRIPTION)
    }

    /// The files of a partner that sends a list of courses, and what they say.
    pub fn files(&self) -> Files {
        TEMPLATES.iter().map(|(path, text)| (self.root.join(self.called(path)), self.called(text))).collect()
    }

    /// The files of a partner whose vendor has published a document: that, the files it refers to, and an overlay for it, either
    /// one that is there already or a [`Proposal`].
    pub fn files_from(
        &self,
        vendor: &Path,
        overlay: Option<&Path>,
        canonical: &Canonical,
    ) -> Result<(Files, Option<Proposal>), NewcomerError> {
        let mut problems = Vec::new();
        let document = Document::read(vendor, &mut problems).ok_or(NewcomerError::Vendor(problems))?;
        let of_mapper = TEMPLATES.iter().filter(|(path, _)| path.starts_with("mappers/"));
        let ours = of_mapper.filter(|(path, _)| OF_VENDOR.iter().all(|(other, _)| other != path)).chain(&OF_VENDOR);
        let ours = ours.map(|(path, text)| (self.root.join(self.called(path)), self.called(text)));
        let theirs = proposal::files(&document).into_iter().map(|(name, text)| (self.schemas().join(name), text));
        let mut files: Vec<_> = theirs.chain(ours).collect();
        if let Some(overlay) = overlay {
            let failed = |source| NewcomerError::File { path: overlay.to_owned(), source };
            files.push((self.schemas().join(OVERLAY), fs::read_to_string(overlay).map_err(failed)?));
            return Ok((files, None));
        }
        let proposal = Proposal::for_document(vendor, &self.name, canonical)?;
        files.push((self.schemas().join(OVERLAY), proposal.text()));
        let examples = self.schemas().join("examples/records");
        files.extend(proposal.example().into_iter().map(|(name, text)| (examples.join(name), text)));
        Ok((files, Some(proposal)))
    }

    /// Writes `files`, and adds the mapper to what the project consists of. Gives back what was written or changed.
    pub fn write(&self, files: &[(PathBuf, String)]) -> Result<Vec<PathBuf>, NewcomerError> {
        let manifest = self.root.join(MANIFEST);
        let with_member = self.with_member(&manifest)?;
        let written = files.iter().map(|(path, text)| (path, text.as_str()));
        let written: Vec<_> = written.chain([(&manifest, with_member.as_str())]).collect();
        for (path, text) in &written {
            write(path, text)?;
        }
        Ok(written.into_iter().map(|(path, _)| path.clone()).collect())
    }

    /// A template with the partner's name in it.
    fn called(&self, text: &str) -> String {
        let words = |separator: &str, capital: bool| {
            let words = self.name.split('-').filter(|word| !word.is_empty());
            let spelled = words.map(|word| if capital { capitalized(word) } else { word.to_owned() });
            spelled.collect::<Vec<_>>().join(separator)
        };
        text.replace(PLACEHOLDER, &self.name)
            .replace("new_partner", &self.name.replace('-', "_"))
            .replace("NewPartner", &words("", true))
            .replace("New Partner", &words(" ", true))
    }

    /// The project's manifest with the mapper's crate among the members, everything else as it is.
    fn with_member(&self, path: &Path) -> Result<String, NewcomerError> {
        let text = fs::read_to_string(path).map_err(|source| NewcomerError::File { path: path.to_owned(), source })?;
        let failed = |reason: String| NewcomerError::Manifest { path: path.to_owned(), reason };
        let mut manifest: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| failed(error.to_string()))?;
        let members = manifest.get_mut("workspace").and_then(|workspace| workspace.get_mut("members"));
        let members = members.and_then(toml_edit::Item::as_array_mut);
        let members = members.ok_or_else(|| failed("it has no list `workspace.members`".to_owned()))?;
        members.push(format!("mappers/{}", self.name));
        Ok(manifest.to_string())
    }
}

/// Writes a file, and makes the folders that it is in.
fn write(path: &Path, text: &str) -> Result<(), NewcomerError> {
    let failed = |source| NewcomerError::File { path: path.to_owned(), source };
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
    fs::write(path, text).map_err(failed)
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
