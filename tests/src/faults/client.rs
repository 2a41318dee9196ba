//! The callers of a trial: each changes records of its own, in an order that it knows, and some that others change too.
//!
//! The next update is sent when the one before was acknowledged, applied or not, so several of one record are under way
//! at a time and their order is known. What is not answered is sent again under the same idempotency key, to any node.

mod answer;
mod request;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::dice::Dice;
use super::log::{Intention, Log, Look, Operation, What};
use super::registry::{SHARED, shared};
use crate::bus::Caller;
pub(super) use answer::look;
use answer::{Judged, answered, judge};
use request::Request;

/// How long an update is sent again before its caller gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Records that one caller has for itself.
const RECORDS: usize = 4;

/// How callers behave.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// How many there are.
    pub callers: usize,
    /// The longest pause between two updates of one caller.
    pub pause_max_ms: usize,
    /// The longest remark, which only takes room.
    pub remark_max_bytes: usize,
    /// Whether some updates have a latest time.
    pub with_latest_time: bool,
}

/// Callers at work.
#[derive(Debug)]
pub struct Clients {
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    nodes: Vec<Caller>,
    log: Arc<Log>,
    habits: Habits,
    is_over: AtomicBool,
    /// Updates and their ids, in the order in which they were acknowledged.
    acknowledged: Mutex<Vec<(String, String)>>,
}

impl Clients {
    /// Sets callers to work on these nodes.
    #[must_use]
    pub fn start(nodes: Vec<Caller>, log: Arc<Log>, habits: Habits, dice: &Dice) -> Self {
        let acknowledged = Mutex::default();
        let shared = Arc::new(Shared { nodes, log, habits, is_over: AtomicBool::new(false), acknowledged });
        let mut tasks = JoinSet::new();
        for number in 0..habits.callers {
            let records = [None; RECORDS];
            let client = Client { number, shared: Arc::clone(&shared), dice: dice.apart(number), records, sent: 0 };
            tasks.spawn(client.work());
        }
        Self { tasks, shared }
    }

    /// How many updates were acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.shared.acknowledged().len()
    }

    /// Lets each finish what it does, and tells which updates were acknowledged under which ids.
    ///
    /// # Panics
    /// When a caller did.
    pub async fn finish(mut self) -> Vec<(String, String)> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no caller panics");
        }
        self.shared.acknowledged().clone()
    }
}

impl Shared {
    fn acknowledged(&self) -> std::sync::MutexGuard<'_, Vec<(String, String)>> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Client {
    number: usize,
    shared: Arc<Shared>,
    dice: Dice,
    /// Whether each record is there, as far as its caller can tell; `None` before the first update.
    records: [Option<bool>; RECORDS],
    sent: usize,
}

impl Client {
    async fn work(mut self) {
        while !self.shared.is_over.load(Ordering::Relaxed) {
            let request = self.next();
            self.shared.log.write(What::Intended(request.intention.clone()));
            let id = if self.gives_up_early(&request) { self.send_briefly(&request).await } else { self.send(&request).await };
            if let Some(id) = id {
                self.shared.acknowledged().push((request.intention.update.clone(), id));
                if self.dice.percent(8) {
                    // Asked again, the bus says the same again.
                    self.send_once(&request).await;
                }
            }
            if self.dice.percent(10) {
                self.look_back().await;
            }
            if self.dice.percent(5) {
                self.read().await;
            }
            let pause = self.dice.millis(0, self.shared.habits.pause_max_ms);
            tokio::time::sleep(pause).await;
        }
    }

    /// The next update: mostly one that the registry will take.
    fn next(&mut self) -> Request {
        self.sent += 1;
        let update = format!("c{}-{}", self.number, self.sent);
        let is_shared = self.dice.percent(10);
        let (record, operation) = if is_shared {
            (shared(self.dice.below(SHARED)), Operation::Update)
        } else {
            let at = self.dice.below(RECORDS);
            (format!("c{}-r{at}", self.number), self.operation(at))
        };
        let may_expire = self.shared.habits.with_latest_time && operation == Operation::Update && self.dice.percent(4);
        let intention = Intention { update, record, operation, is_ordered: !is_shared, may_expire };
        let remark = self.dice.below(self.shared.habits.remark_max_bytes);
        Request::new(intention, remark, &mut self.dice)
    }

    fn operation(&mut self, record: usize) -> Operation {
        let is_there = self.records[record].unwrap_or(false);
        let operation = match (is_there, self.dice.below(100)) {
            (true, 0..65) | (false, 80..90) => Operation::Update,
            (true, 65..80) => Operation::Replace,
            (true, 80..92) | (false, 90..100) => Operation::Delete,
            _ => Operation::Create,
        };
        match operation {
            Operation::Create => self.records[record] = Some(true),
            Operation::Delete => self.records[record] = Some(false),
            Operation::Replace | Operation::Update => {}
        }
        operation
    }

    /// Some callers do not wait for an answer; never with what makes or ends a record, so that it stays known whether
    /// that is there.
    fn gives_up_early(&mut self, request: &Request) -> bool {
        matches!(request.intention.operation, Operation::Update | Operation::Replace) && self.dice.percent(4)
    }

    async fn send_briefly(&mut self, request: &Request) -> Option<String> {
        let patience = self.dice.millis(1, 40);
        let answered = tokio::time::timeout(patience, self.send_once(request)).await;
        match answered {
            Ok(Judged::Acknowledged { id, .. }) => Some(id),
            Ok(Judged::Declined { .. }) => None,
            Ok(Judged::Again { .. }) | Err(_) => {
                self.shared.log.write(What::Abandoned { update: request.intention.update.clone() });
                None
            }
        }
    }

    /// Sends until there is an answer; tells the id, where the bus took the update on.
    async fn send(&mut self, request: &Request) -> Option<String> {
        let began = Instant::now();
        loop {
            let judged = if self.dice.percent(3) { self.send_twice(request).await } else { self.send_once(request).await };
            match judged {
                Judged::Acknowledged { id, .. } => return Some(id),
                Judged::Declined { .. } => return None,
                Judged::Again { .. } if began.elapsed() > PATIENCE => {
                    self.shared.log.write(What::Abandoned { update: request.intention.update.clone() });
                    return None;
                }
                Judged::Again { .. } => tokio::time::sleep(self.dice.millis(20, 200)).await,
            }
        }
    }

    /// Sends it once to any node, and writes down what that said.
    async fn send_once(&mut self, request: &Request) -> Judged {
        let node = self.dice.below(self.shared.nodes.len());
        self.send_to(request, node).await
    }

    /// Sends it twice at the same time.
    async fn send_twice(&mut self, request: &Request) -> Judged {
        let nodes = self.shared.nodes.len();
        let (one, other) = (self.dice.below(nodes), self.dice.below(nodes));
        let (one, other) = tokio::join!(self.send_to(request, one), self.send_to(request, other));
        if matches!(one, Judged::Again { .. }) { other } else { one }
    }

    async fn send_to(&self, request: &Request, node: usize) -> Judged {
        let answer = Caller::try_sent(request.to(&self.shared.nodes[node])).await;
        if let Ok(answer) = &answer {
            self.shared.log.write(answered(answer));
        }
        let judged = judge(answer);
        let update = request.intention.update.clone();
        match &judged {
            Judged::Acknowledged { id, outcome } => {
                self.shared.log.write(What::Acknowledged { update, id: id.clone(), outcome: outcome.clone() });
            }
            Judged::Declined { status, code } => {
                self.shared.log.write(What::Declined { update, status: *status, code: code.clone() });
            }
            Judged::Again { code: Some(code) } => self.shared.log.write(What::Unavailable { update, code: code.clone() }),
            Judged::Again { code: None } => {}
        }
        judged
    }

    /// Reads a record, and the checkpoint of the ledger that has this then.
    async fn read(&mut self) {
        let node = &self.shared.nodes[self.dice.below(self.shared.nodes.len())];
        if let Ok(answer) = node.try_get(&format!("/api/bank/v1/accounts/{}", shared(self.dice.below(SHARED)))).await {
            self.shared.log.write(answered(&answer));
        }
        if let Ok(answer) = node.try_get("/bus/ledger/checkpoint").await
            && answer.status == 200
        {
            self.shared.log.write(What::Checkpoint { note: answer.text() });
        }
    }

    /// Looks at one of the updates that were acknowledged, anybody's, on any node.
    async fn look_back(&mut self) {
        let node = self.dice.below(self.shared.nodes.len());
        let chosen = {
            let acknowledged = self.shared.acknowledged();
            // Mostly one of the last, which are under way.
            let window = if self.dice.percent(70) { acknowledged.len().min(50) } else { acknowledged.len() };
            acknowledged.len().checked_sub(1 + self.dice.below(window)).and_then(|at| acknowledged.get(at).cloned())
        };
        let Some((update, id)) = chosen else { return };
        if let Some(seen) = look(&self.shared.nodes[node], &id, &self.shared.log).await {
            self.shared.log.write(seen.line(update, id, node, Look::Underway));
        }
    }
}
