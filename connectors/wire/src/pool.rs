//! The hosts of one registry: they share its load, and stand in for each other.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use rabita_model::RegistryId;
use rabita_sdk::{Call, Connector, Failure, Promise, RegistrySpec};

use crate::fit::fit;
use crate::link::Link;
use crate::names::Names;
use crate::remote::Remote;
use crate::transport::{Outgoing, Streaming, Transport};

/// The hosts that serve one registry at this moment.
pub struct Pool {
    spec: RegistrySpec,
    names: Names,
    promise: Promise,
    members: RwLock<Vec<Arc<Member>>>,
    /// Whose turn it is among those that have as much to do.
    turn: AtomicUsize,
}

/// One host, as this registry sees it.
struct Member {
    link: Arc<Link>,
    /// For each entity: nothing, or why it is not asked of this host.
    unfit: Vec<Option<String>>,
    /// Whether the registry answered through it when it was last asked.
    is_well: AtomicBool,
}

/// How a host does for one registry, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    pub host: String,
    /// Whether the registry answered through it when it was last asked.
    pub is_well: bool,
    /// What is not asked of it, and why.
    pub remarks: Vec<String>,
}

impl Pool {
    /// A registry without any host yet, and the connector that asks its hosts.
    #[must_use]
    pub fn new(spec: RegistrySpec, kind: &str, promise: Promise) -> (Arc<Self>, Arc<dyn Connector>) {
        let pool = Arc::new(Self {
            names: Names::of(&spec, kind),
            spec: spec.clone(),
            promise,
            members: RwLock::default(),
            turn: AtomicUsize::new(0),
        });
        let remote = Remote::new(Arc::clone(&pool) as Arc<dyn Transport>, spec, kind, promise);
        (pool, Arc::new(remote))
    }

    /// Asks this host too from now on, in the place of an earlier connection of the same one. Answers what will not be
    /// asked of it, and why.
    pub fn attach(&self, link: &Arc<Link>) -> Vec<String> {
        let registry = self.spec.registry.as_str();
        let Some(described) = link.registries().find(|described| described.registry == registry) else { return Vec::new() };
        let unfit = fit(&self.spec, &self.names, self.promise, described);
        let remarks = unfit.iter().flatten().map(|why| format!("registry `{registry}`: {why}")).collect();
        let member = Arc::new(Member { link: Arc::clone(link), unfit, is_well: AtomicBool::new(true) });
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        members.retain(|own| own.link.host != link.host);
        members.push(member);
        remarks
    }

    /// Asks this connection no more.
    pub fn detach(&self, link: &Arc<Link>) {
        self.members.write().unwrap_or_else(PoisonError::into_inner).retain(|own| !Arc::ptr_eq(&own.link, link));
    }

    /// How its hosts are.
    #[must_use]
    pub fn status(&self) -> Vec<MemberStatus> {
        let status = |member: &Arc<Member>| MemberStatus {
            host: member.link.host.clone(),
            is_well: member.is_well.load(Ordering::Relaxed),
            remarks: member.unfit.iter().flatten().cloned().collect(),
        };
        self.members().iter().map(status).collect()
    }

    fn members(&self) -> Vec<Arc<Member>> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has one host after the other do something until one of them can: one that says `Unavailable` has done nothing.
    async fn by_any<T, F>(&self, entity: Option<usize>, call: &Call, work: impl Fn(Arc<Member>) -> F + Send) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let mut tried = Vec::new();
        let mut last = None;
        loop {
            let member = match self.choose(entity, &tried) {
                Ok(member) => member,
                Err(nobody) => return Err(last.unwrap_or(nobody)),
            };
            let waits = Waits { member: &member, call };
            let done = work(Arc::clone(&member)).await;
            std::mem::forget(waits);
            member.judge(done.as_ref().err());
            match done {
                Err(failure @ Failure::Unavailable { retry_after: None, .. }) => {
                    last = Some(failure);
                    tried.push(member);
                }
                done => return done,
            }
        }
    }

    /// The host with the least to do, of those through which the registry answered last; else of the others.
    fn choose(&self, entity: Option<usize>, tried: &[Arc<Member>]) -> Result<Arc<Member>, Failure> {
        let members = self.members();
        let is_fit = |member: &&Arc<Member>| {
            let serves = entity.is_none_or(|entity| member.unfit.get(entity).is_some_and(Option::is_none));
            serves && !member.link.is_over() && !tried.iter().any(|other| Arc::ptr_eq(other, member))
        };
        let start = self.turn.fetch_add(1, Ordering::Relaxed) % members.len().max(1);
        let in_turn = members[start..].iter().chain(&members[..start]);
        let least =
            in_turn.filter(is_fit).min_by_key(|member| (!member.is_well.load(Ordering::Relaxed), member.link.in_flight()));
        least.map(Arc::clone).ok_or_else(|| self.nobody(entity, &members))
    }

    fn nobody(&self, entity: Option<usize>, members: &[Arc<Member>]) -> Failure {
        let why = entity.and_then(|entity| {
            members.iter().find_map(|member| {
                let why = member.unfit.get(entity)?.as_ref()?;
                Some(format!("host `{}` is not asked: {why}", member.link.host))
            })
        });
        Failure::unavailable(why.unwrap_or_else(|| "no host of the registry's agency is connected".to_owned()))
    }
}

/// A call that is given up at its deadline speaks against the host: else one that hangs, and so has the least under way,
/// would be given everything.
struct Waits<'a> {
    member: &'a Member,
    call: &'a Call,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if self.call.remaining().is_zero() {
            self.member.is_well.store(false, Ordering::Relaxed);
        }
    }
}

impl Member {
    /// Takes down whether the registry answers through this host.
    fn judge(&self, failure: Option<&Failure>) {
        self.is_well.store(!failure.is_some_and(Failure::is_ill_health), Ordering::Relaxed);
    }

    async fn probe(&self, registry: &RegistryId, call: &Call) -> Result<(), Failure> {
        let body = Bytes::from_static(b"{}");
        let ask = Outgoing { registry: Some(registry.clone()), call: "probe", entity: None, body, changes: false };
        let late = |_| Err(Failure::timed_out(format!("host `{}` did not answer", self.link.host)));
        let probed = tokio::time::timeout_at(call.deadline.into(), self.link.send(&ask, call)).await.unwrap_or_else(late);
        self.judge(probed.as_ref().err());
        probed.map(drop)
    }
}

#[async_trait]
impl Transport for Pool {
    async fn send(&self, ask: Outgoing, call: &Call) -> Result<Bytes, Failure> {
        let work = |member: Arc<Member>| {
            let (ask, call) = (ask.clone(), call.clone());
            async move { member.link.send(&ask, &call).await }
        };
        self.by_any(ask.entity, call, work).await
    }

    async fn stream(&self, ask: Outgoing, call: &Call) -> Result<Streaming, Failure> {
        let work = |member: Arc<Member>| {
            let (ask, call) = (ask.clone(), call.clone());
            async move { member.link.stream(&ask, &call).await }
        };
        self.by_any(ask.entity, call, work).await
    }

    /// Asks every host, and is well when one of them is and nothing is served by none.
    async fn probe(&self, call: &Call) -> Result<(), Failure> {
        let members = self.members();
        let probes = join_all(members.iter().map(|member| member.probe(&self.spec.registry, call))).await;
        let mut failures = probes.into_iter().filter_map(Result::err).collect::<Vec<_>>();
        if failures.len() == members.len() {
            return Err(failures.pop().unwrap_or_else(|| self.nobody(None, &members)));
        }
        for entity in 0..self.spec.entities.len() {
            self.choose(Some(entity), &[])?;
        }
        Ok(())
    }

    /// The connections are not the registry's own: other registries are asked over them too.
    async fn close(&self) {
        self.members.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
