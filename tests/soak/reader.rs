//! A reader that polls the change feed all the time and remembers where each entity was last: what it could skip, it does
//! not have in the end; what it sees twice, it notices at once.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;

use super::fleet::{self, Fleet};
use crate::client::Client;

/// How long it waits where there is nothing new, or nobody to ask.
const PAUSE: Duration = Duration::from_millis(5);

/// A page holds at most so many changes.
const PAGE_MAX: usize = 200;

/// What it remembers of an entity, by kind and id: the whole change.
type Picture = BTreeMap<(String, String), Value>;

/// A reader of one tenant.
pub(super) struct Reader {
    tenant: &'static str,
    cursor: i64,
    seen: usize,
    picture: Picture,
}

impl Reader {
    /// It knows nothing yet.
    pub(super) fn new(tenant: &'static str) -> Self {
        Self { tenant, cursor: 0, seen: 0, picture: Picture::new() }
    }

    /// Reads from whichever server is there until that has to end.
    pub(super) fn read(mut self, fleet: &Fleet) -> Self {
        let mut rng = Rng::with_seed(0);
        let mut pause = Duration::ZERO;
        while !fleet.has_ended(pause) {
            let read = fleet.any(rng.usize(..)).and_then(|client| self.poll(&client, rng.usize(1..=PAGE_MAX)));
            pause = if read.is_some_and(|changes| changes > 0) { Duration::ZERO } else { PAUSE };
        }
        self
    }

    /// Reads to the end, and compares what it came to with what there is.
    pub(super) fn finish(&mut self, client: &Client) {
        let mut fresh = Self::new(self.tenant);
        for reader in [self as &mut Self, &mut fresh] {
            while reader.poll(client, PAGE_MAX).expect("the server is there") > 0 {}
        }
        self.compare(&fresh);
    }

    /// It knows what somebody knows who reads everything at once, and nothing else.
    fn compare(&self, fresh: &Self) {
        for (entity, change) in &fresh.picture {
            let known = self.picture.get(entity);
            assert_eq!(known, Some(change), "{}: a reader that polled skipped a change of {entity:?}", self.tenant);
        }
        for (entity, change) in &self.picture {
            let is_there = fresh.picture.contains_key(entity);
            assert!(is_there, "{}: what a reader was told of {entity:?} is gone: {change}", self.tenant);
        }
    }

    /// How many changes it was told.
    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    /// How many entities it knows.
    pub(super) fn entities(&self) -> usize {
        self.picture.len()
    }

    /// Asks for what comes next; says how much that was, if it was answered.
    fn poll(&mut self, client: &Client, limit: usize) -> Option<usize> {
        let path = format!("/api/v1/changes?after={}&limit={limit}", self.cursor);
        let headers = [("authorization", &*format!("Bearer {}", fleet::reader(self.tenant)))];
        let answer = client.try_call("GET", &path, &headers, None).ok().filter(|answer| answer.status < 500)?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut page = answer.json();
        let Value::Array(changes) = page["changes"].take() else { panic!("no changes in {page}") };
        let count = changes.len();
        for change in changes {
            self.take(change);
        }
        Some(count)
    }

    fn take(&mut self, change: Value) {
        let sequence = change["sequence"].as_i64().expect("places are numbers");
        assert!(sequence > self.cursor, "{}: {change} is told after {}", self.tenant, self.cursor);
        self.cursor = sequence;
        self.seen += 1;
        let text = |member: &str| change[member].as_str().unwrap_or_default().to_owned();
        self.picture.insert((text("kind"), text("sourcedId")), change);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Reader;

    fn reader(changes: &[(i64, &str)]) -> Reader {
        let mut reader = Reader::new("north");
        for (sequence, id) in changes {
            reader.take(json!({"sequence": sequence, "kind": "user", "sourcedId": id}));
        }
        reader
    }

    #[test]
    fn who_saw_an_entity_change_twice_knows_what_a_late_reader_knows() {
        reader(&[(1, "a"), (2, "b"), (3, "a")]).compare(&reader(&[(2, "b"), (3, "a")]));
    }

    #[test]
    #[should_panic(expected = "skipped a change")]
    fn a_change_that_became_visible_behind_the_cursor_is_noticed() {
        reader(&[(1, "a"), (3, "b")]).compare(&reader(&[(1, "a"), (2, "c"), (3, "b")]));
    }

    #[test]
    #[should_panic(expected = "is gone")]
    fn a_change_that_was_taken_back_is_noticed() {
        reader(&[(1, "a"), (2, "b")]).compare(&reader(&[(1, "a")]));
    }

    #[test]
    #[should_panic(expected = "is told after 2")]
    fn a_place_that_is_given_twice_is_noticed() {
        reader(&[(1, "a"), (2, "b"), (2, "c")]);
    }
}
