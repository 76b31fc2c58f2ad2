//! Turns YAML files into schemas whose references can be followed, within a file and to files beside it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use crate::GenerateError;

/// The files read so far. The first one may be a vendor's, with an overlay beside it, and OpenAPI 3.0; then all are.
#[derive(Default)]
pub(crate) struct Documents {
    files: RefCell<HashMap<PathBuf, Rc<Value>>>,
    is_old: Cell<bool>,
}

/// A place in a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) pointer: String,
}

impl Place {
    pub(crate) fn root(file: &Path) -> Self {
        Self { file: file.to_owned(), pointer: String::new() }
    }

    pub(crate) fn at(&self, step: &str) -> Self {
        let step = step.replace('~', "~0").replace('/', "~1");
        Self { file: self.file.clone(), pointer: format!("{}/{step}", self.pointer) }
    }

    /// The last step, unescaped: of a component's place its name. A whole file is called as it is.
    pub(crate) fn name(&self) -> String {
        match self.pointer.rsplit_once('/') {
            Some((_, step)) => step.replace("~1", "/").replace("~0", "~"),
            None => self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    pub(crate) fn error(&self, problem: impl Into<String>) -> GenerateError {
        GenerateError::new(format!("{}#{}", self.file.display(), self.pointer), problem)
    }
}

impl Documents {
    /// The value at `place`, references followed, and the place where it was found in the end. What stands beside a
    /// reference is said too.
    pub(crate) fn resolve(&self, place: &Place) -> Result<(Place, Value), GenerateError> {
        let mut place = place.clone();
        let mut beside = serde_json::Map::new();
        for _ in 0..32 {
            let document = self.read(&place.file)?;
            let value = document.pointer(&place.pointer).ok_or_else(|| place.error("there is nothing here"))?;
            let members = value.as_object().into_iter().flatten();
            for (name, member) in members.filter(|(name, _)| *name != "$ref") {
                beside.entry(name).or_insert_with(|| member.clone());
            }
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
                return Ok((place, if value.is_object() { Value::Object(beside) } else { value.clone() }));
            };
            let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
            if file.contains("://") {
                return Err(place.error("a reference must stay in this folder"));
            }
            let file = if file.is_empty() { place.file.clone() } else { place.file.with_file_name(file) };
            place = Place { file, pointer: pointer.to_owned() };
        }
        Err(place.error("references go round in a circle"))
    }

    /// Calls `found` with everything in the document of `place`, outermost first.
    pub(crate) fn each(&self, place: &Place, found: &mut impl FnMut(&Place, &Value)) -> Result<(), GenerateError> {
        let document = self.read(&place.file)?;
        visit(place, &document, found);
        Ok(())
    }

    fn read(&self, file: &Path) -> Result<Rc<Value>, GenerateError> {
        if let Some(document) = self.files.borrow().get(file) {
            return Ok(Rc::clone(document));
        }
        let mut value = parsed(file)?;
        if self.files.borrow().is_empty() {
            Self::lay_over(file, &mut value)?;
            self.is_old.set(rollcall_openapi::is_old(&value));
        }
        if self.is_old.get() {
            rollcall_openapi::modernize(&mut value);
        }
        let document = Rc::new(value);
        self.files.borrow_mut().insert(file.to_owned(), Rc::clone(&document));
        Ok(document)
    }

    /// Lays an overlay, if there is one beside `file`, over what that says.
    fn lay_over(file: &Path, value: &mut Value) -> Result<(), GenerateError> {
        let beside = file.with_file_name(rollcall_openapi::OVERLAY);
        if !beside.is_file() {
            return Ok(());
        }
        let (_, mistakes) = rollcall_openapi::apply(value, &parsed(&beside)?);
        match mistakes.into_iter().next() {
            Some(mistake) => Err(Place { file: beside, pointer: mistake.at }.error(mistake.problem)),
            None => Ok(()),
        }
    }
}

fn parsed(file: &Path) -> Result<Value, GenerateError> {
    let failed = |problem: String| GenerateError::new(file.display().to_string(), problem);
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    serde_yaml::from_str(&text).map_err(|error| failed(error.to_string()))
}

fn visit(place: &Place, value: &Value, found: &mut impl FnMut(&Place, &Value)) {
    found(place, value);
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| visit(&place.at(name), member, found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(nth, item)| visit(&place.at(&nth.to_string()), item, found));
        }
        _ => {}
    }
}
