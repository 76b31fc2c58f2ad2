//! Turns the bytes of a bundle into a version that may become active, or into every reason why it may not. Nothing that runs
//! is touched.

use std::fs;
use std::io;

use rollcall_core::bundle::{Bundle, PublicKey};
use rollcall_core::description::Partner;
use rollcall_core::ingest::Loaded;
use rollcall_core::store::StoreError;
use serde_json::{Value, json};

use super::{Versions, told};
use crate::app::App;
use crate::demo::Demo;
use crate::examples::Example;
use crate::preview::Previewer;
use crate::start::unfit;

/// Places that are named of one example.
const PLACES_MAX: usize = 10;

/// A version that may become active.
#[derive(Debug)]
pub struct Examined {
    /// What it came in.
    pub bundle: Bundle,
    /// What it is, with all columns that the database has.
    pub loaded: Loaded,
    /// Who is trusted and has signed it.
    pub signer: Option<PublicKey>,
}

/// Why a version may not become active.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// What is wrong with it: all of it, as far as it could be looked at.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// It could not be looked at.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<String> for ExamineError {
    fn from(reason: String) -> Self {
        Self::Refused(vec![reason])
    }
}

/// Looks at a bundle. Compiles and maps: on a thread that may block.
pub async fn examine(app: &App, bytes: &[u8]) -> Result<Examined, ExamineError> {
    let bundle = Bundle::open(bytes, &app.versions.limits).map_err(|error| told(&error))?;
    let mut wrong = Vec::new();
    let trust = &app.config.bundles;
    let signer = match bundle.signer(&trust.keys) {
        Ok(signer) => Some(signer),
        Err(untrusted) => {
            wrong.extend(trust.require_signature.then(|| untrusted.to_string()));
            None
        }
    };
    match app.versions.load(&bundle, app.canonical()) {
        Ok(mut loaded) => {
            wrong.extend(Versions::fit(&*app.ingest.store, &mut loaded).await?);
            wrong.extend(unfit_connections(app, &loaded));
            wrong.extend(failing_examples(app, &bundle, &loaded)?);
            if wrong.is_empty() { Ok(Examined { bundle, loaded, signer }) } else { Err(ExamineError::Refused(wrong)) }
        }
        Err(reasons) => {
            wrong.extend(reasons);
            Err(ExamineError::Refused(wrong))
        }
    }
}

/// Why connections that would use it cannot: options that it does not allow, a profile that they do not permit.
pub fn unfit_connections(app: &App, loaded: &Loaded) -> Vec<String> {
    let table = app.registry.table();
    let mut wrong = Vec::new();
    for connection in app.access().connections().iter().filter(|of| of.partner == loaded.partner.name) {
        let sender = &connection.sender;
        if !table.pins.contains_key(&(sender.tenant.clone(), sender.connection.clone())) {
            let name = format!("{}/{}", sender.tenant, sender.connection);
            let problems = unfit(loaded, &sender.options, connection.mapper_profile);
            wrong.extend(problems.into_iter().map(|problem| format!("the connection {name} does not fit: {problem}")));
        }
    }
    wrong
}

/// The examples that come to something else than they say.
fn failing_examples(app: &App, bundle: &Bundle, loaded: &Loaded) -> Result<Vec<String>, String> {
    let name = &loaded.partner.name;
    let unpack = || -> io::Result<_> {
        let folder = tempfile::tempdir()?;
        let inside = folder.path().join(name);
        for (file, bytes) in &bundle.files().by_name {
            let path = inside.join(file);
            fs::create_dir_all(path.parent().unwrap_or(&inside))?;
            fs::write(path, bytes)?;
        }
        Ok((folder, inside))
    };
    let (_folder, inside) = unpack().map_err(|error| format!("its examples cannot be unpacked here: {error}"))?;
    if !inside.join("examples").is_dir() {
        return Ok(Vec::new());
    }
    let demo = Demo::load(&inside).map_err(|error| told(&error))?;
    let options = demo.map_or_else(|| json!({}), |demo| demo.options());
    let examples = Example::all(&inside, &loaded.partner).map_err(|error| told(&error))?;
    let mut wrong = Vec::new();
    for example in examples {
        let file = example.file.strip_prefix(&inside).unwrap_or(&example.file).display().to_string();
        match differences(app, loaded, &options, &example) {
            Ok(places) if places.is_empty() => {}
            Ok(places) => wrong.push(format!("{file} comes to something else at {}", listed(&places))),
            Err(reason) => wrong.push(format!("{file}: {reason}")),
        }
    }
    Ok(wrong)
}

/// Where what an example comes to is not what it says.
fn differences(app: &App, loaded: &Loaded, options: &Value, example: &Example) -> Result<Vec<String>, String> {
    let (before, body) = example.read().map_err(|error| told(&error))?;
    let operation = operation(&loaded.partner, &example.operation)?;
    let (canonical, limits) = (app.canonical(), &app.ingest.limits);
    let previewer = Previewer { canonical, loaded, operation, options, limits };
    let preview = previewer.preview(before.as_deref(), &body).map_err(|error| told(&error))?;
    let expected = fs::read(example.expected()).map_err(|_| "what it must come to is not said".to_owned())?;
    let expected: Value = serde_json::from_slice(&expected).map_err(|_| "what it must come to is not JSON")?;
    let found = serde_json::to_value(&preview).map_err(|error| told(&error))?;
    let mut places = Vec::new();
    compare("", &expected, &found, &mut places);
    Ok(places)
}

fn operation<'p>(partner: &'p Partner, id: &str) -> Result<&'p rollcall_core::description::Operation, String> {
    partner.operation(id).ok_or_else(|| format!("there is no operation `{id}`"))
}

/// Where two results differ, as JSON Pointers; what stands there may be about people.
fn compare(place: &str, wanted: &Value, found: &Value, places: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (name, wanted) in wanted {
                compare(&format!("{place}/{name}"), wanted, found.get(name).unwrap_or(&Value::Null), places);
            }
            let new = found.keys().filter(|name| !wanted.contains_key(*name));
            places.extend(new.map(|name| format!("{place}/{name}")));
        }
        _ if wanted == found => {}
        _ => places.push(place.to_owned()),
    }
}

fn listed(places: &[String]) -> String {
    let shown = places.iter().take(PLACES_MAX).cloned().collect::<Vec<_>>().join(", ");
    match places.len().saturating_sub(PLACES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
