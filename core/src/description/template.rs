//! An answer is its own response schema, filled in: a property with a `value` is what its expression computes, one
//! without is `null` where its type allows that and left out elsewhere.

use serde_json::{Map, Value};

use super::Expression;
use super::expression::{Member, Type};
use super::findings::Findings;
use super::outline::Outline;
use super::scope::compile;
use crate::json::Pointer;
use crate::language::schema::{properties, type_names};
use crate::language::{Diagnostic, Document};

/// How deep response schemas are looked into.
const DEPTH_MAX: usize = 16;

/// A response schema whose `value`s are compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Constant(Value),
    Computed(Expression),
    /// A list, and what becomes of each item, which is called `it`.
    Each(Expression, Box<Node>),
    Object(Vec<(String, Node)>),
}

impl Template {
    /// The response, filled in. What cannot be computed is left out.
    pub fn fill(&self, context: &Value) -> Value {
        self.0.fill(context).unwrap_or(Value::Null)
    }

    /// Compiles the response schema at `at`, whose expressions may speak of `names`.
    pub(super) fn compile(
        document: &Document,
        outline: &Outline,
        at: &Pointer,
        names: &[Member],
        findings: &mut Findings<'_>,
    ) -> Option<Self> {
        let found = findings.problems.len();
        let mut compiler = Compiler { document, outline, findings };
        let node = compiler.node(at, names, DEPTH_MAX);
        if node.is_none() && findings.problems.len() == found {
            let problem = Diagnostic::at(document.key_place(at), "nothing fills this answer in");
            findings.report(problem.hint("give its properties a `value`, or leave the content out"));
        }
        node.map(Self)
    }
}

impl Node {
    fn fill(&self, context: &Value) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Computed(expression) => expression.evaluate(context).ok(),
            Self::Each(list, item) => {
                let Ok(Value::Array(items)) = list.evaluate(context) else { return None };
                let mut context = context.clone();
                let filled = items.into_iter().map(|it| {
                    if let Value::Object(names) = &mut context {
                        names.insert("it".to_owned(), it);
                    }
                    item.fill(&context).unwrap_or(Value::Null)
                });
                Some(filled.collect())
            }
            Self::Object(members) => {
                let filled = members.iter().filter_map(|(name, node)| Some((name.clone(), node.fill(context)?)));
                Some(Value::Object(filled.collect::<Map<_, _>>()))
            }
        }
    }
}

struct Compiler<'a, 'f> {
    document: &'a Document,
    outline: &'a Outline,
    findings: &'a mut Findings<'f>,
}

impl Compiler<'_, '_> {
    /// What fills the schema at `at` in; none if nothing does.
    fn node(&mut self, at: &Pointer, names: &[Member], depth: usize) -> Option<Node> {
        let (here, schema) = self.document.resolve(at).filter(|_| depth > 0)?;
        let keys = self.outline.schema(self.document, at);
        if let Some(source) = &keys.value {
            return self.computed(at, &here, source, names, depth);
        }
        if let Some(constant) = schema.get("const") {
            return Some(Node::Constant(constant.clone()));
        }
        let members = self.members(&here, names, depth);
        if !members.is_empty() {
            return Some(Node::Object(members));
        }
        type_names(schema).contains(&"null").then_some(Node::Constant(Value::Null))
    }

    fn members(&mut self, at: &Pointer, names: &[Member], depth: usize) -> Vec<(String, Node)> {
        let mut members = Vec::new();
        let mut unfilled = Vec::new();
        for property in properties(self.document, at) {
            match self.node(&property.at, names, depth - 1) {
                Some(node) => members.push((property.name, node)),
                None if property.required => unfilled.push(property),
                None => {}
            }
        }
        for property in unfilled {
            let problem = format!("nothing fills in the required property `{}`", property.name);
            let problem = Diagnostic::at(self.document.key_place(&property.at), problem);
            self.findings.report(problem.hint("give it a `value`, or allow `null`"));
        }
        members
    }

    fn computed(&mut self, at: &Pointer, here: &Pointer, source: &str, names: &[Member], depth: usize) -> Option<Node> {
        let value_at = self.outline.word(self.document, at, "value");
        self.findings.understand(value_at.clone());
        let expression = compile(self.document, &value_at, source, names, self.findings)?;
        if let (Type::List(of), true) = (expression.of(), self.fills(&here.member("items"), depth)) {
            let names: Vec<_> = names.iter().cloned().chain([Member::required("it", of.as_ref().clone())]).collect();
            let item = self.node(&here.member("items"), &names, depth - 1)?;
            return Some(Node::Each(expression, Box::new(item)));
        }
        let wanted = Type::of_schema(self.document, here);
        if !expression.of().fits(&wanted) {
            let problem = format!("expected {wanted}, found {}", expression.of());
            let problem = Diagnostic::at(self.document.place(&value_at), problem);
            let may_be_null = matches!(expression.of(), Type::Nullable(of) if of.fits(&wanted));
            self.findings.report(if may_be_null {
                problem.hint("allow it: `type: [string, 'null']`")
            } else {
                problem
            });
        }
        Some(Node::Computed(expression))
    }

    /// Whether the schema at `at` or one in it has a `value`.
    fn fills(&self, at: &Pointer, depth: usize) -> bool {
        let Some((here, _)) = self.document.resolve(at).filter(|_| depth > 0) else { return false };
        let own = self.outline.schema(self.document, at).value.is_some();
        own || properties(self.document, &here).iter().any(|property| self.fills(&property.at, depth - 1))
    }
}
