//! Code lists: what a registry's codes mean in the contract.
//!
//! A list stands in the manifest, in a CSV file, or in a table of the registry itself. The last kind is empty until
//! its rows have been read through [`crate::Connector::table`] and given to [`CodeList::load`]; until then its codecs
//! answer `codes_not_loaded`. [`CodeBook`] holds the lists of a manifest by name.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use indexmap::IndexMap;
use jiff::civil::Date;

use crate::codec::CodecFault;
use crate::finding::token;
use crate::{Finding, Legacy, Source};

mod file;
mod spec;
mod table;

pub use spec::{CodeListSpec, FileCodes, InlineCodes, TableCodes};
pub use table::{CodeRow, CodeTable};

/// The code lists of a manifest.
#[derive(Debug, Clone, Default)]
pub struct CodeBook(IndexMap<String, Arc<CodeList>>);

impl CodeBook {
    /// Makes the lists, reading the files they are in. `today` decides between codes that share a meaning.
    ///
    /// # Errors
    /// Everything wrong with them; places are relative to `codes:` (`/sex/file`).
    pub fn load(specs: &IndexMap<String, CodeListSpec>, directory: &Path, today: Date) -> Result<Self, Vec<Finding>> {
        let mut lists = IndexMap::with_capacity(specs.len());
        let mut findings = Vec::new();
        for (name, spec) in specs {
            match CodeList::new(name, spec, directory, today) {
                Ok(list) => {
                    lists.insert(name.clone(), Arc::new(list));
                }
                Err(wrong) => findings.extend(wrong.into_iter().map(|f| f.under(&format!("/{}", token(name))))),
            }
        }
        if findings.is_empty() { Ok(Self(lists)) } else { Err(findings) }
    }

    /// The list of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<CodeList>> {
        self.0.get(name)
    }

    /// The names of the lists.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The lists, in the manifest's order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<CodeList>> {
        self.0.values()
    }

    /// Decides anew which codes are in force, when the day has changed.
    pub fn set_today(&self, today: Date) {
        for list in self.0.values() {
            list.set_today(today);
        }
    }
}

/// One code list. Its table can be replaced while codecs use it.
#[derive(Debug)]
pub struct CodeList {
    name: String,
    spec: CodeListSpec,
    table: ArcSwapOption<CodeTable>,
}

impl CodeList {
    /// Its name in the manifest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that the manifest gives it.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.spec.version()
    }

    /// How the manifest describes it.
    #[must_use]
    pub const fn spec(&self) -> &CodeListSpec {
        &self.spec
    }

    /// Where its rows are, when they are in a table of the registry.
    #[must_use]
    pub const fn in_registry(&self) -> Option<&TableCodes> {
        match &self.spec {
            CodeListSpec::Table(codes) => Some(codes),
            CodeListSpec::Inline(_) | CodeListSpec::File(_) => None,
        }
    }

    /// Whether there is a table.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.table.load().is_some()
    }

    /// The contract values, each once, in the order of the list; none while the table is not loaded.
    #[must_use]
    pub fn values(&self) -> Vec<Legacy> {
        self.table.load().as_ref().map_or_else(Vec::new, |table| table.values())
    }

    /// Takes the rows of the registry's table, with the columns of [`TableCodes::columns`] in that order.
    ///
    /// # Errors
    /// When the rows are no code list. The table stays as it was.
    pub fn load(&self, rows: Vec<Vec<Legacy>>, today: Date) -> Result<(), CodecFault> {
        let CodeListSpec::Table(codes) = &self.spec else {
            return Err(CodecFault::new("codes_not_loaded", "the code list is not in a table of the registry"));
        };
        let rows = rows.into_iter().map(|row| codes.row(row)).collect::<Result<Vec<_>, _>>()?;
        self.replace(CodeTable::from_rows(rows, today).map_err(|disagreement| disagreement.fault(&self.name))?);
        Ok(())
    }

    /// Puts another table in the place of the one that is there.
    pub fn replace(&self, table: CodeTable) {
        self.table.store(Some(Arc::new(table)));
    }

    /// The contract value of a legacy code; `Ok(None)` when the code is not in the list.
    ///
    /// # Errors
    /// `codes_not_loaded` while there is no table.
    pub fn decode(&self, code: &Legacy) -> Result<Option<Legacy>, CodecFault> {
        let table = self.table.load();
        let table = table.as_ref().ok_or_else(|| self.not_loaded())?;
        Ok(match (code, self.spec.width()) {
            (Legacy::Int(number), Some(width)) => table.decode(&Legacy::Text(format!("{number:0width$}"))),
            _ => table.decode(code),
        })
    }

    /// The legacy code of a contract value; `Ok(None)` when the value is not in the list. Of several codes, the first
    /// that is in force today.
    ///
    /// # Errors
    /// `codes_not_loaded` while there is no table.
    pub fn encode(&self, value: &Legacy) -> Result<Option<Legacy>, CodecFault> {
        let table = self.table.load();
        Ok(table.as_ref().ok_or_else(|| self.not_loaded())?.encode(value))
    }

    fn new(name: &str, spec: &CodeListSpec, directory: &Path, today: Date) -> Result<Self, Vec<Finding>> {
        let table = match spec {
            CodeListSpec::Inline(codes) => Some(codes.table(today)?),
            CodeListSpec::File(codes) => Some(file::read(codes, directory, today)?),
            CodeListSpec::Table(codes) => {
                codes.check()?;
                None
            }
        };
        Ok(Self { name: name.to_owned(), spec: spec.clone(), table: ArcSwapOption::new(table.map(Arc::new)) })
    }

    fn set_today(&self, today: Date) {
        if let Some(table) = self.table.load().as_ref() {
            // A list that was sound keeps its table when the new day makes two of its codes disagree.
            if let Ok(table) = table.on(today) {
                self.replace(table);
            }
        }
    }

    fn not_loaded(&self) -> CodecFault {
        CodecFault::new("codes_not_loaded", format!("the code list {} has not been read from the registry yet", self.name))
    }
}

/// The sources of a code list's columns in a table of the registry.
impl TableCodes {
    /// The columns to read, in the order in which [`CodeList::load`] takes them.
    #[must_use]
    pub fn columns(&self) -> Vec<Source> {
        [Some(&self.code), Some(&self.value), self.valid_from.as_ref(), self.valid_until.as_ref()]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests;
