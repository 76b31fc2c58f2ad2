//! Turns a partner's own id into the `sourcedId` that readers see: `UUIDv5(tenant and connection, kind, source id)`.
//!
//! The id follows from the names alone. It is the same in every run, on every machine and after every rebuild, and a
//! reference is resolved without a look-up.

use sha1::{Digest as _, Sha1};
use uuid::{Builder, Uuid};

/// The namespace that all ids of Rollcall live in. Never change it: every published `sourcedId` depends on it.
const ROLLCALL: Uuid = Uuid::from_u128(0x7a0c_16a4_9f0e_5a4b_8f57_3f1d_5c0e_2b11);

/// The namespace of one connection: makes `sourcedId`s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespace(Uuid);

impl Namespace {
    /// The namespace of `connection` of `tenant`. Names cannot contain a line feed, so the pair is unambiguous.
    pub fn of(tenant: &str, connection: &str) -> Self {
        Self(Uuid::new_v5(&ROLLCALL, format!("{tenant}\n{connection}").as_bytes()))
    }

    /// The `sourcedId` of the entity that the partner calls `source_id`. There is one for each reference, so that it counts
    /// how long it takes: the digest is made with what processors have for it, which [`Uuid::new_v5`] leaves out.
    pub fn sourced_id(&self, kind: &str, source_id: &str) -> Uuid {
        let sha1 = Sha1::new().chain_update(self.0.as_bytes()).chain_update(kind);
        let sha1 = sha1.chain_update(b"\n").chain_update(source_id).finalize();
        let (bytes, _) = sha1.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Builder::from_sha1_bytes(*bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::Namespace;

    #[test]
    fn ids_are_stable_for_ever() {
        let id = Namespace::of("demo", "school").sourced_id("user", "student:1");
        assert_eq!(id.to_string(), "b719ee5d-dd9f-5e92-b91c-fef06dd6cbf7");
    }

    #[test]
    fn ids_are_those_that_everybody_else_makes() {
        let namespace = Namespace::of("demo", "school");
        for (kind, source_id) in [("user", ""), ("user", "student:1"), ("org", "école:7"), ("class", &"c".repeat(200))]
        {
            let name = format!("{kind}\n{source_id}");
            assert_eq!(namespace.sourced_id(kind, source_id), uuid::Uuid::new_v5(&namespace.0, name.as_bytes()));
        }
    }

    #[test]
    fn tenant_connection_kind_and_source_id_all_count() {
        let id = |tenant, connection, kind, source| Namespace::of(tenant, connection).sourced_id(kind, source);
        let all = [
            id("a", "b", "user", "1"),
            id("c", "b", "user", "1"),
            id("a", "c", "user", "1"),
            id("a", "b", "org", "1"),
            id("a", "b", "user", "2"),
        ];
        for (nth, one) in all.iter().enumerate() {
            assert!(!all[..nth].contains(one));
        }
    }
}
