//! Turns what a mapper says of a record into [`Said`]: what planning asks of it all the time, in a few dozen bytes for each
//! entity, and the words themselves, which are needed once, when a row is written.
//!
//! A payload of a hundred megabytes makes two million statements. Loose, each takes close to a kilobyte; so of a large delivery
//! nothing is kept but the words as they will be stored, and they are read again whenever somebody asks. Of a small one all
//! stays as it is.

use std::borrow::Cow;

use foldhash::HashMap;
use uuid::Uuid;

use crate::canonical::{Canonical, KindId};
use crate::digest::Digest;
use crate::fold::Statement;
use crate::identity::Namespace;
use crate::map::{Contribution, DecodeError, WORTH_COMPRESSING_BYTES, decode, encode};
use crate::parcel::Content;
use crate::reference;

/// That a record speaks of an entity, without the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The entity's kind.
    pub kind: KindId,
    /// See [`Statement::whole`].
    pub whole: bool,
    /// The entity.
    pub sourced_id: Uuid,
    /// See [`Statement::digest`].
    pub digest: Digest,
}

/// An entity that has to be there for what a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Its kind.
    pub kind: KindId,
    /// Its id.
    pub sourced_id: Uuid,
    /// Whether the record only adds to it; it refers to it otherwise.
    pub adds: bool,
}

/// What one record says.
#[derive(Debug, Clone)]
pub struct Said {
    packed: Content<'static>,
    /// How many entities it speaks of, each as often as it does.
    count: u32,
    /// The same, read; none where only the packed words are kept.
    loose: Option<Box<Loose>>,
}

/// What a record says that has been read.
#[derive(Debug, Clone)]
struct Loose {
    /// One for each of the words.
    marks: Vec<Mark>,
    needs: Vec<Need>,
    words: Vec<Statement>,
}

/// What packed words are read with.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'r> {
    /// The kinds of entity.
    pub canonical: &'r Canonical,
    /// Where ids come from.
    pub namespace: Namespace,
}

impl Said {
    /// What these contributions say.
    pub fn new(contributions: Vec<Contribution>, canonical: &Canonical, namespace: Namespace) -> Self {
        let packed = encode(&contributions, canonical).into();
        let words: Vec<_> =
            contributions.into_iter().map(|contribution| Statement::new(contribution, canonical)).collect();
        let (marks, needs) = {
            let mut names = Names { canonical, namespace, known: HashMap::default() };
            let marks: Vec<_> = words.iter().map(|statement| names.mark(statement)).collect();
            (marks, names.needs(&words))
        };
        let count = u32::try_from(words.len()).unwrap_or(u32::MAX);
        Self { packed, count, loose: Some(Box::new(Loose { marks, needs, words })) }
    }

    /// The same with its words packed only.
    #[must_use]
    pub fn packed(self) -> Self {
        Self { loose: None, ..self }
    }

    /// How many words there are.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Of whom it speaks, in the order of the words.
    pub fn marks(&self, reading: Reading<'_>) -> Result<Cow<'_, [Mark]>, DecodeError> {
        let Reading { canonical, namespace } = reading;
        match &self.loose {
            Some(loose) => Ok(Cow::Borrowed(&loose.marks)),
            None => Ok(Cow::Owned(marks(&self.read(canonical)?, canonical, namespace))),
        }
    }

    /// Who has to be there.
    pub fn needs(&self, reading: Reading<'_>) -> Result<Cow<'_, [Need]>, DecodeError> {
        let Reading { canonical, namespace } = reading;
        match &self.loose {
            Some(loose) => Ok(Cow::Borrowed(&loose.needs)),
            None => Ok(Cow::Owned(needs(&self.read(canonical)?, canonical, namespace))),
        }
    }

    /// The words as they are stored.
    pub fn as_stored(&self) -> Cow<'_, [u8]> {
        self.packed.read()
    }

    /// Where the words are that are stored, if they gain by being packed together with those of others.
    pub(crate) fn loose_stored(&mut self) -> Option<&mut Content<'static>> {
        (self.packed.len() < WORTH_COMPRESSING_BYTES).then_some(&mut self.packed)
    }

    /// The words, if they are loose.
    pub fn loose(&self) -> Option<&[Statement]> {
        self.loose.as_ref().map(|loose| loose.words.as_slice())
    }

    /// The words.
    pub fn words(&self, canonical: &Canonical) -> Result<Cow<'_, [Statement]>, DecodeError> {
        match self.loose() {
            Some(loose) => Ok(Cow::Borrowed(loose)),
            None => Ok(Cow::Owned(self.read(canonical)?)),
        }
    }

    /// The words, out of what is packed.
    fn read(&self, canonical: &Canonical) -> Result<Vec<Statement>, DecodeError> {
        let contributions = decode(&self.packed.read(), canonical)?.into_iter();
        Ok(contributions.map(|contribution| Statement::new(contribution, canonical)).collect())
    }
}

/// Of whom statements speak that are not needed any more.
pub fn marks(statements: &[Statement], canonical: &Canonical, namespace: Namespace) -> Vec<Mark> {
    let mut names = Names { canonical, namespace, known: HashMap::default() };
    statements.iter().map(|statement| names.mark(statement)).collect()
}

/// Who has to be there for what statements say that are not needed any more.
pub fn needs(statements: &[Statement], canonical: &Canonical, namespace: Namespace) -> Vec<Need> {
    Names { canonical, namespace, known: HashMap::default() }.needs(statements)
}

/// The ids of entities that one record names; who is spoken of is often referred to as well.
struct Names<'n> {
    canonical: &'n Canonical,
    namespace: Namespace,
    known: HashMap<(KindId, &'n str), Uuid>,
}

impl<'n> Names<'n> {
    fn mark(&mut self, statement: &'n Statement) -> Mark {
        let (kind, source_id) = (statement.contribution.kind, statement.contribution.source_id.as_str());
        let Self { canonical, namespace, known } = self;
        let id = known
            .entry((kind, source_id))
            .or_insert_with(|| namespace.sourced_id(&canonical.kind(kind).name, source_id));
        Mark { kind, whole: statement.whole, sourced_id: *id, digest: statement.digest }
    }

    fn id(&self, kind: KindId, source_id: &str) -> Uuid {
        let known = self.known.get(&(kind, source_id)).copied();
        known.unwrap_or_else(|| self.namespace.sourced_id(&self.canonical.kind(kind).name, source_id))
    }

    /// In the order of the statements; each reference hardly ever twice.
    fn needs(&self, statements: &[Statement]) -> Vec<Need> {
        let mut needs = Vec::new();
        let mut seen = reference::Seen::default();
        for statement in statements {
            let contribution = &statement.contribution;
            if !statement.whole {
                let sourced_id = self.id(contribution.kind, &contribution.source_id);
                needs.push(Need { kind: contribution.kind, sourced_id, adds: true });
            }
            seen.each_new(contribution, self.canonical, &mut |kind, source_id| {
                needs.push(Need { kind, sourced_id: self.id(kind, source_id), adds: false });
            });
        }
        needs.shrink_to_fit();
        needs
    }
}

#[cfg(test)]
mod tests {
    use super::{Need, Reading, Said, marks};
    use crate::fixture::{canonical, field, nested};
    use crate::identity::Namespace;
    use crate::map::{Contribution, Value};

    #[test]
    fn packed_words_are_the_same_words() {
        let (canonical, namespace) = (canonical(), Namespace::of("tenant", "connection"));
        let (person, group) = (canonical.id("person").unwrap(), canonical.id("group").unwrap());
        let roles = |json: &str| (field("roles"), nested(json));
        let whole = vec![
            (field("name"), Value::Text("A".to_owned())),
            (field("team"), Value::Reference("g".to_owned())),
            roles(r#"[{"group":"h"}]"#),
        ];
        let contributions = vec![
            Contribution { kind: person, source_id: "p".to_owned(), fields: whole },
            Contribution { kind: person, source_id: "q".to_owned(), fields: vec![roles("[]")] },
        ];
        let said = Said::new(contributions, &canonical, namespace);
        let reading = Reading { canonical: &canonical, namespace };
        let id = |kind: &str, source_id: &str| namespace.sourced_id(kind, source_id);
        assert_eq!(
            said.needs(reading).unwrap().as_ref(),
            [
                Need { kind: group, sourced_id: id("group", "g"), adds: false },
                Need { kind: group, sourced_id: id("group", "h"), adds: false },
                Need { kind: person, sourced_id: id("person", "q"), adds: true },
            ]
        );
        let packed = said.clone().packed();
        assert!(packed.loose().is_none());
        assert_eq!(packed.needs(reading).unwrap(), said.needs(reading).unwrap());
        assert_eq!(packed.marks(reading).unwrap(), said.marks(reading).unwrap());
        let (loose, packed) = (said.words(&canonical).unwrap(), packed.words(&canonical).unwrap());
        assert_eq!(marks(&loose, &canonical, namespace), said.marks(reading).unwrap().as_ref());
        let words = |all: &[crate::fold::Statement]| {
            all.iter().map(|one| (one.contribution.clone(), one.digest, one.whole)).collect::<Vec<_>>()
        };
        assert_eq!(words(&loose), words(&packed));
    }
}
