//! Takes a call about single records through the stages: what it changes, checked, mapped, folded, planned, committed.
//!
//! The call is kept in the very transaction that applies it, so that it costs one wait for the disk; one that is
//! rejected is kept by itself.

use serde_json::{Map, Value};

use super::logic::Called;
use super::mapping::Changed;
use super::payload::check;
use super::work::{Beside, Keeping, Work};
use super::written::{Written, WrittenRecord};
use super::{ATTEMPTS_MAX, Ingest, IngestError, Loaded, Sender};
use crate::clock::Clock;
use crate::costs::{Costs, Stage};
use crate::delivery::{Asked, DeliveryClock, Entry, Outcome, Received, Report, Status};
use crate::description::{Action, Form, Location, Operation, ProblemClass, RecordTypeId, Resource, Selection, Verb};
use crate::json::{Json, Pointer};
use crate::map::CallEvent;
use crate::note::Note;
use crate::record::Record;
use crate::resource::{Changes, Desk, Draft, Members, Stop, fill};
use crate::store::{Connection, Fate, Finish, HeldRecord, Matching, StoreError};

/// The record that a call is about.
pub(super) type Subject = (RecordTypeId, String);

/// What a call came to, before it is mapped.
#[derive(Default)]
pub(super) struct Acted {
    pub(super) subject: Option<Subject>,
    pub(super) told: Map<String, Value>,
    pub(super) events: Vec<CallEvent>,
}

impl Ingest {
    /// Does what a [`Verb::Resource`] or [`Verb::Receive`] says with a body, and keeps both in one transaction. With
    /// `dry_run` nothing is stored.
    ///
    /// One delivery of a connection at a time. Must run on a thread that may block. Nobody may be told of it before
    /// [`synced`](Self::synced) has returned, which needs no turn.
    pub async fn write(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        operation: &Operation,
        received: Received,
        dry_run: bool,
    ) -> Result<Written, IngestError> {
        self.write_within(self.work(sender, loaded, operation, &received, dry_run), received).await
    }

    /// The same, in a transaction that others may share, whatever the call comes to. When [`synced`](Self::synced) has
    /// returned, `fate` says whether it was lost after all.
    pub async fn write_with_others(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        operation: &Operation,
        received: Received,
        fate: Fate,
    ) -> Result<Written, IngestError> {
        let work = self.work(sender, loaded, operation, &received, false);
        self.write_within(Work { fate: Some(fate), ..work }, received).await
    }

    async fn write_within(&self, work: Work<'_>, received: Received) -> Result<Written, IngestError> {
        let (sender, loaded) = (work.sender, work.loaded);
        let connection = match work.fate {
            Some(_) => self.store.connection(&sender.tenant, &sender.connection, &loaded.partner.name).await?,
            None => self.connect(sender, loaded).await?,
        };
        let done = work.write(connection, received).await;
        self.meter.spent(sender, &loaded.partner.name, &work.costs);
        done
    }

    /// Waits until all that was written is committed and survives a power cut; calls that come at the same time wait together.
    pub async fn synced(&self) -> Result<(), IngestError> {
        self.store.committed().await?;
        Ok(self.store.synced().await?)
    }

    /// Asks the partner's own logic for the rows of a list
    /// ([`Listed::Called`](crate::description::Listed::Called)), as `Ok`; or says in a report why there are none. Stores
    /// nothing.
    pub async fn called_rows(
        &self,
        sender: &Sender,
        loaded: &Loaded,
        call: &str,
        asked: &Asked,
    ) -> Result<Result<Vec<Value>, Report>, IngestError> {
        let connection = self.connect(sender, loaded).await?;
        let lost = self.store.committed().await?;
        let mut changes = Changes::new(self.desk(sender, loaded, &connection, &*self.clock, false));
        let (costs, options) = (Costs::default(), &*sender.options);
        let mut called = Called { loaded, limits: &self.limits, options, asked, costs: &costs, changes: &mut changes };
        let decided = called.decide(call, &Members::new(), None, None).await;
        self.meter.spent(sender, &loaded.partner.name, &costs);
        self.unmoved(lost).await?;
        match decided {
            Ok(mut decision) => match decision.told.remove("rows") {
                Some(Value::Array(rows)) => Ok(Ok(rows)),
                _ => Ok(Err(failed("the partner's own logic tells no rows"))),
            },
            Err(stop) => report_of(stop).map(Err).map_err(IngestError::from),
        }
    }

    /// [`StoreError::Stale`] where something was taken back since so much was lost: it may have been read.
    async fn unmoved(&self, lost: u64) -> Result<(), StoreError> {
        if self.store.committed().await? == lost { Ok(()) } else { Err(StoreError::Stale) }
    }

    fn desk<'d>(
        &'d self,
        sender: &'d Sender,
        loaded: &'d Loaded,
        connection: &'d Connection,
        clock: &'d dyn Clock,
        believes: bool,
    ) -> Desk<'d> {
        Desk {
            store: &*self.store,
            connection,
            partner: &loaded.partner,
            options: &sender.options,
            clock,
            now: clock.now(),
            depth_max: self.limits.json_depth_max,
            notes_max: self.limits.violations_max,
            believes,
        }
    }
}

impl Work<'_> {
    async fn write(&self, connection: Connection, received: Received) -> Result<Written, IngestError> {
        let (body, asked) = (received.body.clone().unwrap_or_default(), received.asked.clone());
        let mut keeping = (!self.dry_run).then(|| Keeping::Within(Box::new(received)));
        let mut connection = connection;
        for _ in 1..ATTEMPTS_MAX {
            match self.attempt(&connection, &asked, &body, &mut keeping).await {
                Err(IngestError::Store(StoreError::Stale)) => {
                    self.costs.begun_again();
                    connection = self.ingest.store.hold(&connection).await?;
                }
                done => return self.written(&connection, done, &mut keeping).await,
            }
        }
        let done = self.attempt(&connection, &asked, &body, &mut keeping).await;
        self.written(&connection, done, &mut keeping).await
    }

    /// How far what is kept together with its body is committed: whoever sent it waits for the disk.
    pub(super) fn finish(&self, keeps_body: bool) -> Finish<'_> {
        match &self.fate {
            Some(fate) if keeps_body => Finish::Open(fate),
            None if keeps_body => Finish::Committed,
            _ => Finish::Synced,
        }
    }

    /// A call that could not be worked on has failed; that much can perhaps be stored.
    async fn written(
        &self,
        connection: &Connection,
        done: Result<Written, IngestError>,
        keeping: &mut Option<Keeping>,
    ) -> Result<Written, IngestError> {
        if let (Err(IngestError::Store(_)), false) = (&done, self.dry_run) {
            let failed = Report { problem: Some(ProblemClass::Fault), ..Report::new(Status::Failed) };
            if self.kept(connection, keeping).await.is_ok() {
                self.settle(&failed, &[]).await.ok();
            }
        }
        done
    }

    /// Does it once. What is not stored is told at once, and must not have read what was taken back.
    async fn attempt(
        &self,
        connection: &Connection,
        asked: &Asked,
        body: &[u8],
        keeping: &mut Option<Keeping>,
    ) -> Result<Written, IngestError> {
        if !self.dry_run {
            return self.done(connection, asked, body, keeping).await;
        }
        let lost = self.ingest.store.committed().await?;
        let done = self.done(connection, asked, body, keeping).await;
        self.ingest.unmoved(lost).await?;
        done
    }

    async fn done(
        &self,
        connection: &Connection,
        asked: &Asked,
        body: &[u8],
        keeping: &mut Option<Keeping>,
    ) -> Result<Written, IngestError> {
        let is_received = matches!(self.operation.verb, Verb::Receive);
        let clock = DeliveryClock::new(self.delivery, self.received_at);
        let mut drafted = Changes::new(self.ingest.desk(self.sender, self.loaded, connection, &clock, is_received));
        let acted = match self.act(&mut drafted, asked, body).await {
            Ok(acted) => acted,
            Err(stop) => {
                let report = report_of(stop)?;
                return self.end_with(connection, report, None, Acted::default(), keeping).await;
            }
        };
        let subject = acted.subject.as_ref();
        let draft = subject.and_then(|(of, key)| drafted.drafts().iter().find(|it| (it.of, &it.key) == (*of, key)));
        let draft = draft.cloned();
        let (reconciled, state) = drafted.finish(subject);
        if reconciled.present.is_empty() && reconciled.gone.is_empty() && acted.events.is_empty() {
            let report = Report::new(Status::Unchanged);
            return self.end_with(connection, report, draft, acted, keeping).await;
        }
        let types = &self.loaded.partner.records;
        let depth_max = self.ingest.limits.json_depth_max;
        let records: Vec<Record<'_>> = reconciled
            .present
            .iter()
            .map(|resulting| resulting.record(&types[usize::from(resulting.of.0)], self.mapping, depth_max))
            .collect();
        let changed = Changed::of(&reconciled, &records, &state, &self.loaded.partner, connection.next_record);
        let entries: Vec<_> = draft.iter().map(|draft| entry(draft, &types[usize::from(draft.of.0)].name)).collect();
        let beside = Beside {
            numbers: drafted.numbers().clone().into_iter().collect(),
            sends: self.sends(connection, &drafted, &acted.events, is_received).await?,
        };
        let concerns_subscribers = !beside.sends.is_empty() || self.changes_subscriptions(&drafted);
        let report = Report::new(Status::Applied);
        let (report, _) = self.map_and_commit(connection, &state, &changed, &report, entries, beside, keeping).await?;
        let written = reconciled.present.into_iter().map(WrittenRecord::from).collect();
        Ok(Written { concerns_subscribers, records: written, ..told(report, draft, acted) })
    }

    /// Whether who is told, or of what, may be another from now on.
    fn changes_subscriptions(&self, changes: &Changes<'_>) -> bool {
        let of = self.loaded.partner.webhooks.as_ref().map(|webhooks| webhooks.subscription);
        changes.drafts().iter().any(|draft| Some(draft.of) == of && draft.is_change())
    }

    /// What a call comes to; nothing is stored of it yet.
    async fn act(&self, changes: &mut Changes<'_>, asked: &Asked, body: &[u8]) -> Result<Acted, Stop> {
        let is_blank = body.iter().all(u8::is_ascii_whitespace);
        let has_body = self.operation.body.as_ref().is_some_and(|body| body.required || !is_blank);
        let (limits, costs) = (&self.ingest.limits, &self.costs);
        let checked =
            has_body.then(|| check(self.operation, &self.sender.options, body, limits, costs).map_err(rejected));
        let sent = checked.transpose()?.map(|checked| checked.json);
        costs.stage_of(Stage::Reconcile, self.act_with(changes, asked, sent.as_ref())).await
    }

    /// The same, where the body is checked.
    async fn act_with(&self, changes: &mut Changes<'_>, asked: &Asked, sent: Option<&Json<'_>>) -> Result<Acted, Stop> {
        let acted = match &self.operation.verb {
            Verb::Resource(resource) => self.act_on(changes, resource, asked, sent).await,
            Verb::Receive => self.take_in(changes, sent).await,
            _ => Ok(Acted::default()),
        }?;
        changes.settle().await.map_err(|stop| match (&self.operation.verb, stop) {
            (Verb::Resource(resource), Stop::Rejected(class, notes)) => as_sent(&resource.form, asked, class, notes),
            (_, stop) => stop,
        })?;
        Ok(acted)
    }

    /// What the verb does to its record, or what the partner's own logic does instead.
    async fn act_on(
        &self,
        changes: &mut Changes<'_>,
        resource: &Resource,
        asked: &Asked,
        sent: Option<&Json<'_>>,
    ) -> Result<Acted, Stop> {
        let empty = Json::Object(crate::json::Object::default());
        let sent = sent.unwrap_or(&empty);
        let target = self.target(changes, resource, asked, sent).await?;
        let before = target.as_ref().and_then(|draft| draft.after.clone());
        let mut start = before.clone().unwrap_or_default();
        if before.is_none() {
            start.extend(self.named_by_path(resource.of, asked));
        }
        let filled = fill(&resource.form, sent, start);
        if !filled.notes.is_empty() {
            return Err(Stop::Rejected(ProblemClass::Invalid, filled.notes));
        }
        let writes = matches!(resource.action, Action::Create | Action::Update | Action::Upsert(_));
        let change =
            if writes { Some(changes.complete(resource.of, filled.members, before.as_ref()).await?) } else { None };
        let key = match (&target, &change) {
            (Some(target), _) => Some(target.key.clone()),
            (None, Some(change)) => changes.key(resource.of, change).ok(),
            (None, None) => None,
        };
        let subject = key.map(|key| (resource.of, key));
        if let Some(call) = &resource.call {
            let limits = &self.ingest.limits;
            let (loaded, options) = (self.loaded, &*self.sender.options);
            let mut called = Called { loaded, limits, options, asked, costs: &self.costs, changes };
            let decision = called.decide(call, &filled.arguments, before.as_ref(), change.as_ref()).await?;
            called.apply(&decision, subject.as_ref()).await?;
            return Ok(Acted { subject, told: decision.told, events: decision.events });
        }
        match (change, &subject) {
            (Some(change), _) => {
                changes.put(resource.of, change, true).await?;
            }
            (None, Some((of, key))) if resource.action == Action::Delete => changes.remove(*of, key).await?,
            _ => {}
        }
        Ok(Acted { subject, ..Acted::default() })
    }

    /// The record that is there already, if the action is about one.
    async fn target(
        &self,
        changes: &mut Changes<'_>,
        resource: &Resource,
        asked: &Asked,
        sent: &Json<'_>,
    ) -> Result<Option<Draft>, Stop> {
        match &resource.action {
            Action::Create => Ok(None),
            Action::Upsert(by) => {
                let filled = fill(&resource.form, sent, self.named_by_path(resource.of, asked)).members;
                let values = by.iter().map(|name| Some((name.clone(), vec![filled.get(name)?.clone()])));
                let Some(members) = values.collect::<Option<Vec<_>>>() else { return Ok(None) };
                let found = changes.matching(resource.of, &Matching { members, limit: Some(1) }).await?;
                Ok(found.into_iter().next())
            }
            Action::Get | Action::Update | Action::Delete => {
                let held = self.selected(changes, &resource.selection, asked).await?;
                let held = held.ok_or_else(|| Stop::one(ProblemClass::Unknown, unknown()))?;
                Ok(Some(changes.look_at(held).await?.clone()))
            }
        }
    }

    async fn selected(
        &self,
        changes: &Changes<'_>,
        selection: &Selection,
        asked: &Asked,
    ) -> Result<Option<HeldRecord>, StoreError> {
        let desk = changes.desk();
        let given = given(selection, asked);
        desk.store.selected(desk.connection, desk.partner, selection, &given, desk.options).await
    }

    /// The path's parameters that are members of the record.
    fn named_by_path(&self, of: RecordTypeId, asked: &Asked) -> Members {
        let columns = &self.loaded.partner.records[usize::from(of.0)].table.columns;
        let is_member = |name: &str| columns.iter().any(|column| column.property == name);
        asked
            .path
            .iter()
            .filter(|(name, _)| is_member(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Ends a call that changes nothing.
    async fn end_with(
        &self,
        connection: &Connection,
        report: Report,
        draft: Option<Draft>,
        acted: Acted,
        keeping: &mut Option<Keeping>,
    ) -> Result<Written, IngestError> {
        if let Some(received) = Keeping::within(keeping.as_ref()) {
            let (at, finish) = (self.ingest.clock.now(), self.finish(true));
            let concluded = self.ingest.store.conclude(connection, received, at, &report, finish);
            self.costs.stage_of(Stage::Keep, concluded).await?;
            *keeping = None;
        } else {
            self.kept(connection, keeping).await?;
            self.settle(&report, &[]).await?;
        }
        Ok(told(report, draft, acted))
    }
}

/// The values that a call has for the filters of a selection, by place.
pub fn given(selection: &Selection, asked: &Asked) -> Vec<(usize, Value)> {
    let value = |at: usize| {
        let filter = &selection.filters[at];
        let among = if filter.location == Location::Path { &asked.path } else { &asked.query };
        among.get(&filter.parameter).or(filter.default.as_ref()).map(|value| (at, value.clone()))
    };
    (0..selection.filters.len()).filter_map(value).collect()
}

fn told(report: Report, draft: Option<Draft>, acted: Acted) -> Written {
    let (key, record) = match draft {
        Some(draft) => (Some(draft.key), draft.after.or(draft.before).map_or(Value::Null, Value::Object)),
        None => (None, Value::Null),
    };
    Written { report, key, record, told: Value::Object(acted.told), concerns_subscribers: false, records: Vec::new() }
}

/// The line of the log about the record that a call is about.
fn entry(draft: &Draft, record: &str) -> Entry {
    let outcome = match (&draft.before, &draft.after) {
        (None, Some(_)) => Outcome::Created,
        (Some(_), None) => Outcome::Deleted,
        (before, after) if before == after => Outcome::Unchanged,
        _ => Outcome::Updated,
    };
    let key = Some(draft.key.clone());
    Entry { pointer: Pointer::root(), record: record.to_owned(), key, outcome, notes: Vec::new() }
}

fn unknown() -> Note {
    Note::new(Pointer::root(), "unknown", "there is no such record")
}

/// What is wrong with members, told by the names under which they were sent. A parent in the path that is not there
/// makes the whole call one about something unknown.
fn as_sent(form: &Form, asked: &Asked, class: ProblemClass, notes: Vec<Note>) -> Stop {
    let in_path = |note: &Note| {
        let field = note.pointer.steps().next();
        note.code == "reference" && field.is_some_and(|field| asked.path.contains_key(&*field))
    };
    if notes.iter().any(in_path) {
        return Stop::one(ProblemClass::Unknown, unknown());
    }
    let renamed = |mut note: Note| {
        let steps: Vec<_> = note.pointer.steps().map(std::borrow::Cow::into_owned).collect();
        let mut steps = steps.into_iter();
        let first = steps.next();
        if let Some(field) = form.fields.iter().find(|field| Some(&field.kept) == first.as_ref()) {
            let at = Pointer::root().member(&field.sent);
            note.pointer = steps.fold(at, |at, step| at.member(&step));
            if note.words.get("field") == Some(&field.kept) {
                note.words.insert("field".to_owned(), field.sent.clone());
            }
        }
        note
    };
    Stop::Rejected(class, notes.into_iter().map(renamed).collect())
}

fn rejected(report: Box<Report>) -> Stop {
    Stop::Rejected(report.problem.unwrap_or(ProblemClass::Invalid), report.rejections)
}

/// What a delivery that ends so says.
fn report_of(stop: Stop) -> Result<Report, StoreError> {
    match stop {
        Stop::Rejected(class, notes) => Ok(Report::rejected(class, notes)),
        Stop::Fault(message) => Ok(failed(&message)),
        Stop::Busy => Ok(Report { problem: Some(ProblemClass::Unavailable), ..Report::new(Status::Failed) }),
        Stop::Store(error) => Err(error),
    }
}

/// What a delivery says on which the partner's own logic failed.
fn failed(message: &str) -> Report {
    tracing::error!(message, "the partner's own logic failed");
    let mut report = Report { problem: Some(ProblemClass::Fault), ..Report::new(Status::Failed) };
    report.faults.push(Note::new(Pointer::root(), "fault", message));
    report
}
