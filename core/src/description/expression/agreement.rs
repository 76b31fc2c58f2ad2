//! Reads an expression as a list of members that agree, for whoever looks records up by it.

use super::{Expression, Node, Operation, Typed};

/// Two members that agree: one of the expression's own names, and one of another thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The way to the own one.
    pub own: Vec<String>,
    /// The way to the other's.
    pub other: Vec<String>,
    /// Whether the other's is a pattern with `*` and `?`.
    pub is_pattern: bool,
}

impl Expression {
    /// The members that agree where this holds, of the thing called `other`; none where it says anything else than
    /// `other.a == b` and `glob(other.a, b)`, joined by `&&`.
    pub fn agreements(&self, other: &str) -> Option<Vec<Agreement>> {
        let mut agreements = Vec::new();
        collect(&self.0, other, &mut agreements)?;
        Some(agreements)
    }
}

fn collect(typed: &Typed, other: &str, agreements: &mut Vec<Agreement>) -> Option<()> {
    let Node::Operation(operation, operands) = &typed.node else { return None };
    let [one, two] = operands.as_slice() else { return None };
    match operation {
        Operation::And => {
            collect(one, other, agreements)?;
            collect(two, other, agreements)?;
        }
        Operation::Equal => {
            let agreement = agreement(one, two, other).or_else(|| agreement(two, one, other));
            agreements.push(agreement?);
        }
        Operation::Glob => agreements.push(Agreement { is_pattern: true, ..agreement(one, two, other)? }),
        _ => return None,
    }
    Some(())
}

/// That a member of the other thing equals one of the own.
fn agreement(theirs: &Typed, own: &Typed, other: &str) -> Option<Agreement> {
    let (theirs, own) = (way(theirs)?, way(own)?);
    let (first, theirs) = theirs.split_first()?;
    let is_theirs = first == other && !theirs.is_empty() && own.first().is_none_or(|name| name != other);
    is_theirs.then(|| Agreement { own, other: theirs.to_vec(), is_pattern: false })
}

/// The names that lead to a member.
fn way(typed: &Typed) -> Option<Vec<String>> {
    match &typed.node {
        Node::Name(name) | Node::Own(name) => Some(vec![name.clone()]),
        Node::Member(of, name, _) => {
            let mut way = way(of)?;
            way.push(name.clone());
            Some(way)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Expression, Member, Type};

    #[test]
    fn members_that_agree_are_read_from_equalities_and_patterns() {
        let target = Type::Object(vec![Member::required("code", Type::Text), Member::required("level", Type::Text)]);
        let shelf = Type::Object(vec![Member::required("code", Type::Text)]);
        let names =
            [Member::required("it", target), Member::required("shelf", shelf), Member::required("level", Type::Text)];
        let table = [
            ("it.code == shelf.code", Some("shelf.code=code")),
            ("level == it.level && it.code == shelf.code", Some("level=level shelf.code=code")),
            ("glob(it.level, level)", Some("level~level")),
            ("glob(level, it.level)", None),
            ("it.code == it.level", None),
            ("it.code == 'A'", None),
            ("it.code == level || it.level == level", None),
            ("it.code != level", None),
        ];
        for (source, expected) in table {
            let agreements = Expression::compile(source, &names).unwrap().agreements("it");
            let shown = agreements.map(|agreements| {
                let shown = agreements.iter().map(|agreement| {
                    let sign = if agreement.is_pattern { "~" } else { "=" };
                    format!("{}{sign}{}", agreement.own.join("."), agreement.other.join("."))
                });
                shown.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(shown.as_deref(), expected, "{source}");
        }
    }
}
