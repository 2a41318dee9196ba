//! The questions that are asked on a terminal, answered by somebody.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rabita_tests::eventually;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{Place, read};
use crate::RABITA;

/// A program on a terminal.
struct Terminal {
    keys: File,
    shown: Arc<Mutex<String>>,
    program: Child,
}

impl Terminal {
    fn start(words: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal of our own");
        let name = ptsname(&master, Vec::new()).expect("its name").into_string().expect("a name in UTF-8");
        let end = || File::options().read(true).write(true).open(&name).expect("its other end");
        let program =
            Command::new(RABITA).args(words).stdin(end()).stdout(end()).stderr(end()).spawn().expect("the program can be run");
        let keys = File::from(master);
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut screen, text) = (keys.try_clone().expect("a copy"), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The terminal ends with the program.
            while let Ok(length @ 1..) = screen.read(&mut bytes) {
                text.lock().expect("nobody panicked").push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        Self { keys, shown, program }
    }

    /// Waits for a question, and answers it.
    async fn answer(&mut self, question: &str, keys: &str) {
        eventually(&format!("`{question}` is asked"), Duration::from_secs(60), async || {
            self.shown.lock().expect("nobody panicked").contains(question)
        })
        .await;
        self.shown.lock().expect("nobody panicked").clear();
        self.keys.write_all(keys.as_bytes()).expect("keys are pressed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_only_knows_the_address_is_asked_for_the_rest() {
    let place = Place::new();
    let file = place.0.path().join("library.json");
    std::fs::write(&file, LIBRARY).expect("a file");
    let into = place.path();
    let mut terminal = Terminal::start(&["connector", "new", "--into", into.to_str().expect("a path in UTF-8")]);
    terminal.answer("Where is the legacy system?", &format!("{}\r", file.display())).await;
    terminal.answer("What is the registry called?", "\r").await;
    terminal.answer("Which agency owns the registry?", "\u{15}culture\r").await;
    // The second of two is taken away.
    terminal.answer("What is wanted?", "\u{1b}[B \r").await;
    terminal.answer("Write it into", "y").await;
    terminal.answer("nothing is wrong", "").await;
    assert!(terminal.program.wait().expect("it ends").success());

    let manifest = read(&place.manifest("library"));
    assert_eq!((&manifest["registry"], &manifest["agency"]), (&"library".into(), &"culture".into()));
    let entities: Vec<&String> = manifest["contract"]["v1"].as_object().expect("entities").keys().collect();
    assert_eq!(entities, ["books"]);
}

const LIBRARY: &str = r##"{"openapi": "3.0.0", "info": {"title": "Library"}, "servers": [{"url": "https://library.example"}], "paths": {
    "/books/{isbn}": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {
        "type": "object", "required": ["isbn"], "properties": {"isbn": {"type": "string"}, "title": {"type": "string"}}}}}}}}},
    "/readers/{no}": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {
        "type": "object", "required": ["no"], "properties": {"no": {"type": "integer"}, "name": {"type": "string"}}}}}}}}}}}"##;
