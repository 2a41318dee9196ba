//! Templates: several values in one text, as `{IL:4}-{AY:2}-{GUN:2}`.
//!
//! A placeholder is a name in braces, with a width where it stands for digits filled up with zeros; `{{` and `}}`
//! are braces. One template both composes a text and splits it, and neither loses anything: what does not survive
//! the way back is refused.

use crate::codec::CodecFault;
use crate::{Finding, Legacy};

/// A template, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field { name: String, width: Option<usize> },
}

/// As many digits as an integer holds whatever they are.
const WIDEST: usize = 18;

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Finding> {
        let parts = Parser { chars: text.chars().peekable(), parts: Vec::new() }.parse().map_err(finding)?;
        let template = Self { parts };
        template.check().map_err(finding)?;
        Ok(template)
    }

    /// The names of the placeholders, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field { name, .. } => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// Puts values together; `None` when all of them are null or missing.
    ///
    /// # Errors
    /// When only some are there, when one does not fit its place, and when the text would split differently.
    pub fn compose(&self, get: impl Fn(&str) -> Option<Legacy>) -> Result<Option<String>, CodecFault> {
        let values: Vec<Legacy> = self.names().map(|name| get(name).unwrap_or_default()).collect();
        if values.iter().all(Legacy::is_null) {
            return Ok(None);
        }
        if let Some((name, _)) = self.names().zip(&values).find(|(_, value)| value.is_null()) {
            return Err(CodecFault::new("incomplete", format!("there is no `{name}` to compose with")));
        }
        let mut text = String::new();
        let mut written = Vec::with_capacity(values.len());
        let mut values = values.iter();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Field { name, width } => {
                    let field = write_field(name, *width, values.next().unwrap_or(&Legacy::Null))?;
                    text.push_str(&field);
                    written.push(field);
                }
            }
        }
        if self.cut(&text)? == written {
            Ok(Some(text))
        } else {
            Err(CodecFault::unrepresentable("the parts could not be told apart again"))
        }
    }

    /// Takes a text apart: the names and their values, in order. A placeholder with a width gives an integer, others
    /// text.
    ///
    /// # Errors
    /// When the text is not of this form.
    pub fn split(&self, text: &str) -> Result<Vec<(String, Legacy)>, CodecFault> {
        let fields = self.cut(text)?;
        let mut values = Vec::with_capacity(fields.len());
        let mut fields = fields.into_iter();
        for part in &self.parts {
            let Part::Field { name, width } = part else { continue };
            let field = fields.next().unwrap_or_default();
            let value = match width {
                Some(_) => Legacy::Int(field.parse().map_err(|_| form())?),
                None => Legacy::Text(field.to_owned()),
            };
            values.push((name.clone(), value));
        }
        Ok(values)
    }

    /// The texts of the placeholders.
    fn cut<'t>(&self, text: &'t str) -> Result<Vec<&'t str>, CodecFault> {
        let mut rest = text;
        let mut fields = Vec::new();
        for (place, part) in self.parts.iter().enumerate() {
            match part {
                Part::Literal(literal) => rest = rest.strip_prefix(literal.as_str()).ok_or_else(form)?,
                Part::Field { width: Some(width), .. } => {
                    let field = rest.get(..*width).ok_or_else(form)?;
                    if !field.bytes().all(|byte| byte.is_ascii_digit()) {
                        return Err(form());
                    }
                    fields.push(field);
                    rest = &rest[*width..];
                }
                Part::Field { width: None, .. } => {
                    let end = match self.parts.get(place + 1) {
                        Some(Part::Literal(next)) if place + 2 == self.parts.len() => {
                            rest.len().checked_sub(next.len()).filter(|end| rest.is_char_boundary(*end)).ok_or_else(form)?
                        }
                        Some(Part::Literal(next)) => rest.find(next.as_str()).ok_or_else(form)?,
                        _ => rest.len(),
                    };
                    let (field, after) = rest.split_at(end);
                    fields.push(field);
                    rest = after;
                }
            }
        }
        if rest.is_empty() { Ok(fields) } else { Err(form()) }
    }

    fn check(&self) -> Result<(), String> {
        let mut names = std::collections::HashSet::new();
        if let Some(twice) = self.names().find(|name| !names.insert(*name)) {
            return Err(format!("`{{{twice}}}` is there twice"));
        }
        if names.is_empty() {
            return Err("there is no placeholder, as `{name}`".to_owned());
        }
        for pair in self.parts.windows(2) {
            if let [Part::Field { name, width: None }, Part::Field { name: next, .. }] = pair {
                return Err(format!(
                    "nothing tells `{{{name}}}` from `{{{next}}}`: put a character between them, or give the first a width, as `{{{name}:4}}`"
                ));
            }
        }
        Ok(())
    }
}

fn finding(message: String) -> Finding {
    Finding::new("", message)
}

fn form() -> CodecFault {
    CodecFault::new("unexpected_form", "the text is not of the template's form")
}

fn write_field(name: &str, width: Option<usize>, value: &Legacy) -> Result<String, CodecFault> {
    let text = value.to_text().ok_or_else(|| CodecFault::kind(&format!("`{name}` of a template"), "a scalar", value))?;
    let Some(width) = width else { return Ok(text.into_owned()) };
    if text.is_empty() || text.len() > width || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CodecFault::unrepresentable(format!("`{name}` of a template takes at most {width} digits")));
    }
    Ok(format!("{text:0>width$}"))
}

struct Parser<'t> {
    chars: std::iter::Peekable<std::str::Chars<'t>>,
    parts: Vec<Part>,
}

impl Parser<'_> {
    fn parse(mut self) -> Result<Vec<Part>, String> {
        while let Some(char) = self.chars.next() {
            match char {
                '{' if self.chars.next_if_eq(&'{').is_some() => self.literal('{'),
                '}' if self.chars.next_if_eq(&'}').is_some() => self.literal('}'),
                '{' => {
                    let field = self.field()?;
                    self.parts.push(field);
                }
                '}' => return Err("a `}` closes nothing; write `}}` for the character".to_owned()),
                char => self.literal(char),
            }
        }
        Ok(self.parts)
    }

    fn literal(&mut self, char: char) {
        if let Some(Part::Literal(literal)) = self.parts.last_mut() {
            literal.push(char);
        } else {
            self.parts.push(Part::Literal(char.to_string()));
        }
    }

    fn field(&mut self) -> Result<Part, String> {
        let mut inside = String::new();
        loop {
            match self.chars.next() {
                Some('}') => break,
                Some('{') => return Err("a placeholder holds a `{`".to_owned()),
                Some(char) => inside.push(char),
                None => return Err("a `{` is not closed; write `{{` for the character".to_owned()),
            }
        }
        let (name, width) = match inside.rsplit_once(':') {
            Some((name, width)) => (name, Some(width)),
            None => (inside.as_str(), None),
        };
        if name.is_empty() {
            return Err("a placeholder has no name".to_owned());
        }
        let width = width.map(|width| match width.parse() {
            Ok(width @ 1..=WIDEST) => Ok(width),
            _ => Err(format!("the width of `{{{name}}}` is a number from 1 to {WIDEST}")),
        });
        Ok(Part::Field { name: name.to_owned(), width: width.transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).expect("a template")
    }

    fn compose(text: &str, values: &[(&str, Legacy)]) -> Result<Option<String>, &'static str> {
        let get = |name: &str| values.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone());
        template(text).compose(get).map_err(|fault| fault.code)
    }

    #[test]
    fn puts_a_date_together_and_takes_it_apart() {
        let date = "{IL:4}-{AY:2}-{GUN:2}";
        let values = [("IL", 1978.into()), ("AY", 3.into()), ("GUN", "21".into())];
        assert_eq!(compose(date, &values), Ok(Some("1978-03-21".to_owned())));
        let parts = template(date).split("1978-03-21").expect("parts");
        assert_eq!(parts, [("IL".to_owned(), 1978.into()), ("AY".to_owned(), 3.into()), ("GUN".to_owned(), 21.into())]);
        for wrong in ["1978-3-21", "1978-03-21 ", "1978-03-2x", "", "1978-03-2Ə"] {
            assert_eq!(template(date).split(wrong).map_err(|fault| fault.code), Err("unexpected_form"), "{wrong}");
        }
        assert_eq!(compose(date, &[]), Ok(None));
        assert_eq!(compose(date, &[("IL", 1978.into())]), Err("incomplete"));
        assert_eq!(compose(date, &[("IL", 19780.into()), ("AY", 3.into()), ("GUN", 1.into())]), Err("unrepresentable"));
        assert_eq!(compose(date, &[("IL", (-1).into()), ("AY", 3.into()), ("GUN", 1.into())]), Err("unrepresentable"));
    }

    #[test]
    fn refuses_to_compose_what_would_split_differently() {
        assert_eq!(compose("{a}, {b}", &[("a", "x".into()), ("b", "y, z".into())]), Ok(Some("x, y, z".to_owned())));
        assert_eq!(compose("{a}, {b}", &[("a", "x, y".into()), ("b", "z".into())]), Err("unrepresentable"));
        assert_eq!(compose("{a} ({b})", &[("a", "x".into()), ("b", "y)".into())]), Ok(Some("x (y))".to_owned())));
        assert_eq!(compose("{{{a:2}}}", &[("a", 7.into())]), Ok(Some("{07}".to_owned())));
    }

    #[test]
    fn says_what_is_wrong_with_a_template() {
        for (text, says) in [
            ("{a}{b:2}", "nothing tells `{a}` from `{b}`"),
            ("{a", "not closed"),
            ("a}", "closes nothing"),
            ("{}", "no name"),
            ("{a:0}", "from 1 to 18"),
            ("{a:x}", "from 1 to 18"),
            ("{a}-{a}", "twice"),
            ("text", "no placeholder"),
            ("{a{b}}", "holds a `{`"),
        ] {
            let message = Template::parse(text).expect_err(text).message;
            assert!(message.contains(says), "{text}: {message}");
        }
        assert_eq!(template("{a:2}{b}-{c}").names().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    proptest! {
        #[test]
        fn what_composes_splits_into_the_same(a in "\\PC{0,6}", b in 0_i64..20_000, c in "[a-z-/]{0,6}") {
            let text = "{a}-{b:4}{c}/";
            let values = [("a", Legacy::Text(a.clone())), ("b", Legacy::Int(b)), ("c", Legacy::Text(c.clone()))];
            if let Ok(Some(composed)) = compose(text, &values) {
                let parts = template(text).split(&composed).expect("it splits");
                let expected = [("a".to_owned(), Legacy::Text(a)), ("b".to_owned(), b.into()), ("c".to_owned(), Legacy::Text(c))];
                prop_assert_eq!(parts, expected);
            }
        }

        #[test]
        fn what_splits_composes_into_the_same(text in "[a-c0-9/-]{0,12}|[a-c]{0,3}-[0-9]{4}[a-c/]{0,3}/") {
            let template = template("{a}-{b:4}{c}/");
            if let Ok(parts) = template.split(&text) {
                let get = |name: &str| parts.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
                prop_assert_eq!(template.compose(get), Ok(Some(text)));
            }
        }
    }
}
