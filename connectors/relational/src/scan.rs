//! Reads the SQL that a manifest's author wrote, as far as needed to find what must not stand in it.

/// A piece of SQL outside comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A bare or quoted identifier or a keyword.
    Word(String),
    /// A text literal.
    Literal,
    /// Any other character.
    Mark(char),
}

/// The pieces of SQL text, or what keeps it from being read to its end.
pub(crate) fn tokens(sql: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '\'' => {
                tokens.push(Token::Literal);
                quoted(after, '\'').ok_or("a quoted text does not end")?.1
            }
            '"' | '`' => {
                let (word, after) = quoted(after, first).ok_or("a quoted name does not end")?;
                tokens.push(Token::Word(word));
                after
            }
            '-' if after.starts_with('-') => after.split_once('\n').map_or("", |(_, after)| after),
            '/' if after.starts_with('*') => after.split_once("*/").ok_or("a comment does not end")?.1,
            _ if first.is_alphabetic() || first == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
            _ if first.is_ascii_digit() => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '.').unwrap_or(rest.len());
                tokens.push(Token::Literal);
                &rest[end..]
            }
            _ => {
                if !first.is_whitespace() {
                    tokens.push(Token::Mark(first));
                }
                after
            }
        };
    }
    Ok(tokens)
}

/// The text up to the closing quote, a doubled one being part of it, and what follows.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut inner = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character != quote {
            inner.push(character);
        } else if characters.peek().is_some_and(|(_, next)| *next == quote) {
            characters.next();
            inner.push(quote);
        } else {
            return Some((inner, &text[at + quote.len_utf8()..]));
        }
    }
    None
}

/// What must not stand in a manifest's SQL, if something of it does.
pub(crate) fn objection(sql: &str) -> Option<&'static str> {
    let tokens = match tokens(sql) {
        Ok(tokens) => tokens,
        Err(objection) => return Some(objection),
    };
    if tokens.is_empty() {
        return Some("there is no SQL in it");
    }
    let mut depth = 0_i32;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark(';') => return Some("`;` would end the statement: write one condition or one SELECT"),
            Token::Mark('?') => return Some("`?` would be taken for a parameter"),
            Token::Mark('$') if tokens.get(at + 1) == Some(&Token::Literal) => {
                return Some("`$1` would be taken for a parameter");
            }
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return Some("a `)` closes nothing");
        }
    }
    (depth > 0).then_some("a `(` is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_to_what_would_end_or_break_the_statement_and_to_nothing_in_quotes() {
        for good in
            ["a = 'x;y'", "\"odd;name\" = 1", "a = 'it''s;'", "a = 1 -- why; not\n and b = 2", "a /* ; */ = 1", "t.a in (1, 2)"]
        {
            assert_eq!(objection(good), None, "{good}");
        }
        for bad in ["a = 1; drop table t", "a = 'x", "a = ?", "a = $1", "a = 1) or (1 = 1", "(a = 1", "", "-- nothing", "/* open"]
        {
            assert!(objection(bad).is_some(), "{bad}");
        }
    }
}
