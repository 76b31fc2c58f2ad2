use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{OTHERS_MAX, Row, clashes, members};
use crate::description::{Constraint, Rule};
use crate::json::Pointer;
use crate::note::shown;

/// A record as tests write it: key, whether it came with the payload, values.
type Record<'r> = (&'r str, bool, Vec<Option<&'r str>>);

fn rule(code: &str, constraint: Constraint) -> Rule {
    Rule { code: code.to_owned(), constraint }
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).into()
}

fn pairs<const N: usize>(pairs: [[&str; 2]; N]) -> Vec<[String; 2]> {
    pairs.map(|pair| pair.map(str::to_owned)).into()
}

/// What is told of `records`, in the order in which they stand.
fn told(rules: &[Rule], records: &[Record<'_>]) -> Vec<String> {
    let pointers: Vec<_> = (0..records.len()).map(|nth| Pointer::root().item(nth)).collect();
    let keys: Vec<_> = records.iter().map(|(key, ..)| format!("[\"{key}\"]")).collect();
    let rows: Vec<_> = (0..records.len()).map(|nth| row(&keys[nth], &pointers[nth], &records[nth])).collect();
    let found = clashes(rules, &rows).into_iter();
    found.map(|(row, note)| format!("{} {} {}: {}", keys[row], note.pointer, note.code, note.message)).collect()
}

fn row<'r>(key: &'r str, pointer: &'r Pointer, (_, incoming, values): &Record<'r>) -> Row<'r> {
    let values = values.iter().map(|value| value.map(Cow::Borrowed)).collect();
    Row { key, incoming: incoming.then_some(pointer), values }
}

#[test]
fn rules_look_at_each_member_once() {
    let rules = [
        rule("a", Constraint::Unique(names(["email"]))),
        rule("b", Constraint::OneToOne(pairs([["site", "site_name"], ["email", "site"]]))),
        rule("c", Constraint::Disjoint(names(["site_name", "learner"]))),
    ];
    assert_eq!(members(&rules), ["email", "site", "site_name", "learner"]);
}

#[test]
fn who_shares_what_must_be_unique_is_blamed_with_all_the_others() {
    let rules = [rule("email-taken", Constraint::Unique(names(["email"])))];
    let records = [
        ("B1", true, vec![Some("a@x")]),
        ("B2", false, vec![Some("a@x")]),
        ("B3", true, vec![Some("b@x")]),
        ("B4", true, vec![Some("a@x")]),
        ("B5", true, vec![None]),
        ("B6", true, vec![None]),
        ("B7", true, vec![Some("")]),
        ("B8", true, vec![Some("")]),
    ];
    insta::assert_snapshot!(told(&rules, &records).join("\n"), @r#"
        ["B1"] /0/email email-taken: `email` of B1 must be unique; the same: B2 (email), B4 (email)
        ["B4"] /3/email email-taken: `email` of B4 must be unique; the same: B1 (email), B2 (email)
    "#);
}

#[test]
fn several_members_are_unique_together() {
    let rules = [rule("seat-taken", Constraint::Unique(names(["room", "seat"])))];
    let records = [
        ("A", true, vec![Some("1"), Some("2")]),
        ("B", true, vec![Some("1"), Some("3")]),
        ("C", true, vec![Some("1"), Some("2")]),
        ("D", true, vec![Some("1"), None]),
        ("E", true, vec![Some("1"), None]),
        ("F", true, vec![Some("12"), Some("3")]),
        ("G", true, vec![Some("1"), Some("23")]),
    ];
    insta::assert_snapshot!(told(&rules, &records).join("\n"), @r#"
        ["A"] /0 seat-taken: `room, seat` of A must be unique; the same: C (room, seat)
        ["C"] /2 seat-taken: `room, seat` of C must be unique; the same: A (room, seat)
    "#);
}

#[test]
fn one_id_under_two_roles_names_both_contracts_and_both_members() {
    let rules = [rule("shared-id", Constraint::Disjoint(names(["learner", "tutor"])))];
    let records = [
        ("C1", true, vec![Some("7"), Some("1")]),
        ("C2", true, vec![Some("8"), Some("7")]),
        ("C3", true, vec![Some("9"), Some("1")]),
        ("C4", true, vec![Some("4"), Some("4")]),
        ("C5", false, vec![Some("7"), None]),
    ];
    insta::assert_snapshot!(told(&rules, &records).join("\n"), @r#"
        ["C1"] /0/learner shared-id: `learner` of C1 must not be the value of another member; it is in C2 (tutor)
        ["C2"] /1/tutor shared-id: `tutor` of C2 must not be the value of another member; it is in C1 (learner), C5 (learner)
        ["C4"] /3/learner shared-id: `learner` of C4 must not be the value of another member; it is in C4 (tutor)
        ["C4"] /3/tutor shared-id: `tutor` of C4 must not be the value of another member; it is in C4 (learner)
    "#);
}

#[test]
fn one_address_for_two_people_is_found_across_members() {
    let addresses = pairs([["learner_email", "learner"], ["tutor_email", "tutor"]]);
    let rules = [rule("shared-email", Constraint::Determines(addresses))];
    let records = [
        ("C1", true, vec![Some("a@x"), Some("1"), Some("t@x"), Some("9")]),
        ("C2", true, vec![Some("b@x"), Some("2"), Some("a@x"), Some("8")]),
        ("C3", true, vec![Some("c@x"), Some("3"), Some("t@x"), Some("9")]),
        ("C4", true, vec![Some("d@x"), None, Some("d@x"), Some("4")]),
        ("C5", true, vec![Some("e@x"), Some("1"), None, None]),
    ];
    insta::assert_snapshot!(told(&rules, &records).join("\n"), @r#"
        ["C1"] /0/learner_email shared-email: `learner_email` of C1 must go with one `learner` only; another: C2 (tutor_email)
        ["C2"] /1/tutor_email shared-email: `tutor_email` of C2 must go with one `tutor` only; another: C1 (learner_email)
    "#);
}

#[test]
fn a_code_with_two_names_and_a_name_with_two_codes_are_both_wrong() {
    let rules = [rule("ambiguous-site", Constraint::OneToOne(pairs([["site", "site_name"]])))];
    let records = [
        ("C1", true, vec![Some("P"), Some("Paris")]),
        ("C2", true, vec![Some("P"), Some("Paris 2")]),
        ("C3", false, vec![Some("L"), Some("Lyon")]),
        ("C4", true, vec![Some("M"), Some("Lyon")]),
        ("C5", true, vec![Some("N"), Some("Nice")]),
        ("C6", true, vec![Some("N"), Some("Nice")]),
    ];
    insta::assert_snapshot!(told(&rules, &records).join("\n"), @r#"
        ["C1"] /0/site ambiguous-site: `site` of C1 must go with one `site_name` only; another: C2 (site)
        ["C2"] /1/site ambiguous-site: `site` of C2 must go with one `site_name` only; another: C1 (site)
        ["C4"] /3/site_name ambiguous-site: `site_name` of C4 must go with one `site` only; another: C3 (site_name)
    "#);
}

#[test]
fn what_was_stored_before_is_named_and_not_blamed() {
    let rules = [rule("email-taken", Constraint::Unique(names(["email"])))];
    let stored = [("A", false, vec![Some("a@x")]), ("B", false, vec![Some("a@x")]), ("C", true, vec![Some("b@x")])];
    assert_eq!(told(&rules, &stored), Vec::<String>::new());
}

#[test]
fn a_note_carries_the_words_of_other_languages() {
    let rules = [rule("ambiguous-site", Constraint::OneToOne(pairs([["site", "site_name"]])))];
    let (pointer, values) = (Pointer::root().item(0), |name| vec![Some(Cow::Borrowed("P")), Some(Cow::Borrowed(name))]);
    let rows = [
        Row { key: r#"["C1",2025]"#, incoming: Some(&pointer), values: values("Paris") },
        Row { key: r#"["C2",2025]"#, incoming: None, values: values("Paris 2") },
    ];
    let [(0, note)] = &clashes(&rules, &rows)[..] else { panic!("one is blamed") };
    assert_eq!((note.pointer.as_str(), note.code.as_str()), ("/0/site", "ambiguous-site"));
    let words: Vec<_> = note.words.iter().map(|(name, word)| (name.as_str(), word.as_str())).collect();
    let expected = [("expected", "site_name"), ("field", "site"), ("key", "C1 / 2025"), ("other", "C2 / 2025 (site)")];
    assert_eq!(words, expected);
}

#[test]
fn of_many_who_contradict_few_are_named() {
    const MANY: usize = 20_000;
    let rules = [rule("ambiguous-site", Constraint::OneToOne(pairs([["site", "site_name"]])))];
    let keys: Vec<_> = (0..MANY).map(|nth| format!("C{nth:05}")).collect();
    let one = MANY / 2;
    let record = |nth: usize| (&*keys[nth], true, vec![Some("P"), Some(if nth == one { "Paris 2" } else { "Paris" })]);
    let told = told(&rules, &(0..MANY).map(record).collect::<Vec<_>>());
    assert_eq!(told.len(), MANY);
    let of_one = "`site` of C10000 must go with one `site_name` only; another: \
        C00000 (site), C00001 (site), C00002 (site), C00003 (site), C00004 (site), …";
    assert!(told[one].ends_with(of_one), "{}", told[one]);
    let of_another = "`site` of C00007 must go with one `site_name` only; another: C10000 (site)";
    assert!(told[7].ends_with(of_another), "{}", told[7]);
}

/// What is blamed, as slowly and plainly as possible: key, code, member and others, by comparing each with each.
fn compared(rules: &[Rule], records: &[Record<'_>]) -> BTreeSet<(String, String, String, String)> {
    let columns = members(rules);
    let value = |record: &Record<'_>, member: &String| {
        let column = columns.iter().position(|column| column == member).unwrap();
        record.2[column].filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let mut contradicting: BTreeMap<(String, String, String), BTreeSet<String>> = BTreeMap::new();
    for rule in rules {
        for (bucket, side, nth, field) in standings(rule, records, &value) {
            for (_, _, other, other_field) in standings(rule, records, &value)
                .into_iter()
                .filter(|(other_bucket, other_side, ..)| *other_bucket == bucket && *other_side != side)
            {
                if records[nth].1 {
                    let blamed = (records[nth].0.to_owned(), rule.code.clone(), field.clone());
                    let other = format!("{} ({other_field})", records[other].0);
                    contradicting.entry(blamed).or_default().insert(other);
                }
            }
        }
    }
    let shortened = |others: BTreeSet<String>| {
        let more = (others.len() > OTHERS_MAX).then(|| "…".to_owned());
        others.into_iter().take(OTHERS_MAX).chain(more).collect::<Vec<_>>().join(", ")
    };
    contradicting.into_iter().map(|((key, code, field), others)| (key, code, field, shortened(others))).collect()
}

/// Bucket, side, record and member of all that a rule puts somewhere.
fn standings(
    rule: &Rule,
    records: &[Record<'_>],
    value: &impl Fn(&Record<'_>, &String) -> Option<String>,
) -> Vec<(Vec<String>, String, usize, String)> {
    let mut found = Vec::new();
    for (nth, record) in records.iter().enumerate() {
        match &rule.constraint {
            Constraint::Unique(members) => {
                let values: Option<Vec<_>> = members.iter().map(|member| value(record, member)).collect();
                found.extend(values.map(|values| (values, nth.to_string(), nth, members.join(", "))));
            }
            Constraint::Disjoint(members) => found.extend(
                members
                    .iter()
                    .filter_map(|member| Some((vec![value(record, member)?], member.clone(), nth, member.clone()))),
            ),
            Constraint::Determines(pairs) | Constraint::OneToOne(pairs) => {
                let both = matches!(rule.constraint, Constraint::OneToOne(_));
                for [one, other] in pairs {
                    if let (Some(first), Some(second)) = (value(record, one), value(record, other)) {
                        let there = |text: &str| format!("> {text}");
                        found.push((vec![there(&first)], second.clone(), nth, one.clone()));
                        found.extend(both.then(|| (vec![second], first, nth, other.clone())));
                    }
                }
            }
        }
    }
    found
}

fn all_rules() -> Vec<Rule> {
    vec![
        rule("unique", Constraint::Unique(names(["a"]))),
        rule("together", Constraint::Unique(names(["b", "c"]))),
        rule("disjoint", Constraint::Disjoint(names(["a", "b", "d"]))),
        rule("determines", Constraint::Determines(pairs([["a", "c"], ["b", "d"]]))),
        rule("paired", Constraint::OneToOne(pairs([["a", "b"], ["c", "d"]]))),
    ]
}

fn records() -> impl Strategy<Value = Vec<(bool, Vec<Option<&'static str>>)>> {
    let value = prop::option::weighted(0.8, prop::sample::select(vec!["", "1", "2", "3", "4"]));
    prop::collection::vec((prop::bool::weighted(0.7), prop::collection::vec(value, 4)), 0..14)
}

proptest! {
    #[test]
    fn all_and_only_those_are_blamed_who_contradict_another(
        records in records(),
        rules in prop::sample::subsequence(all_rules(), 1..5),
        order in any::<prop::sample::Index>(),
    ) {
        let columns = members(&rules).len();
        let keys: Vec<_> = (0..records.len()).map(|nth| format!("K{nth:02}")).collect();
        let mut records: Vec<Record<'_>> = records
            .iter()
            .zip(&keys)
            .map(|((incoming, values), key)| (key.as_str(), *incoming, values[..columns].to_vec()))
            .collect();
        let expected = compared(&rules, &records);
        prop_assert_eq!(&blamed(&rules, &records), &expected);
        let turn = if records.is_empty() { 0 } else { order.index(records.len()) };
        records.rotate_left(turn);
        records.reverse();
        prop_assert_eq!(&blamed(&rules, &records), &expected);
    }
}

/// The same of what is tested.
fn blamed(rules: &[Rule], records: &[Record<'_>]) -> BTreeSet<(String, String, String, String)> {
    let pointer = Pointer::root();
    let keys: Vec<_> = records.iter().map(|(key, ..)| format!("[\"{key}\"]")).collect();
    let rows: Vec<_> = keys.iter().zip(records).map(|(key, record)| row(key, &pointer, record)).collect();
    let found = clashes(rules, &rows);
    let count = found.len();
    let blamed: BTreeSet<_> = found
        .into_iter()
        .map(|(row, note)| {
            assert_eq!(shown(rows[row].key), note.words["key"]);
            let word = |name: &str| note.words[name].clone();
            (word("key"), note.code.clone(), word("field"), word("other"))
        })
        .collect();
    assert_eq!(blamed.len(), count, "nobody is told the same twice");
    blamed
}
