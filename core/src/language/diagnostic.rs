//! Turns a problem in a description into what a compiler would print: file, line, column, excerpt, what was expected,
//! and a hint.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::source::Place;

/// One problem in a description.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    problem: String,
    site: Site,
    detail: Box<Detail>,
}

/// What there is to say beside the problem.
#[derive(Debug, Clone, Default)]
struct Detail {
    label: Option<String>,
    related: Vec<(Place, String)>,
    hint: Option<String>,
}

/// What a problem is about.
#[derive(Debug, Clone)]
enum Site {
    Place(Place),
    File(PathBuf),
}

impl Diagnostic {
    /// A problem at a place in a file.
    pub fn at(place: Place, problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), site: Site::Place(place), detail: Box::default() }
    }

    /// A problem with a file as a whole, or with its absence.
    pub fn of_file(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), site: Site::File(path.into()), detail: Box::default() }
    }

    /// Adds what was expected at the place.
    #[must_use]
    pub fn expected(mut self, label: impl Into<String>) -> Self {
        self.detail.label = Some(label.into());
        self
    }

    /// Adds another place that has to do with it.
    #[must_use]
    pub fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.detail.related.push((place, label.into()));
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.detail.hint = Some(hint.into());
        self
    }

    /// Adds "did you mean …", if one of the `known` words is close to `word`; else lists them, if they are few.
    #[must_use]
    pub fn did_you_mean<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        const LISTED_MAX: usize = 16;
        let known: Vec<_> = known.into_iter().collect();
        match closest(word, known.iter().copied()) {
            Some(close) => self.hint(format!("did you mean `{close}`?")),
            None if (1..=LISTED_MAX).contains(&known.len()) => self.hint(format!("known are: {}", known.join(", "))),
            None => self,
        }
    }

    /// What the problem is, without its place.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The file it is in.
    pub fn path(&self) -> &Path {
        match &self.site {
            Site::Place(place) => place.path(),
            Site::File(path) => path,
        }
    }

    /// The line and column it starts at, both from 1, if it has a place.
    pub fn position(&self) -> Option<(usize, usize)> {
        match &self.site {
            Site::Place(place) => Some(place.position()),
            Site::File(_) => None,
        }
    }
}

impl fmt::Display for Diagnostic {
    /// One line: `path:line:column: problem`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path().display())?;
        if let Some((line, column)) = self.position() {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// The candidate that is most like `word`, if any is like it enough to be meant.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LIKENESS_MIN: f64 = 0.8;
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, candidate)| *likeness >= LIKENESS_MIN && *candidate != word)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| candidate)
}

/// All problems as text for a terminal, in the order of the files, with colours if `colored`.
pub fn render(diagnostics: &[Diagnostic], colored: bool) -> String {
    let renderer = if colored { Renderer::styled() } else { Renderer::plain() };
    let mut sorted: Vec<_> = diagnostics.iter().collect();
    sorted.sort_by(|one, other| (one.path(), one.position()).cmp(&(other.path(), other.position())));
    let reports: Vec<_> = sorted.into_iter().map(|diagnostic| render_one(diagnostic, &renderer)).collect();
    reports.join("\n\n")
}

fn render_one(diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let mut group = Group::with_title(Level::ERROR.primary_title(diagnostic.problem.as_str()));
    match &diagnostic.site {
        Site::File(path) => group = group.element(Origin::path(path.to_string_lossy())),
        Site::Place(place) => {
            let primary = AnnotationKind::Primary.span(visible(place)).label(diagnostic.detail.label.as_deref());
            let here = diagnostic.detail.related.iter().filter(|(other, _)| other.path() == place.path());
            let context = here.map(|(other, label)| AnnotationKind::Context.span(visible(other)).label(label.as_str()));
            group = group.element(
                Snippet::source(place.text())
                    .path(place.path().to_string_lossy())
                    .annotation(primary)
                    .annotations(context),
            );
            for (other, label) in diagnostic.detail.related.iter().filter(|(other, _)| other.path() != place.path()) {
                let elsewhere = AnnotationKind::Context.span(visible(other)).label(label.as_str());
                let path = other.path().to_string_lossy();
                group = group.element(Snippet::source(other.text()).path(path).annotation(elsewhere));
            }
        }
    }
    if let Some(hint) = &diagnostic.detail.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    renderer.render(&[group])
}

/// What of a place is underlined: its first line, and at least one character.
fn visible(place: &Place) -> Range<usize> {
    let span = place.span();
    let text = &place.text()[span.clone()];
    let line = text.lines().next().unwrap_or_default().trim_end();
    if !line.is_empty() {
        return span.start..span.start + line.len();
    }
    let next = place.text()[span.start..].chars().next().map_or(0, char::len_utf8);
    span.start..span.start + next
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn only_what_is_alike_is_suggested() {
        let known = ["snapshot", "merge", "accept"];
        assert_eq!(closest("snapshott", known), Some("snapshot"));
        assert_eq!(closest("Accept", known), Some("accept"));
        assert_eq!(closest("zebra", known), None);
    }
}
