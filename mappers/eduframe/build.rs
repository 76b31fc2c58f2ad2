//! Writes the record types of Eduframe's description as Rust types.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    rollcall_mapper_codegen::write_partner("../../schemas/eduframe".as_ref())
}
