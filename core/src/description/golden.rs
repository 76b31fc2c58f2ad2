//! Every file under `tests/descriptions` says what the checker thinks of it: nothing for those in `valid`, and for those
//! in `invalid` what stands in the `.err` file beside it. `BLESS=1 cargo test` writes those anew.

use std::path::{Path, PathBuf};

use super::{Mappers, check};
use crate::canonical::Canonical;
use crate::language::render;

/// The descriptions in a folder, by name.
fn descriptions(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new("tests/descriptions").join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    paths.sort();
    paths
}

fn canonical() -> Canonical {
    Canonical::load(Path::new("../schemas/canonical")).unwrap()
}

/// One for each description, but for the one called `no-mapper`; which calls they take is known of two.
struct Invented;

impl Mappers for Invented {
    fn has(&self, name: &str) -> bool {
        name != "no-mapper"
    }

    fn calls(&self, name: &str) -> Option<Vec<String>> {
        match name {
            "unknown-calls" => Some(vec!["lend".to_owned(), "return-all".to_owned()]),
            "calls-without-logic" => Some(Vec::new()),
            _ => None,
        }
    }
}

/// What the checker says about a description.
fn checked(path: &Path, canonical: &Canonical) -> String {
    let problems = check(path, canonical, &Invented);
    if problems.is_empty() { String::new() } else { format!("{}\n", render(&problems, false)) }
}

#[test]
fn nothing_is_wrong_with_a_right_description() {
    let paths = descriptions("valid");
    assert!(paths.len() >= 3);
    let canonical = canonical();
    for path in paths {
        assert_eq!(checked(&path, &canonical), "", "{}", path.display());
    }
}

#[test]
fn the_example_that_people_start_from_is_right() {
    let page = std::fs::read_to_string("../schemas/README.md").unwrap();
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("library.yaml");
    std::fs::write(&path, example).unwrap();
    assert_eq!(checked(&path, &canonical()), "");
}

#[test]
fn every_mistake_is_told_like_a_compiler_would() {
    let bless = std::env::var_os("BLESS").is_some();
    let paths = descriptions("invalid");
    assert!(paths.len() >= 20);
    let canonical = canonical();
    let mut differing = Vec::new();
    for path in paths {
        let found = checked(&path, &canonical);
        assert_ne!(found, "", "{}: nothing was found", path.display());
        let golden = path.with_extension("err");
        if bless {
            std::fs::write(&golden, &found).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != found {
            differing.push(format!("{}:\n{found}", path.display()));
        }
    }
    assert!(differing.is_empty(), "BLESS=1 rewrites what is expected. Found now:\n{}", differing.join("\n"));
}
