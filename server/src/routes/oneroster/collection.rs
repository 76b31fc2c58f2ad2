//! `GET /{collection}`: a page of a collection.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::http::HeaderMap;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use rollcall_core::canonical::Kind;
use rollcall_core::description::ProblemClass;
use rollcall_core::store::read::{EntityQuery, Page, QueryError, Sort};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::StatusInfo;
use super::links::{Place, link};
use super::shape::{Shape, has_field};
use super::view::View;
use super::{BASE, filter};
use crate::app::App;
use crate::problem::Problem;
use crate::query;
use crate::routes::TOTAL_COUNT;

/// The code of a selection's problem; the standard's `invalid_selection_field`.
pub(super) const INVALID_SELECTION: &str = "invalid-selection";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::routes) struct Query {
    tenant: Option<String>,
    limit: Option<u32>,
    offset: Option<u64>,
    sort: Option<String>,
    order_by: Option<OrderBy>,
    filter: Option<String>,
    fields: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::routes) enum OrderBy {
    Asc,
    Desc,
}

/// Lists a collection.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(collection): Path<String>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, StatusInfo> {
    let query: Query = query::parse(&uri)?;
    let tenant = app.tenant(&headers, query.tenant.as_deref())?;
    let view = View::named(&collection)?;
    let kind_id = app.kind(view.kind)?;
    let kind = app.canonical().kind(kind_id);
    let fields = selection(kind, query.fields.as_deref())?;
    if query.sort.as_deref().is_some_and(|field| !has_field(kind, field)) {
        return Err(Problem::bad_parameter("sort", &format!("must be a field of {} objects", kind.name)).into());
    }
    let limit = query::limit(query.limit, app.ingest.limits.page_rows_max)?;
    let offset = query.offset.unwrap_or_default();
    let descending = query.order_by == Some(OrderBy::Desc);
    let question = EntityQuery {
        tenant,
        kind: kind_id,
        connection: None,
        active: None,
        filter: view.narrow(query.filter.as_deref().map(filter::parse).transpose()?),
        sort: query.sort.map(|field| Sort { field, descending }),
        page: Page::Offset { limit, offset },
        count: true,
    };
    let found = app.reader.entities(app.canonical(), &question).await.map_err(refused)?;
    let total = found.total.unwrap_or_default();
    let base = format!("{}{BASE}", app.base_url(&headers, &uri));
    let shape = Shape { canonical: app.canonical(), base: &base, fields };
    let rows = found.rows.into_iter().map(|row| Value::Object(shape.object(kind, row))).collect();
    let link = link(&format!("{base}/{collection}"), &uri, Place { limit, offset, total });
    let body = Map::from_iter([(kind.plural.clone(), Value::Array(rows))]);
    Ok(([(TOTAL_COUNT, total.to_string()), (LINK, link)], Json(body)).into_response())
}

/// The fields that were asked for.
pub(super) fn selection(kind: &Kind, fields: Option<&str>) -> Result<Option<HashSet<String>>, Problem> {
    let Some(fields) = fields else { return Ok(None) };
    let names: HashSet<_> = fields.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().all(|name| has_field(kind, name)) {
        Ok(Some(names))
    } else {
        let detail = format!("fields: names one that {} objects do not have", kind.name);
        Err(Problem::new(ProblemClass::Malformed, INVALID_SELECTION, detail))
    }
}

/// What the standard calls a field that cannot be asked for.
fn refused(error: QueryError) -> Problem {
    match error {
        QueryError::UnknownField(_) => Problem::new(ProblemClass::Malformed, filter::INVALID, error.to_string()),
        QueryError::Store(error) => error.into(),
    }
}
