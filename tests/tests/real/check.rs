//! What needs no registry: nothing is wrong with the examples, and their own tests hold on stand-ins.

use rabita_tests::real::{Example, examples};

use crate::RABITA;

#[test]
fn nothing_is_wrong_with_any_example() {
    for name in examples() {
        let example = Example::new(&name, &[]);
        let (good, said) = example.command(RABITA, &["check", "--strict", "DIR"], &[]);
        assert!(good, "{name}:\n{said}");
        assert!(said.ends_with(": nothing is wrong\n"), "{said}");
    }
}

#[test]
fn the_tests_in_the_manifests_of_the_examples_hold_on_stand_ins() {
    for name in examples() {
        let example = Example::new(&name, &[]);
        let (good, said) = example.command(RABITA, &["connector", "test", "DIR"], &[]);
        assert!(good, "{name}:\n{said}");
        let passed: u32 = said.lines().last().and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or_default();
        assert!(passed > 0, "{name} has tests:\n{said}");
    }
}
