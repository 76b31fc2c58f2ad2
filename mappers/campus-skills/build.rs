//! Writes the record types of Campus Skills' description as Rust types.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    rollcall_mapper_codegen::write_partner("../../schemas/campus-skills".as_ref())
}
