//! Figures are counted under the names that the catalogue has for them, and under no others.

mod documents;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rollcall_core::costs::{Costs, Rows, Stage as Part};
use rollcall_core::delivery::{Counts, Report, Status};
use rollcall_core::ingest::{Meter as _, Sender};
use rollcall_core::json::Pointer;
use rollcall_core::note::Note;

use super::catalogue::{ALL, PROCESS};
use super::{Metrics, Stage, delivery, in_progress, stage};

fn sender(tenant: &str) -> Sender {
    Sender {
        tenant: tenant.to_owned(),
        connection: "school".to_owned(),
        options: Arc::new(serde_json::Value::Null),
        thresholds: Arc::default(),
    }
}

#[test]
fn a_delivery_is_counted_under_its_connection() {
    let metrics = Metrics::install().unwrap();
    let sender = sender("north");
    let mut report = Report::new(Status::Applied);
    report.counts.insert("user".to_owned(), Counts { created: 3, ..Counts::default() });
    report.warnings.push(Note::new(Pointer::root(), "odd", "looks odd"));
    let working = in_progress("library");
    delivery(&sender, "library", 100, &report);
    let costs = Costs::default();
    costs.stage(Part::Map, || ());
    costs.wrote(Rows::Entity, 3);
    costs.used(2_000_000, 1_500_000);
    metrics.spent(&sender, "library", &costs);
    stage(&sender, "library", Stage::Wait, Duration::from_millis(2));
    let text = metrics.render();
    let whose = r#"tenant="north",connection="school",partner="library""#;
    for line in [
        format!(r#"rollcall_deliveries_total{{{whose},status="applied"}} 1"#),
        format!(r#"rollcall_deliveries_total{{{whose},status="failed"}} 0"#),
        format!(r#"rollcall_entity_changes_total{{{whose},kind="user",change="created"}} 3"#),
        format!("rollcall_delivery_body_bytes_total{{{whose}}} 100"),
        format!("rollcall_warnings_total{{{whose}}} 1"),
        format!(r#"rollcall_rows_written_total{{{whose},rows="entity"}} 3"#),
        format!(r#"rollcall_delivery_stage_duration_seconds_count{{{whose},stage="map"}} 1"#),
        format!(r#"rollcall_delivery_stage_duration_seconds_bucket{{{whose},stage="wait",le="0.001"}} 0"#),
        format!(r#"rollcall_delivery_stage_duration_seconds_bucket{{{whose},stage="wait",le="0.003"}} 1"#),
        format!(r#"rollcall_delivery_fuel_bucket{{{whose},le="10000000"}} 1"#),
        format!(r#"rollcall_mapper_memory_bytes_bucket{{{whose},le="1048576"}} 0"#),
        r#"rollcall_deliveries_in_progress{partner="library"} 1"#.to_owned(),
    ] {
        assert!(text.contains(&line), "{line} not in\n{text}");
    }
    drop(working);
    assert!(metrics.render().contains(r#"rollcall_deliveries_in_progress{partner="library"} 0"#));
}

#[test]
fn the_process_is_measured_too() {
    let text = Metrics::install().unwrap().render();
    for (name, _) in PROCESS.iter().filter(|(name, _)| !name.contains("virtual_memory_max")) {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} not in\n{text}");
    }
    assert!(text.contains(concat!("rollcall_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")), "{text}");
}

#[test]
fn every_metric_has_a_name_of_its_own_that_says_what_it_counts() {
    let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), ALL.len());
    for metric in ALL {
        assert!(metric.name.starts_with("rollcall_"), "{}", metric.name);
        assert_eq!(metric.name.ends_with("_total"), metric.kind_word() == "counter", "{}", metric.name);
        assert!(metric.help.ends_with('.'), "{}", metric.name);
    }
}
