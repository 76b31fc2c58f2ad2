//! Turns deliveries that are received at the same time into one transaction, and one wait for the disk: nobody is told that
//! something is kept before it is, and thousands can be kept in a second although a disk can be waited for only a few
//! hundred times.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use super::delivery::{self, Kept};
use super::writer::Writer;
use super::{Durability, SqliteOptions};
use crate::store::StoreError;
use crate::store::inbox::{self, Arrivals, GroupMax, Inbox, Letter};

/// The thread that keeps what is received. It ends with this value.
#[derive(Debug)]
pub(super) struct Receiving {
    /// `None` only while it is being dropped.
    inbox: Option<Inbox<Kept>>,
    thread: Option<JoinHandle<()>>,
}

impl Receiving {
    pub(super) fn start(writer: Arc<Writer>, options: &SqliteOptions) -> Result<Self, StoreError> {
        let max = GroupMax { deliveries: options.commit_deliveries_max, bytes: options.commit_bytes_max };
        let (inbox, arrivals) = inbox::open(max);
        let thread = Builder::new().name("receive".to_owned()).spawn(move || run(&writer, arrivals))?;
        Ok(Self { inbox: Some(inbox), thread: Some(thread) })
    }

    /// Keeps a delivery; when this returns it is as safe as the setting says.
    pub(super) async fn keep(&self, kept: Kept) -> Result<(), StoreError> {
        let bytes = kept.bytes();
        match &self.inbox {
            Some(inbox) => inbox.bring(kept, bytes).await,
            None => Err(StoreError::Inconsistent("the database is being closed".to_owned())),
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.inbox = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn run(writer: &Writer, mut arrivals: Arrivals<Kept>) {
    loop {
        let group = arrivals.next_blocking();
        if group.is_empty() {
            return;
        }
        keep(writer, group);
    }
}

/// Keeps all of them or, where that cannot be, each by itself: what is wrong with one costs no other. Trouble of the
/// machine is everybody's at once.
fn keep(writer: &Writer, group: Vec<Letter<Kept>>) {
    let kept = writer.write(Durability::Normal, |transaction| {
        group.iter().try_fold(false, |waits, letter| Ok(waits | delivery::keep(transaction, &letter.what)?))
    });
    match kept {
        Ok(waits) => match writer.disk().filter(|_| waits) {
            Some(disk) => disk.tell(group.into_iter().map(|letter| letter.told).collect()),
            None => inbox::tell(group, Ok(())),
        },
        Err(error) if error.shared().is_none() && group.len() > 1 => {
            for letter in group {
                keep(writer, vec![letter]);
            }
        }
        Err(error) => inbox::tell(group, Err(error)),
    }
}
