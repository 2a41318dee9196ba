//! Values at fixed places, in records of one kind or of several.
//!
//! A record that belongs to another (a child) stands behind it, and becomes an item of one of its repeated groups.
//! Copybooks end here too: they say the same in COBOL's words.

pub mod shape;
mod write;

use std::sync::Arc;

use rabita_sdk::finding::token;
use rabita_sdk::{GroupSpec, Legacy, Source};

use self::shape::{Child, Column, Kind, Repeat, Shape, span};
use super::charset::Charset;
use super::framing::Frames;
use super::{Fault, Input, Records, Selection};
use crate::from::{Fixed, FixedColumn, Framing, LineEnd, Type};

/// A layout of fixed places.
pub struct Layout {
    shape: Arc<Shape>,
    framing: Framing,
    line_end: LineEnd,
    /// The names of the columns of a record, in the order of their places.
    names: Vec<Source>,
}

impl Layout {
    /// Takes the description apart.
    pub fn new(spec: &Fixed) -> Result<Self, Vec<(String, String)>> {
        let Some(charset) = Charset::named(&spec.encoding) else {
            return Err(vec![("/fixed/encoding".to_owned(), "there is no such encoding".to_owned())]);
        };
        let mut wrong = Vec::new();
        let by_characters = !charset.is_single_byte();
        if by_characters && spec.framing != Framing::Lines {
            let message = "records without line ends are counted in bytes, so the encoding has to have one byte a character";
            wrong.push(("/fixed/framing".to_owned(), message.to_owned()));
        }
        check_columns("/fixed/columns", &spec.columns, by_characters, &mut wrong);
        let all = spec.columns.values().chain(spec.children.values().flat_map(|child| child.columns.values()));
        if spec.framing == Framing::Lines
            && all.into_iter().any(|column| matches!(column.kind, Type::Packed(_) | Type::Binary(_)))
        {
            let message =
                "packed and binary numbers can hold the bytes of a line end: records have to be `{ bytes: N }` or `rdw`";
            wrong.push(("/fixed/framing".to_owned(), message.to_owned()));
        }
        if spec.kind.is_none() && (spec.record.is_some() || !spec.children.is_empty() || !spec.skip.is_empty()) {
            let message = "kinds of records are told apart by what stands at `kind`: add `kind: { at: 1, width: 2 }`";
            wrong.push(("/fixed".to_owned(), message.to_owned()));
        }
        if spec.kind.is_some() && spec.record.is_none() {
            wrong.push(("/fixed/kind".to_owned(), "say what stands there in a record of the entity: add `record`".to_owned()));
        }
        for (name, child) in &spec.children {
            let at = format!("/fixed/children/{}/columns", token(name.as_str()));
            check_columns(&at, &child.columns, by_characters, &mut wrong);
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let kind = spec.kind.zip(spec.record.clone()).map(|(at, record)| Kind {
            at,
            record,
            children: spec.children.iter().map(|(name, child)| child_of(name, child)).collect(),
            skip: spec.skip.clone(),
        });
        Ok(Self::of(charset, spec.framing, spec.line_end, columns(&spec.columns), Vec::new(), kind))
    }

    /// A layout of these columns.
    pub fn of(
        charset: Charset,
        framing: Framing,
        line_end: LineEnd,
        columns: Vec<Column>,
        repeats: Vec<Repeat>,
        kind: Option<Kind>,
    ) -> Self {
        let width = match framing {
            Framing::Bytes(bytes) => bytes,
            _ => columns.iter().map(|column| column.start + column.width).max().unwrap_or_default(),
        };
        let names = columns.iter().map(|column| column.name.clone()).collect();
        let by_characters = !charset.is_single_byte();
        Self { shape: Arc::new(Shape { charset, by_characters, columns, repeats, width, kind }), framing, line_end, names }
    }
}

fn check_columns(
    at: &str,
    columns: &indexmap::IndexMap<Source, FixedColumn>,
    by_characters: bool,
    wrong: &mut Vec<(String, String)>,
) {
    if columns.is_empty() {
        wrong.push((at.to_owned(), "a record has at least one column".to_owned()));
    }
    for (name, column) in columns {
        let place = format!("{at}/{}", token(name.as_str()));
        let is_bytes = matches!(column.kind, Type::Packed(_) | Type::Zoned(_) | Type::Binary(_));
        if is_bytes && by_characters {
            let message = "numbers of this type are bytes, and the encoding has several bytes for one character";
            wrong.push((place.clone(), message.to_owned()));
        }
        if matches!(column.kind, Type::Binary(_)) && column.width > 8 {
            wrong.push((place, "a binary number has 8 bytes at most".to_owned()));
        }
    }
}

fn child_of(group: &Source, child: &crate::from::Child) -> Child {
    Child { is: child.is.clone(), group: group.clone(), columns: columns(&child.columns) }
}

fn columns(described: &indexmap::IndexMap<Source, FixedColumn>) -> Vec<Column> {
    let column = |(name, column): (&Source, &FixedColumn)| Column {
        name: name.clone(),
        start: column.at.saturating_sub(1),
        width: column.width,
        kind: column.kind,
    };
    described.iter().map(column).collect()
}

impl super::Layout for Layout {
    fn open(&self, input: Input, selection: &Selection) -> Result<Box<dyn Records>, Fault> {
        let missing = |name: &Source| {
            let mut fault = Fault::last(0, "a column that the layout names");
            fault.column = Some(name.as_str().to_owned());
            fault
        };
        let chosen = |all: &[Column], names: &[Source]| {
            let one = |name: &Source| all.iter().find(|column| column.name == *name).cloned().ok_or_else(|| missing(name));
            names.iter().map(one).collect::<Result<Vec<_>, _>>()
        };
        let mut groups = Vec::with_capacity(selection.groups.len());
        for group in &selection.groups {
            let mut children = self.shape.kind.iter().flat_map(|kind| &kind.children);
            let mut repeats = self.shape.repeats.iter();
            let found =
                children.find(|child| child.group == group.name).map(|child| (Items::Behind(child.is.clone()), &child.columns));
            let found = found.or_else(|| {
                let repeat = repeats.find(|repeat| repeat.group == group.name)?;
                Some((Items::Within(repeat.clone()), &repeat.columns))
            });
            let (items, all) = found.ok_or_else(|| missing(&group.name))?;
            groups.push((items, chosen(all, &group.sources)?));
        }
        Ok(Box::new(Open {
            frames: Frames::new(input, self.framing, self.shape.charset),
            columns: chosen(&self.shape.columns, &selection.columns)?,
            groups,
            shape: Arc::clone(&self.shape),
            frame: Vec::new(),
            ahead: None,
        }))
    }

    fn columns(&self) -> Option<Vec<Source>> {
        Some(self.names.clone())
    }

    fn described(&self) -> Vec<(Source, Type)> {
        self.shape.columns.iter().map(|column| (column.name.clone(), column.kind)).collect()
    }

    fn groups(&self) -> Option<Vec<GroupSpec>> {
        let group = |name: &Source, columns: &[Column]| GroupSpec {
            name: name.clone(),
            sources: columns.iter().map(|column| column.name.clone()).collect(),
        };
        let behind = self.shape.kind.iter().flat_map(|kind| &kind.children).map(|child| group(&child.group, &child.columns));
        let within = self.shape.repeats.iter().map(|repeat| group(&repeat.group, &repeat.columns));
        Some(behind.chain(within).collect())
    }

    fn writer(&self) -> Option<&dyn super::Writer> {
        let has_children = self.shape.kind.as_ref().is_some_and(|kind| !kind.children.is_empty());
        (!has_children && self.shape.repeats.is_empty() && !self.shape.overlaps()).then_some(self)
    }
}

struct Open {
    frames: Frames,
    shape: Arc<Shape>,
    columns: Vec<Column>,
    /// Where the items of each group are, and their columns.
    groups: Vec<(Items, Vec<Column>)>,
    frame: Vec<u8>,
    /// The values of the record that began where the one before ended.
    ahead: Option<(u64, Vec<Legacy>)>,
}

/// Where the items of a group are.
enum Items {
    /// In records of this kind behind the record.
    Behind(String),
    /// Within the record.
    Within(Repeat),
}

impl Records for Open {
    fn next(&mut self, values: &mut Vec<Legacy>) -> Result<Option<u64>, Fault> {
        let shape = Arc::clone(&self.shape);
        let Some(kind) = &shape.kind else {
            let Some(line) = self.frames.next(&mut self.frame)? else { return Ok(None) };
            *values = self.record(line)?;
            return Ok(Some(line));
        };
        loop {
            let Some(line) = self.frames.next(&mut self.frame)? else { return Ok(self.hand_over(None, values)) };
            let is = shape.text(&self.frame, &span(kind.at)).ok_or_else(|| Fault::at(line, KIND))?;
            if kind.skip.contains(&is) {
                continue;
            }
            if is == kind.record {
                let next = (line, self.record(line)?);
                if let Some(line) = self.hand_over(Some(next), values) {
                    return Ok(Some(line));
                }
                continue;
            }
            if !kind.children.iter().any(|child| child.is == is) {
                return Err(Fault::at(line, KIND));
            }
            let Some((_, ahead)) = &mut self.ahead else {
                return Err(Fault::at(line, "a record of the entity before the records that belong to it"));
            };
            let first = self.columns.len();
            let is_behind = |items: &Items| matches!(items, Items::Behind(own) if *own == is);
            for (at, (_, columns)) in self.groups.iter().enumerate().filter(|(_, (items, _))| is_behind(items)) {
                let item = shape.item(&self.frame, columns, 0, line)?;
                if let Some(Legacy::List(items)) = ahead.get_mut(first + at) {
                    items.push(Legacy::Group(item));
                }
            }
        }
    }
}

const KIND: &str = "a kind of record that the manifest names";

impl Open {
    fn record(&self, line: u64) -> Result<Vec<Legacy>, Fault> {
        let mut values = Vec::with_capacity(self.columns.len() + self.groups.len());
        for column in &self.columns {
            values.push(self.shape.value(&self.frame, column, line)?);
        }
        for (items, columns) in &self.groups {
            values.push(match items {
                Items::Behind(_) => Legacy::List(Vec::new()),
                Items::Within(repeat) => self.shape.items(&self.frame, repeat, columns, line)?,
            });
        }
        Ok(values)
    }

    /// Hands over the record whose last child has come, and keeps the next.
    fn hand_over(&mut self, next: Option<(u64, Vec<Legacy>)>, values: &mut Vec<Legacy>) -> Option<u64> {
        let (line, done) = std::mem::replace(&mut self.ahead, next)?;
        *values = done;
        Some(line)
    }
}
