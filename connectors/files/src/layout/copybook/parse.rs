//! A copybook's text as items within items: level, name, picture, usage, and what repeats or redefines.

/// A data item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The line of the copybook on which it begins.
    pub line: usize,
    pub level: u8,
    /// `None` for `FILLER`.
    pub name: Option<String>,
    pub picture: Option<String>,
    pub usage: Usage,
    pub sign: Sign,
    /// How often it occurs at most, and the item that says how often.
    pub occurs: Option<(usize, Option<String>)>,
    pub redefines: Option<String>,
    pub items: Vec<Item>,
}

/// How a value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Usage {
    #[default]
    Display,
    Packed,
    Binary,
}

/// Where the sign of a number in digits is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sign {
    /// Within the last digit.
    #[default]
    Within,
    /// A character of its own.
    Separate,
}

/// What can't be used of a copybook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub line: usize,
    pub message: String,
}

/// The records of a copybook: its items of level 01, or the whole where it begins with another level.
pub fn records(text: &str) -> Result<Vec<Item>, Wrong> {
    let mut open: Vec<Item> = Vec::new();
    let mut records: Vec<Item> = Vec::new();
    for (line, words) in sentences(text) {
        let Some(item) = item(line, &words)? else { continue };
        while open.last().is_some_and(|last| last.level >= item.level) {
            close(&mut open, &mut records);
        }
        open.push(item);
    }
    while !open.is_empty() {
        close(&mut open, &mut records);
    }
    if records.is_empty() {
        return Err(Wrong { line: 1, message: "the copybook describes no record".to_owned() });
    }
    if records.iter().all(|record| record.level == 1) {
        return Ok(records);
    }
    // What begins below level 01 is meant to be copied under one.
    let whole = Item {
        line: 1,
        level: 1,
        name: Some("RECORD".to_owned()),
        picture: None,
        usage: Usage::Display,
        sign: Sign::Within,
        occurs: None,
        redefines: None,
        items: records,
    };
    Ok(vec![whole])
}

fn close(open: &mut Vec<Item>, records: &mut Vec<Item>) {
    let Some(item) = open.pop() else { return };
    match open.last_mut() {
        Some(parent) => parent.items.push(item),
        None => records.push(item),
    }
}

/// Sentences end with a full stop; each is told with the line on which it begins.
fn sentences(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut sentences = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut begins = 0;
    for (number, line) in text.lines().enumerate() {
        for word in code_of(line).split_whitespace() {
            if words.is_empty() {
                begins = number + 1;
            }
            // A full stop within a picture has no blank after it.
            match word.strip_suffix('.') {
                Some(last) => {
                    if !last.is_empty() {
                        words.push(last.to_owned());
                    }
                    sentences.push((begins, std::mem::take(&mut words)));
                }
                None => words.push(word.to_owned()),
            }
        }
    }
    if !words.is_empty() {
        sentences.push((begins, words));
    }
    sentences.retain(|(_, words)| !words.is_empty());
    sentences
}

/// What of a line is code: columns 8 to 72 of the old form, without the number of the line; all of a free one.
fn code_of(line: &str) -> &str {
    let is_numbered = line.len() >= 7 && line.is_char_boundary(6) && line.is_char_boundary(7) && {
        let (number, rest) = line.split_at(6);
        number.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ') && rest.starts_with([' ', '*', '/', '-', 'D', 'd'])
    };
    if !is_numbered {
        return if line.trim_start().starts_with('*') { "" } else { line.split("*>").next().unwrap_or_default() };
    }
    if line[6..].starts_with(['*', '/']) {
        return "";
    }
    let code = &line[7..];
    const AREA: usize = 65;
    let code = if code.len() > AREA && code.is_char_boundary(AREA) { &code[..AREA] } else { code };
    code.split("*>").next().unwrap_or_default()
}

#[rustfmt::skip]
const CLAUSES: [&str; 25] = [
    "REDEFINES", "PIC", "PICTURE", "USAGE", "IS", "COMP", "COMP-3", "COMP-4", "COMP-5", "COMPUTATIONAL", "COMPUTATIONAL-3",
    "COMPUTATIONAL-4", "COMPUTATIONAL-5", "BINARY", "PACKED-DECIMAL", "DISPLAY", "OCCURS", "SIGN", "VALUE", "VALUES", "JUST",
    "JUSTIFIED", "BLANK", "SYNC", "SYNCHRONIZED",
];

fn item(line: usize, words: &[String]) -> Result<Option<Item>, Wrong> {
    let wrong = |message: String| Wrong { line, message };
    let mut words = words.iter().map(String::as_str).peekable();
    let level = words.next().unwrap_or_default();
    let level: u8 = level.parse().map_err(|_| wrong(format!("an item begins with its level number, not with `{level}`")))?;
    match level {
        // Names of conditions, renamings and constants take no place.
        66 | 78 | 88 => return Ok(None),
        1..=49 | 77 => {}
        _ => return Err(wrong(format!("there is no level {level}"))),
    }
    let is_clause = |word: &str| CLAUSES.contains(&word.to_ascii_uppercase().as_str());
    let name = words.next_if(|word| !is_clause(word)).filter(|name| !name.eq_ignore_ascii_case("FILLER"));
    let mut item = Item {
        line,
        level: if level == 77 { 1 } else { level },
        name: name.map(str::to_ascii_uppercase),
        picture: None,
        usage: Usage::Display,
        sign: Sign::Within,
        occurs: None,
        redefines: None,
        items: Vec::new(),
    };
    while let Some(word) = words.next() {
        let word = word.trim_end_matches(',').to_ascii_uppercase();
        match word.as_str() {
            "REDEFINES" => item.redefines = words.next().map(str::to_ascii_uppercase),
            "PIC" | "PICTURE" => {
                words.next_if(|word| word.eq_ignore_ascii_case("IS"));
                item.picture = words.next().map(str::to_ascii_uppercase);
            }
            "USAGE" | "IS" | "TRAILING" | "CHARACTER" | "RIGHT" | "JUST" | "JUSTIFIED" | "DISPLAY" | "SIGN" => {}
            "COMP-3" | "COMPUTATIONAL-3" | "PACKED-DECIMAL" => item.usage = Usage::Packed,
            "COMP" | "COMP-4" | "COMP-5" | "COMPUTATIONAL" | "COMPUTATIONAL-4" | "COMPUTATIONAL-5" | "BINARY" => {
                item.usage = Usage::Binary;
            }
            "SEPARATE" => item.sign = Sign::Separate,
            "OCCURS" => item.occurs = Some(occurs(&mut words).map_err(wrong)?),
            "BLANK" => {
                while words
                    .next_if(|word| ["WHEN", "ZERO", "ZEROS", "ZEROES"].iter().any(|own| word.eq_ignore_ascii_case(own)))
                    .is_some()
                {}
            }
            // What an item holds at first is nothing to a reader; it may be a text of many words.
            "VALUE" | "VALUES" => while words.next_if(|word| !is_clause(word) || word.eq_ignore_ascii_case("IS")).is_some() {},
            other => return Err(wrong(format!("`{other}` is not known here: take it out, or describe the record with `fixed`"))),
        }
    }
    Ok(Some(item))
}

/// `OCCURS 3 TIMES`, `OCCURS 1 TO 5 TIMES DEPENDING ON COUNT INDEXED BY I`.
fn occurs<'a>(words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> Result<(usize, Option<String>), String> {
    let number = |word: Option<&str>, least: usize| {
        let times = word.unwrap_or_default().parse::<usize>().ok();
        times.filter(|times| (least..=10_000).contains(times)).ok_or("`OCCURS` is followed by a number from 1 to 10000")
    };
    let is = |own: &'static str| move |word: &&str| word.eq_ignore_ascii_case(own);
    let least = words.next();
    // Of a range the lower end may be none at all.
    let times = if words.next_if(is("TO")).is_some() {
        number(least, 0)?;
        number(words.next(), 1)?
    } else {
        number(least, 1)?
    };
    let mut count = None;
    words.next_if(is("TIMES"));
    if words.next_if(is("DEPENDING")).is_some() {
        words.next_if(is("ON"));
        count = words.next().map(str::to_ascii_uppercase);
    }
    for order in ["ASCENDING", "DESCENDING"] {
        if words.next_if(is(order)).is_some() {
            words.next_if(is("KEY"));
            words.next_if(is("IS"));
            words.next();
        }
    }
    if words.next_if(is("INDEXED")).is_some() {
        words.next_if(is("BY"));
        words.next();
    }
    Ok((times, count))
}
