//! Reads a partner's folder and checks all of it: a [`Partner`] is either whole, or a list of all that is wrong.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;

use super::findings::Findings;
use super::mappers::{Mappers, check_calls};
use super::operations::Operations;
use super::outline::Outline;
use super::published::published;
use super::records::Records;
use super::route::Routes;
use super::{Operation, Partner, codes, indexes, unsupported, webhook};
use crate::canonical::Canonical;
use crate::json::Pointer;
use crate::language::{Diagnostic, Document, EXTENSION, Folder, keys};
use crate::validate::{Schema, Schemas};

/// The version of the language that this is.
const LANGUAGE_VERSION: u32 = 1;

/// The file that a partner's folder is read from.
const FILE_NAME: &str = "openapi.yaml";

/// Routes of our own, which no partner can be mounted under.
const RESERVED: [&str; 8] = ["api", "ims", "admin", "docs", "healthz", "readyz", "metrics", "openapi.json"];

impl Partner {
    /// Reads the partner in `folder`, which is named after it.
    pub fn load(folder: &Path, canonical: &Canonical, mappers: &dyn Mappers) -> Result<Self, Vec<Diagnostic>> {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Self::load_from(Folder::Disk(folder), name, canonical, mappers)
    }

    /// Reads the partner called `name` from its files, wherever these are.
    pub fn load_from(
        folder: Folder<'_>,
        name: &str,
        canonical: &Canonical,
        mappers: &dyn Mappers,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let partner = read_in(folder, FILE_NAME, name, canonical, mappers, &mut problems);
        match partner {
            Some(partner) if problems.is_empty() => Ok(partner),
            _ => {
                once(&mut problems);
                Err(problems)
            }
        }
    }
}

/// Leaves one of those that say the same of the same place: what several operations share is looked at for each.
fn once(problems: &mut Vec<Diagnostic>) {
    let mut seen = HashSet::new();
    problems.retain(|problem| seen.insert(problem.to_string()));
}

/// All that is wrong with the description at `path`: a partner's folder, its `openapi.yaml`, or a file that is called
/// after the partner.
pub fn check(path: &Path, canonical: &Canonical, mappers: &dyn Mappers) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let file = if path.is_dir() { path.join(FILE_NAME) } else { path.to_path_buf() };
    read(&file, &partner_name(&file), canonical, mappers, &mut problems);
    once(&mut problems);
    problems
}

/// The name of the partner that `file` describes.
fn partner_name(file: &Path) -> String {
    let folder = || file.canonicalize().ok().and_then(|file| Some(file.parent()?.file_name()?.to_str()?.to_owned()));
    let stem = || file.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    let named_by_folder = file.file_name().is_some_and(|name| name == FILE_NAME);
    if named_by_folder { folder() } else { stem() }.unwrap_or_default()
}

pub(super) fn read(
    file: &Path,
    name: &str,
    canonical: &Canonical,
    mappers: &dyn Mappers,
    problems: &mut Vec<Diagnostic>,
) -> Option<Partner> {
    let folder = Folder::Disk(file.parent().unwrap_or(Path::new("")));
    read_in(folder, file.file_name()?.to_str()?, name, canonical, mappers, problems)
}

fn read_in(
    folder: Folder<'_>,
    file: &str,
    name: &str,
    canonical: &Canonical,
    mappers: &dyn Mappers,
    problems: &mut Vec<Diagnostic>,
) -> Option<Partner> {
    check_name(folder, name, problems);
    let document = Document::read_in(folder, file, problems)?;
    let version = check_head(&document, problems);
    let outline = Outline::read(&document, problems);
    let has_gaps = !problems.is_empty();
    check_language(&document, &outline, problems);
    unsupported::check(&document, &outline, problems);
    check_keys_fit(&document, &outline, problems);
    let options = options(&document, problems);
    let schemas = match Schemas::of(document.root()) {
        Ok(schemas) => schemas,
        Err(reason) => {
            let problem = Diagnostic::at(document.place(&Pointer::root()), format!("not a document: {reason}"));
            problems.extend(problems.is_empty().then_some(problem));
            return None;
        }
    };
    let mut findings = Findings::new(problems);
    let mut records = Records::new(&document, &outline, &mut findings);
    let operations = Operations::new(&document, &outline, &schemas, &mut records, &mut findings).all();
    let webhooks = webhook::webhooks(&document, &outline, &schemas, &records, &mut findings);
    // What should have led to a record may be among what is wrong already.
    let operator = if findings.problems.is_empty() {
        Operations::new(&document, &outline, &schemas, &mut records, &mut findings).of_operator()
    } else {
        Vec::new()
    };
    let mut records = records.finish(name, canonical, &mut findings);
    indexes::add(&operations, &mut records);
    // Whatever is wrong with an operation hides what it makes use of.
    let is_whole = !has_gaps && operations.len() >= outline.operations.len();
    let messages = codes::messages(&document, &outline, &operations, &records, &mut findings);
    if is_whole {
        unsupported::left_over(&document, &outline, &mut findings);
    }
    if records.iter().any(|record| !record.kinds.is_empty()) && !mappers.has(name) {
        let problem = Diagnostic::of_file(folder.path(Path::new(file)), format!("there is no mapper `{name}`"));
        let hint = format!("records with `kinds` are mapped: the crate `mappers/{name}` has to be there, and built");
        problems.push(problem.hint(hint));
    }
    check_calls(&document, &outline, name, mappers, problems);
    check_ids(&document, &outline, problems);
    let routes = match Routes::of(&operations) {
        Ok(routes) => routes,
        Err(clashes) => {
            for (nth, reason) in clashes {
                let at = Pointer::root().member("paths").member(&operations[nth].path);
                problems.push(Diagnostic::at(document.key_place(&at), format!("the path cannot be routed: {reason}")));
            }
            return None;
        }
    };
    let digest = document.digest();
    let document = published(&document);
    Some(Partner {
        name: name.to_owned(),
        version,
        digest,
        operations,
        operator,
        records_by_type: Operation::of_records(&records),
        messages,
        webhooks,
        refuses_unknown: outline.root.is_some_and(|root| matches!(root.unknown, Some(keys::Unknown::Refuse))),
        records,
        options,
        document,
        routes,
    })
}

/// The name is a part of routes, tables and ids.
fn check_name(folder: Folder<'_>, name: &str, problems: &mut Vec<Diagnostic>) {
    if let Err((problem, hint)) = fits_as_name(name) {
        let folder = match folder {
            Folder::Disk(folder) => folder.to_path_buf(),
            Folder::Memory(files) => files.called.clone(),
        };
        problems.push(Diagnostic::of_file(folder, problem).hint(hint));
    }
}

/// Whether a partner can be called `name`; if not, why not, and what to do about it.
pub fn fits_as_name(name: &str) -> Result<(), (String, String)> {
    if RESERVED.contains(&name) {
        let problem = format!("`{name}` is one of our own routes, and no partner's name");
        return Err((problem, format!("reserved are: {}", RESERVED.join(", "))));
    }
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.chars().all(plain) {
        let problem = format!("`{name}` cannot be a partner's name");
        let hint = "a partner's name has lower-case letters, digits and `-`, and starts with a letter";
        return Err((problem, hint.to_owned()));
    }
    Ok(())
}

/// `openapi` and `info`; gives back the description's version.
fn check_head(document: &Document, problems: &mut Vec<Diagnostic>) -> String {
    let root = Pointer::root();
    let version = document.get(&root.member("openapi"));
    match version.and_then(Value::as_str) {
        Some(version) if version.starts_with("3.1.") => {}
        Some(version) => {
            let place = document.place(&root.member("openapi"));
            let problem = Diagnostic::at(place, format!("not supported yet: OpenAPI {version}"));
            problems.push(problem.expected("expected 3.1.x or 3.0.x"));
        }
        None => {
            let problem = Diagnostic::at(document.place(&root.member("openapi")), "`openapi` is missing, or not text");
            problems.push(problem.hint("begin with `openapi: 3.1.0`"));
        }
    }
    let version = document.get(&root.member("info")).and_then(|info| info.get("version")).and_then(Value::as_str);
    if version.is_none() {
        let place = document.key_place(&root.member("info"));
        let problem = Diagnostic::at(place, "`info.version` is missing, or not text");
        problems.push(problem.hint("deliveries are kept with the version that they were read by: `version: '1'`"));
    }
    version.unwrap_or_default().to_owned()
}

fn check_language(document: &Document, outline: &Outline, problems: &mut Vec<Diagnostic>) {
    let at = Pointer::root().member(EXTENSION);
    if document.get(&at).is_none() {
        let problem = Diagnostic::at(document.key_place(&Pointer::root().member("info")), "`x-rollcall` is missing");
        problems.push(problem.hint(format!("add `x-rollcall: {{version: {LANGUAGE_VERSION}}}` at the root")));
    }
    if let Some(version) = outline.root.as_ref().map(|root| root.version).filter(|&v| v != LANGUAGE_VERSION) {
        let place = document.place(&at.member("version"));
        let problem = Diagnostic::at(place, format!("unknown language version {version}"));
        problems.push(problem.expected(format!("expected {LANGUAGE_VERSION}")));
    }
}

/// Words that need another word beside them, or a schema of a certain kind under them.
fn check_keys_fit(document: &Document, outline: &Outline, problems: &mut Vec<Diagnostic>) {
    for (at, keys) in outline.schemas() {
        let place = |word: &str| document.key_place(&at.member(EXTENSION).member(word));
        for (word, used) in [
            ("kinds", keys.kinds.is_some()),
            ("with", keys.with.is_some()),
            ("rules", keys.rules.is_some()),
            ("refs", keys.refs.is_some()),
        ] {
            if used && keys.key.is_none() {
                let problem = Diagnostic::at(place(word), format!("`{word}` stands on records only"));
                problems.push(problem.hint("a record has a `key`"));
            }
        }
        let is_list = document.resolve(at).is_some_and(|(_, schema)| schema.get("items").is_some());
        if keys.unordered.is_some() && !is_list {
            problems.push(Diagnostic::at(place("unordered"), "`unordered` stands on lists only"));
        }
        let is_object = document.resolve(at).is_some_and(|(_, schema)| {
            schema.get("properties").is_some()
                || schema.get("allOf").is_some()
                || schema.get("type") == Some(&"object".into())
        });
        if keys.key.is_some() && !is_object {
            problems
                .push(Diagnostic::at(place("key"), "a record is an object").hint("put the `key` on the list's items"));
        }
    }
}

fn options(document: &Document, problems: &mut Vec<Diagnostic>) -> Option<Schema> {
    let at = Pointer::root().member(EXTENSION).member("options");
    document.get(&at)?;
    match Schema::compile(document.root(), at.as_str()) {
        Ok(schema) => Some(schema),
        Err(_) if !problems.is_empty() => None,
        Err(reason) => {
            problems.push(Diagnostic::at(document.key_place(&at), format!("not a schema: {reason}")));
            None
        }
    }
}

fn check_ids(document: &Document, outline: &Outline, problems: &mut Vec<Diagnostic>) {
    let mut seen: Vec<(&str, Pointer)> = Vec::new();
    for operation in &outline.operations {
        let at = operation.at.member("operationId");
        let Some(id) = document.get(&at).and_then(Value::as_str) else { continue };
        match seen.iter().find(|(other, _)| *other == id) {
            Some((_, first)) => {
                let problem = Diagnostic::at(document.place(&at), format!("two operations are called `{id}`"));
                problems.push(problem.related(document.place(first), "the other one"));
            }
            None => seen.push((id, at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use jiff::SignedDuration;
    use serde_json::{Value, json};

    use super::{FILE_NAME, Partner, read};
    use crate::canonical::Canonical;
    use crate::description::{
        At, By, Change, Constraint, FieldPath, Listed, Missing, Operation, Paging, PagingPlace, Pair, ProblemClass,
        RecordTypeId, RouteMiss, Shape, Step, Verb,
    };
    use crate::json::Json;
    use crate::language::render;
    use crate::validate::Schema;

    fn schemas() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas")
    }

    fn canonical() -> Canonical {
        Canonical::load(&schemas().join("canonical")).unwrap()
    }

    /// One of the right descriptions that the golden tests keep.
    fn valid(name: &str) -> Partner {
        let path = Path::new("tests/descriptions/valid").join(format!("{name}.yaml"));
        let mut problems = Vec::new();
        let partner = read(&path, name, &canonical(), &|_: &str| true, &mut problems);
        assert!(problems.is_empty(), "{}", render(&problems, false));
        partner.unwrap()
    }

    /// The partners that are shipped.
    fn shipped() -> Vec<Partner> {
        let folders = std::fs::read_dir(schemas()).unwrap().map(|entry| entry.unwrap().path());
        let folders = folders.filter(|folder| folder.join(FILE_NAME).exists());
        let load = |folder: PathBuf| match Partner::load(&folder, &canonical(), &|_: &str| true) {
            Ok(partner) => partner,
            Err(problems) => panic!("{}", render(&problems, false)),
        };
        folders.map(load).collect()
    }

    #[test]
    fn every_shipped_description_is_right() {
        let shipped = shipped();
        assert!(shipped.len() >= 2);
        for partner in shipped {
            let routed = |operation: &Operation| partner.route(&operation.method, &operation.path).is_ok();
            assert!(!partner.operations.is_empty() && partner.operations.iter().all(routed), "{}", partner.name);
        }
    }

    #[test]
    fn records_know_their_keys_their_parents_and_what_travels_with_them() {
        let partner = valid("plain");
        let [school, room] = partner.records.as_slice() else { panic!() };
        let field = |up, name: &str| FieldPath { up, path: vec![name.to_owned()] };
        assert_eq!((school.name.as_str(), school.parent, &school.key), ("School", None, &vec![field(0, "id")]));
        assert_eq!(room.key, [field(1, "id"), field(0, "number")]);
        assert_eq!(room.with, [field(1, "name")]);
        assert_eq!(room.parent.map(|id| id.0), Some(0));
        let columns = |nth: usize| {
            let columns = partner.records[nth].table.columns.iter();
            columns.map(|column| column.name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!((columns(0), columns(1)), (vec!["id", "name"], vec!["number", "seats"]));
        assert_eq!(room.table.name, "record__plain__room");
        let Shape::Record(_, members) = &partner.operations[0].body.as_ref().unwrap().media[0].shape else { panic!() };
        assert!(matches!(members.as_slice(), [(name, Shape::List(_))] if name == "rooms"));
    }

    #[test]
    fn a_merge_knows_where_its_records_stand_and_how_they_are_changed() {
        let partner = valid("merge");
        let shape = |id: &str| {
            let operation = partner.operations.iter().find(|operation| operation.id == id).unwrap();
            operation.body.as_ref().unwrap().media[0].shape.clone()
        };
        let readers = || Shape::List(Box::new(Shape::Record(RecordTypeId(0), Vec::new())));
        let member = |name: &str, shape| vec![(name.to_owned(), shape)];
        let envelope = Shape::Object(member("readers", readers()));
        assert_eq!(shape("pushReaders"), Shape::Either(Box::new(readers()), Box::new(envelope.clone())));
        let each = |change, shape| Shape::Changed(change, Box::new(shape));
        let keys = Shape::List(Box::new(Shape::Key(RecordTypeId(0))));
        let changes = [
            member("added", each(Change::Insert, readers())),
            member("updated", each(Change::Update, readers())),
            member("removed", each(Change::Delete, keys)),
        ];
        assert_eq!(shape("changeReaders"), Shape::Object(member("changes", Shape::Object(changes.concat()))));
        let event = Shape::Marked("does".to_owned(), Box::new(envelope));
        assert_eq!(shape("sendEvents"), Shape::Object(member("events", Shape::List(Box::new(event)))));
    }

    #[test]
    fn records_that_stand_alone_are_checked_one_by_one() {
        let partner = valid("merge");
        let media = |nth: usize| &partner.operations[nth].body.as_ref().unwrap().media[0];
        let valid = |schema: &Schema, text: &str| schema.is_valid(&Json::parse(text.as_bytes(), 64).unwrap());
        assert!(media(0).one_by_one);
        assert!(valid(&media(0).schema, r#"{"readers": [{"number": 7}]}"#));
        assert!(!valid(&media(0).schema, r#"{"reader": []}"#));
        assert!(!valid(&partner.records[0].schema, r#"{"number": 7}"#));
        assert!(valid(&partner.records[0].schema, r#"{"number": "7", "name": "Ada"}"#));
        assert!(!self::valid("plain").operations[0].body.as_ref().unwrap().media[0].one_by_one);
        let flags = partner.operations.iter().map(|operation| (operation.asynchronous, operation.dry_run));
        let expected = [(false, false), (false, false), (false, true), (false, false), (true, false), (false, false)];
        assert_eq!(flags.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn lists_know_what_they_list_and_where_a_part_of_them_is_asked_for() {
        let partner = valid("lists");
        let operation = |id: &str| partner.operations.iter().find(|operation| operation.id == id).unwrap();
        let listed = |id: &str| match &operation(id).verb {
            Verb::List(listed) => listed.clone(),
            _ => panic!("{id} is no list"),
        };
        let records = |waiting| Listed::Records { of: RecordTypeId(0), waiting };
        assert_eq!(listed("listReaders"), records(None));
        assert_eq!(listed("listWaiting"), records(Some(true)));
        assert_eq!(listed("listSettled"), records(Some(false)));
        assert_eq!(listed("getLog"), Listed::Log { delivery: "delivery".to_owned() });
        assert!(matches!(operation("test").verb, Verb::Connection));

        let Paging { page: Some(page), limit: Some(limit), offset: None, .. } = &operation("listReaders").paging else {
            panic!()
        };
        assert_eq!((page.default, page.minimum, limit.default, limit.minimum), (Some(1), 1, Some(25), 1));
        let paging = &operation("getLog").paging;
        let places = [PagingPlace::Body("limit".to_owned()), PagingPlace::Query("limit".to_owned())];
        assert_eq!(paging.limit.as_ref().unwrap().places, places);
        assert_eq!(paging.offset.as_ref().map(|offset| (offset.default, offset.minimum)), Some((Some(0), 0)));
    }

    #[test]
    fn what_was_told_is_listed_by_whom_and_when() {
        let partner = valid("resources");
        let Verb::List(listed) = &partner.operation("listTold").unwrap().verb else { panic!() };
        let [subscription, since, until] = ["id", "since", "until"].map(str::to_owned);
        let wanted = Listed::Sends { subscription, failed: true, since: Some(since), until: Some(until) };
        assert_eq!(*listed, wanted);
    }

    #[test]
    fn members_and_parameters_have_conditions_and_say_when_they_were_true() {
        let partner = valid("lists");
        let push = partner.operations.iter().find(|operation| operation.id == "pushReaders").unwrap();
        let must = &push.parameters[0].must[0];
        assert_eq!(must.problem, ProblemClass::Unknown);
        assert!(must.that.holds(&json!({"value": "qa"})) && !must.that.holds(&json!({"value": "home"})));
        let media = &push.body.as_ref().unwrap().media[0];
        let ways: Vec<_> = media.must.iter().map(|(way, must)| (way.join("."), must.problem)).collect();
        let expected =
            [("branch".to_owned(), ProblemClass::Forbidden), ("about.who".to_owned(), ProblemClass::Invalid)];
        assert_eq!(ways, expected);
        let (member, formats) = media.as_of.as_ref().unwrap();
        assert_eq!((member.as_str(), formats.len()), ("sent", 2));
        assert!(formats.iter().any(|format| format.instant("2018/11/05T15:25:16.584Z").is_some()));
    }

    #[test]
    fn records_know_their_rules_references_aliases_and_defaults() {
        let partner = valid("record-words");
        let [branch, shelf, reader, ..] = partner.records.as_slice() else { panic!() };
        assert_eq!((branch.changes.as_slice(), shelf.changes.len()), (&[Change::Insert, Change::Update][..], 0));
        let single = &branch.singles[0];
        assert!(single.when.holds(&json!({"is_main": true})));
        assert_eq!(Value::Object(single.otherwise.clone()), json!({"is_main": false}));
        assert_eq!(shelf.aliases, [("etiquette".to_owned(), "label".to_owned())]);
        let columns: Vec<_> = shelf.table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(columns, ["branch", "number", "label"]);

        let codes: Vec<_> = reader.rules.iter().map(|rule| rule.code.as_str()).collect();
        assert_eq!(codes, ["email-taken", "unique", "disjoint", "email-shared", "one-to-one"]);
        let pair = |one: &str, other: &str| [one.to_owned(), other.to_owned()];
        assert_eq!(reader.rules[4].constraint, Constraint::OneToOne(vec![pair("branch", "branch_name")]));
        assert_eq!(reader.piecemeal, ["loans"]);
        let computed: Vec<_> =
            reader.computed.iter().map(|it| (it.path.clone(), it.name.as_str(), it.reads.clone(), it.at)).collect();
        let items = vec![Step::Member("loans".to_owned()), Step::Items];
        let expected = [(vec![], "branch", vec![RecordTypeId(0)], At::Create), (items, "book", vec![], At::Write)];
        assert_eq!(computed, expected);
    }

    #[test]
    fn references_are_found_by_key_where_they_name_all_of_it() {
        let partner = valid("record-words");
        let shown: Vec<_> = partner.records.iter().flat_map(|record| &record.references).collect();
        let [to_branch, to_main, to_shelf] = shown.as_slice() else { panic!("{shown:?}") };
        let way = |way: &str| way.split('.').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!((to_branch.name.as_str(), &to_branch.by), ("branch.code", &By::Key(vec![way("branch.code")])));
        assert!(to_branch.gone == crate::description::WhenGone::Cascade && to_branch.missing == Missing::Refuse);
        assert_eq!(to_shelf.by, By::Key(vec![way("branch"), way("shelf.number")]));
        assert_eq!(to_shelf.missing, Missing::Park(SignedDuration::from_hours(7 * 24)));
        let pair = Pair { own: way("branch"), other: "code".to_owned(), is_pattern: true };
        assert_eq!((&to_main.by, to_main.missing), (&By::Members(vec![pair]), Missing::Accept));
        assert!(to_main.when.as_ref().unwrap().holds(&json!({"options": {"sandbox": true}})));
    }

    #[test]
    fn a_description_of_several_files_is_the_same_as_one_of_one() {
        let (one, several) = (valid("plain"), valid("several-files"));
        let shape = |partner: &Partner| partner.operations[0].body.as_ref().unwrap().media[0].shape.clone();
        assert_eq!(shape(&one), shape(&several));
        assert_eq!(one.records[1].key, several.records[1].key);
        assert_ne!(one.digest, several.digest);
    }

    #[test]
    fn answers_are_filled_in_and_conditions_hold_or_not() {
        let partner = valid("errors-and-options");
        let operation = &partner.operations[0];
        let (_, template) = operation.success().unwrap().content.as_ref().unwrap();
        assert_eq!(template.fill(&json!({"delivery": {"id": null}})), json!({"id": null}));
        assert_eq!(template.fill(&json!({})), json!({}));
        let (_, template) = operation.answer_to(ProblemClass::Invalid).unwrap().content.as_ref().unwrap();
        let problem = json!({"problem": {
            "status": 422, "code": "invalid", "message": "", "fields": {"id": ["is required"]},
            "errors": [{"pointer": "/id", "field": "id", "message": "is required"}],
        }});
        let filled = json!({"errors": {"id": ["is required"]}, "code": 422, "details": [{"at": "/id"}]});
        assert_eq!(template.fill(&problem), filled);
        let request = json!({"header": {"accept": "*/*"}, "query": {}, "path": {}, "options": {"sandbox": false}});
        let holds: Vec<_> = operation.must.iter().map(|must| must.that.holds(&request)).collect();
        assert_eq!(holds, [true, false]);
    }

    #[test]
    fn records_that_clients_write_one_by_one_can_be_said_by_type() {
        let partner = valid("blank-records");
        let operation = partner.operation("records").unwrap();
        let media = &operation.body.as_ref().unwrap().media[0];
        let valid = |text: &str| media.schema.is_valid(&Json::parse(text.as_bytes(), 64).unwrap());
        assert!(valid(r#"{"Shelf": [{"id": 1}], "Book": []}"#) && !valid(r#"{"Shelves": []}"#));
        assert!(self::valid("plain").records_by_type.is_none());
    }

    #[test]
    fn operators_write_what_no_body_reaches() {
        let partner = valid("operators-record");
        let ids: Vec<_> = partner.operator.iter().map(|operation| operation.id.as_str()).collect();
        assert_eq!(ids, ["Teacher"]);
        let id =
            RecordTypeId(u16::try_from(partner.records.iter().position(|of| of.name == "Teacher").unwrap()).unwrap());
        let operation = &partner.operator[0];
        assert!(matches!(&operation.verb, Verb::Merge { records, .. } if *records == [id]));
        let media = &operation.body.as_ref().unwrap().media[0];
        let one = || Box::new(Shape::Record(id, Vec::new()));
        assert_eq!(media.shape, Shape::Either(Box::new(Shape::List(one())), one()));
        let valid = |text: &str| media.schema.is_valid(&Json::parse(text.as_bytes(), 64).unwrap());
        assert!(valid(r#"[{"code": "T"}]"#) && valid(r#"{"code": 7}"#) && !valid("[7]") && !valid("7"));
        assert!(!partner.records[usize::from(id.0)].schema.is_valid(&Json::parse(b"{}", 4).unwrap()));
    }

    #[test]
    fn answers_are_filled_in_with_records_and_with_what_became_of_each() {
        let partner = valid("answers");
        let template = |id: &str| {
            let operation = partner.operations.iter().find(|operation| operation.id == id).unwrap();
            &operation.success().unwrap().content.as_ref().unwrap().1
        };
        let (ada, bob) = (json!({"number": "1", "name": "Ada"}), json!({"number": "2", "name": "Bob"}));
        let message = json!({"text": "too long", "level": "error", "code": "maxLength", "field": "name"});
        let rejected = json!([{"body": {"number": 3}, "key": "3", "pointer": "/2", "messages": [message]}]);
        let context =
            json!({"total": 2, "accepted": [ada, bob], "created": [ada], "removed": [], "rejected": rejected});
        let bad = json!([{"reader": {"number": 3}, "number": "3", "why": [{"text": "too long"}]}]);
        let filled = json!({"success": true, "total": 2, "readers": [ada, bob], "new": [ada], "gone": [], "bad": bad});
        assert_eq!(template("pushReaders").fill(&context), filled);
        let context = json!({"records": [ada], "total": 7});
        assert_eq!(template("listReaders").fill(&context), json!({"total": 7, "readers": [ada]}));
        assert_eq!(template("bareReaders").fill(&context), json!([ada]));
        let line = json!({"name": "readers", "body": ada, "messages": [{"text": "is new", "level": "info"}]});
        let context = json!({"total": 1, "delivery": {"finished": true, "errors": 0}, "log": [line]});
        let line = json!({"what": "readers", "number": "1", "messages": [{"level": "i"}]});
        assert_eq!(template("getLog").fill(&context), json!({"total": 1, "state": 4, "lines": [line]}));

        let spoken = |id: &str| {
            let names = ["accepted", "created", "updated", "removed", "rejected", "records", "log", "total"];
            names.into_iter().filter(|name| template(id).speaks_of(name)).collect::<Vec<_>>()
        };
        assert_eq!(spoken("pushReaders"), ["accepted", "created", "removed", "rejected", "total"]);
        assert_eq!(spoken("bareReaders"), ["records"]);
    }

    #[test]
    fn paths_and_methods_find_their_operation() {
        let partner = valid("path-parameters");
        let (operation, parameters) = partner.route("POST", "/floors/second/rooms").unwrap();
        assert_eq!(operation.id, "pushRooms");
        assert_eq!(parameters, [("floor".to_owned(), "second".to_owned())]);
        assert_eq!(partner.route("POST", "/floors").unwrap_err(), RouteMiss::NotFound);
        let miss = RouteMiss::MethodNotAllowed { allowed: vec!["POST".to_owned()] };
        assert_eq!(partner.route("GET", "/floors/second/rooms").unwrap_err(), miss);
        assert!(!operation.parameters[0].schema.is_valid(&Json::parse(b"\"2\"", 4).unwrap()));
    }
}
