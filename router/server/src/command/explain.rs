//! `rabita explain`.

use std::process::ExitCode;

use rabita_model::Code;

use super::{Failed, output};

pub(super) fn run(code: Option<&str>) -> Result<ExitCode, Failed> {
    let Some(name) = code else {
        for code in Code::ALL {
            output::say(format_args!("{:<26}{}", code.as_str(), code.public_message()));
        }
        return Ok(ExitCode::SUCCESS);
    };
    match Code::parse(name) {
        Some(code) => {
            output::say(code.page().trim_end());
            Ok(ExitCode::SUCCESS)
        }
        None => {
            let likely = rabita_sdk::finding::likely(name, Code::ALL.iter().map(|code| code.as_str()));
            let hint =
                likely.map_or_else(|| "`rabita explain` lists all".to_owned(), |likely| format!("did you mean `{likely}`?"));
            Err(format!("there is no code `{name}`; {hint}").into())
        }
    }
}
