//! Turns who is to be erased into what of a document has to go: as little as possible, and all that speaks of them.
//!
//! Nobody is named here, only marked: by keyed digests, which say nothing to whoever reads them and yet find the same people
//! again in a backup. What a record says of whom is for its mapper to say, not for us to guess: parts of it are left out
//! until the mapper says nothing of the person any more ([`Search`]). So an item goes from a list, and the record goes where
//! it is about nobody else.
//!
//! To find people by something else: a way to mark it in [`Marks`], and a look for it where [`crate::ingest`] judges.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use crate::digest::Digest;
use crate::json::{Json, Object, Pointer};

/// Who and what is to be erased, by digest.
#[derive(Clone)]
pub struct Marks {
    key: [u8; 32],
    marked: HashSet<Digest>,
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Marks").field("marked", &self.marked.len()).finish_non_exhaustive()
    }
}

impl Marks {
    /// Nobody; digests are made with `key`.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key, marked: HashSet::new() }
    }

    /// Marks what has this digest; whether it was not marked before.
    pub fn add(&mut self, digest: Digest) -> bool {
        self.marked.insert(digest)
    }

    /// Whether what has this digest is marked.
    pub fn has(&self, digest: Digest) -> bool {
        self.marked.contains(&digest)
    }

    /// Whether nothing is marked.
    pub fn is_empty(&self) -> bool {
        self.marked.is_empty()
    }

    /// The digest of an entity.
    pub fn entity(&self, kind: &str, sourced_id: Uuid) -> Digest {
        self.digest("entity", &[kind.as_bytes(), sourced_id.as_bytes()])
    }

    /// The digest of a record: its type's name, and its key as a canonical JSON list.
    pub fn record(&self, of: &str, key: &str) -> Digest {
        self.digest("record", &[of.as_bytes(), key.as_bytes()])
    }

    /// The digest of a text that stands for someone, an address for example.
    pub fn text(&self, text: &str) -> Digest {
        self.digest("text", &[text.as_bytes()])
    }

    /// The digest of an object as it stands in a list: canonical JSON.
    pub fn object(&self, json: &[u8]) -> Digest {
        self.digest("object", &[json])
    }

    fn digest(&self, what: &str, parts: &[&[u8]]) -> Digest {
        let all = [self.key.as_slice(), what.as_bytes()].into_iter().chain(parts.iter().copied());
        Digest::of_parts(all)
    }
}

/// What a version of a document is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it says something of someone who is marked.
    pub speaks: bool,
    /// Whether it can stand as it is.
    pub stands: bool,
}

/// What has to go of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Going {
    /// These parts.
    Parts(Vec<Pointer>),
    /// All of it.
    Whole,
}

/// Judges versions of a document, all at once.
pub type Judge<'s, 'j, E> = dyn Fn(&[Json<'j>]) -> Result<Vec<Verdict>, E> + 's;

/// Looks for the smallest parts of a document without which it says nothing of whoever is marked.
pub struct Search<'s, 'j, E> {
    document: &'s Json<'j>,
    judge: &'s Judge<'s, 'j, E>,
}

impl<'s, 'j, E> Search<'s, 'j, E> {
    /// A search in a document that speaks of someone.
    pub fn new(document: &'s Json<'j>, judge: &'s Judge<'s, 'j, E>) -> Self {
        Self { document, judge }
    }

    /// What has to go. `members` are those that may be left out where no item of a list is enough.
    pub fn going(&self, members: &[Pointer]) -> Result<Going, E> {
        let lists = lists(self.document, &Pointer::root());
        if let Some(parts) = self.items(&lists, &Pointer::root())? {
            return Ok(Going::Parts(parts));
        }
        let versions: Vec<_> =
            members.iter().map(|member| without(self.document, std::slice::from_ref(member)).0).collect();
        let verdicts = (self.judge)(&versions)?;
        let silent = members.iter().zip(verdicts).find(|(_, verdict)| verdict.stands && !verdict.speaks);
        Ok(silent.map_or(Going::Whole, |(member, _)| Going::Parts(vec![member.clone()])))
    }

    /// The items of `lists`, all within `at`, that speak; `None` if what is around them cannot stand or speaks itself.
    fn items(&self, lists: &[Pointer], at: &Pointer) -> Result<Option<Vec<Pointer>>, E> {
        let items: Vec<_> = lists.iter().flat_map(|list| self.items_of(list)).collect();
        if items.is_empty() {
            return Ok(None);
        }
        let mut versions = vec![self.alone(&items, at, None)];
        versions.extend(items.iter().map(|item| self.alone(&items, at, Some(item))));
        let verdicts = (self.judge)(&versions)?;
        if verdicts[0].speaks || !verdicts[0].stands {
            return self.one_by_one(&items, at);
        }
        let mut going = Vec::new();
        for (item, verdict) in items.iter().zip(&verdicts[1..]) {
            if verdict.speaks {
                going.extend(self.inside(item)?);
            }
        }
        self.if_silent(going, at)
    }

    /// For a document that does not stand without all its items: the first without which it does.
    fn one_by_one(&self, items: &[Pointer], at: &Pointer) -> Result<Option<Vec<Pointer>>, E> {
        let outer = self.outside(at);
        let versions: Vec<_> = items
            .iter()
            .map(|item| without(self.document, &[outer.as_slice(), std::slice::from_ref(item)].concat()).0)
            .collect();
        let verdicts = (self.judge)(&versions)?;
        let silent = items.iter().zip(verdicts).find(|(_, verdict)| verdict.stands && !verdict.speaks);
        Ok(silent.map(|(item, _)| vec![item.clone()]))
    }

    /// The parts of an item that speak, or the item itself.
    fn inside(&self, item: &Pointer) -> Result<Vec<Pointer>, E> {
        let Some(json) = find(self.document, item) else { return Ok(Vec::new()) };
        let lists = lists(json, item);
        let parts = if lists.is_empty() { None } else { self.items(&lists, item)? };
        Ok(parts.unwrap_or_else(|| vec![item.clone()]))
    }

    fn if_silent(&self, going: Vec<Pointer>, at: &Pointer) -> Result<Option<Vec<Pointer>>, E> {
        if going.is_empty() {
            return Ok(None);
        }
        let gone = [self.outside(at).as_slice(), &going].concat();
        let verdict = (self.judge)(&[without(self.document, &gone).0])?;
        let is_silent = verdict.first().is_some_and(|verdict| verdict.stands && !verdict.speaks);
        Ok(is_silent.then_some(going))
    }

    /// The document without all these items but one, and without what stands beside `at`.
    fn alone(&self, items: &[Pointer], at: &Pointer, kept: Option<&Pointer>) -> Json<'j> {
        let others = items.iter().filter(|item| Some(*item) != kept).cloned();
        let gone: Vec<_> = self.outside(at).into_iter().chain(others).collect();
        without(self.document, &gone).0
    }

    /// All items of lists beside the item at `at`; none for the document itself.
    fn outside(&self, at: &Pointer) -> Vec<Pointer> {
        let mut outside = Vec::new();
        let mut left = vec![Pointer::root()];
        while let Some(here) = left.pop().filter(|_| *at != Pointer::root()) {
            let Some(json) = find(self.document, &here) else { continue };
            for item in lists(json, &here).iter().flat_map(|list| self.items_of(list)) {
                if is_within(at, &item) {
                    left.extend((item != *at).then_some(item));
                } else {
                    outside.push(item);
                }
            }
        }
        outside
    }

    fn items_of(&self, list: &Pointer) -> Vec<Pointer> {
        let length = find(self.document, list).and_then(Json::as_list).map_or(0, <[_]>::len);
        (0..length).map(|nth| list.item(nth)).collect()
    }
}

/// The lists in `json`, which stands at `at`, that are in no other list.
fn lists(json: &Json<'_>, at: &Pointer) -> Vec<Pointer> {
    match json {
        Json::List(_) => vec![at.clone()],
        Json::Object(object) => object.iter().flat_map(|(name, json)| lists(json, &at.member(name))).collect(),
        _ => Vec::new(),
    }
}

/// What stands at a place.
pub fn find<'f, 'j>(json: &'f Json<'j>, at: &Pointer) -> Option<&'f Json<'j>> {
    at.steps().try_fold(json, |json, step| match json {
        Json::List(items) => items.get(step.parse::<usize>().ok()?),
        json => json.get(&step),
    })
}

/// Whether `inner` is `outer`, or stands in it.
pub fn is_within(inner: &Pointer, outer: &Pointer) -> bool {
    inner.as_str().strip_prefix(outer.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What went from a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Where it stood.
    pub at: Pointer,
    /// Whether what stood behind it has moved up.
    pub is_item: bool,
}

/// The document without what stands at these places: items leave their lists, members their objects. Says what went.
pub fn without<'j>(json: &Json<'j>, gone: &[Pointer]) -> (Json<'j>, Vec<Gap>) {
    let gone: BTreeSet<_> = gone.iter().cloned().collect();
    let mut gaps = Vec::new();
    let left = leave_out(json, &gone, &mut Pointer::root(), &mut gaps);
    (left.unwrap_or(Json::Null), gaps)
}

fn leave_out<'j>(json: &Json<'j>, gone: &BTreeSet<Pointer>, at: &mut Pointer, gaps: &mut Vec<Gap>) -> Option<Json<'j>> {
    if gone.contains(at) {
        return None;
    }
    // Nothing in here goes: take it as it is.
    let inside = format!("{at}/");
    let first = gone.range(Pointer::from(inside.as_str())..).next();
    if !first.is_some_and(|first| first.as_str().starts_with(&inside)) {
        return Some(json.clone());
    }
    match json {
        Json::List(items) => {
            let mut left = Vec::with_capacity(items.len());
            for (nth, item) in items.iter().enumerate() {
                let length = at.descend(nth);
                match leave_out(item, gone, at, gaps) {
                    Some(item) => left.push(item),
                    None => gaps.push(Gap { at: at.clone(), is_item: true }),
                }
                at.ascend(length);
            }
            Some(Json::List(left))
        }
        Json::Object(object) => {
            let mut left: Vec<(Cow<'j, str>, Json<'j>)> = Vec::with_capacity(object.len());
            for (name, json) in object.clone().into_members() {
                let length = at.descend(name.as_ref());
                match leave_out(&json, gone, at, gaps) {
                    Some(json) => left.push((name, json)),
                    None => gaps.push(Gap { at: at.clone(), is_item: false }),
                }
                at.ascend(length);
            }
            Some(Json::Object(left.into_iter().collect::<Object<'j>>()))
        }
        other => Some(other.clone()),
    }
}

/// Where something stands now that stood at `place` before `gaps` came to be; `None` if it is gone.
pub fn moved(place: &Pointer, gaps: &[Gap]) -> Option<Pointer> {
    if gaps.iter().any(|gap| is_within(place, &gap.at)) {
        return None;
    }
    let (mut old, mut new) = (Pointer::root(), Pointer::root());
    for step in place.steps() {
        let list = old.clone();
        old.push(&step);
        let before = step.parse::<usize>().ok().map(|nth| {
            let is_before = |gap: &&Gap| {
                let step = gap.at.as_str().strip_prefix(list.as_str()).and_then(|rest| rest.strip_prefix('/'));
                gap.is_item && step.and_then(|step| step.parse::<usize>().ok()).is_some_and(|gone| gone < nth)
            };
            (nth, gaps.iter().filter(is_before).count())
        });
        match before {
            Some((nth, before)) if before > 0 => new = new.item(nth - before),
            _ => new.push(&step),
        }
    }
    Some(new)
}

/// Calls `found` with every text in `json` and, where it is in a list, with every object.
pub fn each<'f>(json: &'f Json<'_>, found: &mut dyn FnMut(Saying<'f>)) {
    match json {
        Json::Text(text) => found(Saying::Text(text)),
        Json::List(items) => {
            for item in items {
                if let Json::Object(_) = item {
                    found(Saying::Item(item.to_bytes()));
                }
                each(item, found);
            }
        }
        Json::Object(object) => object.iter().for_each(|(_, json)| each(json, found)),
        _ => {}
    }
}

/// Something that a document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saying<'f> {
    /// A text.
    Text(&'f str),
    /// An object in a list, canonical JSON.
    Item(Vec<u8>),
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::{Gap, Going, Search, Verdict, moved, without};
    use crate::json::{Json, Pointer};

    fn parsed(text: &str) -> Json<'_> {
        Json::parse(text.as_bytes(), 64).unwrap()
    }

    fn text(json: &Json<'_>) -> String {
        String::from_utf8(json.to_bytes()).unwrap()
    }

    /// Speaks where `7` stands; stands where there is a `name`.
    fn judged(versions: &[Json<'_>]) -> Vec<Verdict> {
        let verdict = |json: &Json<'_>| {
            let text = text(json);
            Verdict { speaks: text.contains('7'), stands: text.contains("name") }
        };
        versions.iter().map(verdict).collect()
    }

    fn going(document: &str, members: &[&str]) -> Vec<String> {
        let json = parsed(document);
        let members: Vec<Pointer> = members.iter().map(|member| Pointer::from(*member)).collect();
        let judge = |versions: &[Json<'_>]| Ok::<_, Infallible>(judged(versions));
        match Search::new(&json, &judge).going(&members).unwrap() {
            Going::Parts(parts) => parts.iter().map(ToString::to_string).collect(),
            Going::Whole => vec!["all".to_owned()],
        }
    }

    #[test]
    fn as_little_goes_as_is_enough() {
        let table: [(&str, &[&str], &[&str]); 8] = [
            (r#"{"name":"a","in":[1,7,2]}"#, &[], &["/in/1"]),
            (r#"{"name":"a","in":[7],"out":[1,7]}"#, &[], &["/in/0", "/out/1"]),
            (r#"{"name":"a","of":[{"no":1,"in":[1]},{"no":2,"in":[3,7]}]}"#, &[], &["/of/1/in/1"]),
            (r#"{"name":"a","of":[{"no":7,"in":[1]},{"no":2,"in":[3,7]}]}"#, &[], &["/of/0", "/of/1/in/1"]),
            (r#"{"name":"a","who":7}"#, &["/who"], &["/who"]),
            (r#"{"name":"a","who":7}"#, &[], &["all"]),
            (r#"{"in":["name",7]}"#, &[], &["/in/1"]),
            (r#"{"name":"7","in":[7]}"#, &[], &["all"]),
        ];
        for (document, members, expected) in table {
            assert_eq!(going(document, members), expected, "{document}");
        }
    }

    #[test]
    fn what_stood_behind_a_gap_moves_up() {
        let json = parsed(r#"{"in":[{"a":1},{"b":[1,2,3]},{"c":3}],"x":1}"#);
        let gone = ["/in/0", "/in/1/b/1", "/x"].map(Pointer::from);
        let (left, gaps) = without(&json, &gone);
        assert_eq!(text(&left), r#"{"in":[{"b":[1,3]},{"c":3}]}"#);
        assert_eq!(gaps.last(), Some(&Gap { at: "/x".into(), is_item: false }));
        for (from, to) in [
            ("/in/1/b/2", Some("/in/0/b/1")),
            ("/in/2/c", Some("/in/1/c")),
            ("/in", Some("/in")),
            ("/in/0/a", None),
            ("/in/1/b/1", None),
            ("/x", None),
            ("", Some("")),
        ] {
            assert_eq!(moved(&from.into(), &gaps), to.map(Pointer::from), "{from}");
        }
    }
}
