//! Reads the source tree and finds what breaks the invariants that `ARCHITECTURE.md` states.
//!
//! To add a rule about a word: add a row to [`RULES`] and a file that breaks it to the test at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use wasmparser::{Parser, Payload};

/// A word that may stand only in some places.
struct Rule {
    /// What is kept.
    says: &'static str,
    /// Files that it holds for: their path starts so.
    holds_in: &'static [&'static str],
    /// What must not stand there, in lower case.
    words: &'static [&'static str],
    /// Where it may stand nevertheless: the path starts so.
    except: &'static [&'static str],
    /// Whether comments count too.
    comments: bool,
}

const RULES: &[Rule] = &[
    Rule {
        says: "nothing about a partner is written in core/ or server/",
        holds_in: &["core/", "server/"],
        words: &["jusoor", "campus skills", "campus-skills", "campus_skills", "contrats", "eduframe", "educacional"],
        except: &[],
        comments: true,
    },
    Rule {
        says: "only core/src/map knows wasmtime",
        holds_in: &["core/src/", "server/src/"],
        words: &["wasmtime", "unsafe_code"],
        except: &["core/src/map.rs", "core/src/map/"],
        comments: false,
    },
    Rule {
        says: "only core/src/store knows SQL",
        holds_in: &["core/src/", "server/src/"],
        words: &["sqlx", "rusqlite", "insert into ", "select * "],
        except: &["core/src/store/"],
        comments: false,
    },
    Rule {
        says: "core knows no HTTP",
        holds_in: &["core/src/"],
        words: &["axum", "hyper::", "http::", "ureq", "statuscode"],
        except: &[],
        comments: false,
    },
    Rule {
        says: "in core, only language/source knows YAML",
        holds_in: &["core/src/"],
        words: &["serde_yaml", "saphyr"],
        except: &["core/src/language/source.rs", "core/src/language/source/"],
        comments: false,
    },
    Rule {
        says: "time and ids are arguments",
        holds_in: &["core/src/", "server/src/"],
        words: &["timestamp::now", "systemtime::now", "now_v7", "new_v4"],
        except: &["core/src/clock.rs"],
        comments: false,
    },
    Rule {
        says: "nothing is called done that is not",
        holds_in: &["core/", "server/", "mappers/", "tests/"],
        words: &[concat!("to", "do!("), concat!("unimplement", "ed!("), concat!("#[", "ignore")],
        except: &[],
        comments: false,
    },
    Rule {
        says: "nothing sleeps but a command that paces itself: what is waited for has a condition",
        holds_in: &["core/", "server/", "mappers/", "tests/"],
        words: &[concat!("thread::", "sleep")],
        except: &["server/src/cli/"],
        comments: true,
    },
];

/// Module names that say nothing about what is inside.
const BUCKETS: &[&str] = &["common", "helper", "helpers", "manager", "misc", "shared", "types", "util", "utils"];

/// Folders of `mappers/` that are not a partner's mapper.
const NOT_A_PARTNER: &[&str] = &["artifacts", "codegen", "componentize", "hostile", "sdk", "templates", "wit"];

/// The longest source file, its tests at the end not counted.
const LINES_MAX: usize = 600;

/// A text file of the project: where it is and what it says.
struct Source {
    path: String,
    text: String,
}

#[test]
fn words_stand_only_where_they_may() {
    let sources = sources();
    let found: Vec<_> = RULES.iter().flat_map(|rule| broken(rule, &sources)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_stage_imports_only_earlier_stages() {
    let lib = read("core/src/lib.rs");
    let found = imports_of_later_stages(&lib, &sources());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn dependencies_point_one_way() {
    let never = [
        ("core", vec!["rollcall", "rollcall-tests", "rollcall-mapper-sdk", "axum"]),
        ("server", vec!["rollcall-mapper-sdk", "mapper-artifacts", "wasmtime", "rusqlite", "sqlx"]),
        ("mappers/sdk", vec!["rollcall-core", "rollcall"]),
    ];
    let mappers = partners().into_iter().map(|name| (format!("mappers/{name}"), vec!["rollcall-core", "rollcall"]));
    let never = never.into_iter().map(|(package, banned)| (package.to_owned(), banned)).chain(mappers);
    for (package, banned) in never {
        let manifest = read(&format!("{package}/Cargo.toml"));
        let depends_on = dependencies(&manifest);
        for name in banned {
            assert!(!depends_on.contains(name), "{package} must not depend on {name}");
        }
    }
}

#[test]
fn no_module_is_a_bucket_and_none_is_too_long() {
    for Source { path, text } in sources().iter().filter(|source| is_rust(&source.path)) {
        let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).expect("source files have names");
        assert!(!BUCKETS.contains(&stem), "{path}: name it after the noun inside");
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines, {LINES_MAX} are allowed: split it by noun");
    }
}

#[test]
fn every_mapper_has_a_description_and_examples() {
    let partners = partners();
    assert!(!partners.is_empty(), "no mapper was found");
    for name in partners {
        assert!(root().join("schemas").join(&name).join("openapi.yaml").is_file(), "{name} has no description");
        let examples = walk(&root().join(format!("schemas/{name}/examples")));
        assert!(examples.iter().any(|path| path.extension().is_some_and(|e| e == "json")), "{name} has no examples");
    }
    for name in folders("schemas").into_iter().filter(|name| name != "canonical") {
        assert!(root().join("mappers").join(&name).join("Cargo.toml").is_file(), "{name} has no mapper");
    }
}

#[test]
fn mappers_import_nothing() {
    let mappers = mapper_artifacts::MAPPERS;
    assert!(!mappers.is_empty());
    for (name, path) in mappers {
        let component = fs::read(path).unwrap();
        assert_eq!(imports(&component), Vec::<String>::new(), "mapper {name} imports something");
    }
}

#[test]
fn no_built_component_is_kept_among_the_sources() {
    let built: Vec<_> =
        walk(&root()).into_iter().filter(|path| path.extension().is_some_and(|e| e == "wasm")).collect();
    assert!(built.is_empty(), "{built:?}");
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let document = read("ARCHITECTURE.md");
    let named = tests_named(&document);
    assert!(named.len() >= 20, "only {} tests are named", named.len());
    let sources = sources();
    for name in named {
        let declaration = format!("fn {name}(");
        let exists = sources.iter().any(|source| is_rust(&source.path) && source.text.contains(&declaration));
        assert!(exists, "ARCHITECTURE.md names the test `{name}`, which does not exist");
    }
}

#[test]
fn every_rule_finds_what_breaks_it() {
    let breaks = [
        ("core/src/record.rs", "let partner = \"Eduframe\";"),
        ("server/src/state.rs", "use wasmtime::Engine;"),
        ("server/src/state.rs", "use rusqlite::Connection;"),
        ("core/src/record.rs", "use axum::Json;"),
        ("core/src/record.rs", "serde_yaml::from_str(text)"),
        ("core/src/record.rs", "let now = Timestamp::now();"),
        ("core/src/record.rs", concat!("to", "do!()")),
        ("tests/crash.rs", concat!("std::thread::", "sleep(second);")),
    ];
    assert_eq!(breaks.len(), RULES.len());
    for (rule, (path, text)) in RULES.iter().zip(breaks) {
        let sources = [Source { path: path.into(), text: text.into() }];
        assert_eq!(broken(rule, &sources).len(), 1, "the rule that {} does not find {text}", rule.says);
    }
}

#[test]
fn the_other_readers_find_what_they_look_for() {
    let lib = "pub mod clock;\npub mod record;\npub mod store;\n";
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let backwards = source("core/src/record.rs", "use crate::{clock::Clock, store::{self, Store}};");
    let nested = source("core/src/clock/fixed.rs", "let store = crate::store::Store::new();");
    let forwards = source("core/src/store/sql.rs", "use crate::record::Record;\n// crate::nothing");
    assert_eq!(imports_of_later_stages(lib, &[backwards, nested, forwards]).len(), 2);

    let manifest = "[dependencies]\naxum.workspace = true\n[dev-dependencies]\nrusqlite = \"1\"\n";
    assert_eq!(dependencies(manifest), BTreeSet::from(["axum"]));

    let named = tests_named("**It holds** (`one_test`, `module::other_test`).\nNot `this`.");
    assert_eq!(named, BTreeSet::from(["one_test", "other_test"]));

    let importing = b"\0asm\x0d\0\x01\0\x07\x03\x01\x42\0\x0a\x06\x01\0\x01a\x05\0";
    assert_eq!(imports(importing), ["a"]);
}

fn broken(rule: &Rule, sources: &[Source]) -> Vec<String> {
    let starts = |path: &str, starts: &[&str]| starts.iter().any(|start| path.starts_with(start));
    let concerned = sources.iter().filter(|s| starts(&s.path, rule.holds_in) && !starts(&s.path, rule.except));
    let mut found = Vec::new();
    for source in concerned.filter(|source| rule.comments || is_rust(&source.path)) {
        for (number, line) in source.text.lines().enumerate() {
            let said = if rule.comments { line } else { without_comment(line) }.to_lowercase();
            for word in rule.words.iter().filter(|word| said.contains(*word)) {
                found.push(format!("{}:{}: `{word}`, but {}", source.path, number + 1, rule.says));
            }
        }
    }
    found
}

/// Which files of core name a module that `lib.rs` declares after their own.
fn imports_of_later_stages(lib: &str, sources: &[Source]) -> Vec<String> {
    let declared = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let order: BTreeMap<&str, usize> = declared.enumerate().map(|(place, name)| (name, place)).collect();
    let mut found = Vec::new();
    for Source { path, text } in sources {
        let Some(inside) = path.strip_prefix("core/src/") else { continue };
        let Some(stage) = inside.split(['/', '.']).next().filter(|stage| order.contains_key(stage)) else { continue };
        for module in modules_named(text) {
            if order.get(module).is_some_and(|place| *place > order[stage]) {
                found.push(format!("{path}: `{stage}` imports `{module}`, which is a later stage"));
            }
        }
    }
    found
}

/// The modules of its crate that a source names: `crate::a::B` and `crate::{a::B, c::{D, E}}`.
fn modules_named(text: &str) -> BTreeSet<&str> {
    let code = text.lines().map(without_comment);
    let mut named = BTreeSet::new();
    for line in code {
        for (at, prefix) in line.match_indices("crate::") {
            let rest = &line[at + prefix.len()..];
            let Some(list) = rest.strip_prefix('{') else {
                named.insert(word(rest));
                continue;
            };
            let mut depth = 0;
            for (place, letter) in list.char_indices() {
                match letter {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                let starts = place == 0 || (depth == 0 && list[..place].trim_end().ends_with(','));
                if starts && letter.is_alphabetic() {
                    named.insert(word(&list[place..]));
                }
            }
        }
    }
    named
}

fn word(text: &str) -> &str {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default()
}

/// The names under `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let section = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let lines = section.take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty()).collect()
}

/// The tests that the invariants of a document name: each invariant is bold, its tests follow in parentheses.
fn tests_named(document: &str) -> BTreeSet<&str> {
    let invariants = document.lines().filter(|line| line.trim_start_matches("- ").starts_with("**"));
    let mut named = BTreeSet::new();
    for (_, tests) in invariants.filter_map(|line| line.rsplit_once("(`")) {
        let list = tests.split(')').next().unwrap_or_default();
        named.extend(list.split(',').map(|name| name.trim().trim_matches('`').rsplit("::").next().unwrap_or_default()));
    }
    named
}

/// The names that a component imports.
fn imports(component: &[u8]) -> Vec<String> {
    let mut depth = 0;
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                names.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
            }
            _ => {}
        }
    }
    names
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") { "" } else { line }
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// Every text file of the project's own.
fn sources() -> Vec<Source> {
    let root = root();
    let relative = |path: &Path| path.strip_prefix(&root).expect("it was found there").display().to_string();
    walk(&root)
        .into_iter()
        .filter_map(|path| Some(Source { path: relative(&path), text: fs::read_to_string(&path).ok()? }))
        .collect()
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') || ["target", "node_modules", "bench-out"].contains(&name) {
            continue;
        }
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn files_in(folder: &str) -> Vec<PathBuf> {
    fs::read_dir(root().join(folder)).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

fn folders(folder: &str) -> Vec<String> {
    let paths = files_in(folder).into_iter().filter(|path| path.is_dir());
    paths.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).filter(|name| name != "target").collect()
}

/// The partners that have a mapper.
fn partners() -> Vec<String> {
    folders("mappers").into_iter().filter(|name| !NOT_A_PARTNER.contains(&name.as_str())).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the project").to_owned()
}
