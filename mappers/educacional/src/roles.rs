//! Turns the HUB's role table into OneRoster's roles.

use rollcall_mapper_sdk::canonical::UserRoleRole;

use crate::Options;
use crate::partner::Role;

/// The roles that every school has. Of those that a user has, the first in this order is the primary one: a guardian is
/// one first of all, because links between students and parents say so too and know of no other roles.
const TABLE: [&str; 7] =
    ["responsavel", "administrador", "diretor", "coordenador", "professor", "colaborador", "aluno"];

/// The codes of these roles, the primary one first; or the place of the first that is in no table.
pub(crate) fn codes<'r>(roles: &'r [Role<'_>], options: &Options) -> Result<Vec<&'r str>, usize> {
    let known = |code: &&str| TABLE.contains(code) || options.roles.values().any(|own| own == code);
    let code = |(nth, role): (usize, &'r Role<'_>)| role.code.as_deref().filter(known).ok_or(nth);
    let mut codes: Vec<_> = roles.iter().enumerate().map(code).collect::<Result<_, _>>()?;
    let place = |code: &&str| TABLE.iter().position(|known| known == code).unwrap_or(TABLE.len());
    codes.sort_by_key(|code| (place(code), *code));
    codes.dedup();
    Ok(codes)
}

/// What a role is called in OneRoster.
pub(crate) fn canonical(code: &str) -> UserRoleRole<'static> {
    match code {
        "responsavel" => UserRoleRole::Guardian,
        "administrador" => UserRoleRole::SiteAdministrator,
        "diretor" => UserRoleRole::Principal,
        "coordenador" => UserRoleRole::Ext("ext:coordinator".into()),
        "professor" => UserRoleRole::Teacher,
        "colaborador" => UserRoleRole::Ext("ext:staff".into()),
        "aluno" => UserRoleRole::Student,
        own => UserRoleRole::Ext(format!("ext:{own}").into()),
    }
}
