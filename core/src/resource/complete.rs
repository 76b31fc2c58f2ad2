//! Fills in what the server decides: keys, numbers of items, defaults, what is computed when a record is written.

use serde_json::{Value, json};

use super::{Changes, Draft, Members, Stop};
use crate::description::{At, Computation, Computed, Keying, RecordType, RecordTypeId, Step, stamp};
use crate::reconcile::blank::{slug, slug_apart};
use crate::store::Matching;

/// What a record numbers, with the number: its key, and those items of its lists that the server counts.
pub fn numbers<'r>(of: &'r RecordType, members: &'r Members) -> impl Iterator<Item = (String, i64)> + use<'r> {
    let key = key_member(of).filter(|_| of.keying == Keying::Counted);
    let own = key.and_then(|key| members.get(key)).and_then(Value::as_i64).map(|number| (of.name.clone(), number));
    let items = of.counted.iter().flat_map(move |(list, by)| {
        let items = members.get(list).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(move |item| Some((format!("{}.{list}", of.name), item.get(by)?.as_i64()?)))
    });
    own.into_iter().chain(items)
}

/// The member that is a record's whole key.
fn key_member(of: &RecordType) -> Option<&String> {
    match of.key.as_slice() {
        [field] if field.up == 0 => field.path.first(),
        _ => None,
    }
}

impl Changes<'_> {
    /// Fills in what a record that is written lacks: all of it where it is new. Gives back what it says then.
    pub async fn complete(
        &mut self,
        of: RecordTypeId,
        members: Members,
        before: Option<&Members>,
    ) -> Result<Members, Stop> {
        let description = self.record_type(of);
        let mut members = members;
        members.retain(|_, value| !(description.blank && value.is_null()));
        for derived in &description.derived {
            members.shift_remove(&derived.name);
        }
        if self.desk.believes {
            return Ok(members);
        }
        if before.is_none() {
            self.give_key(of, &mut members).await?;
            for (name, value) in &description.defaults {
                if !members.contains_key(name) {
                    members.insert(name.clone(), value.clone());
                }
            }
        }
        self.number_items(description, &mut members).await?;
        if before == Some(&members) {
            return Ok(members); // nothing is written, so nothing is stamped
        }
        for computed in &description.computed {
            self.compute(of, computed, &mut members, before).await?;
        }
        Ok(members)
    }

    /// The next number of a series, for whoever asks first.
    pub async fn next_number(&mut self, of: &str) -> Result<i64, Stop> {
        let last = if let Some(last) = self.numbers.get(of) {
            *last
        } else {
            let of = [of.to_owned()];
            self.desk.store.numbers(self.desk.connection, &of).await?.first().copied().unwrap_or_default()
        };
        let next = last.saturating_add(1);
        self.numbers.insert(of.to_owned(), next);
        Ok(next)
    }

    async fn give_key(&mut self, of: RecordTypeId, members: &mut Members) -> Result<(), Stop> {
        let description = self.record_type(of);
        let Some(key) = key_member(description).filter(|key| !members.contains_key(*key)) else { return Ok(()) };
        let value = match description.keying {
            Keying::Sent => return Ok(()),
            Keying::Counted => self.next_number(&description.name).await?.into(),
            Keying::Drawn => self.desk.clock.next_id().to_string().into(),
        };
        // First, as its description has it.
        members.shift_insert(0, key.clone(), value);
        Ok(())
    }

    /// Gives the items of lists their numbers.
    async fn number_items(&mut self, of: &RecordType, members: &mut Members) -> Result<(), Stop> {
        for (list, by) in &of.counted {
            let Some(Value::Array(items)) = members.get_mut(list) else { continue };
            for item in items {
                let Value::Object(item) = item else { continue };
                if !item.contains_key(by) {
                    let number = self.next_number(&format!("{}.{list}", of.name)).await?;
                    item.shift_insert(0, by.clone(), number.into());
                }
            }
        }
        Ok(())
    }

    /// Fills in one member that is computed, wherever its object is.
    async fn compute(
        &mut self,
        of: RecordTypeId,
        computed: &Computed,
        members: &mut Members,
        before: Option<&Members>,
    ) -> Result<(), Stop> {
        if !computed.path.is_empty() {
            return self.compute_inside(computed, members).await;
        }
        if before.is_some() && computed.at == At::Create {
            return Ok(());
        }
        // What a client may send counts where it did; what it may not is computed anew.
        if !computed.is_own && members.contains_key(&computed.name) {
            return Ok(());
        }
        let value = match &computed.value {
            Computation::Now => Some(stamp(self.desk.now).into()),
            Computation::Next(scope) => Some(self.next_place(of, &computed.name, scope, members).await?.into()),
            Computation::Slug(text) => {
                let text = text.evaluate(&self.context(computed, members).await?).ok();
                match text.as_ref().and_then(Value::as_str) {
                    Some(text) => Some(self.free_slug(of, &computed.name, text, members).await?.into()),
                    None => None,
                }
            }
            Computation::History(member) => Some(history(&computed.name, member, members, before)),
            Computation::Expression(expression) => {
                expression.evaluate(&self.context(computed, members).await?).ok().filter(|value| !value.is_null())
            }
        };
        if let Some(value) = value {
            members.insert(computed.name.clone(), value);
        }
        Ok(())
    }

    /// Fills in a member of objects inside the record: those that lack it, because they are new.
    async fn compute_inside(&mut self, computed: &Computed, members: &mut Members) -> Result<(), Stop> {
        let now = stamp(self.desk.now);
        let beside = self.context(computed, &Members::new()).await?;
        let mut record = Value::Object(std::mem::take(members));
        each(&mut record, &computed.path, &mut |object| {
            if object.contains_key(&computed.name) {
                return;
            }
            let value = match &computed.value {
                Computation::Expression(expression) => {
                    let mut context = beside.clone();
                    if let Value::Object(names) = &mut context {
                        names.extend(object.clone());
                    }
                    expression.evaluate(&context).ok()
                }
                Computation::Now => Some(now.clone().into()),
                // Only of records themselves.
                Computation::Next(_) | Computation::Slug(_) | Computation::History(_) => None,
            };
            if let Some(value) = value.filter(|value| !value.is_null()) {
                object.insert(computed.name.clone(), value);
            }
        });
        if let Value::Object(record) = record {
            *members = record;
        }
        Ok(())
    }

    /// What an expression in a record speaks of: the record's members, the options, and whole record types as lists.
    async fn context(&mut self, computed: &Computed, members: &Members) -> Result<Value, Stop> {
        let mut context = members.clone();
        context.entry("options").or_insert_with(|| self.desk.options.clone());
        for read in &computed.reads {
            let rows = self.matching(*read, &Matching::default()).await?;
            let rows = rows.into_iter().filter_map(|draft| draft.after).map(Value::Object).collect();
            context.insert(self.record_type(*read).name.clone(), rows);
        }
        Ok(Value::Object(context))
    }

    /// One more than the largest so far among the records that agree in `scope`.
    async fn next_place(
        &mut self,
        of: RecordTypeId,
        member: &str,
        scope: &[String],
        members: &Members,
    ) -> Result<i64, Stop> {
        let agreeing = |name: &String| (name.clone(), vec![members.get(name).cloned().unwrap_or_default()]);
        let matching = Matching { members: scope.iter().map(agreeing).collect(), limit: None };
        let store = self.desk.store;
        let stored = store.largest(self.desk.connection, self.desk.partner, of, member, &matching).await?;
        let new = self.drafts.iter().filter(|draft| draft.of == of).filter_map(|draft| draft.after.as_ref());
        let new = new.filter(|other| super::fits(other, &matching)).filter_map(|other| other.get(member)?.as_i64());
        Ok(new.chain(stored).max().unwrap_or_default().saturating_add(1))
    }

    /// A slug of `text` that no other record has: with the record's key behind it, where another has it already.
    async fn free_slug(
        &mut self,
        of: RecordTypeId,
        member: &str,
        text: &str,
        members: &Members,
    ) -> Result<String, Stop> {
        let slug = slug(text);
        let asked = Matching { members: vec![(member.to_owned(), vec![json!(slug)])], limit: Some(2) };
        let key = self.key(of, members)?;
        let others = self.matching(of, &asked).await?;
        if others.iter().any(|other: &Draft| other.key != key) {
            return Ok(slug_apart(&slug, &key));
        }
        Ok(slug)
    }
}

/// What a member has been before, the newest first.
fn history(name: &str, member: &str, members: &Members, before: Option<&Members>) -> Value {
    let mut past = match before.and_then(|before| before.get(name)) {
        Some(Value::Array(past)) => past.clone(),
        _ => Vec::new(),
    };
    if let Some(was) = before.and_then(|before| before.get(member))
        && members.get(member) != Some(was)
    {
        past.insert(0, was.clone());
    }
    Value::Array(past)
}

/// Calls `visit` with each object at the end of `path`.
fn each(value: &mut Value, path: &[Step], visit: &mut impl FnMut(&mut Members)) {
    match (path, value) {
        ([], Value::Object(object)) => visit(object),
        ([Step::Member(name), rest @ ..], Value::Object(object)) => {
            if let Some(value) = object.get_mut(name) {
                each(value, rest, visit);
            }
        }
        ([Step::Items, rest @ ..], Value::Array(items)) => {
            for item in items {
                each(item, rest, visit);
            }
        }
        _ => {}
    }
}
