//! Named actions: the manifest's own SQL, within the transaction that also holds the action's id.

use rabita_sdk::{Act, Acted, Applied, Failure, Legacy, Row, Source};

use crate::action::{Action, Answers, Piece, parameter};
use crate::backend::Session;
use crate::column::Column;
use crate::dialect::Binds;
use crate::fault::Trouble;
use crate::record::Record;
use crate::statement::{Param, Statement, Verb};

/// An action within its transaction.
pub(crate) struct Acting<'a> {
    pub(crate) record: Record<'a>,
    pub(crate) act: &'a Act,
}

impl Acting<'_> {
    pub(crate) async fn run(&self, session: &mut Session) -> Result<Acted, Trouble> {
        let action = match self.record.entity.plan.actions.get(self.act.action) {
            Some(Ok(action)) => action,
            Some(Err(wrong)) => return Err(Failure::unsupported(wrong).into()),
            None => return Err(Failure::unsupported("there is no such action").into()),
        };
        let found = self.found(session).await?;
        if found != Applied::Done {
            return Ok(Acted { applied: found, reply: None });
        }
        let acted = self.act(session, action).await;
        acted.map_err(|trouble| trouble.placed(|| format!("action `{}`", action.spec.name)))
    }

    async fn act(&self, session: &mut Session, action: &Action) -> Result<Acted, Trouble> {
        let statement = self.statement(session, action).await?;
        if action.answers == Answers::Count {
            return match session.execute(statement).await? {
                0 => self.untouched(session).await,
                _ => Ok(Acted { applied: Applied::Done, reply: None }),
            };
        }
        let wanted = action.spec.reply.as_ref().map_or(&[][..], |reply| &reply.sources);
        match (session.answer(statement, wanted).await?, action.answers) {
            (Some(row), _) => Ok(Acted { applied: Applied::Done, reply: action.spec.reply.as_ref().map(|_| row) }),
            (None, Answers::Touched) => self.untouched(session).await,
            (None, _) if action.spec.reply.is_none() => Ok(Acted { applied: Applied::Done, reply: None }),
            (None, _) => Err(Failure::malformed("the action answered no row: nothing was changed").into()),
        }
    }

    /// Whether the record is there, and at the version that is expected. A version is held until the action is done.
    async fn found(&self, session: &mut Session) -> Result<Applied, Trouble> {
        if self.act.expected_version.is_some() {
            return self.record.look(session, true).await;
        }
        Ok(if self.record.exists(session).await? { Applied::Done } else { Applied::Absent })
    }

    async fn untouched(&self, session: &mut Session) -> Result<Acted, Trouble> {
        if self.record.exists(session).await? {
            return Err(Failure::refused("the record is there, and the action did not change it").into());
        }
        Ok(Acted { applied: Applied::Absent, reply: None })
    }

    async fn statement(&self, session: &mut Session, action: &Action) -> Result<Statement, Trouble> {
        let dialect = session.dialect;
        let typed = match dialect.types_parameters() {
            true => Some(action.params.get_or_try_init(|| session.describe_params(numbered(action))).await?),
            false => None,
        };
        let mut statement = Statement::new(dialect, "").about(Verb::Action, &self.record.target.base, []);
        let mut place = 0;
        for piece in &action.pieces {
            match piece {
                Piece::Text(text) => _ = statement.push(text),
                Piece::Name(name) => {
                    let value = self.value(name)?;
                    match typed {
                        Some(columns) => push_typed(&mut statement, name, value, columns.get(place))?,
                        None => push_plain(&mut statement, value),
                    }
                    place += 1;
                }
            }
        }
        Ok(statement)
    }

    /// The value of a parameter: one of the request, or of the key. What the caller left out is null.
    fn value(&self, name: &str) -> Result<&Legacy, Failure> {
        if let Some(at) = self.record.entity.plan.spec.key.iter().position(|own| parameter(own) == name) {
            return self.act.key.get(at).ok_or_else(|| Failure::unsupported("the key has another number of values"));
        }
        Ok(self.act.values.find(&Source::new(name)).unwrap_or(&Legacy::Null))
    }
}

/// The statement with PostgreSQL's own parameters, for it to say what it takes them for.
fn numbered(action: &Action) -> String {
    let mut sql = String::new();
    let mut place = 0;
    for piece in &action.pieces {
        match piece {
            Piece::Text(text) => sql.push_str(text),
            Piece::Name(_) => {
                place += 1;
                sql.push_str(&format!("${place}"));
            }
        }
    }
    sql
}

fn push_typed(statement: &mut Statement, name: &str, value: &Legacy, column: Option<&Column>) -> Result<(), Failure> {
    let column = column.ok_or_else(|| Failure::unsupported("the database takes another number of parameters"))?;
    let param = column
        .written(statement.dialect, value)
        .ok_or_else(|| Failure::refused(format!("the value for {name} ({}) is not of its type", value.kind())))?;
    statement.written(param, column);
    Ok(())
}

fn push_plain(statement: &mut Statement, value: &Legacy) {
    let param = match value {
        Legacy::Null => Param::Null,
        Legacy::Bool(truth) => Param::Int((*truth).into()),
        Legacy::Int(number) => Param::Int(*number),
        Legacy::Float(number) => Param::Float(*number),
        Legacy::Text(text) => Param::Text(text.clone()),
        Legacy::Bytes(bytes) => Param::Bytes(bytes.clone()),
        Legacy::List(_) | Legacy::Group(_) => Param::Text(serde_json::to_string(value).unwrap_or_default()),
    };
    let param = if statement.dialect.binds() == Binds::Text { param.into_text() } else { param };
    let placeholder = statement.bind(param);
    statement.push(&placeholder);
}

/// What an answer holds of what is wanted, whatever the rest of it.
///
/// # Errors
/// The first error of a value.
pub fn wanted_of<E>(names: Vec<&str>, wanted: &[Source], mut value: impl FnMut(usize) -> Result<Legacy, E>) -> Result<Row, E> {
    let is_wanted = |name: &str| wanted.iter().any(|source| source.as_str() == name || source.members().next() == Some(name));
    let mut row = Row::with_capacity(wanted.len());
    for (at, name) in names.into_iter().enumerate().filter(|(_, name)| is_wanted(name)) {
        row.push(name, value(at)?);
    }
    Ok(row)
}
