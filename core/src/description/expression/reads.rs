//! Tells which members of which records an expression looks at.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Expression, Node, Type, Typed};

impl Expression {
    /// The members that it looks at: of the record at hand (`None`), or of stored records of the type of this name.
    pub fn reads(&self) -> BTreeSet<(Option<String>, String)> {
        let mut found = BTreeSet::new();
        collect(&self.0, &mut found);
        found
    }
}

fn collect(typed: &Typed, found: &mut BTreeSet<(Option<String>, String)>) {
    let mut of_record = |of: &Typed, name: &str| {
        if let Type::Record(row) = of.of.unwrapped() {
            found.insert((Some(row.name.clone()), name.to_owned()));
        }
    };
    match &typed.node {
        Node::Own(name) => _ = found.insert((None, name.clone())),
        Node::Member(of, name, _) | Node::Has(of, name) => of_record(of, name),
        Node::Index(of, at, _) => {
            if let Node::Literal(Value::String(name)) = &at.node {
                of_record(of, name);
            }
        }
        _ => {}
    }
    for part in parts(&typed.node) {
        collect(part, found);
    }
}

/// What a node is made of.
fn parts(node: &Node) -> Vec<&Typed> {
    match node {
        Node::Literal(_) | Node::Name(_) | Node::Own(_) | Node::Records(_) | Node::Given(_) | Node::Item(_, _) => {
            Vec::new()
        }
        Node::Member(of, _, _) | Node::Has(of, _) => vec![of],
        Node::Record(one, _, other) | Node::Index(one, other, _) | Node::Loop(_, one, other) => vec![one, other],
        Node::Operation(_, parts) | Node::List(parts) => parts.iter().collect(),
        Node::Map(members) => members.iter().flat_map(|(key, value)| [key, value]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Expression, Member, Type};

    #[test]
    fn what_is_looked_at_is_known_by_record_and_member() {
        let book = Type::Object(["id", "shelf", "cost"].map(|name| Member::required(name, Type::Integer)).into());
        let names = [Member::required("Book", Type::records("Book", Some("id"), book))];
        let own = ["id", "best", "name"].map(|name| Member::required(name, Type::Integer));
        let table = [
            ("id + 1", "id"),
            ("size(Book.filter(b, b.shelf == id))", "Book.shelf id"),
            ("Book[best].cost", "Book.cost best"),
            ("Book[best]['shelf'] == 1 ? Book.min(b, b.cost) : 0", "Book.cost Book.shelf best"),
            ("Book.filter(b, true)[0].id", "Book.id"),
        ];
        for (source, expected) in table {
            let reads = Expression::compile_beside(source, &own, &names).unwrap().reads();
            let shown = reads.into_iter().map(|(of, name)| of.map_or(name.clone(), |of| format!("{of}.{name}")));
            let mut shown: Vec<_> = shown.collect();
            shown.sort();
            assert_eq!(shown.join(" "), expected, "{source}");
        }
    }
}
