//! Turns the examples in a bundle into what they come to by the version that it is: whether that is what the bundle says, and
//! whether it is what the version in use makes of them.
//!
//! Places are told, and numbers: what stands there may be about people.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use rollcall_core::bundle::Bundle;
use rollcall_core::ingest::Loaded;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::told;
use crate::app::App;
use crate::demo::Demo;
use crate::examples::Example;
use crate::preview::{Preview, Previewer};

/// Places that are named of one example.
const PLACES_MAX: usize = 10;

/// What an example comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Tried {
    /// The file.
    pub file: String,
    /// What it is sent to.
    pub operation: String,
    /// Why it comes to nothing, or it is not known what it has to come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Where it comes to something else than the bundle says, as JSON Pointers into that.
    pub otherwise: Vec<String>,
    /// Where it comes to something else than by the version in use; nothing is said if that one does not know its operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Vec<String>>,
    /// How many entities of each kind it comes to.
    pub entities: BTreeMap<String, usize>,
    /// How it breaks its description.
    pub rejected: usize,
    /// Records that the mapper declines.
    pub refused: usize,
    /// Records on which the mapper traps.
    pub faulted: usize,
    /// Records that wait for what they refer to.
    pub waiting: usize,
    /// What is taken but looks wrong.
    pub warnings: usize,
}

impl Tried {
    /// Why a bundle with this example is refused, if it is.
    pub fn failure(&self) -> Option<String> {
        let file = &self.file;
        let otherwise = || format!("{file} comes to something else at {}", listed(&self.otherwise));
        let problem = self.problem.as_ref().map(|problem| format!("{file}: {problem}"));
        problem.or_else(|| (!self.otherwise.is_empty()).then(otherwise))
    }

    /// What it comes to, in a line.
    pub fn line(&self) -> String {
        if let Some(failure) = self.failure() {
            return failure;
        }
        let kinds = self.entities.iter().map(|(kind, count)| format!("{count} {kind}"));
        let rest = [
            (self.rejected, "rejected"),
            (self.refused, "refused"),
            (self.faulted, "faulted"),
            (self.waiting, "waiting"),
            (self.warnings, "warned of"),
        ];
        let rest = rest.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let comes_to: Vec<_> = kinds.chain(rest).collect();
        let comes_to = if comes_to.is_empty() { "nothing".to_owned() } else { comes_to.join(", ") };
        let before = match &self.changed {
            None => "; it could not be sent before".to_owned(),
            Some(places) if places.is_empty() => String::new(),
            Some(places) => format!("; otherwise than before at {}", listed(places)),
        };
        format!("{}: {comes_to}{before}", self.file)
    }
}

/// Tries the examples of a bundle by the version that it is. Maps: on a thread that may block.
pub(super) fn tried(
    app: &App,
    bundle: &Bundle,
    loaded: &Loaded,
    in_use: Option<&Loaded>,
) -> Result<Vec<Tried>, String> {
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
    let tried = examples.into_iter().map(|example| {
        let file = example.file.strip_prefix(&inside).unwrap_or(&example.file).display().to_string();
        let mut tried = Tried { file, operation: example.operation.clone(), ..Tried::default() };
        tried.problem = tried.run(app, loaded, in_use, &options, &example).err();
        tried
    });
    Ok(tried.collect())
}

impl Tried {
    fn run(
        &mut self,
        app: &App,
        loaded: &Loaded,
        in_use: Option<&Loaded>,
        options: &Value,
        example: &Example,
    ) -> Result<(), String> {
        let (before, body) = example.read().map_err(|error| told(&error))?;
        let preview = |loaded: &Loaded| {
            let operation = loaded.partner.operation(&example.operation);
            let operation = operation.ok_or_else(|| format!("there is no operation `{}`", example.operation))?;
            let (canonical, limits) = (app.canonical(), &app.ingest.limits);
            let previewer = Previewer { canonical, loaded, operation, options, limits };
            previewer.preview(before.as_deref(), &body).map_err(|error| told(&error))
        };
        let found = preview(loaded)?;
        self.count(&found);
        let found = serde_json::to_value(&found).map_err(|error| told(&error))?;
        let earlier = in_use.and_then(|in_use| preview(in_use).ok());
        self.changed = earlier.and_then(|earlier| serde_json::to_value(earlier).ok()).map(|earlier| {
            let mut places = Vec::new();
            compare("", &earlier, &found, &mut places);
            places
        });
        let expected = fs::read(example.expected()).map_err(|_| "what it must come to is not said".to_owned())?;
        let expected: Value = serde_json::from_slice(&expected).map_err(|_| "what it must come to is not JSON")?;
        compare("", &expected, &found, &mut self.otherwise);
        Ok(())
    }

    fn count(&mut self, found: &Preview) {
        self.entities = found.entities.iter().map(|(kind, of_kind)| (kind.clone(), of_kind.len())).collect();
        self.rejected = found.rejections.len();
        self.refused = found.refusals.len();
        self.faulted = found.faults.len();
        self.waiting = found.parked.len();
        self.warnings = found.warnings.len();
    }
}

/// Where two results differ, as JSON Pointers.
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

#[cfg(test)]
mod tests {
    use super::Tried;

    #[test]
    fn an_example_is_told_in_a_line() {
        let tried = Tried {
            file: "examples/a.json".to_owned(),
            entities: [("org".to_owned(), 1), ("user".to_owned(), 2)].into(),
            refused: 3,
            changed: Some(Vec::new()),
            ..Tried::default()
        };
        assert_eq!(tried.failure(), None);
        assert_eq!(tried.line(), "examples/a.json: 1 org, 2 user, 3 refused");
        let new = Tried { changed: None, ..tried.clone() };
        assert_eq!(new.line(), "examples/a.json: 1 org, 2 user, 3 refused; it could not be sent before");
        let places = (0..12).map(|nth| format!("/{nth}")).collect();
        let other = Tried { changed: Some(places), ..tried.clone() };
        assert!(other.line().ends_with("otherwise than before at /0, /1, /2, /3, /4, /5, /6, /7, /8, /9 and 2 more"));
        let failing = Tried { otherwise: vec!["/entities".to_owned()], ..tried };
        assert_eq!(failing.line(), "examples/a.json comes to something else at /entities");
    }
}
