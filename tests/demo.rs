//! The demonstration does what it says: what it prints to be tried next works as printed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rollcall_tests::site::project;

use crate::site;

/// The line after which nothing more is printed.
const LAST: &str = "Ctrl-C ends the demonstration.";

#[test]
fn the_printed_lines_work_as_printed() {
    let site = site();
    let mut demo = Demo(
        Command::new(env!("CARGO_BIN_EXE_rollcall"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            .env("ROLLCALL_MAPPERS_DIR", site.path().join("mappers"))
            .env("ROLLCALL_CACHE_DIR", site.path().join("cache"))
            .current_dir(project())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let output = BufReader::new(demo.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said: Vec<_> = output.take_while(|line| line != LAST).collect();
    let table = said.join("\n");
    for kind in ["org", "course", "class", "user", "enrollment", "academicSession"] {
        assert!(table.contains(kind), "no {kind} in\n{table}");
    }
    let mut lines: Vec<_> = said.iter().filter(|line| line.trim().starts_with("curl ")).cloned().collect();
    assert!(lines.len() >= 6, "too little to try in\n{table}");
    let address = said[0].trim_start_matches("listening on ").split(';').next().unwrap();
    lines.push(format!("curl -s {address}/readyz"));
    for line in lines {
        let run =
            Command::new("sh").arg("-c").arg(format!("{} -f", line.trim())).current_dir(project()).output().unwrap();
        assert!(run.status.success() && !run.stdout.is_empty(), "{line}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

/// A running demonstration. Killed when dropped.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
