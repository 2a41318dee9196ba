//! Makes a mapping from an entity of a manifest, and tells all that is wrong with it.

use indexmap::IndexMap;
use rabita_model::{Comparison, FieldName, Operation};

use super::{FieldMap, FilterMap, ItemMap, Mapping, RuleMap};
use crate::codec::Codec;
use crate::codes::CodeBook;
use crate::expression::Expression;
use crate::finding::token;
use crate::manifest::{Entity, Field, OneOrMany, Rule, SearchBy};
use crate::template::Template;
use crate::{Finding, Source};

impl Mapping {
    /// Makes the mapping of an entity.
    ///
    /// # Errors
    /// Everything that is wrong, with pointers relative to the entity.
    pub fn compile(entity: &Entity, codes: &CodeBook) -> Result<Self, Vec<Finding>> {
        let mut compiler = Compiler { codes, findings: Vec::new() };
        let fields = compiler.fields(&entity.fields, "/fields", true);
        let mut mapping = Self { fields, key: Vec::new(), filters: Default::default(), writable: Default::default() };
        compiler.key(&mut mapping, entity);
        compiler.filters(&mut mapping, entity);
        compiler.writable(&mut mapping, entity);
        compiler.done(mapping)
    }
}

impl Mapping {
    /// Makes the mapping of an action's request, each field of which is written.
    ///
    /// # Errors
    /// Everything that is wrong, with pointers relative to the action.
    pub fn of_request(fields: &IndexMap<FieldName, Field>, codes: &CodeBook) -> Result<Self, Vec<Finding>> {
        let mut compiler = Compiler { codes, findings: Vec::new() };
        let fields = compiler.fields(fields, "/fields", true);
        for field in &fields {
            if let Some(why) = cannot_write(&field.rule) {
                compiler.one_way(format!("/fields/{}", token(field.name.as_str())), format!("`{}` {why}", field.name));
            }
        }
        let writable = [(Operation::Act, (0..fields.len()).collect())].into();
        compiler.done(Self { fields, key: Vec::new(), filters: Default::default(), writable })
    }

    /// Makes the mapping of an action's reply, which is only read.
    ///
    /// # Errors
    /// Everything that is wrong, with pointers relative to the reply.
    pub fn of_reply(fields: &IndexMap<FieldName, Field>, codes: &CodeBook) -> Result<Self, Vec<Finding>> {
        let mut compiler = Compiler { codes, findings: Vec::new() };
        let fields = compiler.fields(fields, "/fields", true);
        for field in fields.iter().filter(|field| matches!(field.rule, RuleMap::Binary { .. })) {
            compiler.error(format!("/fields/{}", token(field.name.as_str())), "an action answers no binary field");
        }
        compiler.done(Self { fields, key: Vec::new(), filters: Default::default(), writable: Default::default() })
    }
}

struct Compiler<'a> {
    codes: &'a CodeBook,
    findings: Vec<Finding>,
}

impl Compiler<'_> {
    fn done(self, mapping: Mapping) -> Result<Mapping, Vec<Finding>> {
        if self.findings.iter().any(|finding| !finding.is_warning) { Err(self.findings) } else { Ok(mapping) }
    }

    fn fields(&mut self, fields: &IndexMap<FieldName, Field>, place: &str, top: bool) -> Vec<FieldMap> {
        let mut maps = Vec::with_capacity(fields.len());
        for (name, field) in fields {
            let place = format!("{place}/{}", token(name.as_str()));
            if let Some(outer) = fields.keys().find(|other| *other != name && other.covers(name)) {
                self.findings.push(Finding::at_name(&place, format!("`{outer}` is a field already, so nothing lies within it")));
            }
            let keep_null = matches!(field, Field::Rule(rule) if rule.keep_null);
            if let Some(rule) = self.field(field, &place, top) {
                maps.push(FieldMap {
                    name: name.clone(),
                    pointer: name.pointer(),
                    members: name.members().map(str::to_owned).collect(),
                    keep_null,
                    rule,
                });
            }
        }
        maps
    }

    fn field(&mut self, field: &Field, place: &str, top: bool) -> Option<RuleMap> {
        match field {
            Field::Source(source) => Some(RuleMap::Plain { source: source.clone(), codec: Codec::default() }),
            Field::Rule(rule) => self.rule(rule, place, top),
        }
    }

    fn rule(&mut self, rule: &Rule, place: &str, top: bool) -> Option<RuleMap> {
        let ways = [
            ("constant", rule.constant.is_some()),
            ("compose", rule.compose.is_some()),
            ("each", rule.each.is_some()),
            ("read", rule.read.is_some()),
            ("split", rule.split.is_some()),
            ("binary", rule.binary.is_some()),
        ];
        let named: Vec<&str> = ways.iter().filter(|(_, given)| *given).map(|(word, _)| *word).collect();
        if named.len() > 1 {
            let named: Vec<String> = named.iter().map(|word| format!("`{word}`")).collect();
            self.error(place, format!("{} do not go together: a field is made in one way", named.join(" and ")));
            return None;
        }
        let way = named.first().copied().unwrap_or("from");
        self.refuse_strays(rule, way, place);
        match way {
            "constant" => rule.constant.clone().map(RuleMap::Constant),
            "compose" => self.composed(rule, place),
            "each" if top => self.each(rule, place),
            "each" => {
                self.error(format!("{place}/each"), "a repeated group within a repeated group is not supported");
                None
            }
            "read" => self.computed(rule, place),
            "split" => self.split(rule, place),
            "binary" if top => self.binary(rule, place),
            "binary" => {
                self.error(format!("{place}/binary"), "a binary field within a repeated group is not supported");
                None
            }
            _ => {
                let source = self.one_source(rule, place)?;
                let codec = self.codec(rule, place)?;
                Some(RuleMap::Plain { source, codec })
            }
        }
    }

    fn refuse_strays(&mut self, rule: &Rule, way: &str, place: &str) {
        let given = [
            ("from", rule.from.is_some(), &["from", "split", "read", "binary"][..]),
            ("codec", rule.codec.is_some(), &["from", "split", "compose"][..]),
            ("fields", rule.fields.is_some(), &["each"][..]),
            ("item", rule.item.is_some(), &["each"][..]),
            ("write", rule.write.is_some(), &["read"][..]),
            ("keep_null", rule.keep_null, &["from", "split", "compose", "read"][..]),
        ];
        for (word, is_given, goes_with) in given {
            if is_given && !goes_with.contains(&way) {
                let message = if way == "from" {
                    format!("`{word}` goes with `{}`", goes_with.join("` or `"))
                } else {
                    format!("`{word}` does not go with `{way}`")
                };
                self.findings.push(Finding::at_name(format!("{place}/{word}"), message));
            }
        }
    }

    fn one_source(&mut self, rule: &Rule, place: &str) -> Option<Source> {
        match &rule.from {
            Some(OneOrMany::One(source)) => Some(source.clone()),
            Some(OneOrMany::Many(_)) => {
                self.error(format!("{place}/from"), "several sources make one field by `compose` or `read`");
                None
            }
            None => {
                self.error(
                    place,
                    "nothing says what this field is made of: give `from`, `compose`, `constant`, `each` or `read`",
                );
                None
            }
        }
    }

    fn codec(&mut self, rule: &Rule, place: &str) -> Option<Codec> {
        let specs = rule.codec.as_ref().map_or(&[][..], OneOrMany::as_slice);
        match Codec::compile(specs, self.codes) {
            Ok(codec) => Some(codec),
            Err(findings) => {
                let alone = matches!(rule.codec, Some(OneOrMany::One(_)));
                self.findings.extend(findings.into_iter().map(|mut finding| {
                    // A codec alone is no list in the document, so its place has no index.
                    if alone {
                        finding.pointer = finding.pointer.trim_start_matches("/0").to_owned();
                    }
                    finding.under(&format!("{place}/codec"))
                }));
                None
            }
        }
    }

    fn template(&mut self, text: &str, place: String) -> Option<Template> {
        self.keep(Template::parse(text), &place)
    }

    fn expression(&mut self, text: &str, variable: &'static str, place: String) -> Option<Expression> {
        self.keep(Expression::compile(text, variable), &place)
    }

    fn keep<T>(&mut self, made: Result<T, Finding>, place: &str) -> Option<T> {
        made.map_err(|finding| self.findings.push(finding.under(place))).ok()
    }

    fn composed(&mut self, rule: &Rule, place: &str) -> Option<RuleMap> {
        let template = self.template(rule.compose.as_deref()?, format!("{place}/compose"))?;
        let codec = self.codec(rule, place)?;
        let sources = template.names().map(Source::new).collect();
        Some(RuleMap::Composed { sources, template, codec })
    }

    fn split(&mut self, rule: &Rule, place: &str) -> Option<RuleMap> {
        let template = self.template(rule.split.as_deref()?, format!("{place}/split"))?;
        let source = self.one_source(rule, place)?;
        let codec = self.codec(rule, place)?;
        Some(RuleMap::Split { source, codec, template })
    }

    fn computed(&mut self, rule: &Rule, place: &str) -> Option<RuleMap> {
        let read = self.expression(rule.read.as_deref()?, "legacy", format!("{place}/read"))?;
        let sources = rule.from.as_ref().map_or_else(Vec::new, |from| from.as_slice().to_vec());
        if sources.is_empty() {
            self.error(place, "`from` names the sources that the expression uses");
        }
        for name in read.names() {
            if !sources.iter().any(|source| source.as_str() == name.as_str()) {
                let known = sources.iter().map(Source::as_str);
                self.findings.push(Finding::unknown(format!("{place}/read"), "source in `from`", name, known));
            }
        }
        let mut write = Vec::new();
        for (source, text) in rule.write.iter().flatten() {
            let expression = self.expression(text, "record", format!("{place}/write/{}", token(source.as_str())))?;
            write.push((source.clone(), expression));
        }
        Some(RuleMap::Computed { sources, read, write })
    }

    fn each(&mut self, rule: &Rule, place: &str) -> Option<RuleMap> {
        let group = rule.each.clone()?;
        let item = match (&rule.fields, &rule.item) {
            (Some(fields), None) => ItemMap::Fields(self.fields(fields, &format!("{place}/fields"), false)),
            (None, Some(item)) => self.scalar(item, &format!("{place}/item"))?,
            _ => {
                self.error(place, "`each` takes either `fields`, for items that are objects, or `item`");
                return None;
            }
        };
        Some(RuleMap::Each { group, item })
    }

    fn scalar(&mut self, item: &Field, place: &str) -> Option<ItemMap> {
        match item {
            Field::Source(source) => Some(ItemMap::Scalar { source: Some(source.clone()), codec: Codec::default() }),
            Field::Rule(rule) if rule.from.is_none() => Some(ItemMap::Scalar { source: None, codec: self.codec(rule, place)? }),
            Field::Rule(rule) => match self.rule(rule, place, false)? {
                RuleMap::Plain { source, codec } => Some(ItemMap::Scalar { source: Some(source), codec }),
                _ => {
                    self.error(place, "an item is made by `from` and `codec`; use `fields` for more");
                    None
                }
            },
        }
    }

    fn binary(&mut self, rule: &Rule, place: &str) -> Option<RuleMap> {
        let source = self.one_source(rule, place)?;
        rule.binary.as_ref().map(|binary| RuleMap::Binary { source, media_type: binary.media_type.clone() })
    }

    fn key(&mut self, mapping: &mut Mapping, entity: &Entity) {
        for (at, name) in entity.key.as_slice().iter().enumerate() {
            let place = match entity.key {
                OneOrMany::One(_) => "/key".to_owned(),
                OneOrMany::Many(_) => format!("/key/{at}"),
            };
            let Some(field) = self.known(mapping, entity, name, &place) else { continue };
            match &mapping.fields[field].rule {
                RuleMap::Plain { codec, .. } if codec.is_invertible() => mapping.key.push(field),
                RuleMap::Plain { .. } => self.one_way(place, format!("`{name}` is a key, but its codec has no way back")),
                _ => self.error(place, format!("`{name}` is a key, so it is made of one source by `from` and `codec`")),
            }
        }
        if entity.key.as_slice().is_empty() {
            self.error("/key", "a record is identified by one field at least");
        }
    }

    fn filters(&mut self, mapping: &mut Mapping, entity: &Entity) {
        let Some(search) = &entity.operations.search else { return };
        let rules = search.by.rules();
        if rules.is_empty() {
            self.error(
                "/operations/search/by",
                "a search without a filter would hand out the whole registry: name one field at least",
            );
        }
        for (at, (name, comparisons, ignore)) in rules.into_iter().enumerate() {
            let place = match search.by {
                SearchBy::Equals(_) => format!("/operations/search/by/{at}"),
                SearchBy::Each(_) => format!("/operations/search/by/{}", token(name.as_str())),
            };
            let Some(field) = self.known(mapping, entity, &name, &place) else { continue };
            if let Some(why) = cannot_compare(&mapping.fields[field].rule, &comparisons) {
                self.error(place, format!("`{name}` {why}"));
                continue;
            }
            mapping.filters.insert(name, FilterMap { field, comparisons, ignore });
        }
    }

    fn writable(&mut self, mapping: &mut Mapping, entity: &Entity) {
        let operations = &entity.operations;
        let writes = [
            (Operation::Create, &operations.create),
            (Operation::Replace, &operations.replace),
            (Operation::Update, &operations.update),
        ];
        for (operation, spec) in writes {
            let Some(spec) = spec else { continue };
            let mut writable = Vec::new();
            for (at, name) in spec.fields.iter().enumerate() {
                let place = format!("/operations/{operation}/fields/{at}");
                let covered: Vec<usize> = (0..mapping.fields.len()).filter(|at| name.covers(&mapping.fields[*at].name)).collect();
                // A field that is declared, but wrong, has a finding of its own already.
                if covered.is_empty() && !entity.fields.keys().any(|own| name.covers(own)) {
                    self.unknown(entity, name, &place);
                }
                for field in covered {
                    let own = &mapping.fields[field];
                    match cannot_write(&own.rule) {
                        Some(why) => self.one_way(&place, format!("`{}` {why}", own.name)),
                        None => writable.push(field),
                    }
                }
            }
            mapping.writable.insert(operation, writable);
        }
    }

    fn known(&mut self, mapping: &Mapping, entity: &Entity, name: &FieldName, place: &str) -> Option<usize> {
        let at = mapping.fields.iter().position(|field| field.name == *name);
        // A field that is declared, but wrong, has a finding of its own already.
        if at.is_none() && !entity.fields.contains_key(name) {
            self.unknown(entity, name, place);
        }
        at
    }

    fn unknown(&mut self, entity: &Entity, name: &FieldName, place: &str) {
        let candidates = entity.fields.keys().map(FieldName::as_str);
        self.findings.push(Finding::unknown(place, "field", name.as_str(), candidates));
    }

    fn one_way(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.findings.push(Finding::new(place, message).breaks(rabita_model::Rule::OneWay));
    }

    fn error(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.findings.push(Finding::new(place, message));
    }
}

fn cannot_compare(rule: &RuleMap, comparisons: &[Comparison]) -> Option<&'static str> {
    let beyond_equals = comparisons.iter().any(|comparison| *comparison != Comparison::Equals);
    match rule {
        RuleMap::Plain { codec, .. } => {
            let by_prefix = comparisons.contains(&Comparison::Prefix);
            let by_order = comparisons.iter().any(|c| matches!(c, Comparison::From | Comparison::To));
            if !codec.is_invertible() {
                Some("is searched by, but its codec has no way back")
            } else if by_prefix && !codec.keeps_prefix() {
                Some("cannot be searched by prefix: its codec does not keep the beginning of the text")
            } else if by_order && !codec.keeps_order() {
                Some("cannot be searched by from and to: its codec does not keep the order")
            } else {
                None
            }
        }
        RuleMap::Composed { codec, .. } if codec.is_invertible() && !beyond_equals => None,
        RuleMap::Composed { .. } => Some("is composed, so it can be searched for equal values only"),
        RuleMap::Split { .. } => Some("is split from one legacy text, so it cannot be searched by"),
        RuleMap::Constant(_) => Some("is the same in every record, so it cannot be searched by"),
        RuleMap::Each { .. } => Some("is a repeated group, so it cannot be searched by"),
        RuleMap::Computed { .. } => Some("is made by an expression, which has no way back to a legacy condition"),
        RuleMap::Binary { .. } => Some("is binary, so it cannot be searched by"),
    }
}

fn cannot_write(rule: &RuleMap) -> Option<&'static str> {
    match rule {
        RuleMap::Plain { codec, .. } | RuleMap::Split { codec, .. } | RuleMap::Composed { codec, .. }
            if codec.is_invertible() =>
        {
            None
        }
        RuleMap::Plain { .. } | RuleMap::Split { .. } | RuleMap::Composed { .. } => {
            Some("is written, but its codec has no way back")
        }
        RuleMap::Computed { write, .. } if !write.is_empty() => None,
        RuleMap::Computed { .. } => Some("is written, but only `read` says what it is made of: add `write`"),
        RuleMap::Constant(_) => Some("is the same in every record, so it cannot be written"),
        RuleMap::Each { .. } => Some("is a repeated group, which cannot be written"),
        RuleMap::Binary { .. } => Some("is binary, which cannot be written"),
    }
}
