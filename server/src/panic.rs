//! Turns a panic into words for the log: where it was, and its message only where that was written by us. One that is put
//! together at run time may quote what was sent.

use std::any::Any;

/// Stands for a message that is not told.
const WITHHELD: &str = "a message that may quote what was sent";

/// Says of each panic from now on where it was.
pub fn say_where() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked: {}", words(panic.payload()));
    }));
}

/// What may be told of a panic.
pub fn words(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or(WITHHELD)
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::{WITHHELD, words};

    #[test]
    fn only_what_was_written_by_us_is_told() {
        let panic = |sent: Option<&str>| match sent {
            Some(sent) => panic!("{sent} is not what was expected"),
            None => panic!("nothing was sent"),
        };
        let told = |sent| words(&*catch_unwind(|| panic(sent)).unwrap_err());
        assert_eq!((told(None), told(Some("Zuleikha"))), ("nothing was sent", WITHHELD));
    }
}
