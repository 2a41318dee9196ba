//! The SQL of a named action: its parameters by name, and whether it answers rows.

use rabita_sdk::{ActSpec, Source};
use tokio::sync::OnceCell;

use crate::column::Column;
use crate::origin::ActionFrom;
use crate::scan::{Token, objection, tokens};

/// An action made ready.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) spec: ActSpec,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) answers: Answers,
    /// What PostgreSQL takes each parameter for, asked of it once.
    pub(crate) params: OnceCell<Vec<Column>>,
}

/// A piece of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    /// The value of this name.
    Name(String),
}

/// What a statement answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// How many rows it touched.
    Count,
    /// The rows that it touched.
    Touched,
    /// Rows that tell nothing of what was touched: those of a function or a procedure.
    Rows,
}

impl Action {
    /// Makes an action ready; what is wrong with it is in words for the manifest's author.
    pub(crate) fn new(spec: ActSpec) -> Result<Self, String> {
        let from: ActionFrom = serde_json::from_value(spec.from.clone()).map_err(|error| error.to_string())?;
        if let Some(objection) = objection(&from.sql) {
            return Err(objection.to_owned());
        }
        let answers = answers(&from.sql);
        Ok(Self { pieces: pieces(&from.sql), answers, spec, params: OnceCell::new() })
    }

    /// The names of the parameters, in the order of the statement; one that stands there twice is there twice.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }
}

/// The name by which a source of the key stands in an action's SQL: its column's, without an alias.
pub(crate) fn parameter(source: &Source) -> &str {
    source.members().last().unwrap_or(source.as_str())
}

fn answers(sql: &str) -> Answers {
    let words: Vec<String> = tokens(sql)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|token| match token {
            Token::Word(word) => Some(word.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    match words.first().map(String::as_str) {
        Some("select" | "call" | "with" | "values") => Answers::Rows,
        _ if words.iter().any(|word| word == "returning") => Answers::Touched,
        _ => Answers::Count,
    }
}

/// Takes a statement apart at `:NAME`, outside quotes and comments; `::` is a cast of PostgreSQL.
fn pieces(sql: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let name: &str = match rest.strip_prefix(':') {
            Some(after) if after.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
                &after[..end]
            }
            _ => "",
        };
        if !name.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(Piece::Name(name.to_owned()));
            rest = &rest[1 + name.len()..];
            continue;
        }
        let length = passed(rest, first);
        text.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    pieces.push(Piece::Text(text));
    pieces
}

/// The length of what has no parameter in it: a quoted text or name, a comment, a cast, or one character.
fn passed(rest: &str, first: char) -> usize {
    let up_to = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    match first {
        // A doubled quote ends one text and begins another, which comes to the same.
        '\'' | '"' | '`' => up_to(first.encode_utf8(&mut [0; 4]), 1),
        '-' if rest.starts_with("--") => up_to("\n", 2),
        '/' if rest.starts_with("/*") => up_to("*/", 2),
        ':' if rest.starts_with("::") => 2,
        _ => first.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_parameters_and_nothing_that_only_looks_like_one() {
        let sql = "UPDATE \"a:b\" SET x = :VALUE, y = ':no' || :OTHER::text -- :comment\n WHERE `k:k` = :KEY /* :c */";
        let names: Vec<Piece> = pieces(sql).into_iter().filter(|piece| matches!(piece, Piece::Name(_))).collect();
        assert_eq!(names, ["VALUE", "OTHER", "KEY"].map(|name| Piece::Name(name.to_owned())));
        let back: String = pieces(sql)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Name(name) => format!(":{name}"),
            })
            .collect();
        assert_eq!(back, sql);
    }

    #[test]
    fn tells_by_its_words_what_a_statement_answers() {
        assert_eq!(answers("UPDATE t SET a = 'returning'"), Answers::Count);
        assert_eq!(answers("update t set a = 1 Returning b"), Answers::Touched);
        assert_eq!(answers("SELECT revoke(:NO)"), Answers::Rows);
        assert_eq!(answers("CALL revoke(:NO)"), Answers::Rows);
    }
}
