//! What the program says to people who type its commands.

use std::fs;
use std::process::{Command, Output};

use rollcall_tests::jusoor::PARTNER;
use rollcall_tests::site::{Site, project};

use crate::site;

/// A mistake in a description: what stands there, what is written instead, and what the checker names.
type Mistake = (&'static str, &'static str, &'static str);

/// Mistakes that are made together.
const MISTAKES: [Mistake; 8] = [
    ("accept: all", "acept: all", "acept"),
    ("that: has(header.accept)", "that: has(header.accept", "header.accept"),
    ("{$ref: '#/components/schemas/Class'}", "{$ref: '#/components/schemas/Klass'}", "Klass"),
    ("key: [parent.id, id]", "key: [parent.id, ident]", "ident"),
    ("kinds: [class, course, user, enrollment]", "kinds: [class, curse, user, enrollment]", "curse"),
    ("required: [id, name, teachers]", "requried: [id, name, teachers]", "requried"),
    ("end: {type: string, format: date}", "end: {type: string, format: dat}", "dat"),
    ("x-rollcall: {value: delivery.counts}", "x-rollcall: {value: delivery.count}", "count"),
];

#[test]
fn check_points_at_each_line_of_a_broken_description() {
    let mut site = site();
    let path = site.copy_schemas().join(PARTNER).join("openapi.yaml");
    let mut text = fs::read_to_string(&path).unwrap();
    let sound = rollcall(&site, &["check", PARTNER]);
    assert!(sound.status.success(), "{}", said(&sound));
    for (right, wrong, _) in MISTAKES {
        assert!(text.contains(right), "the description has no `{right}` to break");
        text = text.replacen(right, wrong, 1);
    }
    fs::write(&path, &text).unwrap();

    let checked = rollcall(&site, &["check", PARTNER]);
    let said = said(&checked);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    for (_, wrong, names) in MISTAKES {
        let line = text.lines().position(|line| line.contains(wrong)).unwrap() + 1;
        let place = format!("openapi.yaml:{line}:");
        assert!(said.contains(&place), "nothing is said about line {line} (`{wrong}`):\n{said}");
        assert!(said.contains(names), "`{names}` is not named:\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

fn rollcall(site: &Site, arguments: &[&str]) -> Output {
    let arguments = arguments.iter().map(|argument| match *argument {
        PARTNER => site.path().join("schemas").join(PARTNER).into_os_string(),
        other => other.into(),
    });
    Command::new(env!("CARGO_BIN_EXE_rollcall"))
        .args(arguments)
        .env("ROLLCALL_MAPPERS_DIR", site.path().join("mappers"))
        .env("ROLLCALL_SCHEMAS_DIR", site.path().join("schemas"))
        .current_dir(project())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
