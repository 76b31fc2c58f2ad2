//! What is kept, for whom, and for how long: backups of a server at work, and files that are its user's alone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rollcall_tests::client::Client;
use rollcall_tests::jusoor::{self, BRANCHES, sync};
use rollcall_tests::school::{Payload, Size};
use rollcall_tests::site::Site;

use crate::site;
use crate::state::{deliveries, everything};

#[test]
fn a_backup_of_a_server_at_work_is_restored_with_all_that_was_answered_before() {
    let site = site();
    let server = site.start();
    sync(&server, "north-school", &Payload::of(Size::SMALL));
    let (before, file) = (everything(&server, "north-reader"), site.path().join("backup.db"));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let client = Client::clone(&server);
        let posting = scope.spawn(|| {
            let (client, mut answered) = (client, 0);
            while !done.load(Ordering::Acquire) {
                for body in [r#"{"branches":[]}"#.to_owned(), format!(r#"{{"branches":[{}]}}"#, " ".repeat(answered))] {
                    let answer = client.post(BRANCHES, &jusoor::headers("north-annex"), body.as_bytes());
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    answered += 1;
                }
            }
            answered
        });
        while deliveries(&server, "north-reader").len() < 5 {
            assert!(!posting.is_finished());
        }
        let backed_up = rollcall(&site, &["backup", file.to_str().unwrap()]);
        done.store(true, Ordering::Release);
        assert!(backed_up.status.success(), "{}", said(&backed_up));
        assert!(posting.join().unwrap() >= 4);
    });
    let while_used = rollcall(&site, &["restore", file.to_str().unwrap(), "--replace"]);
    assert!(!while_used.status.success() && said(&while_used).contains("being used"), "{}", said(&while_used));
    server.kill();

    let unasked = rollcall(&site, &["restore", file.to_str().unwrap()]);
    assert!(!unasked.status.success() && said(&unasked).contains("there already"), "{}", said(&unasked));
    let restored = rollcall(&site, &["restore", file.to_str().unwrap(), "--replace"]);
    assert!(restored.status.success(), "{}", said(&restored));
    let server = site.start();
    assert_eq!(everything(&server, "north-reader"), before);
    assert!(deliveries(&server, "north-reader").len() >= 5);
    sync(&server, "north-school", &Payload::of(Size::SMALL));
}

#[test]
fn what_is_stored_is_its_users_alone() {
    let site = site();
    // As an earlier version, or somebody's hand, may have left it.
    fs::write(site.database(), "").unwrap();
    fs::set_permissions(site.database(), fs::Permissions::from_mode(0o644)).unwrap();
    let server = site.start();
    sync(&server, "north-school", &Payload::of(Size::SMALL));
    assert!(rollcall(&site, &["backup", site.path().join("backup.db").to_str().unwrap()]).status.success());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut seen = Vec::new();
    for entry in fs::read_dir(site.path()).unwrap() {
        let path = entry.unwrap().path();
        if name(&path).contains(".db") {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            seen.push(name(&path));
        }
    }
    seen.sort();
    assert_eq!(seen, ["backup.db", "rollcall.db", "rollcall.db-shm", "rollcall.db-wal"]);
    let cache = Path::new(site.config["cache_dir"].as_str().unwrap());
    assert_eq!(mode(cache), 0o700);
    for entry in fs::read_dir(cache).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub(crate) fn rollcall(site: &Site, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command.args(arguments).arg("--config").arg(site.write_config()).output().unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
