//! Turns a partner's knowledge into a mapper: implement [`Mapper`], name it in [`export_mapper!`], and the crate is a
//! WebAssembly component of Rollcall's contract when it is built for one, and a library with plain tests when it is not.
//!
//! ```ignore
//! rollcall_mapper_sdk::partner!(); // the types of `schemas/<partner>/openapi.yaml`, see `build.rs`
//!
//! struct School;
//!
//! impl Mapper for School {
//!     const PARTNER: &'static str = "school";
//!     const VERSION: &'static str = env!("CARGO_PKG_VERSION");
//!     type Options = Options;
//!     type Record<'a> = Record<'a>;
//!
//!     fn map(record: &Record<'_>, options: &Options, out: &mut Contributions) -> Result<(), Refusal> {
//!         …
//!     }
//! }
//!
//! rollcall_mapper_sdk::export_mapper!(School);
//! ```
//!
//! The types of canonical entities are in [`canonical`], made from `schemas/canonical`. Everything in them is optional
//! while it is being built: what is not set is not said. The host checks what is required.

pub mod canonical;
mod contribution;
mod foreign;
pub mod logic;
pub mod name;
mod native;
#[doc(hidden)]
pub mod wasm;

pub use self::contribution::{Contributions, Diagnostic, Entity, Fields, Refusal, Severity};
pub use self::foreign::{Foreign, Number, ReadError, RecordType, Text, read};
pub use self::native::{Answer, Outcome, Row, RowValue, convert, run_native, serve_native};

/// A pure function from a partner's records to what they say about canonical entities.
///
/// The same record and options must give the same contributions, whatever was mapped before: a batch may hold any
/// records in any order.
pub trait Mapper {
    /// The partner, as its folder under `schemas/` is called.
    const PARTNER: &'static str;
    /// The mapper's own version.
    const VERSION: &'static str;
    /// The connection's options.
    type Options: serde::de::DeserializeOwned;
    /// The partner's records: the generated enum `Record`.
    type Record<'a>: Foreign<'a>;

    /// Says what the record says, or why it cannot be mapped.
    fn map(record: &Self::Record<'_>, options: &Self::Options, out: &mut Contributions) -> Result<(), Refusal>;
}

/// Includes the types that the build script made of the partner's description.
#[macro_export]
macro_rules! partner {
    () => {
        /// The partner's records, made from its description.
        pub mod partner {
            use $crate::logic::Keys;
            use $crate::{Foreign, Number, ReadError, RecordType, Text, read};
            include!(concat!(env!("OUT_DIR"), "/partner.rs"));
        }
    };
}

/// Makes the crate a component when it is built for WebAssembly. Elsewhere it stays a plain library. A mapper that is
/// [`Logic`](logic::Logic) too is exported as `export_mapper!(School, logic)`.
#[macro_export]
macro_rules! export_mapper {
    ($mapper:ty, logic) => {
        $crate::export_mapper!($mapper);

        /// The component's export beside the mapping.
        #[cfg(target_arch = "wasm32")]
        mod component_logic {
            struct Component;

            impl $crate::wasm::logic::Guest for Component {
                fn names() -> Vec<String> {
                    $crate::wasm::logic::names::<$mapper>()
                }

                fn call(
                    name: String,
                    options: Vec<u8>,
                    context: Vec<u8>,
                    found: Vec<$crate::wasm::logic::Found>,
                ) -> $crate::wasm::logic::Step {
                    $crate::wasm::logic::call::<$mapper>(&name, &options, &context, found)
                }
            }

            use super::*;
            $crate::wasm::logic::export!(Component);
        }
    };
    ($mapper:ty) => {
        /// The component's exports.
        #[cfg(target_arch = "wasm32")]
        mod component {
            struct Component;

            impl $crate::wasm::Guest for Component {
                fn describe() -> $crate::wasm::Profile {
                    $crate::wasm::describe::<$mapper>()
                }

                fn convert(options: Vec<u8>, inputs: Vec<$crate::wasm::Input>) -> Vec<$crate::wasm::Answer> {
                    $crate::wasm::convert::<$mapper>(&options, &inputs)
                }
            }

            use super::*;
            $crate::wasm::export!(Component);
        }
    };
}

/// Makes a program that maps natively: a batch as JSON on standard input, what became of it on standard output.
#[macro_export]
macro_rules! native_main {
    ($mapper:ty) => {
        fn main() -> std::process::ExitCode {
            $crate::serve_native::<$mapper>()
        }
    };
}
