//! One description of a schema: `( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP name )` (RFC 4512, section 4.1).

/// The words of a description, each keyword with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) oid: String,
    words: Vec<(String, Vec<String>)>,
}

impl Description {
    /// A description of its text; none where it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut tokens = tokens(text)?.into_iter().peekable();
        if tokens.next()? != Token::Open {
            return None;
        }
        let Token::Word(oid) = tokens.next()? else { return None };
        let mut words = Vec::new();
        loop {
            match tokens.next()? {
                Token::Close => return tokens.next().is_none().then_some(Self { oid, words }),
                Token::Word(keyword) => {
                    let values = match tokens.peek()? {
                        Token::Open => {
                            tokens.next();
                            listed(&mut tokens)?
                        }
                        // A flag has no value: what comes next is a keyword or the end.
                        _ if is_flag(&keyword) => Vec::new(),
                        Token::Word(_) | Token::Text(_) => vec![tokens.next()?.text()?],
                        Token::Close => Vec::new(),
                    };
                    words.push((keyword, values));
                }
                Token::Open | Token::Text(_) => return None,
            }
        }
    }

    /// All names, the first one first, and the object identifier.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.all("NAME").iter().map(String::as_str).chain(std::iter::once(self.oid.as_str()))
    }

    /// The first value of a keyword.
    pub(crate) fn word(&self, keyword: &str) -> Option<&str> {
        self.all(keyword).first().map(String::as_str)
    }

    /// Whether it has a flag.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.words.iter().any(|(own, _)| own == flag)
    }

    /// All values of a keyword.
    pub(crate) fn all(&self, keyword: &str) -> &[String] {
        self.words.iter().find(|(own, _)| own == keyword).map_or(&[], |(_, values)| values.as_slice())
    }
}

fn is_flag(keyword: &str) -> bool {
    const FLAGS: [&str; 7] =
        ["OBSOLETE", "SINGLE-VALUE", "COLLECTIVE", "NO-USER-MODIFICATION", "ABSTRACT", "STRUCTURAL", "AUXILIARY"];
    FLAGS.contains(&keyword)
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Word(String),
    Text(String),
}

impl Token {
    fn text(self) -> Option<String> {
        match self {
            Self::Word(text) | Self::Text(text) => Some(text),
            Self::Open | Self::Close => None,
        }
    }
}

/// What stands up to the closing bracket; `$` parts names.
fn listed(tokens: &mut impl Iterator<Item = Token>) -> Option<Vec<String>> {
    let mut values = Vec::new();
    loop {
        match tokens.next()? {
            Token::Close => return Some(values),
            Token::Word(word) if word == "$" => {}
            token => values.push(token.text()?),
        }
    }
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '(' => {
                tokens.push(Token::Open);
                &rest[1..]
            }
            ')' => {
                tokens.push(Token::Close);
                &rest[1..]
            }
            '\'' => {
                let (quoted, rest) = rest[1..].split_once('\'')?;
                tokens.push(Token::Text(quoted.replace("\\27", "'").replace("\\5C", "\\").replace("\\5c", "\\")));
                rest
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '\'')).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
        }
        .trim_start();
    }
    Some(tokens)
}
