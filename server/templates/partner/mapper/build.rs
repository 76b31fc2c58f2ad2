//! Writes the record types of the description as Rust types.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    rollcall_mapper_codegen::write_partner("../../schemas/new-partner".as_ref())
}
