//! B5 and B6: how many small deliveries are acknowledged in a second, each after it is on the disk, against what the same
//! server answers to a call that does nothing, and against how often the disk can be waited for, all in the same minute.
//!
//! What is acknowledged is worked on meanwhile, as ever.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::Instant;

use rollcall_tests::site::Site;
use serde_json::json;

use crate::figures::{Figures, Measure};
use crate::load::{Asked, load};

/// Whose deliveries are acknowledged before they are worked on, and the connection that sends them.
const PARTNER: &str = "educacional";
const TOKEN: &str = "north-school";

/// Clients at the same time.
const FEW: u64 = 64;
const MANY: u64 = 256;

/// How often a call that does nothing is made.
const CALLS: u64 = 60_000;

/// How many deliveries are sent.
const DELIVERIES: u64 = 20_000;

/// How often the disk is waited for.
const WAITS: u32 = 200;

/// The part of what a server can answer at all that may be expected of it when it keeps what it answers to.
const SHARE: f64 = 0.35;

/// Measures both, from a fresh start.
pub(crate) fn of_deliveries(figures: &mut Figures) {
    let mut site = Site::new(env!("CARGO_BIN_EXE_rollcall"), env!("CARGO_TARGET_TMPDIR"), PARTNER);
    for (tenant, connection) in [("north", "school"), ("north", "annex"), ("south", "school")] {
        site.config["tenants"][tenant]["connections"][connection]["options"] = json!({"org_ids": ["bench"]});
    }
    let unlimited = 1_000_000;
    site.config["limits"] = json!({
        "calls_per_second_max": unlimited,
        "calls_burst_max": unlimited,
        "calls_in_progress_max": unlimited,
        "queued_deliveries_max": unlimited,
    });
    let server = site.start();
    let calls = |clients| load(server.address(), TOKEN, clients, CALLS, |_| nothing());
    let deliveries =
        |clients: u64| load(server.address(), TOKEN, clients, DELIVERIES, |number| delivery(clients, number));

    let hello = calls(FEW);
    let wait = wait_for_disk(site.path());
    #[expect(clippy::cast_precision_loss, reason = "a figure in a table")]
    let aim = (SHARE * hello.per_second).min(FEW as f64 / wait);
    figures.add(Measure::DiskWait, wait * 1e3);
    figures.loaded(Measure::Hello, hello);
    figures.loaded(Measure::Acknowledged, deliveries(FEW));
    figures.add(Measure::AcknowledgedAtMost, aim);
    figures.loaded(Measure::HelloToMany, calls(MANY));
    figures.loaded(Measure::AcknowledgedToMany, deliveries(MANY));
}

fn nothing() -> Asked {
    Asked { method: "GET", path: "/healthz".to_owned(), body: String::new(), status: 200 }
}

fn delivery(clients: u64, number: u64) -> Asked {
    let subject = json!({"name": format!("Subject {clients}.{number}"), "code": format!("{clients}.{number}")});
    let body = json!({
        "doo": "2030/11/05T15:25:16.584Z", "ver": "1.0.0", "who": "bench", "org_id": "bench",
        "dat": [{"typ": "insert", "obj": {"subject": [subject]}}],
    });
    Asked { method: "POST", path: format!("/{PARTNER}/prod/sync/v1"), body: body.to_string(), status: 200 }
}

/// Seconds until a page is on the disk that `folder` is on.
fn wait_for_disk(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("page")).expect("the folder is ours");
    let page = [7; 4_096];
    let mut write = || {
        file.rewind().and_then(|()| file.write_all(&page)).and_then(|()| file.sync_data()).expect("there is room");
    };
    write();
    let start = Instant::now();
    for _ in 0..WAITS {
        write();
    }
    start.elapsed().as_secs_f64() / f64::from(WAITS)
}
