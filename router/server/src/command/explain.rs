//! `rabita explain`.

use std::process::ExitCode;

use rabita_model::{Code, Rule};

use super::{Failed, output};

pub(super) fn run(word: Option<&str>) -> Result<ExitCode, Failed> {
    let Some(word) = word else {
        output::say("What callers are answered:");
        Code::ALL.iter().for_each(|code| output::say(format_args!("  {:<26}{}", code.as_str(), code.public_message())));
        output::say("\nWhat `rabita check` finds:");
        Rule::ALL.iter().for_each(|rule| output::say(format_args!("  {:<26}{}", rule.as_str(), rule.message())));
        return Ok(ExitCode::SUCCESS);
    };
    let page = Code::parse(word).map(Code::page).or_else(|| Rule::parse(word).map(Rule::page));
    if let Some(page) = page {
        output::say(page.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let known = Code::ALL.iter().map(|code| code.as_str()).chain(Rule::ALL.iter().map(|rule| rule.as_str()));
    let hint = rabita_sdk::finding::likely(word, known)
        .map_or_else(|| "`rabita explain` lists all".to_owned(), |likely| format!("did you mean `{likely}`?"));
    Err(format!("there is no code `{word}`; {hint}").into())
}
