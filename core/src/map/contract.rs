//! Finds the version of the contract that a component was built against, without loading it.

use wasmparser::{Parser, Payload};

use super::host::INTERFACE;

/// The version in the name of the interface that a mapper exports; `None` where it exports none.
pub fn contract(component: &[u8]) -> Option<String> {
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.ok()? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    let name = export.ok()?.name.name;
                    if let Some(version) = name.strip_prefix(INTERFACE).and_then(|rest| rest.strip_prefix('@')) {
                        return Some(version.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    None
}
