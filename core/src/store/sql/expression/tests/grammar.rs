//! Random expressions over the school of these tests, and random records of it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Described, RECORDS, Stored};
use crate::description::{Member, Type};

/// Expressions of each type, as their text: of a course where `item` is empty, else of an item of enrolments.
struct Grammar {
    item: &'static str,
}

/// Expressions of one type, by how deep they may be.
type Texts = BoxedStrategy<String>;

fn one_of(texts: &[&str]) -> Texts {
    prop::sample::select(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).boxed()
}

impl Grammar {
    const COURSE: Self = Self { item: "" };
    const ENROLMENT: Self = Self { item: "e" };

    fn integer(&self, depth: u32) -> Texts {
        let simple = match self.item {
            "" => {
                one_of(&["id", "category_id", "places", "takers", "labels[0]", "labels[1]", "options.number", "1", "2"])
            }
            _ => one_of(&["e.id", "e.course_id", "e.student_id", "id", "places", "takers", "2"]),
        };
        let Some(below) = depth.checked_sub(1) else { return simple };
        let key = self.integer(below);
        let sum = (self.integer(below), self.integer(below)).prop_map(|(one, other)| format!("({one} + {other})"));
        let nested = (key, one_of(&["parent_id", "size"])).prop_map(|(key, name)| format!("Category[{key}].{name}"));
        let length = self.text(below).prop_map(|text| format!("size({text})"));
        let chosen = (self.boolean(below), self.integer(below), self.integer(below))
            .prop_map(|(condition, one, other)| format!("({condition} ? {one} : {other})"));
        let mut ways = vec![simple, sum.boxed(), nested.boxed(), length.boxed(), chosen.boxed()];
        if self.item.is_empty() {
            let of_enrolments = Self::ENROLMENT.boolean(below);
            ways.push(of_enrolments.prop_map(|that| format!("size(Enrolment.filter(e, {that}))")).boxed());
            ways.push(one_of(&["Enrolment.max(e, e.student_id)", "Course.min(c, c.places)", "size(guests)", "-id"]));
        }
        prop::strategy::Union::new(ways).boxed()
    }

    fn text(&self, depth: u32) -> Texts {
        let simple = match self.item {
            "" => one_of(&["name", "cost", "place.city", "cheapest", "options.word", "'a'", "guests[0].name"]),
            _ => one_of(&["e.status", "e.cost", "name", "'b'"]),
        };
        let Some(below) = depth.checked_sub(1) else { return simple };
        let key = self.integer(below).prop_map(|key| format!("Category[{key}].title"));
        let spelled = self.integer(below).prop_map(|integer| format!("string({integer})"));
        let joined = (self.text(below), self.text(below)).prop_map(|(one, other)| format!("({one} + {other})"));
        let mut ways = vec![simple, key.boxed(), spelled.boxed(), joined.boxed()];
        if self.item.is_empty() {
            let of_enrolments = || Self::ENROLMENT.boolean(below);
            ways.push(of_enrolments().prop_map(|that| format!("Enrolment.filter(e, {that})[0].status")).boxed());
            ways.push(of_enrolments().prop_map(|that| format!("Enrolment.filter(e, {that}).max(e, e.cost)")).boxed());
        }
        prop::strategy::Union::new(ways).boxed()
    }

    fn number(&self, depth: u32) -> Texts {
        let simple = if self.item.is_empty() { one_of(&["weight", "1.5"]) } else { one_of(&["weight", "2"]) };
        let decimal = self.text(0).prop_map(|text| format!("decimal({text})"));
        let Some(below) = depth.checked_sub(1) else { return prop_oneof![simple, decimal].boxed() };
        let sum = (self.number(below), self.integer(below)).prop_map(|(one, other)| format!("({one} + {other})"));
        prop_oneof![simple, decimal, sum].boxed()
    }

    fn boolean(&self, depth: u32) -> Texts {
        let simple = match self.item {
            "" => one_of(&[
                "is_open",
                "free",
                "has(cost)",
                "(options.flag && is_open)",
                "(options.flag || free)",
                "(1 in labels)",
                "(category_id in labels)",
                "(id in value)",
                "('a' in tags)",
                "tags.exists(t, t in ['b', options.word])",
                "labels.exists(l, l in value)",
                "guests.exists(g, g.user_id == places)",
                "search('O', name, place.city)",
                "(places in [1, null])",
                "(category_id == null)",
                "(Category[category_id] != null)",
                "glob('?b*', name)",
            ]),
            _ => one_of(&[
                "(e.course_id == id)",
                "(e.student_id in value)",
                "(e.student_id == places)",
                "has(e.cost)",
                "is_open",
                "(e.status == 'a')",
                "(e.student_id in labels)",
                "(e.course_id == category_id)",
                "!(e.status in ['a', 'b'])",
            ]),
        };
        let Some(below) = depth.checked_sub(1) else { return simple };
        let symbol = || one_of(&["==", "!=", "<", "<=", ">", ">="]);
        let compare = |(one, symbol, other)| format!("({one} {symbol} {other})");
        let same = |(one, symbol, other)| format!("({one} {symbol} {other})");
        let condition = || self.boolean(below);
        let mut ways = vec![
            simple,
            (self.integer(below), symbol(), self.integer(below)).prop_map(compare).boxed(),
            (self.text(below), symbol(), self.text(below)).prop_map(compare).boxed(),
            (self.number(below), symbol(), self.number(below)).prop_map(compare).boxed(),
            (condition(), one_of(&["&&", "||", "&&", "||", "==", "!="]), condition()).prop_map(same).boxed(),
            condition().prop_map(|condition| format!("!({condition})")).boxed(),
            self.integer(below).prop_map(|integer| format!("({integer} in [1, {integer}, id])")).boxed(),
            self.integer(below).prop_map(|key| format!("Category[{key}].is_open")).boxed(),
            self.integer(below).prop_map(|key| format!("(Category[{key}].parent_id in value)")).boxed(),
            (condition(), condition(), condition())
                .prop_map(|(condition, one, other)| format!("({condition} ? {one} : {other})"))
                .boxed(),
        ];
        if self.item.is_empty() {
            let of_enrolments = || Self::ENROLMENT.boolean(below);
            ways.push(of_enrolments().prop_map(|that| format!("Enrolment.exists(e, {that})")).boxed());
            let linked = of_enrolments().prop_map(|that| {
                format!("Enrolment.exists(e, e.course_id == category_id && e.student_id == 1 && {that})")
            });
            ways.push(linked.boxed());
        } else {
            let nested = self.boolean(0);
            ways.push(nested.prop_map(|that| format!("Category.exists(k, k.id == e.student_id && {that})")).boxed());
        }
        prop::strategy::Union::new(ways).boxed()
    }
}

/// Any expression that says something of a course.
pub(super) fn expressions() -> impl Strategy<Value = String> {
    let course = Grammar::COURSE;
    prop_oneof![4 => course.boolean(3), 1 => course.integer(3), 1 => course.text(3), 1 => course.number(2)]
}

/// A value of a type that records have, few of each so that they meet; `null` where it is absent.
fn values(of: &Type) -> BoxedStrategy<Value> {
    let text = ["a", "b", "Ab", "9.5", "10", "10.0", "-1", "free", "Oslo", "École"];
    match of {
        Type::Nullable(of) => prop_oneof![1 => Just(Value::Null), 2 => values(of)].boxed(),
        Type::Text => prop::sample::select(text.to_vec()).prop_map(Value::from).boxed(),
        Type::Integer => (0_i64..4).prop_map(Value::from).boxed(),
        Type::Number => prop::sample::select(vec![json!(1.5), json!(2), json!(-0.25)]).boxed(),
        Type::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Type::List(of) => prop::collection::vec(values(of), 0..3).prop_map(Value::from).boxed(),
        Type::Object(members) => object(members).prop_map(Value::Object).boxed(),
        _ => Just(Value::Null).boxed(),
    }
}

/// An object; members that need not be there may be absent.
fn object(members: &[Member]) -> BoxedStrategy<Map<String, Value>> {
    let members: Vec<_> = members
        .iter()
        .map(|member| {
            let value = values(&member.of);
            let value = if member.required { value.prop_map(Some).boxed() } else { prop::option::of(value).boxed() };
            let name = member.name.clone();
            value.prop_map(move |value| value.map(|value| (name.clone(), value)))
        })
        .collect();
    members.prop_map(|members| members.into_iter().flatten().collect()).boxed()
}

/// Records of each type, numbered from 1.
pub(super) fn stored() -> impl Strategy<Value = Stored> {
    let of = |(_, members, derived): Described, most: usize| {
        let stored: Vec<_> =
            members().into_iter().filter(|member| !derived.iter().any(|(name, _)| *name == member.name)).collect();
        prop::collection::vec(object(&stored), 0..most).prop_map(|mut rows| {
            for (id, row) in (1..).zip(&mut rows) {
                row.insert("id".to_owned(), json!(id));
            }
            rows
        })
    };
    let [course, category, enrolment] = RECORDS;
    (of(course, 4), of(category, 4), of(enrolment, 6))
        .prop_map(|(courses, categories, enrolments)| Stored([courses, categories, enrolments]))
}
