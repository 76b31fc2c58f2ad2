//! Reads what a call says in its path, its query and its headers, as the description of each parameter says: a list as a
//! list, whichever way it is spelled, and each value cast.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use rollcall_core::description::{Credential, Listed, Location, Operation, Parameter, ProblemClass, Sort, Verb};
use rollcall_core::ingest::Asked;
use rollcall_core::json::{Json, Pointer};
use rollcall_core::note::Note;
use serde_json::Value;

use super::Call;
use crate::problem::Problem;

/// Deepest nesting of a parameter's value.
const PARAMETER_DEPTH_MAX: u32 = 4;

/// What the parameters of a call say.
pub(super) struct Read {
    /// Those of the path and the query.
    pub(super) asked: Asked,
    /// All that are there, with what they say.
    pub(super) values: Vec<(usize, Value)>,
}

/// The query's names and values.
pub(super) fn query(call: &Call) -> Vec<(String, String)> {
    let query = call.head.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// What the parameters say, if every declared one is there that must be, and looks as it should; all that do not are
/// named.
pub(super) fn read(call: &Call, query: &[(String, String)]) -> Result<Read, Problem> {
    let operation = call.operation();
    let limit = call.app.ingest.limits.violations_max;
    let mut found = Read { asked: Asked::default(), values: Vec::new() };
    let (mut malformed, mut invalid) = (Vec::new(), undeclared(call, operation, query));
    for (nth, parameter) in operation.parameters.iter().enumerate() {
        let sent = sent(call, parameter, query);
        if sent.is_empty() {
            malformed.extend(parameter.required.then(|| missing(parameter)));
            continue;
        }
        if let Some(sort) = sort_of(operation).filter(|sort| is_sort(sort, parameter)) {
            invalid.extend(unknown_words(sort, &sent));
        } else if !names_delivery(operation, parameter) {
            // What is no id is the id of nothing.
            malformed.extend(violations(parameter, &spelled(parameter, &sent), limit));
        }
        let json = spelled(parameter, &sent);
        let value = match parameter.cast {
            None => Some(json.to_value()),
            Some(cast) => cast.apply(&json),
        };
        let Some(value) = value else {
            if parameter.location == Location::Path {
                return Err(Problem::unknown("there is nothing of that name"));
            }
            malformed.push(uncastable(parameter));
            continue;
        };
        match parameter.location {
            Location::Path => found.asked.path.insert(parameter.name.clone(), value.clone()),
            Location::Query => found.asked.query.insert(parameter.name.clone(), value.clone()),
            Location::Header => None,
        };
        found.values.push((nth, value));
    }
    refused(ProblemClass::Malformed, malformed)?;
    refused(ProblemClass::Invalid, invalid)?;
    Ok(found)
}

fn refused(class: ProblemClass, errors: Vec<Note>) -> Result<(), Problem> {
    let detail = match errors.as_slice() {
        [] => return Ok(()),
        [only] => only.message.clone(),
        many => format!("{} headers or parameters are missing or wrong", many.len()),
    };
    Err(Problem::new(class, "bad-request", detail).with_errors(errors, 0))
}

/// What stands in the query and no parameter declares, where that is a mistake.
fn undeclared(call: &Call, operation: &Operation, query: &[(String, String)]) -> Vec<Note> {
    if !call.loaded.partner.refuses_unknown {
        return Vec::new();
    }
    let is_credential =
        |name: &str| operation.security.iter().any(|place| matches!(place, Credential::Query(known) if known == name));
    let is_declared = |name: &str| {
        let parameters = operation.parameters.iter().filter(|parameter| parameter.location == Location::Query);
        parameters.into_iter().any(|parameter| place_in(parameter, name).is_some())
    };
    let unknown = query.iter().filter(|(name, _)| !is_declared(name) && !is_credential(name));
    let note = |name: &str| {
        let message = format!("there is no query parameter `{name}` here");
        Note::new(Pointer::root(), "additionalProperties", message).with("field", name)
    };
    unknown.map(|(name, _)| note(name)).collect()
}

/// Where a value that is sent under this name stands in the parameter's list, if it belongs there: `name`, `name[]` and
/// `name[0]`.
fn place_in(parameter: &Parameter, name: &str) -> Option<usize> {
    let rest = name.strip_prefix(&parameter.name)?;
    match rest {
        "" => Some(usize::MAX),
        _ if !parameter.many => None,
        "[]" => Some(usize::MAX),
        _ => rest.strip_prefix('[')?.strip_suffix(']')?.parse().ok(),
    }
}

/// The texts that are sent for a parameter: one, or all of a list.
fn sent<'c>(call: &'c Call, parameter: &Parameter, query: &'c [(String, String)]) -> Vec<Cow<'c, str>> {
    match parameter.location {
        Location::Path => {
            let found = call.path.iter().find(|(name, _)| *name == parameter.name);
            found.map(|(_, value)| percent_decode_str(value).decode_utf8_lossy()).into_iter().collect()
        }
        Location::Query => {
            let found = query.iter().filter_map(|(name, value)| Some((place_in(parameter, name)?, value.as_str())));
            let mut found: Vec<_> = found.collect();
            found.sort_by_key(|(place, _)| *place);
            let found = found.into_iter().map(|(_, value)| Cow::Borrowed(value));
            found.take(if parameter.many { usize::MAX } else { 1 }).collect()
        }
        Location::Header => {
            let found = call.head.headers.get(&parameter.name);
            found.map(|value| String::from_utf8_lossy(value.as_bytes())).into_iter().collect()
        }
    }
}

/// What is sent, as the parameter's schema wants it. Parameters are text; where the schema wants a number or a boolean,
/// the text must spell one.
fn spelled<'v>(parameter: &Parameter, sent: &'v [Cow<'_, str>]) -> Json<'v> {
    let text = |value: &'v Cow<'_, str>| Json::Text(Cow::Borrowed(value));
    let plain = |value: &'v Cow<'_, str>| {
        let spelled = Json::parse(value.as_bytes(), PARAMETER_DEPTH_MAX).ok();
        spelled.filter(|json| matches!(json, Json::Number(_) | Json::Boolean(_))).unwrap_or_else(|| text(value))
    };
    let whole = |one: &dyn Fn(&'v Cow<'_, str>) -> Json<'v>| match sent {
        [only] if !parameter.many => one(only),
        _ => Json::List(sent.iter().map(one).collect()),
    };
    let texts = whole(&text);
    if parameter.schema.is_valid(&texts) { texts } else { whole(&plain) }
}

/// What is wrong with a parameter's value.
fn violations(parameter: &Parameter, value: &Json<'_>, limit: usize) -> Vec<Note> {
    let mut notes = parameter.schema.violations(value, limit).notes;
    for note in &mut notes {
        note.message = format!("{} `{}`: {}", place(parameter), parameter.name, note.message);
        note.words.insert("field".to_owned(), parameter.name.clone());
    }
    notes
}

fn missing(parameter: &Parameter) -> Note {
    let message = format!("{} `{}` is required", place(parameter), parameter.name);
    Note::new(Pointer::root(), "required", message).with("field", &parameter.name)
}

fn uncastable(parameter: &Parameter) -> Note {
    let message = format!("{} `{}` is not what it has to be", place(parameter), parameter.name);
    Note::new(Pointer::root(), "type", message).with("field", &parameter.name)
}

/// Whether a parameter is the id of the delivery whose log is asked for.
fn names_delivery(operation: &Operation, parameter: &Parameter) -> bool {
    matches!(&operation.verb, Verb::List(Listed::Log { delivery }) if *delivery == parameter.name)
}

/// What a list can be sorted by.
fn sort_of(operation: &Operation) -> Option<&Sort> {
    match &operation.verb {
        Verb::List(Listed::Selected(selection)) => selection.sort.as_ref(),
        _ => None,
    }
}

fn is_sort(sort: &Sort, parameter: &Parameter) -> bool {
    parameter.location == Location::Query && parameter.name == sort.parameter
}

/// The words that a list cannot be sorted by.
fn unknown_words(sort: &Sort, sent: &[Cow<'_, str>]) -> Option<Note> {
    let is_known = |word: &Cow<'_, str>| sort.words.iter().any(|known| known.word == **word);
    if sent.iter().all(is_known) {
        return None;
    }
    let known: Vec<_> = sort.words.iter().map(|word| word.word.as_str()).collect();
    let message = format!("query parameter `{}`: must be one of {}", sort.parameter, known.join(", "));
    let note = Note::new(Pointer::root(), "enum", message).with("field", &sort.parameter);
    Some(note.with("expected", known.join(", ")))
}

fn place(parameter: &Parameter) -> &'static str {
    match parameter.location {
        Location::Path => "path parameter",
        Location::Query => "query parameter",
        Location::Header => "header",
    }
}
