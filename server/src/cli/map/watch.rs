//! `rollcall map --watch`: maps a payload again whenever one of the files that decide about it is saved.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use clap::builder::styling::{AnsiColor, Style};
use rollcall_server::diff::{Revision, revisions};
use rollcall_server::preview::Preview;

use super::super::Outcome;
use super::Map;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Levels of folders that are looked into.
const DEPTH_MAX: usize = 8;

/// What tells whether a file is another one: when it was written, and how long it is.
type Stamps = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// Shows what the payload becomes, and from then on what each save changes in that. Ctrl-C ends it.
pub(super) fn watch(map: &Map) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout();
    let paint = Paint { colored: out.is_terminal() && std::env::var_os("NO_COLOR").is_none() };
    let mut before: Option<Preview> = None;
    loop {
        let stamps = stamps(map);
        let text = match map.look(None) {
            Ok(seen) => {
                let mut text: Vec<_> = seen.troubles.iter().map(|trouble| paint.bad(trouble)).collect();
                match &before {
                    None => text.push(serde_json::to_string_pretty(&seen.preview)?),
                    Some(before) => text.extend(paint.revisions(&revisions(before, &seen.preview))),
                }
                before = Some(seen.preview);
                text
            }
            Err(error) => vec![paint.bad(&format!("{error:#}"))],
        };
        writeln!(out, "{}\n{}", text.join("\n"), paint.aside("waiting for the next save; Ctrl-C ends this"))?;
        while self::stamps(map) == stamps {
            thread::sleep(LOOK);
        }
    }
}

/// The files that decide about the payload, as they are now.
fn stamps(map: &Map) -> Stamps {
    let folders = map.folders.folders();
    let mut stamps = Stamps::new();
    let folder = folders.partner(&map.partner);
    for path in [&map.file, &folder, &folders.canonical_folder(), &folders.mapper(&map.partner)] {
        note(path, DEPTH_MAX, &mut stamps);
    }
    if let Some(before) = &map.before {
        note(before, DEPTH_MAX, &mut stamps);
    }
    stamps
}

fn note(path: &Path, depth: usize, stamps: &mut Stamps) {
    // What is not there, or just being replaced, is looked at again soon.
    let Ok(metadata) = fs::metadata(path) else { return };
    if !metadata.is_dir() {
        stamps.insert(path.to_owned(), (metadata.modified().ok(), metadata.len()));
        return;
    }
    let entries = if depth > 0 { fs::read_dir(path).ok() } else { None };
    for entry in entries.into_iter().flatten().flatten() {
        note(&entry.path(), depth - 1, stamps);
    }
}

/// Colours, where the reader sees them.
struct Paint {
    colored: bool,
}

impl Paint {
    fn in_color(&self, color: AnsiColor, text: &str) -> String {
        if !self.colored {
            return text.to_owned();
        }
        let style = Style::new().fg_color(Some(color.into()));
        format!("{style}{text}{style:#}")
    }

    fn bad(&self, text: &str) -> String {
        self.in_color(AnsiColor::Red, text)
    }

    fn aside(&self, text: &str) -> String {
        self.in_color(AnsiColor::BrightBlack, text)
    }

    fn revisions(&self, revisions: &[Revision]) -> Vec<String> {
        if revisions.is_empty() {
            return vec![self.aside("the entities are the same")];
        }
        let painted = revisions.iter().map(|revision| {
            let color = match revision.sign() {
                '+' => AnsiColor::Green,
                '-' => AnsiColor::Red,
                _ => AnsiColor::Yellow,
            };
            self.in_color(color, &revision.to_string())
        });
        painted.collect()
    }
}
