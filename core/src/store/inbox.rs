//! Turns deliveries that arrive one by one into groups: what comes while one group is being written makes up the next.
//!
//! A transaction, and a wait for the disk, cost about the same for a hundred deliveries as for one. Nobody waits for
//! others to come, so a delivery that comes alone is kept at once; the more come, the larger the groups become by
//! themselves. Whoever sent one is told of it alone, when its own group is safe.
//!
//! A store starts with [`open`], keeps the [`Inbox`] for those who bring something, and has a thread or a task of its own
//! write what the [`Arrivals`] hand out.

use tokio::sync::{mpsc, oneshot};

use super::StoreError;

/// How many deliveries, and how many bytes of bodies, are written together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupMax {
    pub(super) deliveries: usize,
    pub(super) bytes: usize,
}

/// Who is told what became of something.
pub(super) type Told = oneshot::Sender<Result<(), StoreError>>;

/// Something to be written, and who waits for that.
#[derive(Debug)]
pub(super) struct Letter<T> {
    pub(super) what: T,
    bytes: usize,
    pub(super) told: Told,
}

/// Where things are brought.
#[derive(Debug)]
pub(super) struct Inbox<T>(mpsc::Sender<Letter<T>>);

/// What was brought, in the order in which it came.
#[derive(Debug)]
pub(super) struct Arrivals<T> {
    letters: mpsc::Receiver<Letter<T>>,
    /// What did not fit into the last group.
    left: Option<Letter<T>>,
    max: GroupMax,
}

/// Both ends. As many as fit into one group may wait for the next; who comes later waits to be let in.
pub(super) fn open<T>(max: GroupMax) -> (Inbox<T>, Arrivals<T>) {
    let (inbox, letters) = mpsc::channel(max.deliveries.max(1));
    (Inbox(inbox), Arrivals { letters, left: None, max })
}

impl<T> Inbox<T> {
    /// Brings something of so many bytes, and waits until it is safe, or cannot be.
    pub(super) async fn bring(&self, what: T, bytes: usize) -> Result<(), StoreError> {
        let ended = || StoreError::Inconsistent("who writes what is received has ended".to_owned());
        let (told, is_told) = oneshot::channel();
        self.0.send(Letter { what, bytes, told }).await.map_err(|_| ended())?;
        is_told.await.map_err(|_| ended())?
    }
}

/// Tells all of a group what became of it: what is wrong with one of them alone, or with the machine for everybody.
pub(super) fn tell<T>(group: Vec<Letter<T>>, kept: Result<(), StoreError>) {
    let mut letters = group.into_iter();
    let first = letters.next();
    let shared = || match &kept {
        Ok(()) => Some(Ok(())),
        Err(error) => error.shared().map(Err),
    };
    for (letter, kept) in letters.zip(std::iter::from_fn(shared)) {
        drop(letter.told.send(kept)); // whoever has left does not need to know
    }
    if let Some(first) = first {
        drop(first.told.send(kept));
    }
}

impl<T> Arrivals<T> {
    /// The next group; empty when nobody can bring anything any more. Blocks the thread until there is one.
    pub(super) fn next_blocking(&mut self) -> Vec<Letter<T>> {
        match self.left.take().or_else(|| self.letters.blocking_recv()) {
            Some(first) => self.group(first),
            None => Vec::new(),
        }
    }

    /// The same for a task.
    pub(super) async fn next(&mut self) -> Vec<Letter<T>> {
        let first = match self.left.take() {
            Some(left) => Some(left),
            None => self.letters.recv().await,
        };
        first.map_or_else(Vec::new, |first| self.group(first))
    }

    /// Whatever is there already, as far as it fits into a group with `first`.
    fn group(&mut self, first: Letter<T>) -> Vec<Letter<T>> {
        let mut bytes = first.bytes;
        let mut group = vec![first];
        while group.len() < self.max.deliveries {
            let Ok(letter) = self.letters.try_recv() else { break };
            bytes = bytes.saturating_add(letter.bytes);
            if bytes > self.max.bytes {
                self.left = Some(letter);
                break;
            }
            group.push(letter);
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::{GroupMax, open};

    #[tokio::test]
    async fn what_came_meanwhile_is_one_group_up_to_its_limits() {
        let (inbox, mut arrivals) = open(GroupMax { deliveries: 4, bytes: 10 });
        let writing = std::thread::spawn(move || {
            let mut groups = Vec::new();
            loop {
                let group = arrivals.next_blocking();
                if group.is_empty() {
                    return groups;
                }
                groups.push(group.iter().map(|letter| letter.what).collect::<Vec<_>>());
                for letter in group {
                    drop(letter.told.send(Ok(())));
                }
            }
        });
        let sizes = [1, 1, 1, 1, 6, 5, 50, 1];
        let inbox = Arc::new(inbox);
        let mut bringing = JoinSet::new();
        for (nth, bytes) in sizes.into_iter().enumerate() {
            let inbox = Arc::clone(&inbox);
            bringing.spawn(async move { inbox.bring(nth, bytes).await });
        }
        drop(inbox);
        assert!(bringing.join_all().await.iter().all(Result::is_ok));
        let groups = writing.join().unwrap();
        assert_eq!(groups.concat(), (0..sizes.len()).collect::<Vec<_>>(), "the order of arrival is kept");
        for group in &groups {
            let bytes: usize = group.iter().map(|nth| sizes[*nth]).sum();
            assert!(group.len() <= 4 && (bytes <= 10 || group.len() == 1), "{groups:?}");
        }
    }
}
