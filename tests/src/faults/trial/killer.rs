//! Kills, at moments of chance.

use std::sync::Arc;
use std::time::Duration;

use super::world::World;
use super::{Options, Plant};
use crate::faults::client::Clients;
use crate::faults::dice::Dice;
use crate::faults::log::{Log, What};
use crate::faults::subject::Node;

/// A broker is killed, or started again, after so many kills of nodes.
const BROKER_EVERY: usize = 12;

/// Kills nodes as often as the trial asks for, and brokers now and then; in the end all run.
pub(super) async fn kill(options: &Options, world: &World, log: &Log, clients: &Clients, mut dice: Dice) {
    let mut broker_down = None;
    let mut killed = 0;
    while killed < options.kills {
        tokio::time::sleep(pause(world, &mut dice)).await;
        let before = killed;
        let victims = victims(world.nodes.len(), &mut dice);
        for victim in &victims {
            kill_one(*victim, world, log).await;
            killed += 1;
        }
        if dice.percent(15) && killed < options.kills {
            // Killed again while it starts.
            on_node(&world.nodes[victims[0]], Node::begin_again).await;
            tokio::time::sleep(dice.millis(0, 150)).await;
            kill_one(victims[0], world, log).await;
            killed += 1;
        }
        if options.plant == Some(Plant::Amnesia) && dice.percent(40) {
            let _ = std::fs::remove_dir_all(world.nodes[victims[0]].directory().join("journal"));
        }
        tokio::time::sleep(absence(world, &mut dice)).await;
        for victim in &victims {
            verify(*victim, world, log).await;
            on_node(&world.nodes[*victim], Node::start_again).await;
        }
        if before / BROKER_EVERY != killed / BROKER_EVERY {
            turn_broker(world, log, &mut broker_down, &mut dice).await;
        }
        if before / 10 != killed / 10 {
            (options.report)(&format!("{killed} kills, {} updates acknowledged", clients.acknowledged()));
        }
    }
    if broker_down.is_some() {
        turn_broker(world, log, &mut broker_down, &mut dice).await;
    }
}

/// Kills every node and starts it again.
pub(super) async fn kill_all(world: &World, log: &Log) {
    for number in 0..world.nodes.len() {
        kill_one(number, world, log).await;
    }
    for (number, node) in world.nodes.iter().enumerate() {
        verify(number, world, log).await;
        on_node(node, Node::start_again).await;
    }
}

/// Ends every node in good order, and has its ledger verified for the last time.
pub(super) async fn end_all(world: &World, log: &Log) {
    for (number, node) in world.nodes.iter().enumerate() {
        on_node(node, Node::end).await;
        verify(number, world, log).await;
    }
}

/// Has the ledger of a dead node verified.
async fn verify(number: usize, world: &World, log: &Log) {
    let node = Arc::clone(&world.nodes[number]);
    let finding = tokio::task::spawn_blocking(move || node.verify()).await.expect("the program can be run");
    log.write(What::Verified { node: number, finding });
}

async fn kill_one(number: usize, world: &World, log: &Log) {
    // Written before, so that what comes after this time may have met a dead node.
    log.write(What::Killed { who: format!("node {number}") });
    on_node(&world.nodes[number], Node::kill).await;
}

/// One node, and at times all of them.
fn victims(nodes: usize, dice: &mut Dice) -> Vec<usize> {
    if nodes > 1 && dice.percent(10) { (0..nodes).collect() } else { vec![dice.below(nodes)] }
}

/// How long a node is let live.
fn pause(world: &World, dice: &mut Dice) -> Duration {
    match &world.kafka {
        // Long enough at times for another node to take over and for this one to come back.
        Some(_) if dice.percent(25) => dice.millis(6000, 12_000),
        Some(_) => dice.millis(200, 4000),
        None => dice.millis(100, 1500),
    }
}

/// How long a node stays dead.
fn absence(world: &World, dice: &mut Dice) -> Duration {
    match &world.kafka {
        // Long enough at times for the other node to take over.
        Some(_) if dice.percent(20) => dice.millis(5000, 12_000),
        _ => dice.millis(0, 300),
    }
}

/// Kills a broker, or starts the one again that was killed.
async fn turn_broker(world: &World, log: &Log, down: &mut Option<usize>, dice: &mut Dice) {
    let Some(kafka) = world.kafka.clone() else { return };
    match down.take() {
        Some(broker) => blocking(move || kafka.start_again(broker)).await,
        None => {
            let broker = dice.below(3);
            log.write(What::Killed { who: format!("broker {broker}") });
            blocking(move || kafka.kill(broker)).await;
            *down = Some(broker);
        }
    }
}

async fn on_node(node: &Arc<Node>, what: fn(&Node)) {
    let node = Arc::clone(node);
    blocking(move || what(&node)).await;
}

/// Waits for a process without keeping the rest of the trial from its work.
async fn blocking(wait: impl FnOnce() + Send + 'static) {
    if let Err(panicked) = tokio::task::spawn_blocking(wait).await {
        std::panic::resume_unwind(panicked.into_panic());
    }
}
