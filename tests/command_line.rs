//! What the program says to people who type its commands.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rollcall_tests::jusoor::PARTNER;
use rollcall_tests::site::{Site, project};
use serde_json::{Value, json};

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

#[test]
fn what_gets_lost_of_a_payload_is_told() {
    let mut site = site();
    site.copy_schemas();
    let payload = site.path().join("payload.json");
    let student = json!({"user_no": 7, "name_user": "Hala Farah", "user_email": "", "seat": 3});
    let section = json!({"name": "A", "subjects": [], "students": [student]});
    let class = json!({"id": 1, "name": "Grade 1", "sections": [section], "colour": "red"});
    let branch = json!({"id": 10, "name": "Al Noor School", "classes": [class]});
    fs::write(&payload, json!({"branches": [branch]}).to_string()).unwrap();
    let told = program(&site).args(["loss", PARTNER, "--json"]).arg(&payload).output().unwrap();
    let report: Value = serde_json::from_slice(&told.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&told)));
    let members = |what: &str| -> Vec<&str> {
        report[what].as_array().unwrap().iter().filter_map(|loss| loss["member"].as_str()).collect()
    };
    assert_eq!(
        members("unknown"),
        ["/branches/*/classes/*/colour", "/branches/*/classes/*/sections/*/students/*/seat"]
    );
    assert_eq!(members("unused"), Vec::<&str>::new());
    assert_eq!(report["records"], 3);
}

fn rollcall(site: &Site, arguments: &[&str]) -> Output {
    let arguments = arguments.iter().map(|argument| match *argument {
        PARTNER => site.path().join("schemas").join(PARTNER).into_os_string(),
        other => other.into(),
    });
    program(site).args(arguments).output().unwrap()
}

/// The program, where a site has its descriptions and mappers.
fn program(site: &Site) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    program.env("ROLLCALL_MAPPERS_DIR", site.path().join("mappers"));
    program.env("ROLLCALL_SCHEMAS_DIR", site.path().join("schemas"));
    program.env("ROLLCALL_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("mapper-cache"));
    program.current_dir(project());
    program
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
