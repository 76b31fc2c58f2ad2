//! What the program explains to those who write mappers and descriptions.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rollcall_tests::jusoor::PARTNER;
use rollcall_tests::site::{Site, project};

use crate::site;

/// A branch whose name must not be seen; what is wrong with it is filled in.
const BRANCH: &str = "{\"branches\": [\n  {\"id\": ID, \"name\": \"Zaragoza\", \"classes\": []}\n]}\n";

/// The program, with the partners of the project.
fn rollcall(site: &Site, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command
        .args(arguments)
        .env("ROLLCALL_MAPPERS_DIR", site.path().join("mappers"))
        .env("ROLLCALL_SCHEMAS_DIR", project().join("schemas"))
        .env("ROLLCALL_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("mapper-cache"))
        .current_dir(site.path());
    command
}

/// Puts another file in the place of one, as careful editors do: nobody reads half of it.
fn save(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

#[test]
fn an_error_in_a_payload_shows_both_of_its_ends() {
    let site = site();
    fs::write(site.path().join("school.json"), BRANCH.replace("ID", "\"10\"")).unwrap();
    let output = rollcall(&site, &["map", "--partner", PARTNER, "school.json"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    for wanted in [
        "rejected: must be an integer",
        "  sent       school.json:2:10: /branches/0/id: text of 2 characters, all digits\n",
        "  record     Branch\n",
        "type: integer",
        "  hint       numbers stand without quotation marks",
    ] {
        assert!(told.contains(wanted), "`{wanted}` is not in\n{told}");
    }
    assert!(!told.contains("Zaragoza"), "{told}");
    let place = told.lines().find_map(|line| line.trim().strip_prefix("described")).unwrap().trim();
    let (file, line) = place.rsplit_once(':').unwrap();
    let described = fs::read_to_string(file).unwrap();
    let line = described.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap();
    assert!(line.contains("integer"), "{place}: {line}");
}

#[test]
fn each_save_of_a_payload_shows_what_it_changes() {
    let site = site();
    let payload = site.path().join("school.json");
    let branch = |id: &str, name: &str| BRANCH.replace("ID", id).replace("Zaragoza", name);
    fs::write(&payload, branch("10", "North")).unwrap();
    let mut watched = Watched::begin(&site);
    watched.wait_for("\"name\": \"North\"");
    watched.wait_for("waiting for the next save");
    save(&payload, &branch("10", "South"));
    watched.wait_for("~ org branch:10");
    watched.wait_for("name: \"North\" -> \"South\"");
    save(&payload, "{");
    watched.wait_for("rejected: ");
    save(&payload, &branch("11", "South"));
    watched.wait_for("+ org branch:11");
}

/// A running `rollcall map --watch`, ended when it is dropped.
struct Watched {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Watched {
    fn begin(site: &Site) -> Self {
        let mut command = rollcall(site, &["map", "--partner", PARTNER, "--watch", "school.json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Reads on until a line has this text.
    fn wait_for(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "it ended without `{text}`");
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
