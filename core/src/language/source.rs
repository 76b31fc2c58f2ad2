//! Turns YAML files into one [`Document`]: plain JSON values, each with the place that it was read from.
//!
//! Files beside the first one, reached by `$ref`, are merged in under `x-rollcall-files`, and every `$ref` is rewritten
//! to point there: whoever reads the document meets local references only. Nothing is ever fetched, and nothing outside
//! the first file's folder is read. This is the only module that knows YAML.
//!
//! The first file may be a vendor's, as it was published, with an overlay beside it: what that adds has its place there, and
//! OpenAPI 3.0 is read as 3.1.
//!
//! YAML's traps are errors: a key that stands twice, a bare `yes` or `on`, a merge key. Where an overlay says that the first
//! file is a vendor's, bare words are what YAML 1.2 takes them for: text.

mod layer;
mod node;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};
use serde_yaml::Spanned;
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy};

use self::node::Node;
use super::diagnostic::Diagnostic;
use super::files::Folder;
use crate::digest::Digest;
use crate::json::Pointer;

/// The root member that files beside the first one are merged into.
pub const FILES: &str = "x-rollcall-files";

/// Files that one description may consist of.
const FILES_MAX: usize = 100;

/// References that may lead to one another.
const REFERENCE_CHAIN_MAX: usize = 32;

/// A description: one value made of one or more files, and where each part of it stands in them.
#[derive(Debug)]
pub struct Document {
    root: Value,
    spots: HashMap<Pointer, Spot>,
    files: Vec<Arc<File>>,
}

/// A stretch of a file.
#[derive(Debug, Clone)]
pub struct Place {
    file: Arc<File>,
    span: Range<usize>,
}

#[derive(Debug)]
struct File {
    /// Relative to the first file's folder, the same on every machine.
    name: String,
    path: PathBuf,
    text: String,
}

/// Where a value stands, and the key it stands under.
#[derive(Debug, Clone)]
struct Spot {
    file: usize,
    key: Option<Range<usize>>,
    value: Range<usize>,
}

impl Place {
    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The whole text of the file.
    pub fn text(&self) -> &str {
        &self.file.text
    }

    /// Which bytes of the text.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Line and column of the first byte, both from 1.
    pub fn position(&self) -> (usize, usize) {
        let before = &self.file.text[..self.span.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The part that starts at the `offset`th byte of what is written here, for scalars; all of it where that lies
    /// outside. A quotation mark at the beginning does not count.
    #[must_use]
    pub fn from_offset(&self, offset: usize, length: usize) -> Self {
        let quote = usize::from(self.file.text[self.span.clone()].starts_with(['"', '\'']));
        let start = self.span.start + quote + offset;
        let end = (start + length).min(self.span.end);
        let inside = start < end && self.file.text.is_char_boundary(start) && self.file.text.is_char_boundary(end);
        if inside { Self { file: Arc::clone(&self.file), span: start..end } } else { self.clone() }
    }
}

impl Document {
    /// Reads `path` and all files that it refers to. What is wrong is added to `problems`; there is no document only
    /// if the first file cannot be read at all.
    pub fn read(path: &Path, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::read_in(Folder::Disk(folder), path.file_name()?.to_str()?, problems)
    }

    /// Reads the file called `name` in `folder`, and all files there that it refers to.
    pub fn read_in(folder: Folder<'_>, name: &str, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let mut reader = Reader::new(folder, problems);
        let mut root = reader.file(Path::new(name))?;
        reader.lay_over(&mut root);
        reader.is_old = rollcall_openapi::is_old(&root);
        reader.take_in(&mut root, &Pointer::root());
        reader.finish(root)
    }

    /// The whole value.
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// The value at `pointer`, references not followed.
    pub fn get(&self, pointer: &Pointer) -> Option<&Value> {
        self.root.pointer(pointer.as_str())
    }

    /// The value at `pointer`, or what its `$ref` refers to, with where it stands. `None` where a reference leads
    /// nowhere or in a circle, which has been reported already.
    pub fn resolve(&self, pointer: &Pointer) -> Option<(Pointer, &Value)> {
        let mut pointer = pointer.clone();
        for _ in 0..REFERENCE_CHAIN_MAX {
            let value = self.get(&pointer)?;
            match reference(value) {
                Some(target) => pointer = target,
                None => return Some((pointer, value)),
            }
        }
        None
    }

    /// Where the value at `pointer`, or the nearest thing around it, stands.
    pub fn place(&self, pointer: &Pointer) -> Place {
        let spot = self.spot(pointer);
        self.at(spot.file, spot.value.clone())
    }

    /// Where the key of the value at `pointer` stands; the value itself if it has none.
    pub fn key_place(&self, pointer: &Pointer) -> Place {
        let spot = self.spot(pointer);
        self.at(spot.file, spot.key.clone().unwrap_or_else(|| spot.value.clone()))
    }

    /// Where the `$ref` at `at` stands; the key of what is there if it is none.
    pub fn reference_place(&self, at: &Pointer) -> Place {
        let reference = at.member("$ref");
        if self.get(&reference).is_some() { self.place(&reference) } else { self.key_place(at) }
    }

    /// The innermost value of which the place in a file is a part: itself or the key that it stands under.
    pub fn at_position(&self, path: &Path, position: (usize, usize)) -> Option<Pointer> {
        let file = self.files.iter().position(|file| file.path == path)?;
        let start = byte_of(&self.files[file].text, position.0, position.1);
        let holds = |spot: &Spot| spot.key.clone().map_or(spot.value.start, |key| key.start)..=spot.value.end;
        let around = self.spots.iter().filter(|(_, spot)| spot.file == file && holds(spot).contains(&start));
        let around = around.filter(|(at, _)| self.get(at).is_some());
        around.max_by_key(|(at, _)| at.steps().count()).map(|(at, _)| at.clone())
    }

    /// All files: what each is called, relative to the folder of the first one, and what it says.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|file| (file.name.as_str(), file.text.as_str()))
    }

    /// The digest of all files.
    pub fn digest(&self) -> Digest {
        let parts = self.files.iter().flat_map(|file| [file.name.as_bytes(), file.text.as_bytes()]);
        Digest::of_parts(parts)
    }

    fn spot(&self, pointer: &Pointer) -> &Spot {
        nearest(&self.spots, pointer)
    }

    fn at(&self, file: usize, span: Range<usize>) -> Place {
        Place { file: Arc::clone(&self.files[file]), span }
    }
}

/// Where `pointer`, or the nearest thing around it, stands.
fn nearest<'s>(spots: &'s HashMap<Pointer, Spot>, pointer: &Pointer) -> &'s Spot {
    const NOWHERE: &Spot = &Spot { file: 0, key: None, value: 0..0 };
    let mut text = pointer.as_str();
    loop {
        match (spots.get(&Pointer::from(text)), text.rfind('/')) {
            (Some(spot), _) => return spot,
            (None, Some(slash)) => text = &text[..slash],
            (None, None) => return NOWHERE,
        }
    }
}

/// The target of a rewritten `$ref`, if `value` is one.
pub fn reference(value: &Value) -> Option<Pointer> {
    let fragment = value.get("$ref")?.as_str()?.strip_prefix('#')?;
    Some(Pointer::from(percent_decoded(fragment)))
}

/// `%7B` becomes `{`: a `$ref` is a URI, and its fragment may be escaped.
fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let byte = escaped.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads files until no reference leads to a new one.
struct Reader<'a> {
    folder: Folder<'a>,
    problems: &'a mut Vec<Diagnostic>,
    files: Vec<Arc<File>>,
    spots: HashMap<Pointer, Spot>,
    references: Vec<Reference>,
    /// Which file is the overlay.
    overlay: Option<usize>,
    /// Whether the document is OpenAPI 3.0.
    is_old: bool,
}

/// A `$ref` as it was found.
struct Reference {
    from: Pointer,
    file: usize,
    span: Range<usize>,
    text: String,
}

impl<'a> Reader<'a> {
    fn new(folder: Folder<'a>, problems: &'a mut Vec<Diagnostic>) -> Self {
        let (files, references) = (Vec::new(), Vec::new());
        Self { folder, problems, files, spots: HashMap::new(), references, overlay: None, is_old: false }
    }

    /// Reads the file at `relative` to the folder; its value, with spots noted.
    fn file(&mut self, relative: &Path) -> Option<Value> {
        let path = self.folder.path(relative);
        let text = match self.folder.text(relative) {
            Ok(text) => text,
            Err(reason) => {
                self.problems.push(Diagnostic::of_file(path, reason));
                return None;
            }
        };
        let base = if self.files.is_empty() { Pointer::root() } else { merged_at(relative) };
        let nth = self.files.len();
        self.files.push(Arc::new(File { name: file_key(relative), path, text }));
        let file = Arc::clone(&self.files[nth]);
        let options = serde_yaml::options! {
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            merge_keys: MergeKeyPolicy::Error,
        };
        match serde_yaml::from_str_with_options::<Spanned<Node>>(&file.text, options) {
            Ok(node) => Some(self.value(node, nth, base, None)),
            Err(error) => {
                self.problems.push(syntax_problem(&file, &error));
                None
            }
        }
    }

    /// Notes where `node` stands and turns it into a value.
    fn value(&mut self, node: Spanned<Node>, file: usize, at: Pointer, key: Option<Range<usize>>) -> Value {
        let span = self.span(file, &node);
        let value = match node.value {
            Node::Scalar(value) => self.scalar(value, file, &span),
            Node::List(items) => {
                let items = items.into_iter().enumerate();
                items.map(|(nth, item)| self.value(item, file, at.item(nth), None)).collect()
            }
            Node::Object(members) => self.object(members, file, &at),
        };
        self.spots.insert(at, Spot { file, key, value: span });
        value
    }

    fn object(&mut self, members: Vec<(Spanned<String>, Spanned<Node>)>, file: usize, at: &Pointer) -> Value {
        let mut object = Map::new();
        for (key, node) in members {
            let span = self.span(file, &key);
            let pointer = at.member(&key.value);
            if object.contains_key(&key.value) {
                let first = self.spots.get(&pointer).and_then(|spot| spot.key.clone()).unwrap_or_default();
                let problem = format!("the key `{}` stands twice in one mapping", key.value);
                let place = |span| Place { file: Arc::clone(&self.files[file]), span };
                let twice = Diagnostic::at(place(span), problem).related(place(first), "the first one");
                self.problems.push(twice.hint("remove one of the two"));
                continue;
            }
            let value = self.value(node, file, pointer, Some(span));
            object.insert(key.value, value);
        }
        Value::Object(object)
    }

    /// Which bytes a node stands at. What has no byte offsets (it came out of an alias) is put at the file's start.
    fn span<T>(&self, file: usize, node: &Spanned<T>) -> Range<usize> {
        let span = node.referenced.span();
        let place = span.byte_offset().zip(span.byte_len());
        let start = place.and_then(|(offset, _)| usize::try_from(offset).ok()).unwrap_or_default();
        let length = place.and_then(|(_, length)| usize::try_from(length).ok()).unwrap_or_default();
        let end = start + length;
        if end <= self.files[file].text.len() { start..end } else { 0..0 }
    }

    /// `yes` and `on` are text to some readers of YAML and booleans to others.
    fn scalar(&mut self, value: Value, file: usize, span: &Range<usize>) -> Value {
        let written = &self.files[file].text[span.clone()];
        let bare = ["y", "n", "yes", "no", "on", "off"].iter().any(|word| written.eq_ignore_ascii_case(word));
        let plain = !value.is_boolean() || matches!(written, "true" | "false");
        if plain && !bare {
            return value;
        }
        if bare && file == 0 && self.has_overlay() {
            return Value::String(written.to_owned());
        }
        let place = Place { file: Arc::clone(&self.files[file]), span: span.clone() };
        let problem = format!("`{written}` is a boolean to some readers of YAML and text to others");
        let hint = format!("write '{written}' for text, true or false for a boolean");
        self.problems.push(Diagnostic::at(place, problem).hint(hint));
        value
    }

    /// Makes what was read from a file a part of the document at `at`: as OpenAPI 3.1, with its references noted.
    fn take_in(&mut self, value: &mut Value, at: &Pointer) {
        if self.is_old {
            rollcall_openapi::modernize(value);
        }
        self.note_references(value, at);
    }

    fn note_references(&mut self, value: &Value, at: &Pointer) {
        if let Some(Value::String(text)) = value.get("$ref") {
            let Spot { file, value: span, .. } = nearest(&self.spots, &at.member("$ref")).clone();
            self.references.push(Reference { from: at.clone(), file, span, text: text.clone() });
        }
        for (name, member) in value.as_object().into_iter().flatten() {
            self.note_references(member, &at.member(name));
        }
        for (nth, item) in value.as_array().into_iter().flatten().enumerate() {
            self.note_references(item, &at.item(nth));
        }
    }

    /// Reads what references lead to, rewrites them, and reports those that lead nowhere.
    fn finish(mut self, root: Value) -> Option<Document> {
        let Value::Object(mut root) = root else {
            let place = Place { file: Arc::clone(&self.files[0]), span: 0..0 };
            self.problems.push(Diagnostic::at(place, "a description is a mapping").expected("expected `key: value`"));
            return None;
        };
        let mut merged = Map::new();
        let mut resolved = Vec::new();
        while let Some(reference) = self.references.pop() {
            if let Some(target) = self.target(&reference, &mut merged) {
                resolved.push((reference, target));
            }
        }
        if !merged.is_empty() {
            root.insert(FILES.to_owned(), Value::Object(merged));
        }
        let mut root = Value::Object(root);
        for (reference, target) in &resolved {
            if let Some(Value::Object(holder)) = root.pointer_mut(reference.from.as_str()) {
                holder.insert("$ref".to_owned(), Value::String(format!("#{target}")));
            }
        }
        let document = Document { root, spots: self.spots, files: self.files };
        for (reference, target) in &resolved {
            self.problems.extend(dangling(&document, reference, target));
        }
        Some(document)
    }

    /// Where in the merged document a reference leads to; reads the file it names if that is new.
    fn target(&mut self, reference: &Reference, merged: &mut Map<String, Value>) -> Option<String> {
        let (name, fragment) = reference.text.split_once('#').unwrap_or((&reference.text, ""));
        let place = Place { file: Arc::clone(&self.files[reference.file]), span: reference.span.clone() };
        let mut refuse =
            |problem: &str, hint: &str| self.problems.push(Diagnostic::at(place.clone(), problem).hint(hint));
        if name.contains("://") || name.starts_with("//") {
            refuse("a `$ref` to another server is not followed", "copy the file beside this one and refer to it there");
            return None;
        }
        if !fragment.is_empty() && !fragment.starts_with('/') {
            refuse("a `$ref` to a named anchor is not supported", "refer to the place: `#/components/schemas/Name`");
            return None;
        }
        // What an overlay says is said in the first file.
        let here = &self.files[if self.overlay == Some(reference.file) { 0 } else { reference.file }].name;
        let relative = if name.is_empty() { Some(PathBuf::from(here)) } else { inside(Path::new(here), name) };
        let Some(relative) = relative else {
            refuse("a `$ref` that leaves the description's folder is not followed", "move the file into the folder");
            return None;
        };
        let key = file_key(&relative);
        if key == self.files[0].name {
            return Some(fragment.to_owned());
        }
        if !merged.contains_key(&key) {
            if let Err((problem, hint)) = self.may_read(&relative) {
                self.problems.push(Diagnostic::at(place, problem).hint(hint));
                return None;
            }
            let mut value = self.file(&relative).unwrap_or(Value::Null);
            self.take_in(&mut value, &merged_at(&relative));
            merged.insert(key, value);
        }
        Some(format!("{}{fragment}", merged_at(&relative)))
    }

    fn may_read(&self, relative: &Path) -> Result<(), (String, String)> {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/".contains(letter);
        if self.files.len() >= FILES_MAX {
            return Err((format!("more than {FILES_MAX} files"), "join some of them".to_owned()));
        }
        if !file_key(relative).chars().all(plain) {
            return Err((
                "a file's name has letters, digits, `.`, `_` and `-` only".to_owned(),
                "rename it".to_owned(),
            ));
        }
        match self.folder.holds(relative) {
            Some(true) => Ok(()),
            Some(false) => Err((
                "a `$ref` that leaves the description's folder is not followed".to_owned(),
                "it is a link that leads outside; copy the file".to_owned(),
            )),
            None => {
                let expected = format!("expected {}", self.folder.path(relative).display());
                Err(("dangling `$ref`: there is no such file".to_owned(), expected))
            }
        }
    }
}

/// A problem if `target` does not exist.
fn dangling(document: &Document, reference: &Reference, target: &str) -> Option<Diagnostic> {
    let pointer = Pointer::from(percent_decoded(target));
    let place = Place { file: Arc::clone(&document.files[reference.file]), span: reference.span.clone() };
    if document.get(&pointer).is_some() {
        let circular = document.resolve(&reference.from).is_none() && reference_chain_exists(document, &pointer);
        let problem = || Diagnostic::at(place, "this `$ref` leads in a circle");
        return circular.then(problem).map(|circle| circle.hint("one of them has to be a schema"));
    }
    let (parent, missing) = pointer.as_str().rsplit_once('/').unwrap_or_default();
    let beside = document.root.pointer(parent).and_then(Value::as_object);
    let known = beside.into_iter().flatten().map(|(name, _)| name.as_str());
    let problem = format!("dangling `$ref`: there is no `{}`", reference.text);
    Some(Diagnostic::at(place, problem).did_you_mean(missing, known))
}

/// Whether every step of the chain from `pointer` on exists, so that its failing to end means a circle.
fn reference_chain_exists(document: &Document, pointer: &Pointer) -> bool {
    let mut pointer = pointer.clone();
    (0..REFERENCE_CHAIN_MAX).all(|_| match document.get(&pointer).map(reference) {
        Some(Some(next)) => {
            pointer = next;
            true
        }
        Some(None) => true,
        None => false,
    })
}

/// `name` as seen from the file `here`, relative to the folder; `None` if it lies outside.
fn inside(here: &Path, name: &str) -> Option<PathBuf> {
    let mut path = here.parent().map(Path::to_path_buf).unwrap_or_default();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(step) => path.push(step),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// What a file is called in the merged document, the same on every machine.
fn file_key(relative: &Path) -> String {
    let steps: Vec<_> = relative.components().map(|step| step.as_os_str().to_string_lossy()).collect();
    steps.join("/")
}

fn merged_at(relative: &Path) -> Pointer {
    Pointer::root().member(FILES).member(&file_key(relative))
}

fn syntax_problem(file: &Arc<File>, error: &serde_yaml::Error) -> Diagnostic {
    let line = |location: serde_yaml::Location| usize::try_from(location.line()).unwrap_or_default();
    let column = |location: serde_yaml::Location| usize::try_from(location.column()).unwrap_or_default();
    let start = error.location().map_or(file.text.len(), |at| byte_of(&file.text, line(at), column(at)));
    let place = Place { file: Arc::clone(file), span: start..start };
    let message = error.without_snippet().to_string();
    let (what, _) = message.rsplit_once(" at line ").unwrap_or((&message, ""));
    Diagnostic::at(place, "not valid YAML").expected(what)
}

/// The byte that a line and a column, both from 1, stand for.
fn byte_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[start..];
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}
