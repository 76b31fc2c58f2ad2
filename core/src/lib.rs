//! Rollcall's library: a partner's payload in, canonical entities and a change feed out.
//!
//! The modules stand in the order in which a payload passes them; each imports only those above it.

pub mod clock;
mod compression;
pub mod costs;
pub mod digest;
pub mod identity;
pub mod json;
pub mod limits;
pub mod note;
pub mod parcel;

pub mod language;

pub mod validate;

pub mod table;

pub mod canonical;

pub mod description;

pub mod delivery;

pub mod rule;

pub mod record;

pub mod map;

pub mod bundle;

pub mod retention;

pub mod erasure;

pub mod likeness;

pub mod store;

pub mod reference;

pub mod fold;

pub mod said;

pub mod state;

pub mod reconcile;

pub mod resource;

pub mod event;

pub mod plan;

pub mod hold;

pub mod ingest;

pub mod upgrade;

#[cfg(test)]
mod fixture;
