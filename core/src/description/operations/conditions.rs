//! Turns `must` into [`Must`]s: conditions beyond JSON Schema.

use super::Operations;
use crate::description::expression::{Member, Type};
use crate::description::outline::OperationOutline;
use crate::description::{Location, Must, Parameter, ProblemClass, scope};
use crate::json::Pointer;
use crate::language::{Diagnostic, EXTENSION, keys};

impl Operations<'_, '_, '_> {
    /// The conditions of an operation.
    pub(super) fn must(&mut self, outline: &OperationOutline, names: &[Member]) -> Vec<Must> {
        let at = outline.at.member(EXTENSION).member("must");
        self.conditions(&at, outline.keys.must.as_ref(), names, ProblemClass::Forbidden)
    }

    /// The conditions on one value of this type; `word` is where they stand.
    pub(super) fn value_conditions(
        &mut self,
        word: &Pointer,
        conditions: Option<&keys::Conditions>,
        value: Type,
    ) -> Vec<Must> {
        if conditions.is_none() {
            return Vec::new();
        }
        let names = scope::value(value, scope::options(self.document));
        self.conditions(word, conditions, &names, ProblemClass::Invalid)
    }

    fn conditions(
        &mut self,
        at: &Pointer,
        conditions: Option<&keys::Conditions>,
        names: &[Member],
        class: ProblemClass,
    ) -> Vec<Must> {
        match conditions {
            None => Vec::new(),
            Some(keys::Conditions::One(that)) => self.condition(at, that, names, class, None).into_iter().collect(),
            Some(keys::Conditions::Many(conditions)) => {
                let conditions = conditions.iter().enumerate().filter_map(|(nth, condition)| {
                    let class = condition.otherwise.unwrap_or(class);
                    let at = at.item(nth).member("that");
                    self.condition(&at, &condition.that, names, class, condition.say.clone())
                });
                conditions.collect()
            }
        }
    }

    fn condition(
        &mut self,
        at: &Pointer,
        source: &str,
        names: &[Member],
        problem: ProblemClass,
        say: Option<String>,
    ) -> Option<Must> {
        let that = scope::compile(self.document, at, source, names, self.findings)?;
        if !that.of().fits(&Type::Boolean) {
            let problem = format!("a condition is true or false, this is {}", that.of());
            self.report(Diagnostic::at(self.document.place(at), problem));
        }
        Some(Must { that, problem, say })
    }

    /// What the conditions of an operation with these parameters speak of.
    pub(super) fn request_names(&self, parameters: &[Parameter]) -> Vec<Member> {
        let members = |location: Location| {
            let parameters = parameters.iter().filter(move |parameter| parameter.location == location);
            let members = parameters.map(|parameter| Member {
                name: parameter.name.clone(),
                of: Type::Text,
                required: parameter.required,
            });
            members.collect()
        };
        scope::request(members(Location::Query), members(Location::Path), scope::options(self.document))
    }
}
