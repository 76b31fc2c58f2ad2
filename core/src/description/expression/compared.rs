//! Tells which members an expression compares with something, so that whoever answers it can look records up by them.

use super::{Expression, Loop, Node, Operation, Type, Typed};

/// A member that is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::description) struct Compared {
    /// The list whose items it is a member of; `None` for a member of the record at hand.
    pub(in crate::description) list: Option<String>,
    /// Its name.
    pub(in crate::description) member: String,
    /// Whether it is a list, and its items are compared.
    pub(in crate::description) of_items: bool,
}

impl Expression {
    /// The members that all records for which this holds are compared by: those of the record at hand, and those of
    /// records in lists that it speaks of.
    pub(in crate::description) fn compared(&self) -> Vec<Compared> {
        let mut found = Vec::new();
        Walk { list: None, decides: true, chooses: true }.walk(&self.0, &mut found);
        found
    }
}

/// Where in an expression one is.
#[derive(Clone, Copy)]
struct Walk<'w> {
    /// What is looped over around it.
    list: Option<&'w str>,
    /// Whether nothing else lets an item of that through, or, outside of loops, a record.
    decides: bool,
    /// Whether nothing else lets a record through.
    chooses: bool,
}

impl Walk<'_> {
    fn walk(self, part: &Typed, found: &mut Vec<Compared>) {
        let below = Self { decides: false, chooses: false, ..self };
        match &part.node {
            Node::Operation(Operation::And, sides) => sides.iter().for_each(|side| self.walk(side, found)),
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
                let is_flag = *operation == Operation::Not && is_member(&sides[0]);
                for side in sides {
                    if compares || is_flag {
                        self.compared(side, found);
                    }
                    below.walk(side, found);
                }
            }
            Node::Loop(of, over, condition) => {
                below.walk(over, found);
                let selects = matches!(of, Loop::Filter | Loop::Exists);
                let exists = self.chooses && *of == Loop::Exists;
                match &over.node {
                    Node::Records(name) if selects => {
                        Walk { list: Some(name), decides: true, chooses: exists }.walk(condition, found);
                    }
                    // Of a list of the record's, the items themselves are compared.
                    Node::Own(_) if exists && compares_item(condition) => self.compared(over, found),
                    _ => below.walk(condition, found),
                }
            }
            Node::Record(one, _, other) | Node::Index(one, other, _) => {
                below.walk(one, found);
                below.walk(other, found);
            }
            Node::Own(_) | Node::Member(..) if is_member(part) && *part.of.unwrapped() == Type::Boolean => {
                self.compared(part, found);
            }
            Node::Member(of, _, _) | Node::Has(of, _) => below.walk(of, found),
            Node::List(parts) => parts.iter().for_each(|part| below.walk(part, found)),
            Node::Map(members) => members.iter().for_each(|(_, value)| below.walk(value, found)),
            Node::Literal(_) | Node::Name(_) | Node::Own(_) | Node::Records(_) | Node::Given(_) | Node::Item(_, _) => {}
        }
    }

    /// Notes the member that is compared, if `side` is one.
    fn compared(self, side: &Typed, found: &mut Vec<Compared>) {
        let of_items = matches!(side.of.unwrapped(), Type::List(_));
        let mut note = |list: Option<&str>, member: &str, of_items: bool| {
            let compared = Compared { list: list.map(str::to_owned), member: member.to_owned(), of_items };
            if !found.contains(&compared) {
                found.push(compared);
            }
        };
        match (&side.node, self.list) {
            (Node::Own(name), _) if self.chooses => note(None, name, of_items),
            (Node::Member(of, name, _), list) => match (&of.node, list) {
                (Node::Item(_, _), Some(list)) if self.decides => note(Some(list), name, of_items),
                (Node::Record(of, _, key), _) if self.chooses => {
                    if let (Node::Records(of), Node::Own(key)) = (&of.node, &key.node) {
                        note(Some(of), name, of_items);
                        note(None, key, false);
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
}

/// Whether it is a member of a record, and no part of one.
fn is_member(part: &Typed) -> bool {
    match &part.node {
        Node::Own(_) => true,
        Node::Member(of, _, _) => matches!(of.node, Node::Item(_, _)),
        _ => false,
    }
}

/// Whether a condition on items compares the items themselves.
fn compares_item(condition: &Typed) -> bool {
    match &condition.node {
        Node::Operation(Operation::Equal | Operation::In, sides) => {
            sides.iter().any(|side| matches!(side.node, Node::Item(_, _)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Compared, Expression};
    use crate::description::{Member, Type};

    #[test]
    fn members_are_compared_where_nothing_else_lets_a_record_through() {
        let loan = vec![Member::required("book", Type::Text), Member::required("open", Type::Boolean)];
        let own = [
            Member::required("code", Type::Text),
            Member::required("year", Type::Integer),
            Member::required("new", Type::Boolean),
            Member::required("tags", Type::List(Box::new(Type::Integer))),
        ];
        let names = [
            Member::required("value", Type::Integer),
            Member::required("Loan", Type::records("Loan", Some("book"), Type::Object(loan))),
        ];
        let table = [
            ("year == value", vec![(None, "year")]),
            ("year >= value && code in ['a']", vec![(None, "year"), (None, "code")]),
            ("code == 'a' || year == 1", vec![]),
            ("new && year == 1", vec![(None, "new"), (None, "year")]),
            ("!new", vec![(None, "new")]),
            ("new == (year == 1)", vec![(None, "new")]),
            ("value in tags", vec![(None, "tags")]),
            ("tags.exists(t, t in [value])", vec![(None, "tags")]),
            ("Loan[code].open == true", vec![(Some("Loan"), "open"), (None, "code")]),
            (
                "Loan.exists(l, l.book == code && l.open)",
                vec![(Some("Loan"), "book"), (None, "code"), (Some("Loan"), "open")],
            ),
            ("!Loan.exists(l, l.book == code)", vec![(Some("Loan"), "book")]),
            ("size(Loan.filter(l, l.book == code)) > 2", vec![(Some("Loan"), "book")]),
        ];
        for (source, wanted) in table {
            let found = Expression::compile_beside(source, &own, &names).unwrap().compared();
            let wanted = wanted.into_iter().map(|(list, member): (Option<&str>, &str)| Compared {
                list: list.map(str::to_owned),
                member: member.to_owned(),
                of_items: member == "tags",
            });
            assert_eq!(found, wanted.collect::<Vec<_>>(), "{source}");
        }
    }
}
