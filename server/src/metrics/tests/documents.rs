//! What operators are given to look at the figures with speaks of those that there are, and tells all of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde::Deserialize;
use serde_json::Value;

use super::super::catalogue::{ALL, Kind, PROCESS};

/// Labels that Prometheus itself adds.
const OF_PROMETHEUS: [&str; 3] = ["instance", "job", "le"];

fn read(path: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// The labels of a series by its name, as it is collected; none if there is no such figure.
fn labels(series: &str) -> Option<&'static [&'static str]> {
    if series == "up" || PROCESS.iter().any(|(name, _)| *name == series) {
        return Some(&[]);
    }
    let is_series = |name: &str, kind| match kind {
        Kind::Histogram(_) => {
            series.strip_prefix(name).is_some_and(|part| ["_bucket", "_sum", "_count"].contains(&part))
        }
        Kind::Counter | Kind::Gauge => series == name,
    };
    ALL.iter().find(|metric| is_series(metric.name, metric.kind)).map(|metric| metric.labels)
}

/// What an expression speaks of.
#[derive(Default)]
struct Spoken {
    series: BTreeSet<String>,
    labels: BTreeSet<String>,
}

impl Spoken {
    fn selector(&mut self, selector: &VectorSelector) {
        self.series.extend(selector.name.clone());
        self.labels.extend(selector.matchers.matchers.iter().map(|matcher| matcher.name.clone()));
    }
}

impl ExprVisitor for Spoken {
    type Error = ();

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, ()> {
        match expression {
            Expr::VectorSelector(selector) => self.selector(selector),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs),
            Expr::Aggregate(aggregate) => {
                if let Some(LabelModifier::Include(of) | LabelModifier::Exclude(of)) = &aggregate.modifier {
                    self.labels.extend(of.labels.iter().cloned());
                }
            }
            _ => {}
        }
        Ok(true)
    }
}

/// What is wrong with an expression.
fn wrong(expression: &str) -> Vec<String> {
    let expression = expression.replace("$__rate_interval", "5m");
    let parsed = match parser::parse(&expression) {
        Ok(parsed) => parsed,
        Err(error) => return vec![format!("{expression}: {error}")],
    };
    let mut spoken = Spoken::default();
    walk_expr(&mut spoken, &parsed).unwrap();
    let mut wrong = Vec::new();
    let mut known: BTreeSet<&str> = BTreeSet::from(OF_PROMETHEUS);
    for series in &spoken.series {
        match labels(series) {
            Some(labels) => known.extend(labels),
            None => wrong.push(format!("{expression}: there is no figure {series}")),
        }
    }
    let unknown = spoken.labels.iter().filter(|label| !known.contains(label.as_str()));
    wrong.extend(unknown.map(|label| format!("{expression}: no figure in it has the label {label}")));
    if spoken.series.is_empty() {
        wrong.push(format!("{expression}: speaks of nothing"));
    }
    wrong
}

/// Every `expr` in a JSON value.
fn expressions(json: &Value) -> Vec<String> {
    match json {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(text) if name == "expr" => vec![text.to_owned()],
                _ => expressions(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_mistake_in_an_expression_is_found() {
    assert_eq!(
        wrong("sum by (partner) (rate(rollcall_deliveries_total{status=\"failed\"}[5m]))"),
        Vec::<String>::new()
    );
    for (expression, found) in [
        ("sum(rollcall_deliveries)", "no figure rollcall_deliveries"),
        ("rollcall_delivery_fuel > 1", "no figure rollcall_delivery_fuel"),
        ("sum by (person) (rollcall_database_up)", "the label person"),
        ("rollcall_database_up{state=\"busy\"}", "the label state"),
        ("sum(rollcall_database_up", "sum("),
    ] {
        assert!(wrong(expression).iter().any(|wrong| wrong.contains(found)), "{:?}", wrong(expression));
    }
}

#[test]
fn the_dashboard_shows_figures_that_there_are_and_shows_all_of_them() {
    let (_, text) = read("grafana/rollcall.json");
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let expressions = expressions(&dashboard["panels"]);
    let wrong: Vec<_> = expressions.iter().flat_map(|expression| wrong(expression)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for metric in ALL {
        assert!(expressions.iter().any(|expression| expression.contains(metric.name)), "{} is not shown", metric.name);
    }
}

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: String,
    expr: String,
    labels: Severity,
}

#[derive(Deserialize)]
struct Severity {
    severity: String,
}

#[test]
fn the_alerts_are_about_figures_that_there_are_and_each_is_explained() {
    let (_, text) = read("prometheus/alerts.yaml");
    let rules: Rules = serde_yaml::from_str(&text).unwrap();
    let (_, operating) = read("OPERATING.md");
    let rules: Vec<_> = rules.groups.into_iter().flat_map(|group| group.rules).collect();
    assert!(rules.len() > 10);
    for rule in rules {
        assert_eq!(wrong(&rule.expr), Vec::<String>::new(), "{}", rule.alert);
        assert!(["page", "ticket"].contains(&rule.labels.severity.as_str()), "{}", rule.alert);
        assert!(operating.contains(&rule.alert), "OPERATING.md does not say what to do about {}", rule.alert);
    }
}

#[test]
fn every_figure_is_listed_with_its_labels() {
    const START: &str = "<!-- figures -->\n";
    const END: &str = "<!-- end of figures -->";
    let mut table = "| figure | kind | labels | what it says |\n|---|---|---|---|\n".to_owned();
    for metric in ALL {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, help) = (metric.name, metric.kind_word(), metric.help);
        writeln!(table, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
    }
    for (name, help) in PROCESS {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        writeln!(table, "| `{name}` | {kind} | | {help} |").unwrap();
    }
    let (path, text) = read("OPERATING.md");
    let (before, rest) = text.split_once(START).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let fresh = format!("{before}{START}{table}{END}{after}");
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, &fresh).unwrap();
    }
    assert!(text == fresh || std::env::var_os("BLESS").is_some(), "run the tests with BLESS=1");
}
