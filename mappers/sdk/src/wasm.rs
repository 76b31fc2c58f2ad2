//! Turns a [`Mapper`] into the exports of a component. Only [`export_mapper!`](crate::export_mapper) speaks to this.

pub mod logic;

/// Made from the contract.
#[expect(missing_docs, reason = "generated; the contract documents it")]
#[expect(clippy::same_length_and_capacity, reason = "generated: how a list crosses the boundary")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/v1",
        world: "mapper",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "rollcall_mapper_sdk::wasm::bindings",
    });
}

pub use self::bindings::export;
pub use self::bindings::exports::rollcall::mapper::mapping::{Answer, Guest, Input, Profile};
use self::bindings::exports::rollcall::mapper::mapping::{Diagnostic, Kind, Outcome, Severity};
use crate::canonical::KINDS;
use crate::{Foreign, Mapper};

/// What the mapper says of itself.
pub fn describe<M: Mapper>() -> Profile {
    let records = <M::Record<'static> as Foreign>::TYPES;
    Profile {
        partner: M::PARTNER.to_owned(),
        version: M::VERSION.to_owned(),
        records: records.iter().map(|record| record.name.to_owned()).collect(),
        kinds: KINDS
            .iter()
            .map(|kind| Kind {
                name: kind.name.to_owned(),
                fields: kind.fields.iter().map(|field| (*field).to_owned()).collect(),
            })
            .collect(),
    }
}

/// One answer for each input.
pub fn convert<M: Mapper>(options: &[u8], inputs: &[Input]) -> Vec<Answer> {
    let types = <M::Record<'static> as Foreign>::TYPES;
    let inputs = inputs.iter().map(|input| {
        let name = types.get(usize::from(input.of)).map_or("", |one| one.name);
        (name, input.body.as_slice(), input.ancestors.as_slice())
    });
    crate::convert::<M>(options, inputs).map(answer).collect()
}

fn answer(answer: crate::Answer) -> Answer {
    Answer {
        outcome: match answer.outcome {
            crate::Outcome::Contributions(rows) => Outcome::Contributions(rows),
            crate::Outcome::Refused => Outcome::Refused,
        },
        diagnostics: answer
            .diagnostics
            .into_iter()
            .map(|one| Diagnostic {
                severity: match one.severity {
                    crate::Severity::Info => Severity::Info,
                    crate::Severity::Warning => Severity::Warning,
                    crate::Severity::Error => Severity::Error,
                },
                code: one.code,
                pointer: one.pointer,
                message: one.message,
            })
            .collect(),
    }
}
