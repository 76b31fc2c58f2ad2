//! Over every partner's examples: they become what stands beside them, and comparing that with a database that has it
//! finds nothing. `BLESS=1` renews what they become.

use std::path::Path;
use std::sync::Arc;

use rollcall_core::canonical::Canonical;
use rollcall_core::clock::{Clock, FixedClock};
use rollcall_core::delivery::{Asked, Received, Status};
use rollcall_core::description::{Operation, Partner, Verb};
use rollcall_core::ingest::{Ingest, Loaded, Sender};
use rollcall_core::limits::Limits;
use rollcall_core::store::Store as _;
use rollcall_core::store::sqlite::{SqliteOptions, SqliteStore};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Preview, Previewer};
use crate::demo::Demo;
use crate::diff::{Action, diff};
use crate::examples::Example;
use crate::partners::{Folders, host};

/// All partners with their mappers, as they are in this repository.
fn shipped() -> (Folders, Canonical, Vec<Loaded>, tempfile::TempDir) {
    let mappers = tempfile::tempdir().unwrap();
    mapper_artifacts::copy_to(mappers.path()).unwrap();
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
    let folders = Folders { schemas, mappers: mappers.path().to_owned() };
    let canonical = folders.canonical().unwrap();
    let host = host(&Limits::default().mapper, None).unwrap();
    let loaded = folders.load(&folders.partners().unwrap(), &canonical, &host).unwrap();
    (folders, canonical, loaded, mappers)
}

/// The examples of a partner and its connection's options.
fn examples(folders: &Folders, partner: &Partner) -> (Vec<Example>, Value) {
    let folder = folders.partner(&partner.name);
    let options = Demo::load(&folder).unwrap().map_or_else(|| json!({}), |demo| demo.options());
    (Example::all(&folder, partner).unwrap(), options)
}

fn operation<'l>(loaded: &'l Loaded, example: &Example) -> &'l Operation {
    loaded.partner.operation(&example.operation).unwrap()
}

#[test]
fn every_example_becomes_what_stands_beside_it() {
    let (folders, canonical, partners, _mappers) = shipped();
    let limits = Limits::default();
    for loaded in &partners {
        let (examples, options) = examples(&folders, &loaded.partner);
        assert!(!examples.is_empty());
        for example in examples {
            let operation = operation(loaded, &example);
            let previewer = Previewer { canonical: &canonical, loaded, operation, options: &options, limits: &limits };
            let (before, body) = example.read().unwrap();
            let preview = previewer.preview(before.as_deref(), &body).unwrap();
            let expected = example.expected();
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&expected, serde_json::to_string_pretty(&preview).unwrap() + "\n").unwrap();
            }
            let wanted: Preview = serde_json::from_slice(&std::fs::read(&expected).unwrap()).unwrap();
            assert_eq!(preview, wanted, "{}: run the tests with BLESS=1", example.file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_says_what_an_ingest_would_do() {
    let (folders, canonical, partners, _mappers) = shipped();
    let data = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&data.path().join("hub.db"), &SqliteOptions::default()).await.unwrap());
    store.prepare_canonical(&canonical).await.unwrap();
    let limits = Limits::default();
    let canonical = Arc::new(canonical);
    let clock = Arc::new(FixedClock::at("2026-09-01T08:00:00Z".parse().unwrap()));
    let ingest = Ingest::new(store.clone(), canonical.clone(), clock.clone(), limits.clone());
    for loaded in &partners {
        store.prepare_partner(&loaded.partner).await.unwrap();
        let (examples, options) = examples(&folders, &loaded.partner);
        let connection = loaded.partner.name.clone();
        let of_sender = Arc::new(options.clone());
        let sender = Sender { tenant: "t".to_owned(), connection, options: of_sender, thresholds: Arc::default() };
        for example in examples {
            let operation = operation(loaded, &example);
            let previewer = Previewer { canonical: &canonical, loaded, operation, options: &options, limits: &limits };
            let body: Arc<[u8]> = example.read().unwrap().1.into();
            let preview = previewer.preview(None, &body).unwrap();
            if !matches!(operation.verb, Verb::Snapshot { .. }) || operation.dry_run || !preview.is_clean() {
                continue; // what it says is not everything that the connection has
            }
            let before = diff(&canonical, &*store, "t", &sender.connection, &preview).await.unwrap();
            let received = Received {
                id: clock.next_id(),
                first: None,
                operation: operation.id.clone(),
                asked: Asked::default(),
                at: clock.now(),
                sha256: Sha256::digest(&body).into(),
                size: body.len() as u64,
                body: Some(body),
                content_encoding: None,
                queued: false,
            };
            let report = ingest.run(&sender, loaded, operation, received, false).await.unwrap().report;
            assert_ne!(report.status, Status::Rejected);
            let found =
                |wanted: fn(&Action) -> bool| before.iter().filter(|change| wanted(&change.action)).count() as u64;
            let sum =
                |count: fn(&rollcall_core::delivery::Counts) -> u64| report.counts.values().map(count).sum::<u64>();
            assert_eq!(
                found(|action| *action == Action::Remove),
                sum(|counts| counts.removed),
                "{}",
                example.file.display()
            );
            let changed = found(|action| *action != Action::Remove);
            assert_eq!(changed, sum(|counts| counts.created + counts.updated), "{}", example.file.display());
            let after = diff(&canonical, &*store, "t", &sender.connection, &preview).await.unwrap();
            assert_eq!(after, [], "{}", example.file.display());
        }
    }
}
