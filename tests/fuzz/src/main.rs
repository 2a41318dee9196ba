//! One target under libFuzzer: `RABITA_FUZZ_TARGET` names it, the arguments are libFuzzer's.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rabita_fuzz::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("RABITA_FUZZ_TARGET").unwrap_or_default();
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    rabita_fuzz::target(&name).unwrap_or_else(|| panic!("RABITA_FUZZ_TARGET is one of {}", names.join(", ")))
});

fuzz_target!(|data: &[u8]| (TARGET.run)(data));
