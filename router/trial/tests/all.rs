//! Runs of small registries, and what is written of them.

mod all {
    mod generated;
    mod reports;
    mod runs;
    mod support;
}
