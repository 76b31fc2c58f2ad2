//! What documents say to be typed is what there is: each command in them is taken by the command line's own definition, and
//! each description by the checker.

use std::path::Path;

use clap::{Command, CommandFactory as _};
use rollcall_core::canonical::Canonical;
use rollcall_core::description::Partner;
use rollcall_core::language::{Files, Folder, render};
use serde_json::Value;

use super::Cli;

/// The pages, below the project's folder.
const PAGES: [(&str, &str); 7] = [
    ("README.md", include_str!("../../../README.md")),
    ("CONTRIBUTING.md", include_str!("../../../CONTRIBUTING.md")),
    ("docs/src/tutorial.md", include_str!("../../../docs/src/tutorial.md")),
    ("mappers/README.md", include_str!("../../../mappers/README.md")),
    ("mappers/templates/README.md", include_str!("../../../mappers/templates/README.md")),
    ("schemas/README.md", include_str!("../../../schemas/README.md")),
    ("server/OPERATING.md", include_str!("../../OPERATING.md")),
];

/// What follows one command in a line of a shell.
const ENDS: [&str; 6] = ["|", "||", "&&", ">", "2>", "&"];

/// A fenced block: what stands behind the fence, and what it holds.
struct Block {
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::<Block>::new();
    let mut is_open = false;
    for line in page.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(info) if !is_open => {
                blocks.push(Block { info: info.to_owned(), text: String::new() });
                is_open = true;
            }
            Some(_) => is_open = false,
            None if is_open => blocks.last_mut().unwrap().text.extend([line, "\n"]),
            None => {}
        }
    }
    blocks
}

/// The commands of a block that are this program's, without its name.
fn commands(block: &Block) -> Vec<Vec<String>> {
    let lines = block.text.replace("\\\n", " ");
    let mut commands = Vec::new();
    for line in lines.lines() {
        let Some(words) = shlex::split(line) else { continue };
        let Some(at) = words.iter().position(|word| word == "rollcall") else { continue };
        // What comes before it only sets variables.
        if words[..at].iter().all(|word| word.contains('=')) {
            let words = words[at + 1..].iter().take_while(|word| !ENDS.contains(&word.as_str()));
            commands.push(words.map(|word| spelled_out(word)).collect());
        }
    }
    commands
}

/// The beginning of an id stands for one.
fn spelled_out(word: &str) -> String {
    match word.strip_suffix('…') {
        Some(digits) if digits.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-') => {
            uuid::Uuid::nil().to_string()
        }
        _ => word.to_owned(),
    }
}

/// What is wrong with a command that is written out.
fn wrong_with(words: &[String]) -> Option<String> {
    let named = std::iter::once("rollcall").chain(words.iter().map(String::as_str));
    let error = Cli::command().try_get_matches_from(named).err()?;
    error.use_stderr().then(|| error.to_string())
}

/// What is wrong with a command in the middle of a text, of which only a part may stand there: a word that is no subcommand,
/// or an option that there is not.
fn wrong_in_passing(said: &str) -> Option<String> {
    let mut command = Cli::command();
    command.build();
    let mut at: &Command = &command;
    for word in said.split_whitespace().skip(1) {
        if let Some(long) = word.strip_prefix("--") {
            let long = long.split('=').next().unwrap_or(long);
            let is_there = at.get_arguments().any(|argument| argument.get_long() == Some(long));
            if !is_there {
                return Some(format!("`{}` has no --{long}", at.get_name()));
            }
        } else if at.has_subcommands() {
            match at.find_subcommand(word) {
                Some(below) => at = below,
                None if word.starts_with(['…', '<']) => return None,
                None => return Some(format!("`{}` has no `{word}`", at.get_name())),
            }
        }
    }
    None
}

/// The commands that stand in the lines of a page between backticks.
fn in_passing(page: &str) -> Vec<&str> {
    let mut is_open = false;
    let prose = page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_open ^= is_fence;
        !is_open && !is_fence
    });
    prose.flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|code| code.starts_with("rollcall ")).collect()
}

#[test]
fn every_command_in_a_document_is_one_of_ours() {
    let (mut written, mut passing, mut wrong) = (0, 0, Vec::new());
    for (name, page) in PAGES {
        for block in blocks(page).iter().filter(|block| matches!(block.info.as_str(), "" | "sh")) {
            for words in commands(block) {
                written += 1;
                wrong.extend(wrong_with(&words).map(|why| format!("{name}: rollcall {}: {why}", words.join(" "))));
            }
        }
        for said in in_passing(page) {
            passing += 1;
            wrong.extend(wrong_in_passing(said).map(|why| format!("{name}: {said}: {why}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(written > 30 && passing > 40, "only {written} commands are found, and {passing} in passing");
}

#[test]
fn a_command_that_is_not_ours_is_found() {
    let words = |text: &str| commands(&Block { info: "sh".to_owned(), text: text.to_owned() });
    assert_eq!(words("A=1 rollcall held \\\n  show 01a2… # why\necho rollcall\n").len(), 1);
    for (text, is_wrong) in [
        ("rollcall held show 01a2…", false),
        ("rollcall partner list | head", false),
        ("rollcall partner lst", true),
        ("rollcall held show", true),
        ("rollcall held show 01a2… --loud", true),
    ] {
        assert_eq!(wrong_with(&words(text)[0]).is_some(), is_wrong, "{text}");
    }
    for (said, is_wrong) in [
        ("rollcall held", false),
        ("rollcall partner …", false),
        ("rollcall partner apply --bundle library.rcb", false),
        ("rollcall partner aply", true),
        ("rollcall partner apply --bundel x", true),
    ] {
        assert_eq!(wrong_in_passing(said).is_some(), is_wrong, "{said}");
    }
}

#[test]
fn what_the_language_is_shown_with_is_a_description_and_a_kind() {
    let page = include_str!("../../../schemas/README.md");
    let [description, kind] = &blocks(page).into_iter().filter(|block| block.info == "yaml").collect::<Vec<_>>()[..]
    else {
        panic!("there are other examples by now")
    };
    let canonical = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/canonical");
    let canonical = Canonical::load(&canonical).unwrap();
    let files = [("openapi.yaml".to_owned(), description.text.clone().into_bytes())].into();
    let files = Files { by_name: files, called: "library".into() };
    let loaded = Partner::load_from(Folder::Memory(&files), "library", &canonical, &|_: &str| true);
    assert!(loaded.is_ok(), "{}", render(&loaded.unwrap_err(), false));

    let schema: Value = serde_json::from_str(include_str!("../../../schemas/canonical.schema.json")).unwrap();
    let kind: Value = serde_yaml::from_str(&kind.text).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = validator.iter_errors(&kind).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
