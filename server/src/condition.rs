//! Knows whether the machine lets the store work: a full disk, a database that cannot be written or reached. That is
//! logged when it begins and when it ends, not for each of the calls that suffer from it; meanwhile the server is not
//! ready, tries by itself whether it is over, and goes on without being restarted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_core::store::{StoreError, Trouble};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::app::App;
use crate::intake::blocking;
use crate::metrics;

/// How often is tried whether the trouble is over.
const TRIAL: Duration = Duration::from_secs(1);

/// What the machine is in.
#[derive(Debug, Default)]
pub struct Condition {
    trouble: Mutex<Option<Trouble>>,
    began: Notify,
}

impl Condition {
    /// What is wrong now.
    pub fn trouble(&self) -> Option<Trouble> {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns from what the store said to somebody. Where there is trouble already it stays what it is: who suffers from it
    /// does so in different ways, and only a trial finds out which it is.
    pub fn learn(&self, error: &StoreError) {
        if self.trouble().is_none() {
            self.find(error);
        }
    }

    /// Learns from what the store said to a trial.
    fn find(&self, error: &StoreError) {
        if let StoreError::Unavailable { trouble, source } = error
            && self.set(Some(*trouble))
        {
            tracing::error!(
                trouble = trouble.word(),
                error = &**source as &dyn std::error::Error,
                "{}",
                trouble.told()
            );
            self.began.notify_one();
        }
    }

    /// Learns from what the store said to something that nobody waits for; what is no trouble of the machine is logged.
    pub fn suffer(&self, error: &StoreError, what: &str) {
        match error {
            StoreError::Unavailable { .. } => self.learn(error),
            error => tracing::error!(error = error as &dyn std::error::Error, "{what}"),
        }
    }

    /// Learns that the store works.
    fn recover(&self) {
        if self.set(None) {
            tracing::info!("the database works again");
        }
    }

    /// Whether that is another than before.
    fn set(&self, trouble: Option<Trouble>) -> bool {
        let before = std::mem::replace(&mut *self.trouble.lock().unwrap_or_else(PoisonError::into_inner), trouble);
        if before != trouble {
            metrics::trouble(trouble);
        }
        before != trouble
    }
}

/// Tries again and again, while there is trouble, whether it is over.
pub(crate) async fn watch(app: Arc<App>) {
    loop {
        app.condition.began.notified().await;
        while app.condition.trouble().is_some() {
            sleep(TRIAL).await;
            let store = Arc::clone(&app.ingest.store);
            match blocking(async move { store.probe().await }).await {
                Ok(Ok(())) => {
                    app.condition.recover();
                    app.bell.notify_one();
                }
                Ok(Err(error)) => app.condition.find(&error),
                Err(problem) => problem.log(),
            }
        }
    }
}
