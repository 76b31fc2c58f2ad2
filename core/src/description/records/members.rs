//! Walks the members of one record: its own, those of objects in it, and those of its lists' items.

use super::{DEPTH_MAX, Draft, Records};
use crate::description::findings::Findings;
use crate::description::{RecordTypeId, Step};
use crate::json::Pointer;
use crate::language::schema::{properties, type_names};
use crate::language::{Diagnostic, keys};

/// A member of a record, or of an object in it.
pub(super) struct Member {
    /// The way to the object that it is a member of.
    pub(super) way: Vec<Step>,
    /// Where the schema of that object stands.
    pub(super) holder: Pointer,
    /// Its name.
    pub(super) name: String,
    /// Where it is declared.
    pub(super) at: Pointer,
    /// Whether its object has to have it.
    pub(super) required: bool,
    /// What is said of it.
    pub(super) keys: keys::Schema,
}

impl Member {
    /// The way to it by names alone; none where a list is on the way.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        let steps = self.way.iter().map(|step| match step {
            Step::Member(name) => Some(name.clone()),
            Step::Items => None,
        });
        steps.chain([Some(self.name.clone())]).collect()
    }
}

impl Records<'_> {
    /// All members of a record, those of records nested in it left aside, and those of what is computed when it is read.
    pub(super) fn members(&self, id: RecordTypeId, draft: &Draft) -> Vec<Member> {
        let mut members = Vec::new();
        self.members_of(&draft.at, &mut Vec::new(), &mut Vec::new(), &mut members);
        let derived = self.derived_names(id);
        let is_stored = |member: &Member| match member.way.first() {
            Some(Step::Member(name)) => !derived.contains(name),
            Some(Step::Items) | None => true,
        };
        members.retain(is_stored);
        members
    }

    fn members_of(&self, at: &Pointer, way: &mut Vec<Step>, schemas: &mut Vec<Pointer>, members: &mut Vec<Member>) {
        let Some((here, schema)) = self.document.resolve(at) else { return };
        let is_nested_record = !schemas.is_empty() && self.by_place.contains_key(&here);
        if is_nested_record || schemas.contains(&here) || schemas.len() > DEPTH_MAX {
            return;
        }
        schemas.push(here.clone());
        if schema.get("items").is_some() {
            way.push(Step::Items);
            self.members_of(&here.member("items"), way, schemas, members);
            way.pop();
        }
        for property in properties(self.document, &here) {
            let (holder, keys) = (here.clone(), self.outline.schema(self.document, &property.at));
            let (name, at) = (property.name.clone(), property.at.clone());
            members.push(Member { way: way.clone(), holder, name, at, required: property.required, keys });
            way.push(Step::Member(property.name));
            self.members_of(&property.at, way, schemas, members);
            way.pop();
        }
        schemas.pop();
    }

    /// Members that are sent under another name, with the name that they are kept under (`as`).
    pub(super) fn aliases(&self, members: &[Member], findings: &mut Findings<'_>) -> Vec<(String, String)> {
        let mut aliases = Vec::new();
        let own = || members.iter().filter(|member| member.way.is_empty());
        for member in own() {
            let Some(kept) = &member.keys.written else { continue };
            let word = self.outline.word(self.document, &member.at, "as");
            findings.understand(word.clone());
            let known = own().filter(|other| other.keys.written.is_none());
            let Some(target) = known.clone().find(|other| other.name == *kept) else {
                let problem = Diagnostic::at(self.document.place(&word), format!("there is no field `{kept}` here"));
                findings.report(problem.did_you_mean(kept, known.map(|other| other.name.as_str())));
                continue;
            };
            let types = |at| self.document.resolve(at).map(|(_, schema)| type_names(schema));
            if types(&member.at) != types(&target.at) {
                let problem = format!("`{}` and `{kept}` differ in type", member.name);
                let problem = Diagnostic::at(self.document.place(&word), problem);
                findings.report(problem.related(self.document.key_place(&target.at), "the other one"));
            }
            if member.required {
                let problem =
                    format!("`{}` is renamed before anything else, so it would always be missing", member.name);
                let problem = Diagnostic::at(self.document.key_place(&member.at), problem);
                findings.report(problem.hint(format!("require `{kept}` instead")));
            }
            aliases.push((member.name.clone(), kept.clone()));
        }
        aliases
    }

    /// Lists of which a delete names single items (`delete: items`).
    pub(super) fn piecemeal(&self, members: &[Member], findings: &mut Findings<'_>) -> Vec<String> {
        let mut lists = Vec::new();
        for member in members.iter().filter(|member| member.way.is_empty() && member.keys.delete.is_some()) {
            let word = self.outline.word(self.document, &member.at, "delete");
            findings.understand(word.clone());
            if self.document.resolve(&member.at).is_some_and(|(_, schema)| type_names(schema) != ["array"]) {
                let problem = Diagnostic::at(self.document.key_place(&word), "`delete: items` stands on lists only");
                findings.report(problem);
            }
            lists.push(member.name.clone());
        }
        lists
    }
}
