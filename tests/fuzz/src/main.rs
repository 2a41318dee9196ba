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

fuzz_target!(
    init: {
        // The fuzzer's hook ends the process at a panic, caught or not. That of `calamine` is a refusal where it is caught
        // (connectors/files/src/layout/sheet/book.rs); where it is not, the fuzzer ends at it all the same.
        let end = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.location().is_none_or(|place| !place.file().contains("/calamine-")) {
                end(panic);
            }
        }));
    },
    |data: &[u8]| (TARGET.run)(data)
);
