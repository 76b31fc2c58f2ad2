//! Turns the credentials of somebody who is set up while servers run into those that they have from now on.
//!
//! The server makes credentials, tells each of them once, and keeps digests. While they are rotated two of them are valid: the
//! new one, and the one before until its time is over. Who can be set up has a module of its own: [`crate::connections`],
//! [`crate::readers`].

use jiff::{SignedDuration, Timestamp};
use rollcall_core::description::ProblemClass;
use rollcall_core::json::Pointer;
use rollcall_core::note::Note;
use rollcall_core::store::StoreError;
use rollcall_core::store::administration::SetupCredential;
use serde::Serialize;

use crate::app::App;
use crate::config::{Name, Secret};
use crate::credential::new_credential;
use crate::problem::Problem;

/// Why somebody is not set up, or not changed.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// They are not this server's to change.
    #[error("this stands in the configuration's file, and is changed there")]
    ReadOnly,
    /// They are there, or somebody else has changed them meanwhile.
    #[error("{0}")]
    Clash(&'static str),
    /// There is nobody of that name.
    #[error("nobody of this name was set up")]
    Unknown,
    /// They cannot be as they should: every reason.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// Random bytes cannot be had.
    #[error("failed to draw random bytes")]
    Random(#[from] getrandom::Error),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A credential as it is shown: since when and until when it is valid.
#[derive(Debug, Serialize)]
pub struct Shown {
    since: Timestamp,
    until: Option<Timestamp>,
}

impl SetupError {
    /// What comes of writing somebody down who may have changed meanwhile.
    pub(crate) fn of_writing(error: StoreError) -> Self {
        match error {
            StoreError::Stale => Self::Clash("somebody else has changed this meanwhile"),
            error => Self::Store(error),
        }
    }
}

impl From<SetupError> for Problem {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::ReadOnly => Self::new(ProblemClass::Clash, "read-only", error.to_string()),
            SetupError::Clash(what) => Self::new(ProblemClass::Clash, "stale", what),
            SetupError::Unknown => Self::unknown(error.to_string()),
            SetupError::Refused(reasons) => {
                let note = |reason: String| Note::new(Pointer::root(), "setup-refused", reason);
                let notes = reasons.into_iter().map(note).collect();
                Self::new(ProblemClass::Invalid, "setup-refused", "this cannot be set up so").with_errors(notes, 0)
            }
            SetupError::Random(error) => Self::fault(error.to_string()),
            SetupError::Store(error) => Self::from(error),
        }
    }
}

/// Names that somebody can be set up with.
pub(crate) fn named(names: [&str; 2]) -> Result<(), SetupError> {
    for name in names {
        Name::try_from(name.to_owned()).map_err(|reason| SetupError::Refused(vec![reason.to_owned()]))?;
    }
    Ok(())
}

/// Adds a new credential, which is told only now. The one before ends after so many seconds; those before that have ended.
pub(crate) fn rotate(
    app: &App,
    credentials: &mut Vec<SetupCredential>,
    overlap_seconds: u64,
) -> Result<Secret, SetupError> {
    let now = app.ingest.clock.now();
    let overlap = SignedDuration::from_secs(i64::try_from(overlap_seconds).unwrap_or(i64::MAX));
    let until = now.saturating_add(overlap).unwrap_or(Timestamp::MAX);
    credentials.retain(|credential| credential.until.is_none_or(|until| until > now));
    // Of those before, the newest stays; two are valid at most.
    credentials.sort_by_key(|credential| std::cmp::Reverse(credential.since));
    credentials.truncate(1);
    for credential in &mut *credentials {
        credential.until = Some(credential.until.map_or(until, |before| before.min(until)));
    }
    let credential = new_credential()?;
    let digest = app.access().digest(credential.expose()).to_string();
    credentials.push(SetupCredential { digest, since: now, until: None });
    Ok(credential)
}

/// Credentials as they are shown.
pub(crate) fn shown(credentials: &[SetupCredential]) -> Vec<Shown> {
    credentials.iter().map(|one| Shown { since: one.since, until: one.until }).collect()
}
