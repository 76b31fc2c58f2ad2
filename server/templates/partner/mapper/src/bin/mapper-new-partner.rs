//! The mapper as a native program, see `native_main!`.

rollcall_mapper_sdk::native_main!(mapper_new_partner::NewPartner);
