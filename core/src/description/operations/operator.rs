//! Makes the [`Operation`]s by which an operator writes what no client can send: one for each such record type.

use serde_json::json;

use super::Operations;
use crate::description::records::Marks;
use crate::description::{Operation, RecordTypeId, Shape};
use crate::language::Diagnostic;
use crate::validate::Schema;

impl Operations<'_, '_, '_> {
    /// An operation for each record type that no body reaches, now that all bodies have been walked.
    pub(in crate::description) fn of_operator(&mut self) -> Vec<Operation> {
        let of_operator = self.records.of_operator();
        of_operator.into_iter().filter_map(|id| self.written(id)).collect()
    }

    /// A merge of records of one type: one of them, or a list.
    fn written(&mut self, id: RecordTypeId) -> Option<Operation> {
        let at = self.records.place_of(id).clone();
        let contents = self.records.contents(&at, Marks::Refused, self.findings);
        if contents.reached.len() > 1 {
            let place = self.document.key_place(&at);
            let problem = Diagnostic::at(place, "not supported yet: nested records in what no body reaches");
            self.report(
                problem.hint("an operator writes these records, because no client of the partner can send them"),
            );
            return None;
        }
        // What a record looks like is checked record by record.
        let envelope = json!({"type": ["array", "object"], "items": {"type": "object"}});
        let schema = Schema::compile(&envelope, "");
        let schema = self.compiled(&at, schema)?;
        let shape = Shape::Either(Box::new(Shape::List(Box::new(contents.shape.clone()))), Box::new(contents.shape));
        Some(Operation::of_operator(self.records.name(id).to_owned(), id, schema, shape))
    }
}
