//! `rabita demo` as a newcomer meets it: the real binary, each command that it prints pasted into a shell, and the
//! other commands of the program on the configuration that it wrote.

mod promises;
mod running;

mod country;
mod program;
