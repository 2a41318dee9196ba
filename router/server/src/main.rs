//! The `rabita` binary.

fn main() -> std::process::ExitCode {
    rabita_server::command::run()
}
