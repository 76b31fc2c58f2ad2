//! Writes the record types of Educacional HUB's description as Rust types.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    rollcall_mapper_codegen::write_partner("../../schemas/educacional".as_ref())
}
