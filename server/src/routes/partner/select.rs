//! Lists that parameters choose, order and page, and single records that are shown. They leave no trace.

use std::sync::Arc;

use axum::body::Body;
use rollcall_core::description::{Answer, Listed, Paging, Resource, Selection};
use rollcall_core::ingest::{Asked, given};
use rollcall_core::store::read::{Cursor, SelectPart, SelectQuery, SelectedRecords, SendQuery};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::links::Called;
use super::lists::Lists;
use super::paging::Part;
use super::{Call, Done, context, paging, parameters};
use crate::access::Connection;
use crate::intake::{self, blocking};
use crate::problem::Problem;

/// Which part of a list is asked for, and of which list.
pub(super) struct Wanted {
    pub(super) asked: Asked,
    pub(super) query: Vec<(String, String)>,
    pub(super) part: SelectPart,
}

impl Wanted {
    /// The part as numbers; a cursor over what has no other order holds one.
    pub(super) fn numbers(&self) -> Part {
        match &self.part {
            SelectPart::Offset { limit, offset } => Part { limit: *limit, offset: *offset },
            SelectPart::Cursor { limit, at } => {
                let offset = at.as_ref().and_then(|at| u64::try_from(at.id).ok()).unwrap_or_default();
                Part { limit: Some(*limit), offset }
            }
            SelectPart::Key(_) => Part { limit: Some(1), offset: 0 },
        }
    }
}

impl Call {
    /// What a list is asked for.
    pub(super) async fn wanted(&self, connection: &Arc<Connection>, body: Body) -> Result<Wanted, Problem> {
        let (asked, members) = self.members(connection, body).await?;
        let query = parameters::query(self);
        let rows_max = self.app.ingest.limits.page_rows_max;
        let part = paging::place(&self.operation().paging, &query, &members, rows_max)?;
        Ok(Wanted { asked, query, part })
    }

    /// Lists the records that parameters choose.
    pub(super) async fn selected(
        &self,
        connection: &Arc<Connection>,
        selection: &Selection,
        wanted: Wanted,
    ) -> Result<Done, Problem> {
        let answer = self.operation().success();
        let by_cursor = matches!(wanted.part, SelectPart::Cursor { .. });
        // Where a cursor leads, no page has a number, and nobody has to count for a header.
        let counts = speaks(answer, "total", !by_cursor) || (!by_cursor && speaks(answer, "links", true));
        let sort = sort(selection, &wanted.asked);
        if let SelectPart::Cursor { at: Some(at), .. } = &wanted.part
            && at.values.len() != sort.len()
        {
            return Err(paging::foreign_cursor(&self.operation().paging));
        }
        let found = self.select(connection, selection, &wanted.asked, sort, wanted.part.clone(), counts).await?;
        let links = self.links(&wanted, found.previous.as_ref(), found.next.as_ref(), found.total);
        let rows = found.rows.into_iter().map(Value::Object).collect();
        Ok(listed(connection, rows, found.total, &links))
    }

    /// Lists the items of a list of one record's.
    pub(super) async fn items(
        &self,
        connection: &Arc<Connection>,
        of: &Selection,
        list: &str,
        wanted: Wanted,
    ) -> Result<Done, Problem> {
        let mut owner = self.row(connection, of, &wanted.asked, first()).await?.ok_or_else(nothing)?;
        let items = match owner.remove(list) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        Ok(self.some_of(connection, items, &wanted))
    }

    /// Lists what the partner's own logic tells.
    pub(super) async fn called(
        &self,
        connection: &Arc<Connection>,
        name: &str,
        wanted: Wanted,
    ) -> Result<Done, Problem> {
        let (app, loaded, from) = (Arc::clone(&self.app), Arc::clone(&self.loaded), Arc::clone(connection));
        let (name, asked) = (name.to_owned(), wanted.asked.clone());
        let rows = blocking(async move { app.ingest.called_rows(&from.sender, &loaded, &name, &asked).await });
        match rows.await?? {
            Ok(rows) => Ok(self.some_of(connection, rows, &wanted)),
            Err(report) => Err(intake::refusal(report, Vec::new(), self.app.ingest.limits.violations_max)),
        }
    }

    /// Lists what a subscription was, or is to be, told.
    pub(super) async fn sends(
        &self,
        connection: &Arc<Connection>,
        listed: &Listed,
        wanted: Wanted,
    ) -> Result<Done, Problem> {
        let Listed::Sends { subscription, failed, since, until } = listed else { return Err(nothing()) };
        let key = wanted.asked.path.get(subscription).or_else(|| wanted.asked.query.get(subscription));
        let key = Value::Array(key.into_iter().cloned().collect()).to_string();
        let webhooks = self.loaded.partner.webhooks.as_ref().ok_or_else(nothing)?;
        let selection = Selection { of: webhooks.subscription, ..Selection::default() };
        let part = SelectPart::Key(key.clone());
        self.row(connection, &selection, &Asked::default(), part).await?.ok_or_else(nothing)?;
        let Part { limit, offset } = wanted.numbers();
        let (sender, limit) = (&connection.sender, limit.unwrap_or(i64::MAX.unsigned_abs()));
        let moment = |name: &Option<String>| wanted.asked.query.get(name.as_ref()?)?.as_str()?.parse().ok();
        let query = SendQuery {
            tenant: &sender.tenant,
            connection: &sender.connection,
            subscription: &key,
            failed: *failed,
            since: moment(since),
            until: moment(until),
            limit,
            offset,
        };
        let found = self.app.reader.sends(&query).await?;
        let links = self.numbered_links(&wanted, found.total);
        let context = context::sends(found.rows, found.total, &links, &sender.options);
        Ok(Done { context, lists: Lists::default(), delivery: None, as_log: false })
    }

    /// Shows the one record that parameters choose.
    pub(super) async fn shown(
        &self,
        connection: &Arc<Connection>,
        resource: &Resource,
        body: Body,
    ) -> Result<Done, Problem> {
        let (asked, _) = self.members(connection, body).await?;
        let row = self.row(connection, &resource.selection, &asked, first()).await?.ok_or_else(nothing)?;
        Ok(about(connection, row, Value::Null, None))
    }

    /// The first record that a selection comes to.
    pub(super) async fn row(
        &self,
        connection: &Arc<Connection>,
        selection: &Selection,
        asked: &Asked,
        part: SelectPart,
    ) -> Result<Option<Map<String, Value>>, Problem> {
        let found = self.select(connection, selection, asked, Vec::new(), part, false).await?;
        Ok(found.rows.into_iter().next())
    }

    async fn select(
        &self,
        connection: &Arc<Connection>,
        selection: &Selection,
        asked: &Asked,
        sort: Vec<usize>,
        part: SelectPart,
        counts: bool,
    ) -> Result<SelectedRecords, Problem> {
        let sender = &connection.sender;
        let query = SelectQuery {
            tenant: &sender.tenant,
            connection: &sender.connection,
            selection,
            given: given(selection, asked),
            sort,
            options: &sender.options,
            part,
            counts,
        };
        Ok(self.app.reader.select(&self.loaded.partner, &query).await?)
    }

    /// The part of these rows that is asked for.
    fn some_of(&self, connection: &Arc<Connection>, rows: Vec<Value>, wanted: &Wanted) -> Done {
        let total = rows.len() as u64;
        let Part { limit, offset } = wanted.numbers();
        let size = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
        let rows = rows.into_iter().skip(size(offset)).take(limit.map_or(usize::MAX, size)).collect();
        let links = self.numbered_links(wanted, total);
        listed(connection, rows, Some(total), &links)
    }

    /// The links around a part whose places are numbers, also where a cursor holds them.
    fn numbered_links(&self, wanted: &Wanted, total: u64) -> Map<String, Value> {
        let place = |id: u64| Cursor { values: Vec::new(), id: i64::try_from(id).unwrap_or(i64::MAX), back: false };
        let Part { limit, offset } = wanted.numbers();
        let limit = limit.unwrap_or(u64::MAX);
        let previous = (offset > 0).then(|| place(offset.saturating_sub(limit)));
        let next = offset.checked_add(limit).filter(|&next| next < total).map(place);
        self.links(wanted, previous.as_ref(), next.as_ref(), Some(total))
    }

    fn links(
        &self,
        wanted: &Wanted,
        previous: Option<&Cursor>,
        next: Option<&Cursor>,
        total: Option<u64>,
    ) -> Map<String, Value> {
        if !speaks(self.operation().success(), "links", true) {
            return Map::new();
        }
        let base = self.app.base_url(&self.head.headers, &self.head.uri);
        let called = Called { url: format!("{base}{}", self.head.uri.path()), query: &wanted.query };
        let paging: &Paging = &self.operation().paging;
        match &wanted.part {
            SelectPart::Cursor { .. } => called.cursors(paging, previous, next),
            _ => called.pages(paging, wanted.numbers(), total.unwrap_or_default()),
        }
    }
}

/// What the answer about one record is filled in with.
pub(super) fn about(connection: &Connection, row: Map<String, Value>, told: Value, delivery: Option<Uuid>) -> Done {
    let mut context = row;
    let told = if told.is_object() { told } else { json!({}) };
    for (name, value) in [("options", (*connection.sender.options).clone()), ("told", told)] {
        context.entry(name).or_insert(value);
    }
    Done { context: Value::Object(context), lists: Lists::default(), delivery, as_log: false }
}

/// What the answer that lists these rows is filled in with.
fn listed(connection: &Connection, rows: Vec<Value>, total: Option<u64>, links: &Map<String, Value>) -> Done {
    let mut context = json!({"links": links, "options": *connection.sender.options, "told": {}});
    if let Some(total) = total {
        context["total"] = total.into();
    }
    context["records"] = Value::Array(rows);
    Done { context, lists: Lists::default(), delivery: None, as_log: false }
}

/// Whether an answer speaks of a name: in its body, or, where those count, in its headers.
fn speaks(answer: Option<&Answer>, name: &str, headers_count: bool) -> bool {
    let Some(answer) = answer else { return false };
    let in_body = answer.content.as_ref().is_some_and(|(_, template)| template.speaks_of(name));
    in_body || (headers_count && answer.headers.iter().any(|(_, value)| value.speaks_of(name)))
}

/// Which words of a sort are asked for, in their order. That each is one has been checked.
fn sort(selection: &Selection, asked: &Asked) -> Vec<usize> {
    let Some(sort) = &selection.sort else { return Vec::new() };
    let words = match asked.query.get(&sort.parameter) {
        Some(Value::Array(words)) => words.as_slice(),
        Some(word) => std::slice::from_ref(word),
        None => &[],
    };
    words.iter().filter_map(|word| sort.words.iter().position(|known| word == known.word.as_str())).collect()
}

fn first() -> SelectPart {
    SelectPart::Offset { limit: Some(1), offset: 0 }
}

fn nothing() -> Problem {
    Problem::unknown("there is no such record")
}
