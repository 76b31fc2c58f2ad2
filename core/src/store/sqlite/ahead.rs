//! Turns pieces that take time to make into pieces that are there when they are asked for: while one is being written, other
//! threads make the next ones and take apart the last ones.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvError, sync_channel};

use crate::store::StoreError;

/// Pieces that are made while another one is being written; more would only take room.
const AHEAD_MAX: usize = 4;

/// Makes `count` pieces and hands each to `take`, in their order, after `first` was done. At most `together` are in memory.
pub(super) fn each<T: Send>(
    count: usize,
    together: usize,
    make: impl Fn(usize) -> Result<T, StoreError> + Sync,
    first: impl FnOnce() -> Result<(), StoreError>,
    mut take: impl FnMut(&T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let ahead = AHEAD_MAX.min(together.saturating_sub(1));
    if ahead == 0 {
        first()?;
        return (0..count).try_for_each(|piece| take(&make(piece)?));
    }
    let make = &make;
    rayon::in_place_scope(|scope| {
        let start = |nth| {
            let (sender, ready) = sync_channel(1);
            let begun = Arc::new(AtomicBool::new(false));
            let is_begun = Arc::clone(&begun);
            scope.spawn(move |_| {
                if !is_begun.swap(true, Ordering::AcqRel) {
                    drop(sender.send(make(nth))); // who fails does not wait for it
                }
            });
            (begun, ready)
        };
        let mut under_way: VecDeque<_> = (0..count.min(ahead)).map(start).collect();
        first()?;
        for nth in 0..count {
            let Some((begun, ready)) = under_way.pop_front() else { break };
            // What nobody has begun with, because all are busy with other things, is not waited for.
            let piece = if begun.swap(true, Ordering::AcqRel) { ready.recv().map_err(panicked)?? } else { make(nth)? };
            if nth + ahead < count {
                under_way.push_back(start(nth + ahead));
            }
            take(&piece)?;
            scope.spawn(move |_| drop(piece));
        }
        Ok(())
    })
}

fn panicked(_: RecvError) -> StoreError {
    StoreError::Inconsistent("a piece of what is to be written was not made".to_owned())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::each;
    use crate::store::StoreError;

    fn failed() -> StoreError {
        StoreError::Inconsistent("on purpose".to_owned())
    }

    #[test]
    fn pieces_come_in_their_order_however_many_are_in_memory() {
        for (count, together) in [(0, 1), (0, 9), (1, 1), (1, 9), (3, 2), (40, 1), (40, 3), (40, 16)] {
            let taken = RefCell::new(Vec::new());
            let begin = || {
                assert!(taken.borrow().is_empty());
                Ok(())
            };
            let take = |piece: &usize| {
                taken.borrow_mut().push(*piece);
                Ok(())
            };
            each(count, together, Ok, begin, take).unwrap();
            assert_eq!(taken.into_inner(), (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_fails_ends_all() {
        let at = |bad: usize| move |piece: usize| if piece == bad { Err(failed()) } else { Ok(piece) };
        for together in [1, 4] {
            assert!(each(20, together, at(7), || Ok(()), |_| Ok(())).is_err());
            assert!(each(20, together, Ok, || Err(failed()), |_: &usize| Ok(())).is_err());
            assert!(each(20, together, Ok, || Ok(()), |piece| at(7)(*piece).map(drop)).is_err());
        }
    }
}
