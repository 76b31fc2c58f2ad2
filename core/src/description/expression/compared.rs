//! Tells which members an expression compares with something, so that whoever answers it can look records up by them.

use super::{Expression, Loop, Node, Operation, Typed};

/// A member that is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::description) struct Compared {
    /// The list whose items it is a member of; `None` for a member of the record at hand.
    pub(in crate::description) list: Option<String>,
    /// Its name.
    pub(in crate::description) member: String,
}

impl Expression {
    /// The members that all records for which this holds are compared by: those of the record at hand, and those of
    /// records in lists that it speaks of.
    pub(in crate::description) fn compared(&self) -> Vec<Compared> {
        let mut found = Vec::new();
        walk(&self.0, None, true, &mut found);
        found
    }
}

/// `list` is what is looped over around `part`; a comparison counts where it `decides`, because nothing else lets a
/// record through.
fn walk(part: &Typed, list: Option<&str>, decides: bool, found: &mut Vec<Compared>) {
    match &part.node {
        Node::Operation(Operation::And, sides) => sides.iter().for_each(|side| walk(side, list, decides, found)),
        Node::Operation(operation, sides) => {
            let compares = matches!(
                operation,
                Operation::Equal
                    | Operation::In
                    | Operation::Less
                    | Operation::AtMost
                    | Operation::Greater
                    | Operation::AtLeast
            );
            for side in sides {
                found.extend(compared(&side.node, list).filter(|_| compares && decides));
                walk(side, list, false, found);
            }
        }
        Node::Loop(of, over, condition) => {
            walk(over, list, false, found);
            let selects = matches!(of, Loop::Filter | Loop::Exists);
            if let (Node::Records(name), true) = (&over.node, selects) {
                walk(condition, Some(name), true, found);
            }
        }
        Node::Record(one, _, other) | Node::Index(one, other, _) => {
            walk(one, list, false, found);
            walk(other, list, false, found);
        }
        Node::Member(of, _, _) | Node::Has(of, _) => walk(of, list, false, found),
        Node::List(parts) => parts.iter().for_each(|part| walk(part, list, false, found)),
        Node::Map(members) => members.iter().for_each(|(_, value)| walk(value, list, false, found)),
        Node::Literal(_) | Node::Name(_) | Node::Own(_) | Node::Records(_) | Node::Given(_) | Node::Item(_, _) => {}
    }
}

/// The member that is compared, if `side` is one.
fn compared(side: &Node, list: Option<&str>) -> Option<Compared> {
    match (side, list) {
        (Node::Own(name), None) => Some(Compared { list: None, member: name.clone() }),
        (Node::Member(of, name, _), Some(list)) if matches!(of.node, Node::Item(_, _)) => {
            Some(Compared { list: Some(list.to_owned()), member: name.clone() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Compared, Expression};
    use crate::description::{Member, Type};

    #[test]
    fn members_are_compared_where_nothing_else_lets_a_record_through() {
        let loan = vec![Member::required("book", Type::Text), Member::required("open", Type::Boolean)];
        let own = [Member::required("code", Type::Text), Member::required("year", Type::Integer)];
        let names = [
            Member::required("value", Type::Integer),
            Member::required("Loan", Type::records("Loan", None, Type::Object(loan))),
        ];
        let table = [
            ("year == value", vec![(None, "year")]),
            ("year >= value && code in ['a']", vec![(None, "year"), (None, "code")]),
            ("code == 'a' || year == 1", vec![]),
            ("Loan.exists(l, l.book == code && l.open)", vec![(Some("Loan"), "book")]),
            ("size(Loan.filter(l, l.book == code)) > 2", vec![(Some("Loan"), "book")]),
        ];
        for (source, wanted) in table {
            let found = Expression::compile_beside(source, &own, &names).unwrap().compared();
            let wanted = wanted
                .into_iter()
                .map(|(list, member)| Compared { list: list.map(str::to_owned), member: member.to_owned() });
            assert_eq!(found, wanted.collect::<Vec<_>>(), "{source}");
        }
    }
}
