//! Turns folders into partners: `schemas/canonical`, `schemas/<partner>/openapi.yaml` and `<partner>.wasm` become what
//! the server works with. All that is asked for, or a list of all that is wrong.

use std::io;
use std::path::{Path, PathBuf};

use rollcall_core::bundle::{Bundle, BundleError, FolderError, read_folder};
use rollcall_core::canonical::Canonical;
use rollcall_core::description::Partner;
use rollcall_core::ingest::Loaded;
use rollcall_core::language::{Diagnostic, Files, Folder, render};
use rollcall_core::limits::{BundleLimits, MapperLimits};
use rollcall_core::map::{Host, HostError, LoadError};

/// The folder of `schemas` that is no partner's.
const CANONICAL: &str = "canonical";

/// The file that makes a folder a partner's.
pub const DESCRIPTION: &str = "openapi.yaml";

/// Where schemas and mappers are.
#[derive(Debug, Clone)]
pub struct Folders {
    /// One folder per partner, and `canonical`.
    pub schemas: PathBuf,
    /// `<partner>.wasm` files.
    pub mappers: PathBuf,
}

/// Why partners cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PartnersError {
    /// A folder or file cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Schemas have mistakes.
    #[error("the schemas have mistakes; `rollcall check` shows the same\n\n{0}")]
    Schemas(String),
    /// A partner's folder cannot be read as a whole.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A partner's folder and its mapper make up no bundle.
    #[error("failed to pack the partner {partner}")]
    Bundle {
        /// The partner.
        partner: String,
        /// Why.
        source: BundleError,
    },
    /// The sandbox cannot be made.
    #[error("failed to set up the sandbox")]
    Host(#[from] HostError),
    /// A mapper cannot be loaded.
    #[error("failed to load the mapper {}", path.display())]
    Mapper {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: LoadError,
    },
}

impl Folders {
    /// Where the canonical schemas are.
    pub fn canonical_folder(&self) -> PathBuf {
        self.schemas.join(CANONICAL)
    }

    /// Whether a partner has a mapper: built, or a crate that can be built.
    pub fn has_mapper(&self, name: &str) -> bool {
        self.mapper(name).is_file() || self.mapper_crate(name).join("Cargo.toml").is_file()
    }

    /// Where the crate of a partner's mapper is: `mappers/` stands beside the folder of the descriptions.
    pub fn mapper_crate(&self, name: &str) -> PathBuf {
        self.schemas.parent().unwrap_or(Path::new("")).join("mappers").join(name)
    }

    /// The kinds of entity.
    pub fn canonical(&self) -> Result<Canonical, PartnersError> {
        Canonical::load(&self.canonical_folder()).map_err(|problems| schemas(&problems))
    }

    /// The names of all partners that have a description, sorted.
    pub fn partners(&self) -> Result<Vec<String>, PartnersError> {
        let read = |source| PartnersError::Read { path: self.schemas.clone(), source };
        let mut names = Vec::new();
        for entry in self.schemas.read_dir().map_err(read)? {
            let path = entry.map_err(read)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(name) = name.filter(|_| path.join(DESCRIPTION).is_file()) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// A partner's folder.
    pub fn partner(&self, name: &str) -> PathBuf {
        self.schemas.join(name)
    }

    /// Where a partner's mapper is.
    pub fn mapper(&self, name: &str) -> PathBuf {
        self.mappers.join(format!("{name}.wasm"))
    }

    /// What describes a partner, whether it has a mapper or not.
    pub fn describe(&self, name: &str) -> Result<Partner, PartnersError> {
        let loaded = Partner::load(&self.partner(name), &self.canonical()?, &|_: &str| true);
        loaded.map_err(|problems| schemas(&problems))
    }

    /// The named partners, each with its mapper. Mistakes in descriptions are all told at once.
    pub fn load(&self, names: &[String], canonical: &Canonical, host: &Host) -> Result<Vec<Loaded>, PartnersError> {
        let versions = self.versions(names, canonical, host, &BundleLimits::default())?;
        Ok(versions.into_iter().map(|(loaded, _)| loaded).collect())
    }

    /// The same, each with the bundle that it makes up.
    pub fn versions(
        &self,
        names: &[String],
        canonical: &Canonical,
        host: &Host,
        limits: &BundleLimits,
    ) -> Result<Vec<(Loaded, Bundle)>, PartnersError> {
        let mut problems = Vec::new();
        let mut partners = Vec::new();
        for name in names {
            let called = self.partner(name);
            let files = Files { by_name: read_folder(&called, limits)?, called };
            let has_mapper = |name: &str| self.mapper(name).is_file();
            match Partner::load_from(Folder::Memory(&files), name, canonical, &has_mapper) {
                Ok(partner) => partners.push((partner, files)),
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(schemas(&problems));
        }
        let packed = partners.into_iter().map(|(partner, files)| self.packed(partner, files, canonical, host, limits));
        packed.collect()
    }

    fn packed(
        &self,
        partner: Partner,
        files: Files,
        canonical: &Canonical,
        host: &Host,
        limits: &BundleLimits,
    ) -> Result<(Loaded, Bundle), PartnersError> {
        let path = self.mapper(&partner.name);
        let bytes = std::fs::read(&path).map_err(|source| PartnersError::Read { path: path.clone(), source })?;
        let loaded = host.load(&partner.name, &bytes, canonical);
        let checked = loaded.and_then(|mapper| mapper.check_calls(&partner).map(|()| mapper));
        let mapper = checked.map_err(|source| PartnersError::Mapper { path, source })?;
        let bundle = Bundle::pack(&partner.name, &partner.version, files.by_name, bytes, limits)
            .map_err(|source| PartnersError::Bundle { partner: partner.name.clone(), source })?;
        Ok((Loaded { partner, mapper, version: bundle.id() }, bundle))
    }
}

/// A sandbox with these limits; compiled mappers are kept in `cache`.
pub fn host(limits: &MapperLimits, cache: Option<&Path>) -> Result<Host, PartnersError> {
    Ok(Host::new(limits, cache)?)
}

fn schemas(problems: &[Diagnostic]) -> PartnersError {
    PartnersError::Schemas(render(problems, false))
}
