//! `mapper-artifacts --out DIR` copies every partner's component into a folder as `<partner>.wasm`.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--out", folder] => mapper_artifacts::copy_to(Path::new(folder)).map_err(|error| error.to_string()),
        _ => Err("usage: mapper-artifacts --out DIR".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails.
            let _unheard = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
