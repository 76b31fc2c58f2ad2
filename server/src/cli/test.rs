//! `rollcall test`: every example of a partner, through the sandbox and natively, against what it must become.

mod budget;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use rollcall_core::canonical::Canonical;
use rollcall_core::ingest::Loaded;
use rollcall_core::language::Folder;
use rollcall_core::limits::Limits;
use rollcall_core::map::Profile;
use rollcall_server::demo::Demo;
use rollcall_server::evidence::Witness;
use rollcall_server::examples::Example;
use rollcall_server::preview::{Native, NativeError, Preview, Previewer};
use serde_json::{Value, json};

use self::budget::Budgeted;
use super::{FolderArgs, Outcome, operation};

/// Differences that are told per example.
const DIFFERENCES_MAX: usize = 10;

/// Test partners' examples
///
/// Every file in `schemas/<partner>/examples` (of the first operation that takes records) and in
/// `examples/<operationId>` is mapped in the sandbox and by the mapper's native build, which must agree, and compared
/// with `<name>.expected.json` beside it. What stands in `<name>.before.json` is sent before. Those in
/// `examples/records` are lists of stored records, by the names of their types. Options are those of the partner's
/// `demo.yaml`.
///
/// What the records cost by themselves is told as a share of the sandbox's limits; a partner whose mapper needs too much of
/// them fails.
#[derive(Debug, clap::Args)]
pub(super) struct Test {
    /// Only this partner
    partner: Option<String>,
    /// Write what the examples become as what they must become
    #[arg(long)]
    bless: bool,
    /// The share of a limit, in percent, that 99 of 100 records may take
    #[arg(long, value_name = "PERCENT", default_value_t = 80)]
    budget_percent_max: u64,
    /// Folder of the mappers' native builds (`mapper-<partner>`) [default: where this program is, or `target/debug`]
    #[arg(long, value_name = "DIR")]
    native_dir: Option<PathBuf>,
    #[command(flatten)]
    folders: FolderArgs,
}

/// Tests the examples of one partner.
struct Tester<'t> {
    canonical: &'t Canonical,
    loaded: &'t Loaded,
    folder: &'t Path,
    options: Value,
    limits: Limits,
    native: Option<Native>,
    bless: bool,
}

impl Test {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let partners = match &self.partner {
            Some(partner) => vec![partner.clone()],
            None => self.folders.folders().partners()?,
        };
        let mut failures = 0;
        let mut examples = 0;
        for partner in &partners {
            let (canonical, loaded) = self.folders.load(partner)?;
            let (tested, failed) = self.partner(&canonical, &loaded)?;
            (examples, failures) = (examples + tested, failures + failed);
        }
        println!("{examples} examples tested, {failures} failed");
        Ok(if failures == 0 { Outcome::Done } else { Outcome::Problems })
    }

    /// How many examples a partner has, and how many of them fail.
    fn partner(&self, canonical: &Canonical, loaded: &Loaded) -> anyhow::Result<(usize, usize)> {
        let partner = &loaded.partner.name;
        let folder = self.folders.folders().partner(partner);
        let native = match &self.native_dir {
            Some(folder) => native(folder, loaded)?,
            // `rollcall mapper build` has Cargo put it into the project's own folder.
            None => native(&beside_this_program()?, loaded)
                .or_else(|missing| native(Path::new("target/debug"), loaded).map_err(|_| missing))?,
        };
        let tester = Tester {
            canonical,
            loaded,
            folder: &folder,
            options: Demo::load(&folder)?.map_or_else(|| json!({}), |demo| demo.options()),
            limits: Limits::default(),
            native,
            bless: self.bless,
        };
        let examples = Example::all(&folder, &loaded.partner)?;
        ensure!(!examples.is_empty(), "`{partner}` has no examples");
        let mut failed = 0;
        let mut budgeted = Budgeted::default();
        for example in &examples {
            let file = example.file.display();
            let problems = tester.test(example, &mut budgeted).with_context(|| format!("failed to test {file}"))?;
            println!("{} {file}", if problems.is_empty() { "ok  " } else { "FAIL" });
            for problem in &problems {
                println!("     {}", problem.replace('\n', "\n     "));
            }
            failed += usize::from(!problems.is_empty());
        }
        let within = budgeted.is_within(self.budget_percent_max);
        println!("{} {partner}: {budgeted}", if within { "ok  " } else { "FAIL" });
        if !within {
            println!("     that is more than {} % (--budget-percent-max)", self.budget_percent_max);
            failed += 1;
        }
        Ok((examples.len(), failed))
    }
}

impl Tester<'_> {
    /// What is wrong with one example.
    fn test(&self, example: &Example, budgeted: &mut Budgeted) -> anyhow::Result<Vec<String>> {
        let (before, body) = example.read()?;
        let operation = operation(self.loaded, Some(&example.operation))?;
        let (canonical, loaded, options, limits) = (self.canonical, self.loaded, &self.options, &self.limits);
        let previewer = Previewer { canonical, loaded, operation, options, limits };
        let preview = previewer.preview(before.as_deref(), &body)?;
        budgeted.add(previewer.costs(before.as_deref(), &body)?);
        let mut problems = Vec::new();
        let differing = self.native.as_ref().map(|native| previewer.disagreements(before.as_deref(), &body, native));
        for pointer in differing.transpose()?.flatten().unwrap_or_default() {
            problems.push(format!("sandbox and native build disagree on the record at `{pointer}`"));
        }
        let expected = example.expected();
        let found = serde_json::to_value(&preview)?;
        if self.bless {
            bless(&expected, &preview)?;
            return Ok(problems);
        }
        let Ok(text) = std::fs::read_to_string(&expected) else {
            problems.push(format!("there is no {}; --bless writes it", expected.display()));
            return Ok(problems);
        };
        let wanted = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", expected.display()))?;
        let mut differences = Vec::new();
        compare("", &wanted, &found, &mut differences);
        let more = differences.len().saturating_sub(DIFFERENCES_MAX);
        problems.extend(differences.into_iter().take(DIFFERENCES_MAX));
        if more > 0 {
            problems.push(format!("and {more} more differences"));
        }
        if !problems.is_empty() {
            let folder = Folder::Disk(self.folder);
            let witness = Witness::new(canonical, loaded, operation, Some(folder));
            problems.extend(witness.told(&example.file.display().to_string(), &body, &preview));
        }
        Ok(problems)
    }
}

/// The native build of the partner's mapper. One that comes with the runtime of another language need not have one.
fn native(folder: &Path, loaded: &Loaded) -> Result<Option<Native>, NativeError> {
    match Native::find(folder, &loaded.partner.name) {
        Err(NativeError::Missing { .. }) if loaded.mapper.profile() != Profile::Pure => Ok(None),
        found => found.map(Some),
    }
}

fn beside_this_program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("failed to find this program")?;
    Ok(program.parent().map(Path::to_owned).unwrap_or_default())
}

fn bless(expected: &Path, preview: &Preview) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(preview)? + "\n";
    std::fs::write(expected, text).with_context(|| format!("failed to write {}", expected.display()))
}

/// Where two results differ, as JSON Pointers.
fn compare(place: &str, wanted: &Value, found: &Value, differences: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (name, wanted) in wanted {
                match found.get(name) {
                    Some(found) => compare(&format!("{place}/{name}"), wanted, found, differences),
                    None => differences.push(format!("missing: {place}/{name}")),
                }
            }
            let new = found.keys().filter(|name| !wanted.contains_key(*name));
            differences.extend(new.map(|name| format!("not expected: {place}/{name}")));
        }
        _ if wanted == found => {}
        _ => differences.push(format!("{place}: expected {wanted}, found {found}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::compare;

    #[test]
    fn differences_are_told_by_place() {
        let mut differences = Vec::new();
        let wanted = json!({"user": {"a": {"email": "x"}, "b": {}}, "org": {}});
        let found = json!({"org": {}, "user": {"a": {"email": "y"}, "c": {}}});
        compare("", &wanted, &found, &mut differences);
        assert_eq!(
            differences,
            ["/user/a/email: expected \"x\", found \"y\"", "missing: /user/b", "not expected: /user/c"]
        );
    }
}
