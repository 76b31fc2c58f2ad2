//! What New Partner's records become.

use rollcall_mapper_sdk::Foreign;

use crate::partner::Record;

#[test]
fn no_record_is_turned_into_anything_yet() {
    assert!(Record::TYPES.is_empty());
}
