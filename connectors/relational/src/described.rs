//! What the database says of the columns of entities and code tables.

use std::collections::HashMap;
use std::sync::Arc;

use rabita_sdk::{Source, TableSpec};
use tokio::sync::Mutex;

use crate::backend::Session;
use crate::column::Column;
use crate::fault::{AnyFault, placed};
use crate::plan::{Plan, Relation};

/// An entity, and what the database said of its columns.
pub(crate) struct Entity {
    pub(crate) plan: Plan,
    described: Mutex<Option<Arc<Described>>>,
}

/// The columns of an entity by source.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) record: HashMap<Source, Column>,
    pub(crate) groups: HashMap<String, HashMap<Source, Column>>,
    pub(crate) target: HashMap<Source, Column>,
}

impl Entity {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan, described: Mutex::new(None) }
    }

    /// The columns, asked of the database once.
    pub(crate) async fn described(&self, session: &mut Session) -> Result<Arc<Described>, AnyFault> {
        let mut described = self.described.lock().await;
        if let Some(described) = &*described {
            return Ok(Arc::clone(described));
        }
        let plan = &self.plan;
        let record = describe(session, &plan.relation, plan.sources()).await?;
        let mut groups = HashMap::new();
        for (name, group) in &plan.groups {
            let described = describe(session, &group.relation, plan.group_sources(name)).await;
            groups.insert(name.clone(), described.map_err(|fault| placed(format!("group `{name}`"), fault))?);
        }
        let target = match &plan.target {
            Some(target)
                if !plan.spec.written.is_empty() || plan.spec.operations.iter().any(|operation| operation.is_change()) =>
            {
                let relation = Relation { filter: None, ..target.clone() };
                let described = describe(session, &relation, plan.written_sources()).await;
                described.map_err(|fault| placed("changes".to_owned(), fault))?
            }
            _ => HashMap::new(),
        };
        let new = Arc::new(Described { record, groups, target });
        *described = Some(Arc::clone(&new));
        Ok(new)
    }

    /// Forgets the columns, so that they are asked for again.
    pub(crate) async fn forget(&self) {
        *self.described.lock().await = None;
    }
}

async fn describe(session: &mut Session, relation: &Relation, sources: Vec<Source>) -> Result<HashMap<Source, Column>, AnyFault> {
    if sources.is_empty() {
        return Ok(HashMap::new());
    }
    let dialect = session.dialect;
    let list: Vec<String> = sources.iter().map(|source| relation.expression(dialect, source.as_str())).collect();
    let sql = format!("SELECT {}{}", list.join(", "), relation.body(dialect));
    // A driver may remember what it prepared before the tables changed, so the database is asked by what is not prepared.
    session.run(&format!("{sql} AND 1 = 0")).await?;
    let count = list.len();
    Ok(sources.into_iter().zip(session.describe(sql, count).await?).collect())
}

/// The columns of a code table, described anew each time: it is read seldom.
pub(crate) async fn described_table(
    session: &mut Session,
    spec: &TableSpec,
    relation: &Relation,
) -> Result<Vec<Column>, AnyFault> {
    let columns = describe(session, relation, spec.columns.clone()).await?;
    Ok(spec.columns.iter().map(|source| columns.get(source).cloned().unwrap_or_else(Column::text)).collect())
}
