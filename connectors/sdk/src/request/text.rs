//! Text with placeholders: `{source}`, `{source?}`, `{source!nil}`, `{source:prefix}`, `{$limit}`.

use rabita_model::Comparison;

use super::Word;

/// Text with placeholders.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Text(pub Vec<Piece>);

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    Literal(String),
    Value { word: Word, when_none: WhenNone },
}

/// What becomes of a place for which there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenNone {
    /// It stays empty: `{x}`.
    Empty,
    /// What it stands in is left out: `{x?}`.
    LeaveOut,
    /// It says that there is no value: `{x!nil}`.
    Nil,
}

impl Text {
    /// Reads text with placeholders; `{{` and `}}` are braces.
    ///
    /// # Errors
    /// What is wrong with a placeholder.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            let end = rest.find('}').filter(|_| brace == "{");
            let end = end.ok_or("a brace without its other half; write `{{` or `}}` for the character itself")?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(placeholder(&rest[..end])?);
            rest = &rest[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// What its placeholders stand for.
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Value { word, .. } => Some(word),
            Piece::Literal(_) => None,
        })
    }

    /// The placeholder, when the text is nothing else.
    #[must_use]
    pub fn only(&self) -> Option<(&Word, WhenNone)> {
        match self.0.as_slice() {
            [Piece::Value { word, when_none }] => Some((word, *when_none)),
            _ => None,
        }
    }
}

fn placeholder(inside: &str) -> Result<Piece, String> {
    let (name, when_none) = if let Some(name) = inside.strip_suffix('?') {
        (name, WhenNone::LeaveOut)
    } else if let Some(name) = inside.strip_suffix("!nil") {
        (name, WhenNone::Nil)
    } else {
        (inside, WhenNone::Empty)
    };
    Ok(Piece::Value { word: word(name.trim())?, when_none })
}

fn word(name: &str) -> Result<Word, String> {
    if name.is_empty() {
        return Err("an empty placeholder; write `{{}}` for a pair of braces".to_owned());
    }
    if let Some(word) = name.strip_prefix('$') {
        return SPECIAL.iter().find(|(own, _)| *own == word).map(|(_, word)| word.clone()).ok_or_else(|| {
            let known: Vec<String> = SPECIAL.iter().map(|(own, _)| format!("`{{${own}}}`")).collect();
            format!("there is no `{{${word}}}`; there is {}", known.join(", "))
        });
    }
    let comparison = name
        .rsplit_once(':')
        .and_then(|(source, word)| Some((source, Comparison::ALL.into_iter().find(|c| c.as_str() == word)?)));
    Ok(match comparison {
        Some((source, Comparison::Equals)) => Word::Source(source.to_owned()),
        Some((source, comparison)) => Word::Filter(source.to_owned(), comparison),
        None => Word::Source(name.to_owned()),
    })
}

/// The name of a special word.
pub(super) fn name_of(word: &Word) -> Option<&'static str> {
    SPECIAL.iter().find(|(_, own)| own == word).map(|(name, _)| *name)
}

const SPECIAL: [(&str, Word); 8] = [
    ("item", Word::Item),
    ("message_id", Word::MessageId),
    ("version", Word::Version),
    ("limit", Word::Limit),
    ("offset", Word::Offset),
    ("page", Word::Page),
    ("cursor", Word::Cursor),
    ("exchange", Word::Exchange),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_placeholders_among_text() {
        let value = |word, when_none| Piece::Value { word, when_none };
        let text = Text::parse("a{{b}} {x.@y}-{n:prefix?}*{$limit}{t:e!nil}").expect("a template");
        assert_eq!(
            text.0,
            [
                Piece::Literal("a{b} ".into()),
                value(Word::Source("x.@y".into()), WhenNone::Empty),
                Piece::Literal("-".into()),
                value(Word::Filter("n".into(), Comparison::Prefix), WhenNone::LeaveOut),
                Piece::Literal("*".into()),
                value(Word::Limit, WhenNone::Empty),
                value(Word::Source("t:e".into()), WhenNone::Nil),
            ]
        );
    }

    #[test]
    fn says_what_is_wrong_with_a_placeholder() {
        for bad in ["{", "}", "a}b", "{a", "{}", "{$limt}", "{?}"] {
            assert!(Text::parse(bad).is_err(), "{bad}");
        }
    }
}
