//! Turns a validated body into [`Record`]s: cuts nested records out of their parents, gives each its key, its ancestors
//! and its digest, and names both places where two have one key.

use crate::description::RecordTypeId;
use crate::digest::Digest;
use crate::json::{Json, Pointer};

/// One foreign record as a payload states it.
#[derive(Debug)]
pub struct Record<'a> {
    /// What it is.
    pub of: RecordTypeId,
    /// Its identity within the connection: the key's fields as a canonical JSON list, `[10,1,"A"]`.
    pub key: String,
    /// Where it stands in the payload.
    pub pointer: Pointer,
    /// Its own members, without the records nested in it; lists without order are sorted.
    pub body: Json<'a>,
    /// `body` in canonical form: what the mapper is given.
    pub bytes: Vec<u8>,
    /// The keys of its ancestors and what the description lets travel with it, nested from the nearest outward:
    /// `{"id":1,"parent":{"id":10}}`. Canonical JSON; `{}` where there are none.
    pub ancestors: Vec<u8>,
    /// Digest of `bytes` and `ancestors` together with all else that its mapping depends on.
    pub digest: Digest,
}
