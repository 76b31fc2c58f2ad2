//! Version 1 of the contract (`mappers/wit/v1`): turns a component that exports it into [`Profile`] and [`RawAnswer`],
//! the nouns that all versions share. What is optional has a module of its own.

pub(super) mod logic;

use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker};

use super::Severity;
use super::host::Guest;
use super::raw::{Profile, RawAnswer, RawDiagnostic, RawInput};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../mappers/wit/v1",
        world: "mapper",
        ownership: Borrowing { duplicate_if_necessary: false },
    });
}

use self::bindings::MapperPre;
use self::bindings::exports::rollcall::mapper::mapping as contract;

/// What the version's exported interface is called; any 1.x will do.
pub(super) const MAJOR: u64 = 1;

/// A checked component, ready to be instantiated.
pub(super) struct Prepared {
    mapping: MapperPre<Guest>,
    logic: Option<logic::Prepared>,
}

/// Which optional interfaces a component exports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exports {
    pub(super) logic: bool,
}

impl Prepared {
    /// Checks that the component exports the contract with these very types.
    pub(super) fn new(linker: &Linker<Guest>, component: &Component, exports: Exports) -> wasmtime::Result<Self> {
        let pre: InstancePre<Guest> = linker.instantiate_pre(component)?;
        let logic = exports.logic.then(|| logic::Prepared::new(pre.clone())).transpose()?;
        Ok(Self { mapping: MapperPre::new(pre)?, logic })
    }

    /// The partner's own logic, if the component has any.
    pub(super) fn logic(&self) -> Option<&logic::Prepared> {
        self.logic.as_ref()
    }

    /// Asks a new instance what it is.
    pub(super) fn describe(&self, store: &mut Store<Guest>) -> wasmtime::Result<Profile> {
        let mapper = self.mapping.instantiate(&mut *store)?;
        let profile = mapper.rollcall_mapper_mapping().call_describe(store)?;
        Ok(Profile {
            partner: profile.partner,
            version: profile.version,
            records: profile.records,
            kinds: profile.kinds.into_iter().map(|kind| (kind.name, kind.fields)).collect(),
        })
    }

    /// Has a new instance map a batch.
    pub(super) fn convert(
        &self,
        store: &mut Store<Guest>,
        options: &[u8],
        inputs: &[RawInput<'_>],
    ) -> wasmtime::Result<Vec<RawAnswer>> {
        let mapper = self.mapping.instantiate(&mut *store)?;
        let inputs: Vec<_> = inputs
            .iter()
            .map(|input| contract::Input { of: input.of, body: input.body, ancestors: input.ancestors })
            .collect();
        let answers = mapper.rollcall_mapper_mapping().call_convert(store, options, &inputs)?;
        Ok(answers.into_iter().map(RawAnswer::from).collect())
    }
}

impl From<contract::Answer> for RawAnswer {
    fn from(answer: contract::Answer) -> Self {
        Self {
            rows: match answer.outcome {
                contract::Outcome::Contributions(rows) => Some(rows),
                contract::Outcome::Refused => None,
            },
            diagnostics: answer.diagnostics.into_iter().map(RawDiagnostic::from).collect(),
        }
    }
}

impl From<contract::Diagnostic> for RawDiagnostic {
    fn from(diagnostic: contract::Diagnostic) -> Self {
        Self {
            severity: match diagnostic.severity {
                contract::Severity::Info => Severity::Info,
                contract::Severity::Warning => Severity::Warning,
                contract::Severity::Error => Severity::Error,
            },
            code: diagnostic.code,
            pointer: diagnostic.pointer,
            message: diagnostic.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::digest::Digest;

    /// Everything that a released contract says to a compiler: comments and blank lines aside.
    fn without_comments(wit: &str) -> String {
        wit.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_released_contract_is_frozen() {
        let released = [
            (
                include_str!("../../../mappers/wit/v1/mapper.wit"),
                include_str!("../../../mappers/wit/v1/mapper.wit.digest"),
            ),
            (
                include_str!("../../../mappers/wit/v1.1/logic.wit"),
                include_str!("../../../mappers/wit/v1.1/logic.wit.digest"),
            ),
        ];
        for (wit, frozen) in released {
            let digest = Digest::of(without_comments(wit).as_bytes()).to_string();
            assert_eq!(digest, frozen.trim(), "a change belongs in a new version, see mappers/wit/README.md");
        }
    }
}
