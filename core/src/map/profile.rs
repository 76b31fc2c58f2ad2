//! Turns what a component wants from outside into whether it may be loaded: a [`Profile`] says what there is for it.
//!
//! A mapper needs nothing from outside. But the runtimes of some languages cannot even start without an operating system,
//! which they look for in WASI. [`Profile::Wasi`] gives them an empty one (see `wasi`), from which nothing can be learned.
//! Somebody has to permit it for a partner, because it is more code between a guest and the host, and slower.
//!
//! To add an interface: a name in [`EMPTY`], and what its functions answer in `wasi`.

use std::collections::BTreeMap;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

use super::LoadError;
use crate::limits::{MapperLimits, WasiLimits};

/// What a component may import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Nothing.
    #[default]
    Pure,
    /// The interfaces of WASI 0.2 that runtimes of languages start with, none of which leads anywhere: clocks stand still,
    /// random numbers are the same for each instance, there are no files, no arguments, no environment and no network.
    Wasi,
}

/// Why a word is not a [`Profile`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are the profiles `pure` and `wasi`")]
pub struct UnknownProfile;

/// Which partners' mappers run under another profile than [`Profile::Pure`].
pub type Profiles = BTreeMap<String, Profile>;

/// The interfaces that [`Profile::Wasi`] serves, without their version.
const EMPTY: [&str; 27] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 2] = [Self::Pure, Self::Wasi];

    /// What it is called in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Wasi => "wasi",
        }
    }

    /// What is granted to its mappers.
    pub(super) fn limits(self, limits: &MapperLimits) -> MapperLimits {
        let WasiLimits {
            fuel_base,
            fuel_per_byte,
            fuel_per_delivery_max,
            memory_bytes_max,
            table_elements_max,
            stack_bytes_max,
            component_bytes_max,
            instances_max,
        } = limits.wasi;
        match self {
            Self::Pure => limits.clone(),
            Self::Wasi => MapperLimits {
                fuel_base,
                fuel_per_byte,
                fuel_per_delivery_max,
                memory_bytes_max,
                table_elements_max,
                stack_bytes_max,
                component_bytes_max,
                instances_max,
                ..limits.clone()
            },
        }
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|profile| profile.name() == name).ok_or(UnknownProfile)
    }
}

/// Refuses a component that imports what `profile` does not have, and names all of that. `bytes` that are no component
/// are left to the engine to refuse.
pub(super) fn admit(profile: Profile, bytes: &[u8]) -> Result<(), LoadError> {
    let imports = imports(bytes);
    let unknown: Vec<_> = imports.iter().filter(|name| served(name).is_none()).cloned().collect();
    if !unknown.is_empty() {
        return Err(LoadError::Imports(unknown.join(", ")));
    }
    if profile == Profile::Pure && !imports.is_empty() {
        return Err(LoadError::NotPermitted { imports: imports.join(", "), profile: Profile::Wasi });
    }
    Ok(())
}

/// The interface of [`Profile::Wasi`] that an import's name means, `wasi:io/poll` for `wasi:io/poll@0.2.9`.
pub(super) fn served(import: &str) -> Option<&'static str> {
    let (name, version) = import.split_once('@')?;
    let known = version.strip_prefix("0.2.").is_some_and(|patch| patch.bytes().all(|byte| byte.is_ascii_digit()));
    EMPTY.into_iter().find(|interface| known && *interface == name)
}

/// The names that a component imports.
fn imports(bytes: &[u8]) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentImportSection(section)) if depth == 0 => {
                names.extend(section.into_iter().flatten().map(|import| import.name.name.to_owned()));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{EMPTY, Profile, admit, served};

    fn verdict(profile: Profile, imports: &[&str]) -> String {
        let imports: Vec<_> = imports.iter().map(|name| format!("(import \"{name}\" (instance))")).collect();
        let bytes = wat::parse_str(format!("(component {})", imports.join(" "))).unwrap();
        admit(profile, &bytes).map_or_else(|error| error.to_string(), |()| "admitted".to_owned())
    }

    #[test]
    fn every_import_that_is_not_served_is_named() {
        let table: [(Profile, &[&str], &str); 8] = [
            (Profile::Pure, &[], "admitted"),
            (Profile::Wasi, &[], "admitted"),
            (Profile::Wasi, &["wasi:io/poll@0.2.0", "wasi:clocks/wall-clock@0.2.12"], "admitted"),
            (
                Profile::Pure,
                &["wasi:io/poll@0.2.0"],
                "imports wasi:io/poll@0.2.0, which only the profile `wasi` serves",
            ),
            (
                Profile::Wasi,
                &["wasi:http/types@0.2.0", "wasi:io/poll@0.2.0", "a:b/c"],
                "imports wasi:http/types@0.2.0, a:b/c",
            ),
            (Profile::Pure, &["wasi:http/types@0.2.0", "wasi:io/poll@0.2.0"], "imports wasi:http/types@0.2.0"),
            (Profile::Wasi, &["wasi:io/poll@0.3.0"], "imports wasi:io/poll@0.3.0"),
            (Profile::Wasi, &["wasi:io/poll@0.2.0-rc-1"], "imports wasi:io/poll@0.2.0-rc-1"),
        ];
        for (profile, imports, wanted) in table {
            let found = verdict(profile, imports);
            assert!(found.contains(wanted), "{profile:?} {imports:?}: {found}");
        }
    }

    #[test]
    fn what_is_served_is_sorted_and_named_once() {
        assert!(EMPTY.is_sorted_by(|one, next| one < next));
        assert_eq!(served("wasi:io/poll@0.2.9"), Some("wasi:io/poll"));
    }

    #[test]
    fn profiles_are_called_as_they_are_written() {
        for profile in Profile::ALL {
            assert_eq!(serde_json::to_value(profile).unwrap(), profile.name());
            assert_eq!(profile.name().parse(), Ok(profile));
        }
    }
}
