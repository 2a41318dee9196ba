//! What `check` found, each with its place, for a person and for a script.

use std::fmt;
use std::path::{Path, PathBuf};

use rabita_model::Rule;
use serde::{Serialize, Serializer};

/// Everything that was found, in the order of files and lines.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub findings: Vec<Located>,
}

/// A finding at a line and a column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Located {
    pub severity: Severity,
    /// The rule that is broken; `rabita explain` has its page.
    #[serde(serialize_with = "word")]
    pub rule: Rule,
    /// Relative to the configuration directory.
    pub file: PathBuf,
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    pub message: String,
    /// The word that was likely meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// The line, to show the place in it.
    #[serde(skip)]
    pub source: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

impl Located {
    /// An error at a place.
    pub fn error(rule: Rule, file: &Path, (line, column): (u64, u64), message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            rule,
            file: file.to_owned(),
            line,
            column,
            message: message.into(),
            instead: None,
            source: None,
        }
    }

    /// Keeps the line that the place is in, without secrets that stand in it: reports go to logs and screens.
    #[must_use]
    pub fn with_line(mut self, text: &str) -> Self {
        let at = usize::try_from(self.line.saturating_sub(1)).unwrap_or(0);
        self.source = text.lines().nth(at).map(without_secrets);
        self
    }
}

fn word<S: Serializer>(rule: &Rule, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.as_str())
}

/// The members whose text is a secret, wherever they stand.
const SECRETS: [&str; 3] = ["password:", "secret:", "token:"];

fn without_secrets(line: &str) -> String {
    let mut shown = line.to_owned();
    for member in SECRETS {
        let Some(found) = shown.find(member) else { continue };
        let from = found + member.len();
        let from = from + shown[from..].len() - shown[from..].trim_start().len();
        let to = from + shown[from..].find([',', '}', '#']).unwrap_or(shown.len() - from);
        let is_reference = shown[from..to].starts_with(['{', '[', '&', '*']);
        if !is_reference && from < to {
            shown.replace_range(from..to, "***");
        }
    }
    if let Some(scheme) = shown.find("://") {
        let from = scheme + "://".len();
        let authority = &shown[from..from + shown[from..].find(['/', ' ', '"', '\'']).unwrap_or(shown.len() - from)];
        if let Some((user, password)) = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) {
            let from = from + user.len() + 1;
            let to = from + password.len();
            shown.replace_range(from..to, "***");
        }
    }
    shown
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let rule = self.rule.as_str();
        write!(f, "{}:{}:{}: {severity}[{rule}]: {}", self.file.display(), self.line, self.column, self.message)?;
        if let Some(instead) = &self.instead {
            write!(f, "; did you mean `{instead}`?")?;
        }
        if let Some(source) = &self.source {
            let number = self.line.to_string();
            let indent = " ".repeat(usize::try_from(self.column.saturating_sub(1)).unwrap_or(0));
            write!(f, "\n  {number} | {source}\n  {} | {indent}^", " ".repeat(number.len()))?;
        }
        Ok(())
    }
}

impl Report {
    /// Whether nothing keeps the configuration from being used.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.errors() == 0
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.findings.len() - self.errors()
    }

    pub(crate) fn sort(&mut self) {
        self.findings.sort_by(|a, b| (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message)));
        self.findings.dedup();
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn a_line_is_shown_without_the_secrets_in_it() {
        let cases = [
            ("  password: hunter2", "  password: ***"),
            ("auth: { basic: { user: a, password: \"hun ter\" } }", "auth: { basic: { user: a, password: ***} }"),
            ("  client_secret: xyz # ours", "  client_secret: ***# ours"),
            ("  password: { env: DB_PASSWORD }", "  password: { env: DB_PASSWORD }"),
            ("url: postgres://bus:hunter2@db:5432/people", "url: postgres://bus:***@db:5432/people"),
            ("url: postgres://bus@db/people", "url: postgres://bus@db/people"),
            ("key: pin", "key: pin"),
        ];
        for (line, shown) in cases {
            assert_eq!(without_secrets(line), shown);
        }
    }
}
