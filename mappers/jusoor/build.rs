//! Writes the record types of Jusoor's description as Rust types.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    rollcall_mapper_codegen::write_partner("../../schemas/jusoor".as_ref())
}
