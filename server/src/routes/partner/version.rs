//! Turns a call into the version of the partner that answers all of it: its route, its checks, its mapping, its answer.
//!
//! That is the version of the connection that calls. A connection that has a version of its own is found by whichever
//! version of the partner knows both its route and where its credential stands; where none is of its own, nobody has to look.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use rollcall_core::ingest::Loaded;

use super::authenticate;
use crate::access::Connection;
use crate::app::App;
use crate::problem::Problem;
use crate::registry::Table;

/// The header that says which version answers: `library/1.2.0+4f0c8a7be2d1`, the partner, the version of its description
/// and the first digits of what this version is called by.
pub(super) const VERSION: HeaderName = HeaderName::from_static("rollcall-version");

/// The version that answers a call below the mount of the partner called `name`.
pub(super) fn of_call(app: &App, table: &Table, name: &str, head: &Parts, rest: &str) -> Option<Arc<Loaded>> {
    let in_use = table.in_use(name);
    if in_use.len() > 1 {
        let access = app.access();
        for loaded in &in_use {
            let Ok((operation, path)) = loaded.partner.route(head.method.as_str(), rest) else { continue };
            let known = authenticate::connection(&access, name, operation, head, &path);
            if known.is_ok_and(|connection| is_of(table, loaded, &connection)) {
                return Some(Arc::clone(loaded));
            }
        }
    }
    in_use.first().map(|active| Arc::clone(active))
}

/// Whether a connection uses this version.
pub(super) fn is_of(table: &Table, loaded: &Arc<Loaded>, connection: &Connection) -> bool {
    let name = (connection.sender.tenant.clone(), connection.sender.connection.clone());
    table.of(&connection.partner, &name).is_some_and(|own| Arc::ptr_eq(own, loaded))
}

/// What the header says.
pub(super) fn header(loaded: &Loaded) -> HeaderValue {
    let partner = &loaded.partner;
    let text = format!("{}/{}+{}", partner.name, partner.version, loaded.version.short());
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("unspeakable"))
}

/// What is answered while no version is active: a client that is told to come again loses nothing.
pub(super) fn none() -> Problem {
    Problem::unavailable("disabled", "an operator has turned this off")
}
