//! Turns YAML files into schemas whose references can be followed, within a file and to files beside it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;

use crate::GenerateError;

/// The files read so far.
#[derive(Default)]
pub(crate) struct Documents(RefCell<HashMap<PathBuf, Rc<Value>>>);

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
    /// The value at `place`, references followed, and the place where it was found in the end.
    pub(crate) fn resolve(&self, place: &Place) -> Result<(Place, Value), GenerateError> {
        let mut place = place.clone();
        for _ in 0..32 {
            let document = self.read(&place.file)?;
            let value = document.pointer(&place.pointer).ok_or_else(|| place.error("there is nothing here"))?;
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
                return Ok((place, value.clone()));
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

    fn read(&self, file: &Path) -> Result<Rc<Value>, GenerateError> {
        if let Some(document) = self.0.borrow().get(file) {
            return Ok(Rc::clone(document));
        }
        let failed = |problem: String| GenerateError::new(file.display().to_string(), problem);
        let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
        let value: Value = serde_yaml::from_str(&text).map_err(|error| failed(error.to_string()))?;
        let document = Rc::new(value);
        self.0.borrow_mut().insert(file.to_owned(), Rc::clone(&document));
        Ok(document)
    }
}
