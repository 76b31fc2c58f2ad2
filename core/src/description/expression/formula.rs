//! Turns an expression into a [`Formula`]: what a database computes of stored records, or says what it cannot.
//!
//! The decision falls here, when a description is loaded; the store turns every formula into its own language. What
//! speaks of no record is [`Fixed`]: it is computed before the database is asked, so a function that no database has may
//! still be used on `value` and `options`.
//!
//! To let a database compute one more thing: a variant of [`Formula`], where it comes from in `Lowering`, its
//! meaning in the store.

use std::borrow::Cow;

use serde_json::Value;

use super::evaluate::{Scope, evaluate};
use super::{Expression, Loop, Member, Node, Operation, Type, Typed, Unset};
use crate::table::ColumnForm;

/// Members of a record that is looked at as a whole: a database's functions take so many arguments.
const MEMBERS_MAX: usize = 60;

/// What a database computes, for each record that it looks at.
#[derive(Debug)]
pub enum Formula<'e> {
    /// The same for every record.
    Fixed(Fixed<'e>),
    /// What a record says in a member, or an item of a list of it, or further inside.
    Said {
        /// What it is a part of.
        of: Part<'e>,
        /// The way down from there.
        inside: Vec<Step<'e>>,
        /// What it is.
        form: ColumnForm,
        /// Whether it is never `null`.
        certain: bool,
    },
    /// Both hold.
    And(Box<Formula<'e>>, Box<Formula<'e>>),
    /// One of them holds.
    Or(Box<Formula<'e>>, Box<Formula<'e>>),
    /// It does not hold.
    Not(Box<Formula<'e>>),
    /// Both are the same; `null` is the same as `null`.
    Same(Box<Formula<'e>>, Box<Formula<'e>>),
    /// How one stands to the other.
    Compare(Comparison, Box<Formula<'e>>, Box<Formula<'e>>),
    /// One of these values, or, where it is an object, one of its members' names.
    Among(Box<Formula<'e>>, Fixed<'e>),
    /// The first, a list (or an object), has the second among its items (or its members' names).
    Holds(Box<Formula<'e>>, Box<Formula<'e>>, Contents),
    /// Where the first holds the second, where it does not the third.
    Choose(Box<Formula<'e>>, Box<Formula<'e>>, Box<Formula<'e>>),
    /// One number more than the other.
    Sum(Box<Formula<'e>>, Box<Formula<'e>>),
    /// One text after the other.
    Joined(Box<Formula<'e>>, Box<Formula<'e>>),
    /// The number with the other sign.
    Negated(Box<Formula<'e>>),
    /// How many characters a text has.
    Length(Box<Formula<'e>>),
    /// How many items a list, or members an object, has.
    Contents(Box<Formula<'e>>, Contents),
    /// An integer or a boolean as text.
    Text(Box<Formula<'e>>),
    /// A text that is a decimal as a number; `null` where it is none.
    Decimal(Box<Formula<'e>>),
    /// Whether the pattern, the first, fits the text.
    Glob(Box<Formula<'e>>, Box<Formula<'e>>),
    /// Whether one of the texts holds what is wanted, whatever the case.
    Search(Fixed<'e>, Vec<Formula<'e>>),
    /// Whether there are any.
    Exists(Rows<'e>),
    /// How many there are.
    Count(Rows<'e>),
    /// What the one after so many says; `null` if there is none.
    Nth(Rows<'e>, Option<Fixed<'e>>, Box<Formula<'e>>),
    /// The smallest of what they say (or the largest); `null` if there is none.
    Extreme(Extreme, Rows<'e>, Box<Formula<'e>>),
    /// The integers that they say together.
    Total(Rows<'e>, Box<Formula<'e>>),
    /// An object with these members; without those that are `null`.
    Object(Vec<(&'e str, Formula<'e>)>),
}

/// What is computed before a database is asked.
#[derive(Debug, Clone, Copy)]
pub struct Fixed<'e> {
    typed: &'e Typed,
    /// Loops around it.
    depth: usize,
}

/// What something is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'e> {
    /// A member of the record at hand.
    Own(&'e str),
    /// A member of one of the rows that are looked through: of the outermost ones, 0, and so on inward.
    Row(usize, &'e str),
    /// An item of the lists that are looked through, likewise.
    Item(usize),
}

/// One step into something nested.
#[derive(Debug, Clone, Copy)]
pub enum Step<'e> {
    /// The member of this name.
    Member(&'e str),
    /// The item of this number, or the member of this name.
    At(Fixed<'e>),
}

/// How one value stands to another. Where one is `null`, so is the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// What something nested holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// A list's items.
    Items,
    /// An object's members.
    Members,
}

/// Which of many values. Texts that are decimals are compared as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Extreme {
    Least,
    Greatest,
}

/// What is looked through, in its order.
#[derive(Debug)]
pub struct Rows<'e> {
    /// Where it comes from.
    pub source: Source<'e>,
    /// What holds for those that count.
    pub conditions: Vec<Formula<'e>>,
}

/// Where rows come from.
#[derive(Debug)]
pub enum Source<'e> {
    /// The records of the type of this name.
    Records(&'e str),
    /// The record of the type of this name whose key, this member, is so.
    Key(&'e str, &'e str, Box<Formula<'e>>),
    /// The items of a list.
    List(Box<Formula<'e>>),
}

/// What a database cannot compute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a database cannot compute {what}")]
pub struct Untranslatable {
    /// What it is.
    pub what: String,
}

impl Expression {
    /// What a database has to compute.
    pub fn formula(&self) -> Result<Formula<'_>, Untranslatable> {
        Lowering::default().formula(&self.0)
    }
}

impl<'e> Formula<'e> {
    /// Whether it is so for something that it speaks of.
    pub fn speaks_of(&self, is: &dyn Fn(Part<'e>) -> bool) -> bool {
        let any = |formulas: &[&Self]| formulas.iter().any(|formula| formula.speaks_of(is));
        match self {
            Self::Fixed(_) => false,
            Self::Said { of, .. } => is(*of),
            Self::And(one, other)
            | Self::Or(one, other)
            | Self::Same(one, other)
            | Self::Compare(_, one, other)
            | Self::Holds(one, other, _)
            | Self::Sum(one, other)
            | Self::Joined(one, other)
            | Self::Glob(one, other) => any(&[one, other]),
            Self::Not(one)
            | Self::Among(one, _)
            | Self::Negated(one)
            | Self::Length(one)
            | Self::Contents(one, _)
            | Self::Text(one)
            | Self::Decimal(one) => one.speaks_of(is),
            Self::Choose(one, other, third) => any(&[one, other, third]),
            Self::Search(_, texts) => texts.iter().any(|text| text.speaks_of(is)),
            Self::Exists(rows) | Self::Count(rows) => rows.speak_of(is),
            Self::Nth(rows, _, about) | Self::Extreme(_, rows, about) | Self::Total(rows, about) => {
                rows.speak_of(is) || about.speaks_of(is)
            }
            Self::Object(members) => members.iter().any(|(_, member)| member.speaks_of(is)),
        }
    }

    /// The conditions that it is made of, all of which have to hold.
    pub fn conditions(&self) -> Vec<&Self> {
        match self {
            Self::And(one, other) => [one.conditions(), other.conditions()].concat(),
            single => vec![single],
        }
    }
}

impl<'e> Rows<'e> {
    fn speak_of(&self, is: &dyn Fn(Part<'e>) -> bool) -> bool {
        let source = match &self.source {
            Source::Records(_) => false,
            Source::Key(_, _, formula) | Source::List(formula) => formula.speaks_of(is),
        };
        source || self.conditions.iter().any(|condition| condition.speaks_of(is))
    }
}

impl Fixed<'_> {
    /// What it is; `context` has `value` and `options`, where there are any.
    pub fn compute(&self, context: &Value) -> Result<Value, Unset> {
        evaluate(self.typed, Scope::below(context, self.depth)).map(Cow::into_owned)
    }
}

/// How what the typed tree numbers becomes what a database looks through.
#[derive(Clone, Default)]
struct Lowering {
    /// For each loop around, the outer one first: the number of its rows.
    loops: Vec<usize>,
    /// How many rows are being looked through.
    rows: usize,
}

type Lowered<T> = Result<T, Untranslatable>;

impl Lowering {
    fn formula<'e>(&self, typed: &'e Typed) -> Lowered<Formula<'e>> {
        if let Some(fixed) = self.fixed(typed) {
            return Ok(Formula::Fixed(fixed));
        }
        match &typed.node {
            Node::Own(_) | Node::Item(..) | Node::Member(..) | Node::Index(..) => self.said(typed),
            Node::Operation(operation, operands) => self.operation(*operation, operands),
            Node::Loop(Loop::Exists, ..) => Ok(Formula::Exists(self.rows(typed)?)),
            Node::Loop(Loop::Least, list, about) => self.extreme(Extreme::Least, list, about),
            Node::Loop(Loop::Greatest, list, about) => self.extreme(Extreme::Greatest, list, about),
            Node::Loop(Loop::Total, list, about) => {
                let (rows, about) = (self.rows(list)?, self.within().formula(about)?);
                Ok(Formula::Total(rows, Box::new(about)))
            }
            Node::Loop(Loop::Filter, ..) | Node::Records(_) => Err(cannot("a list of records as a whole")),
            Node::Record(..) => self.whole(typed),
            Node::List(_) | Node::Map(_) => Err(cannot("a list or a map made of members")),
            Node::Has(..) => Err(cannot("whether something that is no record has a member")),
            Node::Literal(_) | Node::Name(_) | Node::Given(_) => Err(cannot("this")),
        }
    }

    /// What speaks of nothing that is looked through.
    fn fixed<'e>(&self, typed: &'e Typed) -> Option<Fixed<'e>> {
        let depth = self.loops.len();
        let speaks_of_rows = typed.any(&|node| match node {
            Node::Own(_) | Node::Records(_) => true,
            Node::Item(at, _) => *at < depth,
            _ => false,
        });
        (!speaks_of_rows).then_some(Fixed { typed, depth })
    }

    /// Something that is stored.
    fn said<'e>(&self, typed: &'e Typed) -> Lowered<Formula<'e>> {
        let (form, certain) = (form(&typed.of), !matches!(typed.of, Type::Nullable(_) | Type::Null | Type::Any));
        let of = |of| Ok(Formula::Said { of, inside: Vec::new(), form, certain });
        match &typed.node {
            Node::Own(name) => of(Part::Own(name)),
            Node::Item(..) if matches!(typed.of, Type::Record(_)) => Err(cannot("a record as a whole")),
            Node::Item(at, _) => of(Part::Item(self.loops[*at])),
            Node::Member(operand, name, _) => match (operand.of.unwrapped(), &operand.node) {
                (Type::Record(_), Node::Item(at, _)) => of(Part::Row(self.loops[*at], name)),
                (Type::Record(_), _) => {
                    let (rows, nth) = self.single(operand)?;
                    let member = Formula::Said { of: Part::Row(self.rows, name), inside: Vec::new(), form, certain };
                    Ok(Formula::Nth(rows, nth, Box::new(member)))
                }
                _ => deeper(self.formula(operand)?, Step::Member(checked(name)?), form),
            },
            Node::Index(operand, index, _) => {
                let Some(at) = self.fixed(index) else { return Err(cannot("an index that differs by record")) };
                match (operand.of.unwrapped(), &operand.node) {
                    (Type::Record(_), _) => Err(cannot("a member in brackets: write `x.y`")),
                    (_, Node::Loop(Loop::Filter, ..)) => {
                        let item =
                            Formula::Said { of: Part::Item(self.rows), inside: Vec::new(), form, certain: false };
                        match typed.of.unwrapped() {
                            Type::Record(_) => self.whole(typed),
                            _ => Ok(Formula::Nth(self.rows(operand)?, Some(at), Box::new(item))),
                        }
                    }
                    _ => {
                        let step = match &index.node {
                            Node::Literal(Value::String(name)) => Step::Member(checked(name)?),
                            _ => Step::At(at),
                        };
                        deeper(self.formula(operand)?, step, form)
                    }
                }
            }
            _ => Err(cannot("this")),
        }
    }

    /// All that a record says.
    fn whole<'e>(&self, record: &'e Typed) -> Lowered<Formula<'e>> {
        let members = match record.of.unwrapped() {
            Type::Record(row) => &row.of,
            of => of,
        };
        let Type::Object(members) = members else { return Err(cannot("a record of which nothing is known")) };
        if members.len() > MEMBERS_MAX {
            return Err(cannot("so large a record as a whole"));
        }
        let (rows, nth) = self.single(record)?;
        let member = |member: &'e Member| {
            let of = Part::Row(self.rows, &member.name);
            (member.name.as_str(), Formula::Said { of, inside: Vec::new(), form: form(&member.of), certain: false })
        };
        Ok(Formula::Nth(rows, nth, Box::new(Formula::Object(members.iter().map(member).collect()))))
    }

    /// What leads to a single record: the rows that it is one of, and which of them.
    fn single<'e>(&self, record: &'e Typed) -> Lowered<(Rows<'e>, Option<Fixed<'e>>)> {
        match &record.node {
            Node::Record(list, key, wanted) => {
                let Node::Records(name) = &list.node else { return Err(cannot("an index into these records")) };
                // What is wanted is computed where the record is looked for.
                let wanted = Self { rows: self.rows + 1, ..self.clone() }.formula(wanted)?;
                Ok((Rows { source: Source::Key(name, key, Box::new(wanted)), conditions: Vec::new() }, None))
            }
            Node::Index(list, at, _) => {
                let Some(at) = self.fixed(at) else { return Err(cannot("an index that differs by record")) };
                Ok((self.rows(list)?, Some(at)))
            }
            _ => Err(cannot("a choice between records")),
        }
    }

    /// The rows that a list, or a loop over it, comes to.
    fn rows<'e>(&self, list: &'e Typed) -> Lowered<Rows<'e>> {
        match &list.node {
            Node::Records(name) => Ok(Rows { source: Source::Records(name), conditions: Vec::new() }),
            Node::Loop(Loop::Filter | Loop::Exists, list, condition) => {
                let mut rows = self.rows(list)?;
                rows.conditions.push(self.within().formula(condition)?);
                Ok(rows)
            }
            _ => Ok(Rows { source: Source::List(Box::new(self.formula(list)?)), conditions: Vec::new() }),
        }
    }

    /// What holds within one more loop.
    fn within(&self) -> Self {
        Self { loops: [self.loops.as_slice(), &[self.rows]].concat(), rows: self.rows + 1 }
    }

    fn extreme<'e>(&self, extreme: Extreme, list: &'e Typed, about: &'e Typed) -> Lowered<Formula<'e>> {
        if form(&about.of) == ColumnForm::Json {
            return Err(cannot("the smallest or largest of values of several types"));
        }
        let (rows, about) = (self.rows(list)?, self.within().formula(about)?);
        Ok(Formula::Extreme(extreme, rows, Box::new(about)))
    }

    fn operation<'e>(&self, operation: Operation, operands: &'e [Typed]) -> Lowered<Formula<'e>> {
        let part = |operand: &'e Typed| self.formula(operand).map(Box::new);
        let scalar = |operand: &'e Typed| match form(&operand.of) {
            ColumnForm::Json => Err(cannot("what may be of several types, or is nested, in this place")),
            _ => part(operand),
        };
        Ok(match (operation, operands) {
            (Operation::And, [one, other]) => Formula::And(part(one)?, part(other)?),
            (Operation::Or, [one, other]) => Formula::Or(part(one)?, part(other)?),
            (Operation::Not, [one]) => Formula::Not(part(one)?),
            (Operation::Equal, [one, other]) => self.same(one, other)?,
            (Operation::Unequal, [one, other]) => Formula::Not(Box::new(self.same(one, other)?)),
            (Operation::Less, [one, other]) => self.compare(Comparison::Less, one, other)?,
            (Operation::AtMost, [one, other]) => self.compare(Comparison::AtMost, one, other)?,
            (Operation::Greater, [one, other]) => self.compare(Comparison::Greater, one, other)?,
            (Operation::AtLeast, [one, other]) => self.compare(Comparison::AtLeast, one, other)?,
            (Operation::Choose, [condition, one, other]) => Formula::Choose(part(condition)?, part(one)?, part(other)?),
            (Operation::In, [one, other]) => self.among(one, other)?,
            (Operation::Add, [one, other]) => match (form(&one.of), form(&other.of)) {
                (ColumnForm::Text, ColumnForm::Text) => Formula::Joined(part(one)?, part(other)?),
                _ => Formula::Sum(scalar(one)?, scalar(other)?),
            },
            (Operation::Negate, [one]) => Formula::Negated(scalar(one)?),
            (Operation::Size, [one]) => match one.of.unwrapped() {
                Type::Text => Formula::Length(part(one)?),
                Type::Records(_) => Formula::Count(self.rows(one)?),
                Type::List(_) if matches!(one.node, Node::Loop(..)) => Formula::Count(self.rows(one)?),
                Type::List(_) => Formula::Contents(part(one)?, Contents::Items),
                Type::Map(_) => Formula::Contents(part(one)?, Contents::Members),
                _ => return Err(cannot("the size of what may be of several types")),
            },
            (Operation::Text, [one]) => match form(&one.of) {
                ColumnForm::Text => self.formula(one)?,
                ColumnForm::Integer | ColumnForm::Boolean => Formula::Text(part(one)?),
                _ => return Err(cannot("how a number is spelled that may be no integer")),
            },
            (Operation::Decimal, [one]) => match form(&one.of) {
                ColumnForm::Text => Formula::Decimal(part(one)?),
                _ => *scalar(one)?,
            },
            (Operation::Glob, [pattern, text]) => Formula::Glob(scalar(pattern)?, scalar(text)?),
            (Operation::Search, [wanted, texts @ ..]) => {
                let Some(wanted) = self.fixed(wanted) else {
                    return Err(cannot("a search for what differs by record"));
                };
                let texts = texts.iter().map(|text| scalar(text).map(|text| *text));
                Formula::Search(wanted, texts.collect::<Result<_, _>>()?)
            }
            _ => return Err(cannot("this")),
        })
    }

    fn same<'e>(&self, one: &'e Typed, other: &'e Typed) -> Lowered<Formula<'e>> {
        let is_null = |typed: &Typed| typed.node == Node::Literal(Value::Null);
        let (one, other) = if is_null(one) { (other, one) } else { (one, other) };
        if let (Type::Record(_), true) = (one.of.unwrapped(), is_null(other)) {
            return match (&one.node, self.single(one)?) {
                (Node::Record(..), (rows, _)) => Ok(Formula::Not(Box::new(Formula::Exists(rows)))),
                _ => Err(cannot("a record as a whole")),
            };
        }
        let is_nested = |typed: &Typed| matches!(typed.of.unwrapped(), Type::List(_) | Type::Map(_) | Type::Object(_));
        let is_open = |typed: &Typed| *typed.of.unwrapped() == Type::Any && self.fixed(typed).is_none();
        if !is_null(other) && (is_nested(one) || is_nested(other) || is_open(one) && is_open(other)) {
            return Err(cannot("whether lists, objects or values of several types are the same"));
        }
        Ok(Formula::Same(Box::new(self.formula(one)?), Box::new(self.formula(other)?)))
    }

    fn compare<'e>(&self, how: Comparison, one: &'e Typed, other: &'e Typed) -> Lowered<Formula<'e>> {
        let is_open = |typed: &Typed| form(&typed.of) == ColumnForm::Json && self.fixed(typed).is_none();
        if is_open(one) || is_open(other) {
            return Err(cannot("which of two values of several types is the larger"));
        }
        Ok(Formula::Compare(how, Box::new(self.formula(one)?), Box::new(self.formula(other)?)))
    }

    fn among<'e>(&self, one: &'e Typed, container: &'e Typed) -> Lowered<Formula<'e>> {
        if let Some(container) = self.fixed(container) {
            return Ok(Formula::Among(Box::new(self.formula(one)?), container));
        }
        if let Node::List(items) = &container.node {
            let same = items.iter().map(|item| self.same(one, item));
            let any = same.reduce(|any, same| Ok(Formula::Or(Box::new(any?), Box::new(same?))));
            return any.unwrap_or_else(|| Err(cannot("this")));
        }
        let contents = match container.of.unwrapped() {
            Type::List(_) => Contents::Items,
            Type::Map(_) => Contents::Members,
            _ => return Err(cannot("what is in something of several types")),
        };
        if form(&one.of) == ColumnForm::Json && self.fixed(one).is_none() {
            return Err(cannot("whether something of several types is in a list"));
        }
        Ok(Formula::Holds(Box::new(self.formula(container)?), Box::new(self.formula(one)?), contents))
    }
}

/// One step further into something that is stored.
fn deeper<'e>(formula: Formula<'e>, step: Step<'e>, form: ColumnForm) -> Lowered<Formula<'e>> {
    match formula {
        Formula::Said { of, mut inside, .. } => {
            inside.push(step);
            Ok(Formula::Said { of, inside, form, certain: false })
        }
        Formula::Nth(rows, nth, of) => Ok(Formula::Nth(rows, nth, Box::new(deeper(*of, step, form)?))),
        _ => Err(cannot("a part of what is itself computed")),
    }
}

/// A name that can be a step into something nested.
fn checked(name: &str) -> Lowered<&str> {
    let is_odd = name.is_empty() || name.contains(['"', '\\', '[', '$']) || name.contains(char::is_control);
    if is_odd { Err(cannot(&format!("a nested member that is called `{name}`"))) } else { Ok(name) }
}

/// What a column would hold that holds it.
fn form(of: &Type) -> ColumnForm {
    match of.unwrapped() {
        Type::Boolean => ColumnForm::Boolean,
        Type::Integer => ColumnForm::Integer,
        Type::Number => ColumnForm::Number,
        Type::Text | Type::Null => ColumnForm::Text,
        Type::Any
        | Type::List(_)
        | Type::Map(_)
        | Type::Object(_)
        | Type::Nullable(_)
        | Type::Records(_)
        | Type::Record(_) => ColumnForm::Json,
    }
}

fn cannot(what: &str) -> Untranslatable {
    Untranslatable { what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::{Expression, Member, Type};

    #[test]
    fn what_no_database_computes_is_told() {
        let list = |of| Type::List(Box::new(of));
        let own = [
            Member::required("id", Type::Integer),
            Member::required("name", Type::Text),
            Member::required("labels", list(Type::Integer)),
            Member::required("weight", Type::Number),
            Member::optional("more", Type::Any),
            Member::optional("place", Type::Object(vec![Member::optional("the \"city\"", Type::Text)])),
        ];
        let names = [
            Member::required("value", Type::Text),
            Member::required("options", Type::Object(vec![Member::required("words", list(Type::Text))])),
            Member::required("Book", Type::records("Book", Some("id"), Type::Object(own.to_vec()))),
        ];
        let table = [
            ("Book.filter(b, b.id == id)", "a list of records as a whole"),
            ("Book", "a list of records as a whole"),
            ("(id == 1 ? Book[1] : Book[2]).name", "a choice between records"),
            ("Book.filter(b, true)[id].name", "an index that differs by record"),
            ("labels[id]", "an index that differs by record"),
            ("[id, 1]", "a list or a map made of members"),
            ("labels == [1]", "whether lists, objects or values of several types are the same"),
            ("more == Book[1].more", "whether lists, objects or values of several types are the same"),
            ("more < 1", "which of two values of several types is the larger"),
            ("search(name, value)", "a search for what differs by record"),
            ("string(weight)", "how a number is spelled that may be no integer"),
            ("size(more)", "the size of what may be of several types"),
            ("1 in more", "what is in something of several types"),
            ("Book.min(b, b.more)", "the smallest or largest of values of several types"),
            ("place['the \"city\"']", "a nested member that is called `the \"city\"`"),
        ];
        for (source, what) in table {
            let expression = Expression::compile_beside(source, &own, &names).unwrap();
            assert_eq!(expression.formula().unwrap_err().what, what, "{source}");
        }
        // What speaks of no record is computed before the database is asked.
        for source in ["options.words[0] == value", "[value, 'a']", "options.words.filter(w, w > value)", "value + 'a'"]
        {
            let expression = Expression::compile_beside(source, &own, &names).unwrap();
            assert!(matches!(expression.formula(), Ok(super::Formula::Fixed(_))), "{source}");
        }
    }
}
