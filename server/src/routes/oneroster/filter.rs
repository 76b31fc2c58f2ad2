//! Turns the standard's `filter` parameter into a [`Filter`]: `familyName='O''Brien' AND status='active'`.
//!
//! A field, dotted into objects, an operator, a value in quotes (a quote in it is doubled); at most two such clauses.

use rollcall_core::description::ProblemClass;
use rollcall_core::store::read::{Filter, Operator};

use crate::problem::Problem;

/// The code of a filter's problem; the standard's `invalid_filter_field`.
pub(super) const INVALID: &str = "invalid-filter";

/// All operators, longer ones first.
const OPERATORS: [(&str, Operator); 7] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Contains),
];

/// Reads a whole filter.
pub(super) fn parse(text: &str) -> Result<Filter, Problem> {
    let (first, rest) = clause(text)?;
    if rest.is_empty() {
        return Ok(first);
    }
    let (both, rest) = if let Some(rest) = rest.strip_prefix("AND ") {
        (true, rest)
    } else if let Some(rest) = rest.strip_prefix("OR ") {
        (false, rest)
    } else {
        return Err(invalid("after the first clause there must be ` AND ` or ` OR `"));
    };
    let (second, rest) = clause(rest)?;
    if !rest.is_empty() {
        return Err(invalid("there may be two clauses at most"));
    }
    let (first, second) = (Box::new(first), Box::new(second));
    Ok(if both { Filter::And(first, second) } else { Filter::Or(first, second) })
}

/// Reads one clause; gives what stands behind it.
fn clause(text: &str) -> Result<(Filter, &str), Problem> {
    let end = text.find(['!', '=', '<', '>', '~', '\'']).ok_or_else(|| invalid("a clause needs an operator"))?;
    let (field, rest) = text.split_at(end);
    let (operator, rest) = OPERATORS
        .iter()
        .find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?)))
        .ok_or_else(|| invalid("a clause needs an operator, one of = != > >= < <= ~"))?;
    let (value, rest) = quoted(rest.trim_start())?;
    Ok((Filter::Compare { path: path(field.trim())?, operator, value }, rest.trim_start()))
}

/// The members that a dotted field names. `class.sourcedId` is the reference `class` itself.
fn path(field: &str) -> Result<Vec<String>, Problem> {
    let mut path: Vec<_> = field.split('.').map(ToOwned::to_owned).collect();
    if path.iter().any(|name| name.is_empty() || name.contains(char::is_whitespace)) {
        return Err(invalid("a clause starts with a field"));
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "sourcedId") {
        path.pop();
    }
    Ok(path)
}

/// Reads a value in quotes; gives what stands behind it.
fn quoted(text: &str) -> Result<(String, &str), Problem> {
    let mut rest = text.strip_prefix('\'').ok_or_else(|| invalid("a value stands in single quotes"))?;
    let mut value = String::new();
    loop {
        let end = rest.find('\'').ok_or_else(|| invalid("a value's closing quote is missing"))?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Ok((value, rest)),
        }
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(ProblemClass::Malformed, INVALID, format!("filter: {detail}"))
}

#[cfg(test)]
mod tests {
    use rollcall_core::store::read::{Filter, Operator};

    use super::parse;

    fn compare(path: &[&str], operator: Operator, value: &str) -> Filter {
        Filter::Compare { path: path.iter().map(ToString::to_string).collect(), operator, value: value.to_owned() }
    }

    #[test]
    fn reads_what_the_standard_allows() {
        let active = || compare(&["status"], Operator::Equal, "active");
        let cases = [
            ("status='active'", active()),
            ("status = 'active'", active()),
            ("familyName!='O''Brien'", compare(&["familyName"], Operator::NotEqual, "O'Brien")),
            ("title~''", compare(&["title"], Operator::Contains, "")),
            ("title=''''", compare(&["title"], Operator::Equal, "'")),
            ("dateLastModified>='2026-01-01'", compare(&["dateLastModified"], Operator::GreaterOrEqual, "2026-01-01")),
            ("a<='1'", compare(&["a"], Operator::LessOrEqual, "1")),
            ("a<'='", compare(&["a"], Operator::Less, "=")),
            ("a>' AND '", compare(&["a"], Operator::Greater, " AND ")),
            ("class.sourcedId='x'", compare(&["class"], Operator::Equal, "x")),
            ("roles.org.sourcedId='x'", compare(&["roles", "org"], Operator::Equal, "x")),
            ("sourcedId='x'", compare(&["sourcedId"], Operator::Equal, "x")),
            (
                "a='1' AND status='active'",
                Filter::And(Box::new(compare(&["a"], Operator::Equal, "1")), Box::new(active())),
            ),
            (
                "a='1' OR status='active'",
                Filter::Or(Box::new(compare(&["a"], Operator::Equal, "1")), Box::new(active())),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_without_the_value() {
        let cases = [
            ("", "operator"),
            ("secret", "operator"),
            ("='secret'", "field"),
            ("a.='secret'", "field"),
            ("a b='secret'", "field"),
            ("a=secret", "quotes"),
            ("a='secret", "closing quote"),
            ("a!'secret'", "operator"),
            ("'a'='secret'", "operator"),
            ("a='1' and b='secret'", " AND "),
            ("a='1' AND b='2' AND c='secret'", "two clauses"),
            ("a='1' AND ", "operator"),
        ];
        for (text, expected) in cases {
            let problem = parse(text).unwrap_err();
            assert!(problem.detail.contains(expected), "{text}: {}", problem.detail);
            assert!(!problem.detail.contains("secret"));
        }
    }
}
