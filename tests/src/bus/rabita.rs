//! The `rabita` binary, built with the tests so that they never run one that is older than they are.

fn main() -> std::process::ExitCode {
    rabita_server::command::run()
}
