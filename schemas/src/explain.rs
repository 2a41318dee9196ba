//! From the validator's errors to the places that are at fault. Where none of several alternatives fits (`anyOf`,
//! `oneOf`), the fault is looked for in the one that fits best.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;

use crate::document::escape;

/// The most faults that are told of one instance.
pub(crate) const FAULTS_MAX: usize = 100;

/// An error at one place, with the errors at the same place in alternatives that fit as well.
pub(crate) struct Leaf<'a> {
    pub error: ValidationError<'a>,
    pub alternatives: Vec<ValidationError<'static>>,
}

impl Leaf<'_> {
    /// The errors that are told together.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &Kind> {
        std::iter::once(self.error.kind()).chain(self.alternatives.iter().map(ValidationError::kind))
    }

    /// The same with the place in the schema where each was found.
    pub(crate) fn schema_paths(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.error.schema_path().as_str())
            .chain(self.alternatives.iter().map(|error| error.schema_path().as_str()))
    }

    fn pointer(&self) -> &str {
        self.error.instance_path().as_str()
    }
}

/// The errors, each followed to where the fault is.
pub(crate) fn explained<'a>(errors: impl Iterator<Item = ValidationError<'a>>) -> Vec<Leaf<'a>> {
    // Echoes fall away, so some more are looked at than are told.
    let mut told = without_echoes(errors.flat_map(leaves).take(2 * FAULTS_MAX).collect());
    told.truncate(FAULTS_MAX);
    told
}

/// Without what merely follows from another fault at the same place: a value of the wrong type is on no list either,
/// and a member that is wrong counts as one that was never evaluated.
fn without_echoes(leaves: Vec<Leaf<'_>>) -> Vec<Leaf<'_>> {
    let wrong_types: Vec<String> =
        leaves.iter().filter(|leaf| Group::of(leaf.error.kind()) == Group::Types).map(|leaf| leaf.pointer().to_owned()).collect();
    let wrong_members: Vec<String> = leaves.iter().map(|leaf| leaf.pointer().to_owned()).collect();
    let is_echo = |leaf: &Leaf<'_>| match leaf.error.kind() {
        Kind::Enum { .. } | Kind::Constant { .. } => wrong_types.iter().any(|pointer| pointer == leaf.pointer()),
        Kind::UnevaluatedProperties { unexpected } => unexpected.iter().all(|name| {
            let member = format!("{}/{}", leaf.pointer(), escape(name));
            wrong_members
                .iter()
                .any(|pointer| pointer.strip_prefix(&member).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
        }),
        _ => false,
    };
    leaves.into_iter().filter(|leaf| !is_echo(leaf)).collect()
}

/// The stable word for a kind of fault: the keyword that was broken.
pub(crate) fn keyword(kind: &Kind) -> &'static str {
    match kind {
        Kind::AdditionalItems { .. } => "additionalItems",
        // To a caller it is the same whether the schema is closed by the one keyword or the other.
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => "additionalProperties",
        Kind::AnyOf { .. } => "anyOf",
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } | Kind::Pattern { .. } => "pattern",
        Kind::Constant { .. } => "const",
        Kind::Contains => "contains",
        Kind::ContentEncoding { .. } | Kind::FromUtf8 { .. } => "contentEncoding",
        Kind::ContentMediaType { .. } => "contentMediaType",
        Kind::Custom { .. } => "custom",
        Kind::Enum { .. } => "enum",
        Kind::ExclusiveMaximum { .. } => "exclusiveMaximum",
        Kind::ExclusiveMinimum { .. } => "exclusiveMinimum",
        Kind::FalseSchema => "forbidden",
        Kind::Format { .. } => "format",
        Kind::MaxItems { .. } => "maxItems",
        Kind::Maximum { .. } => "maximum",
        Kind::MaxLength { .. } => "maxLength",
        Kind::MaxProperties { .. } => "maxProperties",
        Kind::MinItems { .. } => "minItems",
        Kind::Minimum { .. } => "minimum",
        Kind::MinLength { .. } => "minLength",
        Kind::MinProperties { .. } => "minProperties",
        Kind::MultipleOf { .. } => "multipleOf",
        Kind::Not { .. } => "not",
        Kind::OneOfMultipleValid { .. } | Kind::OneOfNotValid { .. } => "oneOf",
        Kind::PropertyNames { .. } => "propertyNames",
        Kind::Required { .. } => "required",
        Kind::Type { .. } => "type",
        Kind::UnevaluatedItems { .. } => "unevaluatedItems",
        Kind::UniqueItems => "uniqueItems",
        Kind::Referencing(_) => "$ref",
    }
}

fn leaves(error: ValidationError<'_>) -> Vec<Leaf<'_>> {
    let descends = match error.kind() {
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => context.iter().any(|branch| !branch.is_empty()),
        _ => false,
    };
    if !descends {
        return vec![Leaf { error, alternatives: Vec::new() }];
    }
    let parts = error.into_parts();
    let (Kind::AnyOf { context } | Kind::OneOfNotValid { context }) = parts.kind else { return Vec::new() };
    let branches = context.into_iter().filter(|branch| !branch.is_empty());
    best(
        parts.instance_path.as_str(),
        branches.map(|branch| without_echoes(branch.into_iter().flat_map(leaves).collect())).collect(),
    )
}

/// The branch that fits best, with what equally good branches say of the same places.
fn best(here: &str, branches: Vec<Vec<Leaf<'static>>>) -> Vec<Leaf<'static>> {
    let Some(least) = branches.iter().map(|branch| Misfit::of(here, branch)).min() else { return Vec::new() };
    let mut equals = branches.into_iter().filter(|branch| Misfit::of(here, branch) == least);
    let mut first = equals.next().unwrap_or_default();
    for leaf in equals.flatten() {
        let group = Group::of(leaf.error.kind());
        let twin = first.iter_mut().find(|known| known.pointer() == leaf.pointer() && Group::of(known.error.kind()) == group);
        if let (Some(twin), true) = (twin, group != Group::Other) {
            twin.alternatives.push(leaf.error);
            twin.alternatives.extend(leaf.alternatives);
        }
    }
    first
}

/// How badly a branch fits; the least is the best.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Misfit {
    /// Another type than the instance's: hardly what was meant.
    type_differs: bool,
    /// A constant that tells branches apart differs, here or one level down.
    tag_differs: bool,
    /// Members missing or too many here.
    members_differ: usize,
    faults: usize,
}

impl Misfit {
    fn of(here: &str, branch: &[Leaf<'_>]) -> Self {
        let mut misfit = Self { type_differs: false, tag_differs: false, members_differ: 0, faults: branch.len() };
        for leaf in branch {
            let below = leaf.pointer().strip_prefix(here).unwrap_or_default();
            match leaf.error.kind() {
                Kind::Type { .. } if below.is_empty() => misfit.type_differs = true,
                Kind::Constant { .. } | Kind::Enum { .. } if below.matches('/').count() <= 1 => misfit.tag_differs = true,
                Kind::Required { .. } | Kind::FalseSchema if below.is_empty() => misfit.members_differ += 1,
                Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } if below.is_empty() => {
                    misfit.members_differ += unexpected.len();
                }
                _ => {}
            }
        }
        misfit
    }
}

/// Errors that can be told in one sentence.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Group {
    Unexpected,
    Missing,
    Values,
    Types,
    Other,
}

impl Group {
    fn of(kind: &Kind) -> Self {
        match kind {
            Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => Self::Unexpected,
            Kind::Required { .. } => Self::Missing,
            Kind::Constant { .. } | Kind::Enum { .. } => Self::Values,
            Kind::Type { .. } => Self::Types,
            _ => Self::Other,
        }
    }
}
