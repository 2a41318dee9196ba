//! Explains what would become of a request as far as grants decide it, by the same weighing as an exchange.

use jiff::Timestamp;
use rabita_model::{Ask, BasisId, Code, FieldName, Operation, Purpose, SystemId, Want};
use serde::Serialize;

use super::weigh::{Lack, union};
use super::{Access, Granted, Holdings, Terms, Weighed, Wish};

/// What would become of a request.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    pub system: SystemId,
    /// `registry/version/entity`.
    pub target: String,
    pub operation: Operation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The legal basis of the purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<BasisId>,
    /// Whether grants permit it. What the registry then says is another matter.
    pub is_permitted: bool,
    /// The code with which it is refused, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What the caller is told beyond the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// The faults that the caller is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<rabita_model::Fault>,
    /// What the answer would hold at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<WouldHold>,
    /// Every grant of the system for this entity.
    pub grants: Vec<Considered>,
}

/// What an answer would hold at most.
#[derive(Debug, Clone, Serialize)]
pub struct WouldHold {
    /// All fields that any record of it could show.
    pub fields: Vec<FieldName>,
    /// Those that every record shows, whatever its content.
    pub fields_of_every_record: Vec<FieldName>,
    /// The row conditions of which one has to be true of a record for it to be there; empty where every record is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<String>,
    /// What the deciding grants demand of the request, each of which is taken as given here, but for a consent: the ask
    /// names one or does not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub demands: Vec<&'static str>,
    /// The widest of the deciding grants' own limits; `None` where one of them has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
}

/// One grant, and what comes of it for the request.
#[derive(Debug, Clone, Serialize)]
pub struct Considered {
    pub verdict: Verdict,
    /// Why it does not decide, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
    /// The fields that it grants.
    pub fields: Vec<FieldName>,
    #[serde(flatten)]
    pub terms: Terms,
}

/// What comes of one grant for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is among those that decide.
    Decides,
    /// It holds, but grants without a condition cover all that is asked.
    Unneeded,
    /// It does not hold.
    Lacks,
}

impl Access {
    /// Tells what would become of a request of a system at a time. A signature and a bound token are taken as given.
    #[must_use]
    pub fn explain(&self, system: &SystemId, ask: &Ask, now: Timestamp) -> Explanation {
        let wish = Wish::of(ask, true, true, now);
        let holdings = self.grants.get(system, &ask.target);
        let weighed = holdings.map_or_else(|| Err(Code::NotPermitted.into()), |holdings| holdings.weigh(ask, &wish));
        let mut explanation = Explanation {
            system: system.clone(),
            target: ask.target.to_string(),
            operation: wish.operation,
            purpose: ask.purpose.clone(),
            basis: ask.purpose.as_ref().and_then(|purpose| self.basis(purpose)).cloned(),
            is_permitted: weighed.is_ok(),
            code: None,
            told: None,
            faults: Vec::new(),
            answer: None,
            grants: Vec::new(),
        };
        let deciding = weighed.as_ref().map_or(&[][..], |weighed| weighed.holding.as_slice());
        if let Some(holdings) = holdings {
            let considered = |granted: &std::sync::Arc<Granted>| {
                let decides = deciding.iter().any(|other| std::sync::Arc::ptr_eq(other, granted));
                Considered::of(granted, &wish, holdings, decides)
            };
            explanation.grants = holdings.grants.iter().map(considered).collect();
        }
        match (&weighed, holdings) {
            (Ok(weighed), Some(holdings)) => explanation.answer = Some(WouldHold::of(weighed, holdings, ask)),
            (Err(refusal), _) => {
                explanation.code = Some(refusal.code);
                explanation.told.clone_from(&refusal.explanation);
                explanation.faults.clone_from(&refusal.faults);
            }
            (Ok(_), None) => {}
        }
        explanation
    }
}

impl Considered {
    fn of(granted: &Granted, wish: &Wish<'_>, holdings: &Holdings, decides: bool) -> Self {
        let lack = granted.lack(wish);
        let (verdict, why) = match (decides, lack) {
            (true, _) => (Verdict::Decides, None),
            (false, None) => (Verdict::Unneeded, None),
            (false, Some(lack)) => (Verdict::Lacks, Some(lack.sentence())),
        };
        Self { verdict, why, fields: holdings.shape.names(&granted.selection), terms: Terms::of(granted) }
    }
}

impl Lack {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Operation => "It is not for this operation.",
            Self::Expired => "It has ended.",
            Self::Hours => "It does not hold at this hour.",
            Self::Purpose => "It does not hold for this purpose, or without one.",
            Self::Signature => "It demands a signed request.",
            Self::Binding => "It demands a token that is bound to the client certificate.",
            Self::Consent => "It demands a consent, and the request names none.",
        }
    }
}

impl WouldHold {
    fn of(weighed: &Weighed<'_>, holdings: &Holdings, ask: &Ask) -> Self {
        let shape = &holdings.shape;
        let is_change = matches!(ask.want, Want::Change(_));
        let plain: Vec<_> = weighed.holding.iter().filter(|grant| !grant.is_conditional()).copied().collect();
        // A change answers with no field of its record.
        let fields = |selection| if is_change { Vec::new() } else { shape.names(selection) };
        let mut rows: Vec<String> = Vec::new();
        if weighed.is_conditional && plain.is_empty() {
            rows.extend(weighed.holding.iter().filter_map(|grant| grant.written.rows.clone()));
        }
        let mut demands: Vec<&'static str> = weighed.holding.iter().flat_map(|grant| Terms::of(grant).demands).collect();
        demands.sort_unstable();
        demands.dedup();
        let rates: Option<Vec<u32>> = weighed.holding.iter().map(|grant| grant.written.requests_per_second).collect();
        Self {
            fields: fields(&weighed.selection),
            fields_of_every_record: fields(&weighed.selection.and(&union(&plain, shape))),
            rows,
            demands,
            requests_per_second: rates.and_then(|rates| rates.into_iter().max()),
        }
    }
}
