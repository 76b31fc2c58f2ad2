//! `rollcall bundle`: a partner's folder and its mapper as one file, which can be signed and checked.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use rollcall_core::bundle::{Bundle, PublicKey, SigningKey, read_folder};
use rollcall_core::canonical::Canonical;
use rollcall_core::description::Partner;
use rollcall_core::language::{Files, Folder, render};
use rollcall_core::limits::{BundleLimits, Limits};
use rollcall_core::map::Profile;
use rollcall_server::partners::{Folders, host};
use rollcall_server::versions::Versions;
use serde_json::json;

use super::Outcome;

/// Pack, show, sign and check bundles
///
/// A bundle is one version of a partner in one file: its description, its examples, its mapper. The same input gives the
/// same bytes. A running server takes it with `rollcall partner apply`.
#[derive(Debug, clap::Args)]
pub(super) struct Bundles {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Pack a partner's folder and its mapper
    Build {
        /// The partner's folder; the canonical schemas stand beside it
        folder: PathBuf,
        /// The file to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// The component [default: `<partner>.wasm` in the folder of the mappers]
        #[arg(long, value_name = "FILE")]
        mapper: Option<PathBuf>,
        /// Folder of the mappers (`<partner>.wasm`)
        #[arg(long, env = "ROLLCALL_MAPPERS_DIR", value_name = "DIR", default_value = "target/mappers")]
        mappers_dir: PathBuf,
    },
    /// Print what is in a bundle
    Show {
        /// The bundle
        file: PathBuf,
    },
    /// Make a key to sign with: writes it into a file, and prints what signatures are checked with
    Key {
        /// The file; it must not be there
        file: PathBuf,
    },
    /// Sign a bundle
    Sign {
        /// The bundle; the signature is added to it
        file: PathBuf,
        /// The file of the key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Check that a bundle is whole and, where keys are named, that one of them has signed it
    Verify {
        /// The bundle
        file: PathBuf,
        /// What signatures are checked with, as `rollcall bundle key` prints it
        #[arg(long = "key", value_name = "PUBLIC KEY")]
        keys: Vec<PublicKey>,
    },
}

impl Bundles {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        match self.action {
            Action::Build { folder, output, mapper, mappers_dir } => {
                build(&folder, &output, mapper.as_deref(), &mappers_dir)
            }
            Action::Show { file } => show(&open(&file)?),
            Action::Key { file } => key(&file),
            Action::Sign { file, key } => {
                let mut bundle = open(&file)?;
                let text = fs::read_to_string(&key).with_context(|| format!("failed to read {}", key.display()))?;
                let key = SigningKey::parse(&text)?;
                bundle.sign(&key);
                write(&file, &bundle)?;
                println!("signed by {}", key.public());
                Ok(Outcome::Done)
            }
            Action::Verify { file, keys } => Ok(verify(&open(&file)?, &keys)),
        }
    }
}

fn build(folder: &Path, output: &Path, mapper: Option<&Path>, mappers: &Path) -> anyhow::Result<Outcome> {
    let folder = folder.canonicalize().with_context(|| format!("failed to read {}", folder.display()))?;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let schemas = folder.parent().unwrap_or(&folder).to_owned();
    let folders = Folders { schemas, mappers: mappers.to_owned() };
    let limits = BundleLimits::default();
    let canonical = folders.canonical()?;
    let files = Files { by_name: read_folder(&folder, &limits)?, called: folder };
    let partner = match Partner::load_from(Folder::Memory(&files), &name, &canonical, &|_: &str| true) {
        Ok(partner) => partner,
        Err(problems) => {
            println!("{}", render(&problems, false));
            return Ok(Outcome::Problems);
        }
    };
    let mapper = super::read(mapper.unwrap_or(&folders.mapper(&name)))?;
    let bundle = Bundle::pack(&name, &partner.version, files.by_name, mapper, &limits)?;
    let problems = problems(&bundle, &canonical)?;
    for problem in &problems {
        println!("{problem}");
    }
    if !problems.is_empty() {
        return Ok(Outcome::Problems);
    }
    write(output, &bundle)?;
    println!("{}/{} {}", name, partner.version, bundle.id());
    Ok(Outcome::Done)
}

/// Why a server would not load it.
fn problems(bundle: &Bundle, canonical: &Canonical) -> anyhow::Result<Vec<String>> {
    let limits = Limits::default();
    // What its mapper may import is decided where it is loaded.
    let permitted = [(bundle.manifest().partner.clone(), Profile::Wasi)].into();
    let versions = Versions::new(host(&limits.mapper, None)?.permitting(permitted), limits.bundle);
    Ok(versions.load(bundle, canonical).err().unwrap_or_default())
}

fn show(bundle: &Bundle) -> anyhow::Result<Outcome> {
    let signers: Vec<_> = bundle.signatures().iter().map(|signature| signature.key).collect();
    let shown = json!({"id": bundle.id(), "signedBy": signers, "manifest": bundle.manifest()});
    println!("{}", serde_json::to_string_pretty(&shown)?);
    Ok(Outcome::Done)
}

fn key(file: &Path) -> anyhow::Result<Outcome> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("failed to draw random bytes")?;
    let key = SigningKey::from_seed(&seed)?;
    let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let mut opened = opened.with_context(|| format!("failed to make {}", file.display()))?;
    writeln!(opened, "{}", hex::encode(seed)).with_context(|| format!("failed to write {}", file.display()))?;
    println!("{}", key.public());
    Ok(Outcome::Done)
}

fn verify(bundle: &Bundle, keys: &[PublicKey]) -> Outcome {
    println!("{}/{} {}", bundle.manifest().partner, bundle.manifest().version, bundle.id());
    if keys.is_empty() {
        for signature in bundle.signatures() {
            println!("signed by {}", signature.key);
        }
        return Outcome::Done;
    }
    match bundle.signer(keys) {
        Ok(key) => {
            println!("signed by {key}");
            Outcome::Done
        }
        Err(untrusted) => {
            println!("{untrusted}");
            Outcome::Problems
        }
    }
}

fn open(file: &Path) -> anyhow::Result<Bundle> {
    let limits = BundleLimits::default();
    let size = fs::metadata(file).with_context(|| format!("failed to read {}", file.display()))?.len();
    ensure!(size <= limits.bytes_max, "{} is larger than a bundle may be", file.display());
    Bundle::open(&super::read(file)?, &limits).with_context(|| format!("failed to open {}", file.display()))
}

/// Writes beside the file first, so that nobody ever reads half of it.
fn write(file: &Path, bundle: &Bundle) -> anyhow::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let written = fs::write(&beside, bundle.to_bytes()).and_then(|()| fs::rename(&beside, file));
    written.with_context(|| format!("failed to write {}", file.display()))
}
