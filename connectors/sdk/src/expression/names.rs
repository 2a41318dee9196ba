//! The names in an expression: each must be declared, so that a slip is found at load and not by a citizen.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue};

use crate::Finding;
use crate::finding::likely;

/// Loops in loops beyond this would let a long list cost too much.
const MOST_LOOPS: usize = 2;

/// Evaluation recurses as deep as the expression is: this much fits the stack of any thread.
const DEEPEST: usize = 32;

/// What can be called, besides the operators.
const FUNCTIONS: [&str; 54] = [
    "bool",
    "bytes",
    "charAt",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "format",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "has",
    "indexOf",
    "int",
    "join",
    "lastIndexOf",
    "lower",
    "lowerAscii",
    "map",
    "filter",
    "all",
    "exists",
    "exists_one",
    "matches",
    "max",
    "min",
    "padLeft",
    "padRight",
    "replace",
    "reverse",
    "size",
    "split",
    "startsWith",
    "string",
    "substring",
    "timestamp",
    "trim",
    "type",
    "uint",
    "upper",
    "upperAscii",
    "optional.none",
    "optional.of",
    "value",
    "hasValue",
    "orValue",
];

/// The types that can be named, as in `type(x) == string`.
const TYPES: [&str; 9] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];

/// What an expression can name besides the functions that all have.
#[derive(Clone, Copy)]
pub(crate) struct Vocabulary<'v> {
    pub(crate) variables: &'v [&'static str],
    /// Functions of its own, whose arguments are dates.
    pub(crate) dates: &'v [&'static str],
}

/// What an expression names, each once and in the order of the text.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// Each path from a variable: `[legacy, SOYAD]` of `legacy.SOYAD` and `legacy["SOYAD"]`.
    pub(crate) paths: Vec<Vec<String>>,
    /// Those of the paths that functions of dates take.
    pub(crate) dates: Vec<Vec<String>>,
}

/// Checks every name, and answers what is named.
pub(crate) fn check(expression: &IdedExpr, vocabulary: Vocabulary<'_>) -> Result<Named, Finding> {
    let mut names = Names { vocabulary, loops: Vec::new(), named: Named::default(), depth: 0 };
    names.visit(expression)?;
    Ok(names.named)
}

struct Names<'e> {
    vocabulary: Vocabulary<'e>,
    /// The variables of the loops around.
    loops: Vec<&'e str>,
    named: Named,
    depth: usize,
}

impl<'e> Names<'e> {
    fn visit(&mut self, expression: &'e IdedExpr) -> Result<(), Finding> {
        let path = self.path(expression);
        let deep = path.as_ref().map_or(1, Vec::len);
        if self.depth + deep > DEEPEST {
            let message = format!("an expression is at most {DEEPEST} operations deep; a list and `join` take more parts");
            return Err(Finding::new("", message));
        }
        if let Some(path) = path {
            note(&mut self.named.paths, path);
            return Ok(());
        }
        self.depth += 1;
        self.visit_parts(expression)?;
        self.depth -= 1;
        Ok(())
    }

    fn visit_parts(&mut self, expression: &'e IdedExpr) -> Result<(), Finding> {
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.visit(&select.operand),
            Expr::Call(call) => {
                self.function(&call.func_name)?;
                if self.vocabulary.dates.contains(&call.func_name.as_str()) {
                    self.dates(&call.func_name, &call.args)?;
                }
                call.target.iter().try_for_each(|target| self.visit(target))?;
                call.args.iter().try_for_each(|argument| self.visit(argument))
            }
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.visit(element)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(_) => Err(Finding::new("", "an expression makes maps as {'name': value}, no structures")),
            Expr::Comprehension(comprehension) => {
                self.visit(&comprehension.iter_range)?;
                let before = self.loops.len();
                self.loops.push(&comprehension.iter_var);
                self.loops.extend(comprehension.iter_var2.as_deref());
                self.loops.push(&comprehension.accu_var);
                // Each loop has its variable and the one it gathers in.
                if self.loops.iter().filter(|name| name.starts_with('@')).count() > MOST_LOOPS {
                    return Err(Finding::new("", format!("loops stand in each other at most {MOST_LOOPS} deep")));
                }
                for part in [&comprehension.accu_init, &comprehension.loop_cond, &comprehension.loop_step, &comprehension.result]
                {
                    self.visit(part)?;
                }
                self.loops.truncate(before);
                Ok(())
            }
        }
    }

    fn entry(&mut self, entry: &'e EntryExpr) -> Result<(), Finding> {
        match entry {
            EntryExpr::StructField(field) => self.visit(&field.value),
            EntryExpr::MapEntry(entry) => self.visit(&entry.key).and_then(|()| self.visit(&entry.value)),
        }
    }

    fn name(&self, name: &str) -> Result<(), Finding> {
        if name.starts_with('@') || self.loops.contains(&name) || TYPES.contains(&name) {
            return Ok(());
        }
        let variables = self.vocabulary.variables;
        let there = variables.iter().map(|variable| format!("`{variable}`")).collect::<Vec<_>>().join(", ");
        let mut finding = Finding::new("", format!("there is no `{name}` here; there is {there}"));
        finding.instead = likely(name, self.loops.iter().chain(variables).copied()).map(str::to_owned);
        Err(finding)
    }

    fn function(&self, name: &str) -> Result<(), Finding> {
        // Operators have names that no one can write.
        let dates = self.vocabulary.dates;
        if !name.starts_with(|char: char| char.is_ascii_alphabetic()) || FUNCTIONS.contains(&name) || dates.contains(&name) {
            return Ok(());
        }
        let mut finding = Finding::new("", format!("there is no function `{name}`"));
        finding.instead = likely(name, FUNCTIONS.iter().chain(dates).copied()).map(str::to_owned);
        Err(finding)
    }

    /// What a function of dates takes must be known before it is called: a path or a text.
    fn dates(&mut self, function: &str, arguments: &'e [IdedExpr]) -> Result<(), Finding> {
        for argument in arguments {
            match self.path(argument) {
                Some(path) => note(&mut self.named.dates, path),
                None if matches!(&argument.expr, Expr::Literal(LiteralValue::String(_))) => {}
                None => return Err(Finding::new("", format!("`{function}` takes fields of `record`, `today` and texts"))),
            }
        }
        Ok(())
    }

    /// The path from a variable to a member, where this is nothing but that.
    fn path(&self, expression: &IdedExpr) -> Option<Vec<String>> {
        let mut members = Vec::new();
        let mut place = expression;
        loop {
            match &place.expr {
                Expr::Ident(name) => {
                    let is_variable = self.vocabulary.variables.contains(&name.as_str()) && !self.loops.contains(&name.as_str());
                    members.push(name.clone());
                    members.reverse();
                    return is_variable.then_some(members);
                }
                Expr::Select(select) => {
                    members.push(select.field.clone());
                    place = &select.operand;
                }
                Expr::Call(call) if call.target.is_none() && call.func_name.starts_with("_[") => {
                    let [operand, index] = call.args.as_slice() else { return None };
                    let Expr::Literal(LiteralValue::String(field)) = &index.expr else { return None };
                    members.push(field.inner().to_owned());
                    place = operand;
                }
                _ => return None,
            }
        }
    }
}

fn note(paths: &mut Vec<Vec<String>>, path: Vec<String>) {
    if !paths.contains(&path) {
        paths.push(path);
    }
}
