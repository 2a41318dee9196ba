//! Where each item of a record is, and what it holds.

use std::collections::HashMap;

use rabita_sdk::Source;

use super::super::fixed::shape::{Column, Repeat};
use super::parse::{Item, Sign, Usage, Wrong};
use crate::from::{Number, Type};

/// A record with its columns at their places.
pub struct Placed {
    pub name: String,
    pub columns: Vec<Column>,
    pub repeats: Vec<Repeat>,
    /// How many bytes a record has, with all items of what repeats.
    pub width: usize,
    /// Whether each of the bytes belongs to one column: nothing is unnamed, and nothing redefined.
    pub is_plain: bool,
}

/// So many bytes a record has at most.
const RECORD_MAX: usize = 1_000_000;

/// Places the items of a record.
pub fn place(record: &Item) -> Result<Placed, Wrong> {
    let mut around = HashMap::new();
    note_groups(&record.items, &[], &mut around);
    let mut placing =
        Placing { record: record.name.clone(), around, columns: Vec::new(), repeats: Vec::new(), depending: Vec::new() };
    let width = placing.item(record, 0, &[], &mut None)?;
    for (at, name, line) in placing.depending {
        let count = placing.columns.iter().find(|column| column.name.as_str() == name);
        let missing = || Wrong { line, message: format!("`DEPENDING ON {name}` names no item of the record") };
        placing.repeats[at].count = Some(count.ok_or_else(missing)?.clone());
    }
    if width > RECORD_MAX {
        let message = format!("the record has {width} bytes, and a record has {RECORD_MAX} at most");
        return Err(Wrong { line: record.line, message });
    }
    let name = record.name.clone().unwrap_or_else(|| "RECORD".to_owned());
    Ok(Placed { name, columns: placing.columns, repeats: placing.repeats, width, is_plain: is_plain(record) })
}

struct Placing {
    /// The record's own name, which stands before no column.
    record: Option<String>,
    /// The groups around each item of a name, from the outermost on.
    around: HashMap<String, Vec<Vec<String>>>,
    columns: Vec<Column>,
    repeats: Vec<Repeat>,
    /// Which repeated group depends on which item, and where that is said.
    depending: Vec<(usize, String, usize)>,
}

impl Placing {
    /// Places an item from `start` on; returns how many bytes it takes. Columns of a repeated item go to `within`.
    fn item(&mut self, item: &Item, start: usize, groups: &[String], within: &mut Option<Vec<Column>>) -> Result<usize, Wrong> {
        let wrong = |message: &str| Wrong { line: item.line, message: message.to_owned() };
        let Some((most, depending)) = &item.occurs else { return self.once(item, start, groups, within) };
        if within.is_some() {
            return Err(wrong("what repeats within what repeats can't be used: describe the record with `fixed`"));
        }
        let name = item.name.as_ref().ok_or_else(|| wrong("what repeats needs a name"))?;
        let mut columns = Some(Vec::new());
        let stride = self.once(item, start, groups, &mut columns)?;
        if let Some(count) = depending {
            self.depending.push((self.repeats.len(), count.clone(), item.line));
        }
        let (group, columns) = (self.named(groups, name), columns.unwrap_or_default());
        if self.repeats.iter().any(|other| other.group == group) {
            return Err(wrong(&twice(&group)));
        }
        self.repeats.push(Repeat { group, columns, stride, most: *most, count: None });
        Ok(stride * most)
    }

    fn once(&mut self, item: &Item, start: usize, groups: &[String], within: &mut Option<Vec<Column>>) -> Result<usize, Wrong> {
        let wrong = |message: &str| Wrong { line: item.line, message: message.to_owned() };
        if item.items.is_empty() {
            let picture = item.picture.as_ref().ok_or_else(|| wrong("an item without items in it needs a picture (`PIC`)"))?;
            let (kind, width) = stored(picture, item.usage, item.sign).map_err(|message| wrong(&message))?;
            if let Some(name) = &item.name {
                let name = self.named(groups, name);
                let columns = within.as_mut().unwrap_or(&mut self.columns);
                if columns.iter().any(|other| other.name == name) {
                    return Err(wrong(&twice(&name)));
                }
                columns.push(Column { name, start, width, kind });
            }
            return Ok(width);
        }
        if item.picture.is_some() {
            return Err(wrong("an item with items in it has no picture"));
        }
        let mut inner = groups.to_vec();
        inner.extend(item.name.clone().filter(|_| item.level > 1));
        let (mut end, mut places): (usize, HashMap<&str, usize>) = (start, HashMap::new());
        for original in &item.items {
            // A usage that a group states holds for what is in it.
            let usage = if original.usage == Usage::Display { item.usage } else { original.usage };
            let child = &Item { usage, ..original.clone() };
            let begins = match &child.redefines {
                None => end,
                Some(name) => *places.get(name.as_str()).ok_or_else(|| Wrong {
                    line: child.line,
                    message: format!("`REDEFINES {name}` names no item before it in the same group"),
                })?,
            };
            let width = self.item(child, begins, &inner, within)?;
            end = end.max(begins + width);
            if let Some(name) = original.name.as_deref() {
                places.insert(name, begins);
            }
        }
        Ok(end - start)
    }

    /// The name of a column or of what repeats: COBOL's own, after as many of the groups around it as tell it from others of
    /// this name.
    fn named(&self, groups: &[String], name: &str) -> Source {
        let same = self.around.get(name).map_or(&[][..], Vec::as_slice);
        let inner = |count: usize| &groups[groups.len() - count..];
        let is_alone = |count: &usize| same.iter().filter(|other| other.ends_with(inner(*count))).count() <= 1;
        let least = usize::from(self.record.as_deref() == Some(name)).min(groups.len());
        let count = (least..=groups.len()).find(is_alone).unwrap_or(groups.len());
        let words: Vec<&str> = inner(count).iter().map(String::as_str).chain([name]).collect();
        Source::new(&words.join("."))
    }
}

fn twice(name: &Source) -> String {
    format!("another item is `{name}` too, and nothing tells them apart: give one of them another name")
}

fn is_plain(item: &Item) -> bool {
    let is_told = !item.items.is_empty() || item.name.is_some();
    is_told && item.redefines.is_none() && item.items.iter().all(is_plain)
}

fn note_groups(items: &[Item], groups: &[String], around: &mut HashMap<String, Vec<Vec<String>>>) {
    for item in items {
        let mut inner = groups.to_vec();
        if let Some(name) = &item.name {
            around.entry(name.clone()).or_default().push(groups.to_vec());
            inner.push(name.clone());
        }
        note_groups(&item.items, &inner, around);
    }
}

/// What a picture holds, and how many bytes that takes.
fn stored(picture: &str, usage: Usage, sign: Sign) -> Result<(Type, usize), String> {
    let symbols = expanded(picture)?;
    if symbols.iter().all(|symbol| matches!(symbol, 'X' | 'A')) {
        return Ok((Type::Text, symbols.len()));
    }
    let is_number = symbols.iter().all(|symbol| matches!(symbol, '9' | 'S' | 'V'));
    if !is_number {
        let is_edited =
            |symbol: &char| matches!(symbol, '9' | 'Z' | '*' | '.' | ',' | '-' | '+' | '/' | 'B' | '0' | '$' | 'X' | 'A');
        if symbols.iter().all(is_edited) && usage == Usage::Display {
            // Edited for people: it is what it looks like.
            return Ok((Type::Text, symbols.len()));
        }
        return Err(format!("the picture `{picture}` can't be used: describe the record with `fixed`"));
    }
    let digits = symbols.iter().filter(|symbol| **symbol == '9').count();
    if digits == 0 {
        return Err(format!("the picture `{picture}` has no digit, and no other character"));
    }
    let scale = symbols.iter().skip_while(|symbol| **symbol != 'V').filter(|symbol| **symbol == '9').count();
    let signed = symbols.first() == Some(&'S');
    let number = Number { scale: u8::try_from(scale).unwrap_or(u8::MAX), signed };
    let too_long = || format!("the picture `{picture}` has more digits than a number can have");
    match usage {
        Usage::Display if digits > 31 => Err(too_long()),
        Usage::Display if signed && sign == Sign::Separate => Ok((Type::Digits(number), digits + 1)),
        Usage::Display => Ok((Type::Zoned(number), digits)),
        Usage::Packed if digits <= 31 => Ok((Type::Packed(number), digits / 2 + 1)),
        Usage::Binary if digits <= 18 => Ok((
            Type::Binary(number),
            if digits <= 4 {
                2
            } else if digits <= 9 {
                4
            } else {
                8
            },
        )),
        _ => Err(too_long()),
    }
}

/// A picture with its repetitions written out: `S9(3)V99` is `S999V99`.
fn expanded(picture: &str) -> Result<Vec<char>, String> {
    const SYMBOLS_MAX: usize = 100_000;
    let wrong = || format!("the picture `{picture}` can't be read");
    let mut symbols: Vec<char> = Vec::new();
    let mut rest = picture.chars();
    while let Some(symbol) = rest.next() {
        if symbols.len() >= SYMBOLS_MAX {
            return Err(wrong());
        }
        if symbol != '(' {
            symbols.push(symbol);
            continue;
        }
        let (count, after) = rest.as_str().split_once(')').ok_or_else(wrong)?;
        rest = after.chars();
        let room = 1..=SYMBOLS_MAX - symbols.len();
        let count: usize = count.parse().ok().filter(|count| room.contains(count)).ok_or_else(wrong)?;
        let last = *symbols.last().ok_or_else(wrong)?;
        symbols.extend(std::iter::repeat_n(last, count - 1));
    }
    if symbols.is_empty() { Err(wrong()) } else { Ok(symbols) }
}
