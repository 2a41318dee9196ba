//! What can be wrong with a registry beyond what the schemas say, found without the database.

use rabita_model::{Operation, Rule};
use rabita_sdk::{ActSpec, EntitySpec, Finding, RegistrySpec, Source};

use crate::action::{Action, Answers, parameter};
use crate::dialect::{Dialect, Folding};
use crate::groups::ordering;
use crate::origin::{Bump, Group, Join, Origin};
use crate::plan::{Plan, Relation};
use crate::scan::objection;

/// What is known of a registry's database without asking it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// How it writes SQL.
    pub dialect: Option<Dialect>,
    /// Whether every change is refused.
    pub read_only: bool,
}

/// Everything wrong with the entities and code tables of a registry.
pub(crate) fn findings(spec: &RegistrySpec, known: &Known) -> Vec<Finding> {
    let mut findings = Vec::new();
    let dialect = known.dialect;
    for entity in &spec.entities {
        let Ok(origin) = serde_json::from_value::<Origin>(entity.from.clone()) else {
            findings.push(Finding::new(&entity.pointer, "`from` is a table, or has `table` or `select`"));
            continue;
        };
        let mut check = Check { dialect, pointer: &entity.pointer, findings: &mut findings };
        check.origin(&origin);
        check.entity(entity, &origin, known.read_only);
    }
    for table in &spec.tables {
        let Ok(origin) = serde_json::from_value::<Origin>(table.from.clone()) else {
            findings.push(Finding::new(&table.pointer, "`from` is a table, or has `table` or `select`"));
            continue;
        };
        let mut check = Check { dialect, pointer: &table.pointer, findings: &mut findings };
        check.origin(&origin);
        let relation = Relation::of(&origin);
        for source in &table.columns {
            check.source(&relation, source.as_str(), &table.pointer);
        }
    }
    findings
}

struct Check<'a> {
    dialect: Option<Dialect>,
    pointer: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Check<'_> {
    fn origin(&mut self, origin: &Origin) {
        match origin {
            Origin::Table(_) => {}
            Origin::Tables(tables) => {
                self.alias(tables.alias.as_deref(), "/as");
                self.sql(tables.filter.as_deref(), "/where");
                self.joins(&tables.joins, "");
                self.distinct(&Relation::of(origin), "");
            }
            Origin::Select(select) => {
                self.alias(select.alias.as_deref(), "/as");
                self.sql(Some(&select.select), "/select");
                let first = select.select.split_whitespace().next().unwrap_or_default().trim_start_matches('(');
                if !["select", "with", "values"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
                    self.at("/select", "a hand-written query begins with SELECT or WITH");
                }
            }
        }
    }

    fn entity(&mut self, entity: &EntitySpec, origin: &Origin, read_only: bool) {
        let plan = Plan::new(entity.clone(), origin);
        for source in entity.key.iter().chain(&entity.wanted.sources).chain(&entity.binary).chain(&entity.version) {
            self.source(&plan.relation, source.as_str(), place(entity, source));
        }
        for filter in &entity.filters {
            self.source(&plan.relation, filter.source.as_str(), &filter.pointer);
        }
        for wanted in &entity.wanted.groups {
            match plan.groups.get(wanted.name.as_str()) {
                None => {
                    let names = plan.groups.keys().map(String::as_str);
                    self.findings.push(Finding::unknown(place(entity, &wanted.name), "group", wanted.name.as_str(), names));
                }
                Some(group) => {
                    for source in &wanted.sources {
                        self.source(&group.relation, source.as_str(), place(entity, source));
                    }
                }
            }
        }
        let groups = match origin {
            Origin::Table(_) => None,
            Origin::Tables(tables) => Some(&tables.groups),
            Origin::Select(select) => Some(&select.groups),
        };
        for (name, group) in groups.into_iter().flatten() {
            self.group(name, group, &plan);
        }
        self.changes(entity, &plan, read_only);
        for action in &entity.actions {
            self.action(entity, action);
        }
        if let (Some(feed), Some(at)) = (&plan.feed, &entity.changes) {
            self.source(&plan.relation, &feed.column, &format!("{}/column", at.pointer));
        }
        if plan.bump != Bump::None && entity.version.is_none() {
            self.at("/bump", "the entity has no version column to change");
        }
    }

    fn group(&mut self, name: &str, group: &Group, plan: &Plan) {
        let below = format!("/groups/{}", rabita_sdk::finding::token(name));
        self.alias(group.alias.as_deref(), &format!("{below}/as"));
        self.sql(group.filter.as_deref(), &format!("{below}/where"));
        self.joins(&group.joins, &below);
        let Some(ready) = plan.groups.get(name) else { return };
        self.distinct(&ready.relation, &below);
        if group.on.is_empty() {
            self.at(&format!("{below}/on"), "say which of the group's columns equals which of the record's sources");
        }
        for (child, parent) in &group.on {
            let place = format!("{}{below}/on/{}", self.pointer, rabita_sdk::finding::token(child));
            self.source(&ready.relation, child, &place);
            self.source(&plan.relation, parent, &place);
        }
        for (at, order) in group.order_by.iter().enumerate() {
            let place = format!("{}{below}/order_by/{at}", self.pointer);
            self.source(&ready.relation, ordering(order).0, &place);
        }
    }

    fn changes(&mut self, entity: &EntitySpec, plan: &Plan, read_only: bool) {
        let changes: Vec<Operation> = entity.operations.iter().copied().filter(|operation| operation.is_change()).collect();
        if changes.is_empty() {
            return;
        }
        if read_only {
            self.findings
                .push(Finding::new("/connector/read_only", format!("{} can be changed: `read_only` forbids it", entity.name)));
        }
        if changes == [Operation::Act] {
            return;
        }
        let Some(target) = &plan.target else {
            self.at("", "a hand-written select can't be changed: name the table with `into`");
            return;
        };
        let own =
            |source: &Source| target.own_column(source.as_str()).or_else(|| plan.relation.own_column(source.as_str())).is_some();
        for source in &entity.key {
            if !own(source) {
                let message =
                    format!("the key {source} is of a joined table: a change can't find its record in {}", target.qualifier());
                self.findings.push(Finding::new(place(entity, source), message));
            }
        }
        for (_, source, pointer) in &entity.written {
            if !own(source) {
                let message = format!("{source} is of a joined table: only columns of {} can be written", target.qualifier());
                self.findings.push(Finding::new(pointer, message));
            }
        }
        if let Some(version) = entity.version.as_ref().filter(|version| !own(version)) {
            let message = format!("the version {version} is of a joined table");
            self.findings.push(Finding::new(place(entity, version), message));
        }
    }

    /// Every name in an action's SQL is a value, and every value stands in it.
    fn action(&mut self, entity: &EntitySpec, spec: &ActSpec) {
        let place = format!("{}/sql", spec.pointer);
        let action = match Action::new(spec.clone()) {
            Ok(action) => action,
            Err(objection) => return self.findings.push(Finding::new(place, objection)),
        };
        let key: Vec<&str> = entity.key.iter().map(parameter).collect();
        let known: Vec<&str> = key.iter().copied().chain(spec.values.iter().map(|(source, _)| source.as_str())).collect();
        for name in action.names().filter(|name| !known.contains(name)) {
            self.findings.push(Finding::unknown(&place, "value", name, known.iter().copied()));
        }
        for (source, pointer) in &spec.values {
            if key.contains(&source.as_str()) {
                let message = format!("{source} is the key's: give the value another name in the SQL");
                self.findings.push(Finding::new(pointer, message));
            } else if !action.names().any(|name| name == source.as_str()) {
                let message = format!("`:{source}` does not stand in the action's SQL, so this value would be lost");
                self.findings.push(Finding::new(pointer, message).breaks(Rule::ValueLost));
            }
        }
        match &spec.reply {
            Some(reply) if !reply.groups.is_empty() => {
                self.findings.push(Finding::new(&place, "what an SQL statement answers has no repeated groups"));
            }
            Some(_) if action.answers == Answers::Count => {
                let message = "the action has a reply, and this statement answers no row: add RETURNING, or call a function";
                self.findings.push(Finding::new(place, message));
            }
            _ => {}
        }
    }

    fn joins(&mut self, joins: &[Join], below: &str) {
        for (at, join) in joins.iter().enumerate() {
            self.alias(join.alias.as_deref(), &format!("{below}/joins/{at}/as"));
            self.sql(Some(&join.on), &format!("{below}/joins/{at}/on"));
        }
    }

    fn distinct(&mut self, relation: &Relation, below: &str) {
        let names = relation.qualifiers();
        for (at, name) in names.iter().enumerate().skip(1) {
            if names[..at].contains(name) {
                self.at(
                    &format!("{below}/joins/{}", at - 1),
                    &format!("another table goes by the name {name}: give one an alias with `as`"),
                );
            }
        }
    }

    fn source(&mut self, relation: &Relation, source: &str, pointer: &str) {
        if let Err(alias) = relation.resolve(source) {
            let finding = Finding::unknown(pointer, "alias", alias, relation.qualifiers());
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }

    fn sql(&mut self, sql: Option<&str>, below: &str) {
        if let Some(objection) = sql.and_then(objection) {
            self.at(below, objection);
        }
    }

    fn alias(&mut self, alias: Option<&str>, below: &str) {
        let Some(alias) = alias else { return };
        if alias.is_empty() || alias.contains('.') {
            self.at(below, "an alias is a name without `.`");
        } else if let Some((dialect, folding)) = self.dialect.and_then(|dialect| Some((dialect, dialect.folding()?)))
            && folding.changes(alias)
        {
            let case = match folding {
                Folding::Lower => "lower",
                Folding::Upper => "upper",
            };
            let message = format!(
                "{} reads names without quotes in {case} case: write the alias in {case} case, or quote it wherever SQL names it",
                dialect.name()
            );
            self.findings.push(Finding::warning(format!("{}{below}", self.pointer), message));
        }
    }

    fn at(&mut self, below: &str, message: &str) {
        self.findings.push(Finding::new(format!("{}{below}", self.pointer), message));
    }
}

/// Where a source stands in the manifest.
fn place<'a>(entity: &'a EntitySpec, source: &Source) -> &'a str {
    entity.places.iter().find(|(own, _)| own == source).map_or(&entity.pointer, |(_, pointer)| pointer)
}
