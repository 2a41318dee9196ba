//! Expressions: what no codec can say, in the Common Expression Language (CEL), one way each.
//!
//! An expression sees one variable: when it reads, `legacy` with the values of its sources; when it writes, the
//! contract's value. To the functions of CEL and of its strings extension (`substring`, `trim`, `split`, `join`,
//! `replace`, `format`, ...) come `lower`, `upper`, `padLeft` and `padRight`. What an expression can cost is bounded
//! when it is compiled: its length, its nesting, and its loops within loops.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelInt, CelString};
use cel::objects::{Key, Map};
use cel::{Context, Env, ExecutionError, Program, Value};

use crate::codec::CodecFault;
use crate::{Finding, Legacy, Row};

mod names;

pub(crate) use names::{Named, Vocabulary};

/// An expression, compiled.
#[derive(Debug)]
pub struct Expression {
    program: Program,
    variable: &'static str,
    members: Vec<String>,
}

const MOST_CHARACTERS: usize = 2000;
const DEEPEST_BRACKETS: usize = 24;
const WIDEST: i64 = 1000;
const PARSER_STACK_BYTES: usize = 256 << 20;

impl Expression {
    /// Compiles an expression that sees this variable.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(text: &str, variable: &'static str) -> Result<Self, Finding> {
        let (program, named) = parse(text, &ENV, Vocabulary { variables: &[variable], dates: &[] })?;
        let mut members = Vec::new();
        for member in named.paths.into_iter().filter_map(|path| path.into_iter().nth(1)) {
            if !members.contains(&member) {
                members.push(member);
            }
        }
        Ok(Self { program, variable, members })
    }

    /// The members of the variable that the expression names: `SOYAD` of `legacy.SOYAD` and `legacy["SOYAD"]`.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.members
    }

    /// The expression's value.
    ///
    /// # Errors
    /// `expression_failed`.
    pub fn evaluate(&self, variable: Legacy) -> Result<Legacy, CodecFault> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.add_variable_from_value(self.variable, to_cel(variable));
        let value = self.program.execute(&context).map_err(|error| failed(reason(&error)))?;
        from_cel(&value)
    }
}

/// Parses an expression and checks its names. What it can cost is bounded from here on.
pub(crate) fn parse(text: &str, env: &Env, vocabulary: Vocabulary<'_>) -> Result<(Program, Named), Finding> {
    if text.chars().count() > MOST_CHARACTERS {
        return Err(Finding::new("", format!("an expression has at most {MOST_CHARACTERS} characters")));
    }
    if depth(text) > DEEPEST_BRACKETS {
        return Err(Finding::new("", format!("brackets stand in each other at most {DEEPEST_BRACKETS} deep")));
    }
    // The parser's recursion takes up to a hundred kilobytes a level before the depth of what it made can be checked: it
    // gets a stack that the longest text cannot exhaust.
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().stack_size(PARSER_STACK_BYTES);
        let parser = parser.spawn_scoped(scope, || parse_here(text, env, vocabulary));
        let parsed = parser.map_err(|error| Finding::new("", format!("no thread to parse an expression on: {error}")))?;
        parsed.join().unwrap_or_else(|_| Err(Finding::new("", "this is no expression")))
    })
}

fn parse_here(text: &str, env: &Env, vocabulary: Vocabulary<'_>) -> Result<(Program, Named), Finding> {
    let program = env.compile(text).map_err(|errors| {
        Finding::new(
            "",
            match errors.errors.first() {
                // What follows is the parser's own inside.
                Some(error) => {
                    let message = error.msg.split(": OtherError").next().unwrap_or_default();
                    format!("line {}, column {}: {message}", error.pos.0, error.pos.1)
                }
                None => "this is no expression".to_owned(),
            },
        )
    })?;
    let named = names::check(program.expression(), vocabulary)?;
    Ok((program, named))
}

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(env()));

/// An environment with the functions that all expressions have.
pub(crate) fn env() -> Env {
    let mut env = Env::stdlib();
    env.add_extension(cel::extensions::strings).expect("a fresh environment has none of the extension's functions");
    add_functions(&mut env).expect("a fresh environment has none of these functions");
    env
}

fn add_functions(env: &mut Env) -> Result<(), cel::DeclarationError> {
    cel::add_member_overload!(env, fn lower: (CelString) -> CelString)?;
    cel::add_member_overload!(env, fn upper: (CelString) -> CelString)?;
    cel::add_member_overload!(env, fn pad_left: (CelString, CelInt, CelString) -> Result<CelString>, name = "padLeft")?;
    cel::add_member_overload!(env, fn pad_right: (CelString, CelInt, CelString) -> Result<CelString>, name = "padRight")
}

fn lower(this: &CelString<'_>) -> CelString<'static> {
    this.to_lowercase().into()
}

fn upper(this: &CelString<'_>) -> CelString<'static> {
    this.to_uppercase().into()
}

fn pad_left(this: &CelString<'_>, width: &CelInt, with: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    Ok(format!("{}{}", filling(this, width, with)?, this.inner()).into())
}

fn pad_right(this: &CelString<'_>, width: &CelInt, with: &CelString<'_>) -> Result<CelString<'static>, ExecutionError> {
    Ok(format!("{}{}", this.inner(), filling(this, width, with)?).into())
}

fn filling(this: &CelString<'_>, width: &CelInt, with: &CelString<'_>) -> Result<String, ExecutionError> {
    let width = *width.inner();
    let mut characters = with.chars();
    match (usize::try_from(width), characters.next(), characters.next()) {
        (Ok(width), Some(with), None) if i64::try_from(width).is_ok_and(|width| width <= WIDEST) => {
            Ok(std::iter::repeat_n(with, width.saturating_sub(this.chars().count())).collect())
        }
        _ => Err(ExecutionError::function_error("pad", "takes a width up to 1000 and one character")),
    }
}

fn failed(reason: &str) -> CodecFault {
    CodecFault::new("expression_failed", format!("the expression failed: {reason}"))
}

/// What failed, without the values that CEL's own texts show.
pub(crate) fn reason(error: &ExecutionError) -> &'static str {
    match error {
        _ if is_of_kinds(error) => "an operator or function does not take values of this kind",
        ExecutionError::NoSuchKey(_) => "a member is not there",
        ExecutionError::IndexOutOfBounds(_) | ExecutionError::UnsupportedIndex(..) => "an index is out of bounds",
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "a division by zero",
        ExecutionError::Overflow(..) => "a number is too large",
        ExecutionError::FunctionError { .. } => "a function refused its arguments",
        ExecutionError::UndeclaredReference(_) => "a name is not declared",
        _ => "it can't be evaluated",
    }
}

/// Whether an operator or function does not take values of this kind.
pub(crate) const fn is_of_kinds(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::NoSuchOverload(_)
            | ExecutionError::UnexpectedType { .. }
            | ExecutionError::UnsupportedTargetType { .. }
            | ExecutionError::NotSupportedAsMethod { .. }
            | ExecutionError::ValuesNotComparable(..)
            | ExecutionError::UnsupportedBinaryOperator(..)
    )
}

fn to_cel(value: Legacy) -> Value {
    match value {
        Legacy::Null => Value::Null,
        Legacy::Bool(truth) => Value::Bool(truth),
        Legacy::Int(number) => Value::Int(number),
        Legacy::Float(number) => Value::Float(number),
        Legacy::Text(text) => Value::String(Arc::new(text)),
        Legacy::Bytes(bytes) => Value::Bytes(Arc::new(bytes)),
        Legacy::List(items) => Value::List(Arc::new(items.into_iter().map(to_cel).collect())),
        Legacy::Group(row) => {
            let map: HashMap<Key, Value> = row.iter().map(|(name, value)| (Key::from(name), to_cel(value.clone()))).collect();
            Value::Map(Map { map: Arc::new(map) })
        }
    }
}

fn from_cel(value: &Value) -> Result<Legacy, CodecFault> {
    Ok(match value {
        Value::Null => Legacy::Null,
        Value::Bool(truth) => Legacy::Bool(*truth),
        Value::Int(number) => Legacy::Int(*number),
        Value::UInt(number) => i64::try_from(*number).map(Legacy::Int).map_err(|_| failed("a number is too large"))?,
        Value::Float(number) => Legacy::Float(*number),
        Value::String(text) => Legacy::Text(text.to_string()),
        Value::Bytes(bytes) => Legacy::Bytes(bytes.to_vec()),
        Value::List(items) => Legacy::List(items.iter().map(from_cel).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            let mut members: Vec<(String, &Value)> = map.map.iter().map(|(name, value)| (name.to_string(), value)).collect();
            // CEL's maps have no order, and one record must not come in two.
            members.sort_by(|one, other| one.0.cmp(&other.0));
            let members = members.into_iter().map(|(name, value)| Ok((name, from_cel(value)?)));
            Legacy::Group(members.collect::<Result<Vec<_>, CodecFault>>()?.into_iter().collect::<Row>())
        }
        _ => return Err(failed("its value has no place in a record; string(...) makes text of it")),
    })
}

/// How deep brackets stand in each other, those in texts included: the bound need not be exact.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    for char in text.chars() {
        match char {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legacy(json: &str) -> Legacy {
        serde_json::from_str(json).expect("a value")
    }

    fn evaluate(text: &str, variable: &str) -> Result<Legacy, CodecFault> {
        Expression::compile(text, "legacy").expect("an expression").evaluate(legacy(variable))
    }

    #[test]
    fn evaluates_what_integrators_need() {
        let row = r#"{"AD": " ƏLİ ", "IL": 1978, "AY": 3, "KOD": "az-12-x", "YOX": null, "LIST": ["a", "b"], "a.b": 1}"#;
        for (text, expected) in [
            ("legacy.AD.trim().lower()", "\"əli̇\""),
            ("string(legacy.IL) + '-' + string(legacy.AY).padLeft(2, '0')", "\"1978-03\""),
            ("legacy.KOD.substring(3, 5)", "\"12\""),
            ("legacy.KOD.split('-')[2].upper()", "\"X\""),
            ("legacy.LIST.join('/')", "\"a/b\""),
            ("legacy.KOD.replace('az-', '')", "\"12-x\""),
            ("legacy.YOX == null ? 'none' : legacy.YOX", "\"none\""),
            ("legacy['a.b'] + 1", "2"),
            ("legacy.LIST.map(item, {'code': item})", r#"[{"code": "a"}, {"code": "b"}]"#),
            ("{'b': 1, 'a': legacy.IL > 1900}", r#"{"a": true, "b": 1}"#),
            ("'%s/%d'.format([legacy.KOD, legacy.AY])", "\"az-12-x/3\""),
            ("has(legacy.KOD) && legacy.KOD.matches('^az-[0-9]+')", "true"),
        ] {
            assert_eq!(evaluate(text, row), Ok(legacy(expected)), "{text}");
        }
    }

    #[test]
    fn faults_hold_no_values() {
        let row = r#"{"AD": "Leyla", "N": 0}"#;
        for text in [
            "legacy.AD + 1",
            "1 / legacy.N",
            "legacy.X",
            "legacy.AD.substring(90)",
            "int(legacy.AD)",
            "legacy.AD.padLeft(100000, '0')",
            "timestamp(0)",
        ] {
            let fault = evaluate(text, row).expect_err(text);
            assert_eq!(fault.code, "expression_failed", "{text}");
            assert!(!fault.message.contains("Leyla"), "{text}: {}", fault.message);
        }
    }

    #[test]
    fn undeclared_names_are_found_at_load_with_what_was_likely_meant() {
        let wrong = |text: &str| Expression::compile(text, "legacy").expect_err(text);
        assert_eq!(wrong("legasy.SOYAD").instead.as_deref(), Some("legacy"));
        assert_eq!(wrong("legacy.A.substrin(1)").instead.as_deref(), Some("substring"));
        assert!(wrong("[1].map(x, x + y)").message.contains("`y`"));
        assert!(wrong("legacy.A +").message.starts_with("line 1, column "));
        assert!(Expression::compile("[1].map(x, x + 1).exists(y, y > 1)", "legacy").is_ok());
    }

    #[test]
    fn names_the_members_it_needs() {
        let expression = Expression::compile("legacy.A + legacy['b.c'] + string(has(legacy.D))", "legacy");
        assert_eq!(expression.expect("an expression").names(), ["A", "b.c", "D"]);
    }

    #[test]
    fn no_nesting_exhausts_a_stack() {
        for (start, middle, end) in [
            ("1", "+1", ""),
            ("", "-", "1"),
            ("", "!", "true"),
            ("legacy", ".a", ""),
            ("legacy", "[0]", ""),
            ("''", ".trim()", ""),
            ("", "true?1:", "1"),
            ("true", "&&true", ""),
            ("", "1 in ", "[1]"),
        ] {
            for times in [24, 30, 300, 990] {
                if let Ok(expression) = Expression::compile(&format!("{start}{}{end}", middle.repeat(times)), "legacy") {
                    let _value = expression.evaluate(Legacy::Null);
                }
            }
        }
        for (open, close) in [("(", ")"), ("[", "]")] {
            let nested = |times: usize| format!("{}1{}", open.repeat(times), close.repeat(times));
            assert!(Expression::compile(&nested(24), "legacy").is_ok_and(|deep| deep.evaluate(Legacy::Null).is_ok()));
            assert!(Expression::compile(&nested(25), "legacy").expect_err("too deep").message.contains("24 deep"));
        }
        assert!(Expression::compile(&"1+".repeat(1001), "legacy").expect_err("too long").message.contains("2000"));
    }

    #[test]
    fn loops_are_not_cubed() {
        let loops = "legacy.L.all(a, legacy.L.all(b, a < b))";
        assert_eq!(evaluate(loops, r#"{"L": [1, 2]}"#), Ok(Legacy::Bool(false)));
        let cube = "legacy.L.all(a, legacy.L.all(b, legacy.L.all(c, a < b + c)))";
        assert!(Expression::compile(cube, "legacy").expect_err("too many loops").message.contains("loops"));
    }
}
