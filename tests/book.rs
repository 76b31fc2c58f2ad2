//! The book under `docs/` is true: its tutorial is followed word for word on a copy of the project, what is generated in it is
//! fresh (`BLESS=1` writes it), and its links and includes lead somewhere.

mod page;

use std::fs;
use std::path::{Path, PathBuf};

use rollcall_tests::site::project;
use rollcall_tests::tree::Tree;

use self::page::{canonical, reference};

/// What comes before the tutorial: the first command that fails ends it, and shows what was said.
const PREAMBLE: &str = "set -eu\nexec 3>&1\n\
    trap 'code=$?; test $code = 0 || cat said.* >&3; kill %1 2> /dev/null || true' EXIT\n";

fn source() -> PathBuf {
    project().join("docs/src")
}

/// A fenced block: what stands behind the fence, and what it holds.
struct Block {
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(info) if !open => {
                blocks.push(Block { info: info.to_owned(), text: String::new() });
                open = true;
            }
            Some(_) => open = false,
            None if open => blocks.last_mut().unwrap().text.extend([line, "\n"]),
            None => {}
        }
    }
    blocks
}

#[test]
fn the_tutorial_followed_word_for_word_gives_a_working_partner() {
    let tree = Tree::copy(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"));
    let before = [tree.digest("core"), tree.digest("server")];
    let mut script = PREAMBLE.to_owned();
    let mut expected = Vec::new();
    let mut commands = 0;
    for block in blocks(&fs::read_to_string(source().join("tutorial.md")).unwrap()) {
        match block.info.split_once("file=").map(|(_, file)| file) {
            Some(file) => script.extend(["cat > ", file, " <<'END OF FILE'\n", &block.text, "END OF FILE\n"]),
            None if block.info == "sh" => {
                commands += 1;
                let said = format!("said.{commands}");
                script.extend(["exec > ", &said, " 2>&1\n", &block.text]);
            }
            None if block.info == "text" => expected.push((commands, block.text)),
            None => panic!("the test does not know what to do with a block of `{}`", block.info),
        }
    }
    assert!(commands >= 8 && expected.len() >= 5, "too little is left of the tutorial");
    fs::write(tree.path().join("tutorial.sh"), script).unwrap();
    tree.run(&["bash", "tutorial.sh"]);
    for (command, lines) in expected {
        let said = fs::read_to_string(tree.path().join(format!("said.{command}"))).unwrap();
        for line in lines.lines() {
            assert!(
                said.contains(line.trim()),
                "`{line}` is not in what the {command}th block of commands says:\n{said}"
            );
        }
    }
    assert_eq!(before, [tree.digest("core"), tree.digest("server")], "a partner needs no change there");
}

#[test]
fn what_is_generated_in_the_book_is_fresh() {
    for (name, text) in [("reference.md", reference()), ("canonical.md", canonical())] {
        let path = source().join(name);
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "docs/src/{name}: run the tests with BLESS=1");
    }
}

#[test]
fn every_link_and_every_include_of_the_book_leads_somewhere() {
    let pages: Vec<_> = fs::read_dir(source()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() >= 8);
    let summary = fs::read_to_string(source().join("SUMMARY.md")).unwrap();
    for page in &pages {
        let name = page.file_name().unwrap().to_str().unwrap();
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{name} is not in the summary");
        let text = fs::read_to_string(page).unwrap();
        let includes = text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next());
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in includes.chain(links).filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let file = target.split('#').next().unwrap_or_default();
            assert!(exists(&source().join(file)), "{name} leads to {target}, which is not there");
        }
    }
}

fn exists(path: &Path) -> bool {
    path.canonicalize().is_ok_and(|path| path.is_file())
}
