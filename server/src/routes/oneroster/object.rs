//! `GET /{collection}/{sourcedId}`: one object.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use axum::http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::BASE;
use super::collection::selection;
use super::error::StatusInfo;
use super::shape::Shape;
use super::view::View;
use crate::app::App;
use crate::problem::Problem;
use crate::query;

#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::routes) struct Query {
    tenant: Option<String>,
    fields: Option<String>,
}

/// Reads one object. One that the collection does not show is not there.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Path((collection, id)): Path<(String, String)>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Map<String, Value>>, StatusInfo> {
    let query: Query = query::parse(&uri)?;
    let tenant = app.tenant(&headers, query.tenant.as_deref())?;
    let view = View::named(&collection)?;
    let kind_id = app.kind(view.kind)?;
    let kind = app.canonical().kind(kind_id);
    let fields = selection(kind, query.fields.as_deref())?;
    let missing = || Problem::unknown("there is no such object in this collection");
    let id = id.parse().map_err(|_| missing())?;
    let entity = app.reader.entity(app.canonical(), &tenant, kind_id, id).await.map_err(Problem::from)?;
    let entity = entity.filter(|entity| view.shows(entity)).ok_or_else(missing)?;
    let base = format!("{}{BASE}", app.base_url(&headers, &uri));
    let shape = Shape { canonical: app.canonical(), base: &base, fields };
    let object = Value::Object(shape.object(kind, entity));
    Ok(Json(Map::from_iter([(kind.name.clone(), object)])))
}
