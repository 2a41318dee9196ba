//! Authorise: what the grants permit of what is asked. Deny by default.

use std::sync::Arc;

use jiff::Timestamp;
use rabita_model::{Ask, Code, Refusal};
use rabita_sdk::mapping::Selection;

use super::Authenticated;
use crate::access::{Access, Granted, Shape, Wish};
use crate::caller::{Caller, Evidence};
use crate::limit::Limiter;
use crate::registry::{Entities, Entity, Registry};
use crate::release::Guard;

/// Proof that the asked is permitted, with what the permission leaves of it.
pub(crate) struct Permitted {
    pub registry: Arc<Registry>,
    pub entity: Arc<Entity>,
    pub shape: Arc<Shape>,
    pub caller: Arc<Caller>,
    /// The fields that the answer may hold at most: granted, and asked for.
    pub selection: Selection,
    /// Decides record by record; `None` where every record is released alike.
    pub guard: Option<Guard>,
    /// Whether the caller may change records of the entity, so that their versions are of use to it.
    pub may_change: bool,
    pub ask: Ask,
    _made_here: (),
}

impl Permitted {
    /// Permits what is asked, or says why not. What a system has no grant for looks like what does not exist.
    pub fn by(
        access: &Access,
        caller: &Authenticated,
        evidence: &Evidence,
        ask: Ask,
        entities: &Entities,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let caller = caller.caller();
        let none = || Refusal::new(Code::NotPermitted);
        let holdings = access.grants.get(&caller.id, &ask.target).ok_or_else(none)?;
        let (registry, entity) = entities.get(&ask.target).ok_or_else(none)?;
        let is_bound = evidence.token.as_ref().is_some_and(|token| token.is_bound);
        let wish = Wish::of(&ask, evidence.is_signed, is_bound, now);
        let today = wish.today;
        let weighed = holdings.weigh(&ask, &wish)?;
        take(&weighed.holding)?;
        let guard = weighed.is_conditional.then(|| Guard::new(&weighed, &holdings.shape, &ask, caller, today));
        Ok(Self {
            registry: Arc::clone(registry),
            entity: Arc::clone(entity),
            shape: Arc::clone(&holdings.shape),
            caller: Arc::clone(caller),
            selection: weighed.selection,
            guard,
            may_change: holdings.may_change,
            ask,
            _made_here: (),
        })
    }
}

/// Takes one from the limit of a grant; where one of them has no limit of its own, none is needed.
fn take(holding: &[&Arc<Granted>]) -> Result<(), Refusal> {
    let Some(limiters) = holding.iter().map(|grant| grant.limiter.as_deref()).collect::<Option<Vec<&Limiter>>>() else {
        return Ok(());
    };
    let mut refused = None;
    for limiter in limiters {
        match limiter.take() {
            Ok(_) => return Ok(()),
            Err(exceeded) => refused = Some(exceeded.into()),
        }
    }
    refused.map_or(Ok(()), Err)
}
