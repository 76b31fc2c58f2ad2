//! Each folder in `tests/upgrades` holds two descriptions and what is said of the way from one to the other.
//! `BLESS=1 cargo test` writes that anew.

use std::fs;
use std::path::Path;

use super::{changes, listed};
use crate::canonical::Canonical;
use crate::description::Partner;
use crate::language::render;

fn partner(case: &Path, version: &str, canonical: &Canonical) -> Partner {
    let folder = tempfile::tempdir().unwrap();
    let described = folder.path().join("library");
    fs::create_dir(&described).unwrap();
    fs::copy(case.join(version), described.join("openapi.yaml")).unwrap();
    let partner = Partner::load(&described, canonical, &|_: &str| true);
    partner.unwrap_or_else(|problems| panic!("{}: {}", case.display(), render(&problems, false)))
}

#[test]
fn what_is_different_between_two_descriptions_stands_beside_them() {
    let canonical = Canonical::load(Path::new("../schemas/canonical")).unwrap();
    let mut cases: Vec<_> = fs::read_dir("tests/upgrades").unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 3);
    for case in cases {
        let (from, to) = (partner(&case, "from.yaml", &canonical), partner(&case, "to.yaml", &canonical));
        let said = listed(&changes(&from, &to));
        let expected = case.join("changes.txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &said).unwrap();
        }
        assert_eq!(said, fs::read_to_string(&expected).unwrap_or_default(), "{}: BLESS=1", case.display());
        assert_eq!(listed(&changes(&from, &from)), "nothing\n", "{}", case.display());
    }
}
