//! What is done to a trial beside killing: to the way to the registry, to the disk, to the clock.

use std::convert::Infallible;
use std::time::Duration;

use super::dice::Dice;
use super::trial::{SmallDisk, World, set_clock};
use crate::{Fault, Proxy};

/// Disturbs what the trial has to disturb, until it is dropped.
pub(super) async fn disturb(world: &World, is_cutting: bool, mut dice: Dice) -> Infallible {
    loop {
        if let Some(proxy) = &world.proxy {
            disturb_way(proxy, is_cutting, &mut dice).await;
        } else if let Some(disk) = &world.disk {
            fill_disk(disk, &mut dice).await;
        } else if let Some(clock) = &world.clock {
            let days = ["+1d", "-1d", "+0", "+3600", "-3600"];
            set_clock(clock, days[dice.below(days.len())]);
            tokio::time::sleep(dice.millis(500, 4000)).await;
        } else {
            std::future::pending::<()>().await;
        }
    }
}

/// One fault on the way to the registry, and then none for a while. `is_cutting` keeps to cuts after a few bytes, which
/// hit answers to changes that were made.
async fn disturb_way(proxy: &Proxy, is_cutting: bool, dice: &mut Dice) {
    let bytes = dice.below(3000) as u64;
    let fault = match dice.below(6) {
        _ if is_cutting => Fault::CutAfter(bytes),
        0 => Fault::Delay(dice.millis(10, 3000)),
        1 | 2 => Fault::CutAfter(bytes),
        3 => Fault::GarbleAfter(bytes),
        4 => Fault::Refuse,
        _ => Fault::BlackHole,
    };
    proxy.set(fault);
    tokio::time::sleep(dice.millis(50, 1500)).await;
    proxy.set(Fault::Pass);
    tokio::time::sleep(dice.millis(50, 800)).await;
}

async fn fill_disk(disk: &SmallDisk, dice: &mut Dice) {
    tokio::time::sleep(dice.millis(500, 3000)).await;
    disk.fill();
    // What the bus itself gives back meanwhile is taken up too.
    for _ in 0..dice.below(15) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        disk.fill();
    }
    disk.empty();
}
