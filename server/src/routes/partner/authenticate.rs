//! Turns the credential of a call, wherever the description lets it stand, into the connection that sends.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::request::Parts;
use rollcall_core::description::{Credential, Operation};

use crate::access::{Access, Connection, Principal};
use crate::app::bearer;
use crate::problem::Problem;

/// Who calls. A credential of another partner's connection counts as none.
pub(super) fn connection(
    access: &Access,
    partner: &str,
    operation: &Operation,
    head: &Parts,
    path: &[(String, String)],
) -> Result<Arc<Connection>, Problem> {
    let credentials = operation.security.iter().filter_map(|place| credential(place, head, path));
    let mut known = credentials.filter_map(|credential| match access.principal(&credential) {
        Some(Principal::Connection(connection)) if connection.partner == partner => Some(Arc::clone(connection)),
        _ => None,
    });
    known.next().ok_or_else(Problem::unauthenticated)
}

/// What stands in one of the places where a credential may stand.
fn credential<'h>(place: &Credential, head: &'h Parts, path: &'h [(String, String)]) -> Option<Cow<'h, str>> {
    match place {
        Credential::Path(name) => {
            path.iter().find(|(found, _)| found == name).map(|(_, value)| Cow::Borrowed(value.as_str()))
        }
        Credential::Header(name) => head.headers.get(name)?.to_str().ok().map(Cow::Borrowed),
        Credential::Bearer => bearer(&head.headers).map(Cow::Borrowed),
        Credential::Query(name) => {
            let mut pairs = form_urlencoded::parse(head.uri.query()?.as_bytes());
            pairs.find(|(found, _)| found == name).map(|(_, value)| value)
        }
    }
}
