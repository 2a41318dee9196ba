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

/// Checks every name, and answers the members of the variable that are named.
pub(super) fn check(expression: &IdedExpr, variable: &str) -> Result<Vec<String>, Finding> {
    let mut names = Names { variable, loops: Vec::new(), members: Vec::new(), depth: 0 };
    names.visit(expression)?;
    Ok(names.members)
}

struct Names<'e> {
    variable: &'e str,
    /// The variables of the loops around.
    loops: Vec<&'e str>,
    members: Vec<String>,
    depth: usize,
}

impl<'e> Names<'e> {
    fn visit(&mut self, expression: &'e IdedExpr) -> Result<(), Finding> {
        if self.depth == DEEPEST {
            let message = format!("an expression is at most {DEEPEST} operations deep; a list and `join` take more parts");
            return Err(Finding::new("", message));
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
            Expr::Select(select) => {
                self.member(&select.operand, &select.field);
                self.visit(&select.operand)
            }
            Expr::Call(call) => {
                self.function(&call.func_name)?;
                if let (None, [operand, index]) = (&call.target, call.args.as_slice())
                    && let Expr::Literal(LiteralValue::String(field)) = &index.expr
                    && call.func_name.starts_with("_[")
                {
                    self.member(operand, field.inner());
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
        if name == self.variable || name.starts_with('@') || self.loops.contains(&name) || TYPES.contains(&name) {
            return Ok(());
        }
        let mut finding = Finding::new("", format!("there is no `{name}` here; there is `{}`", self.variable));
        finding.instead = likely(name, self.loops.iter().copied().chain([self.variable])).map(str::to_owned);
        Err(finding)
    }

    fn function(&self, name: &str) -> Result<(), Finding> {
        // Operators have names that no one can write.
        if !name.starts_with(|char: char| char.is_ascii_alphabetic()) || FUNCTIONS.contains(&name) {
            return Ok(());
        }
        let mut finding = Finding::new("", format!("there is no function `{name}`"));
        finding.instead = likely(name, FUNCTIONS).map(str::to_owned);
        Err(finding)
    }

    fn member(&mut self, operand: &IdedExpr, field: &str) {
        let is_variable = matches!(&operand.expr, Expr::Ident(name) if name == self.variable);
        if is_variable && !self.members.iter().any(|member| member == field) {
            self.members.push(field.to_owned());
        }
    }
}
