//! Turns a folder into a project that partners can be added to: what their mappers are built with, and nothing else of
//! Rollcall. Whoever has only the program needs no more.
//!
//! The sources are in the program (`build.rs` collects them), so that they always fit it. Its manifest is ours without
//! what is not there.

use std::collections::BTreeSet;
use std::path::Path;

use toml_edit::{Array, DocumentMut, Table};

use super::{Files, MANIFEST, NewcomerError, TEMPLATES, write};

include!(concat!(env!("OUT_DIR"), "/project.rs"));

/// Where a manifest names what a package needs.
const NEEDS: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

/// The files of a project without partners in `root`, none of which may be there.
pub fn project(root: &Path) -> Result<Files, NewcomerError> {
    if let Some((taken, _)) = FILES.iter().find(|(path, _)| root.join(path).exists()) {
        return Err(NewcomerError::Taken(root.join(taken)));
    }
    let mut files = Files::new();
    for (path, text) in FILES {
        let text = if path == MANIFEST { manifest(text)? } else { text.to_owned() };
        files.push((root.join(path), text));
    }
    Ok(files)
}

/// Writes a project.
pub fn write_project(files: &[(std::path::PathBuf, String)]) -> Result<(), NewcomerError> {
    files.iter().try_for_each(|(path, text)| write(path, text))
}

/// The project's manifest: the packages that are there, and what they and mappers depend on.
fn manifest(text: &str) -> Result<String, NewcomerError> {
    let mut members = Array::new();
    let mut needed = BTreeSet::new();
    for (path, text) in FILES.iter().chain(&TEMPLATES) {
        let Some(folder) = path.strip_suffix("/Cargo.toml") else { continue };
        needed.extend(needs(&parsed(text)?));
        if FILES.iter().any(|(of_project, _)| of_project == path) {
            members.push(folder);
        }
    }
    let mut manifest = parsed(text)?;
    let missing = |what: &str| broken(format!("it has no `{what}`"));
    let workspace =
        manifest.get_mut("workspace").and_then(|it| it.as_table_mut()).ok_or_else(|| missing("workspace"))?;
    workspace.insert("members", toml_edit::value(members));
    let dependencies = workspace.get_mut("dependencies").and_then(|it| it.as_table_mut());
    dependencies.ok_or_else(|| missing("workspace.dependencies"))?.retain(|name, _| needed.contains(name));
    let profiles = manifest.get_mut("profile").and_then(|it| it.as_table_mut()).ok_or_else(|| missing("profile"))?;
    profiles.remove("dev"); // it is about packages that are not there
    Ok(manifest.to_string())
}

/// The names of all that a package depends on.
fn needs(manifest: &DocumentMut) -> Vec<String> {
    let tables = NEEDS.iter().filter_map(|table| manifest.get(table)?.as_table());
    tables.flat_map(Table::iter).map(|(name, _)| name.to_owned()).collect()
}

fn parsed(text: &str) -> Result<DocumentMut, NewcomerError> {
    text.parse().map_err(|error: toml_edit::TomlError| broken(error.to_string()))
}

fn broken(reason: String) -> NewcomerError {
    NewcomerError::Manifest { path: MANIFEST.into(), reason }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::MANIFEST;
    use super::{FILES, parsed, project};

    #[test]
    fn a_project_has_what_mappers_are_built_with_and_no_partner() {
        let files = project(Path::new("nowhere")).unwrap();
        assert_eq!(files.len(), FILES.len());
        let text = |name: &str| files.iter().find(|(path, _)| path.ends_with(name)).map(|(_, text)| text.as_str());
        let manifest = parsed(text(&format!("nowhere/{MANIFEST}")).unwrap()).unwrap();
        let members: Vec<_> =
            manifest["workspace"]["members"].as_array().unwrap().iter().filter_map(|member| member.as_str()).collect();
        assert_eq!(members, ["mappers/codegen", "mappers/componentize", "mappers/sdk", "openapi"]);
        let dependencies = manifest["workspace"]["dependencies"].as_table().unwrap();
        assert!(dependencies.contains_key("rollcall-mapper-sdk") && !dependencies.contains_key("rollcall-core"));
        assert!(manifest["profile"].get("mapper").is_some() && manifest["profile"].get("dev").is_none());
        for name in ["mappers/wit/v1/mapper.wit", "schemas/canonical/user.yaml", "Cargo.lock"] {
            assert!(text(name).is_some(), "there is no {name}");
        }
    }
}
