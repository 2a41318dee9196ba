//! Keys in a token, against SoftHSM. Its library reads one environment variable when it starts and keeps its state for the
//! life of a process, so that each test here is a process of its own, with a token of its own.

#![expect(clippy::print_stdout, reason = "it is the harness of its tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use cryptoki::context::Pkcs11;
use rabita_keys::{Algorithm, KeyError, SigningKey, VerifyingKey};

type Test = (&'static str, fn(&Token));

const TESTS: [Test; 7] = [
    ("signs_with_both_kinds_of_keys", signs_with_both_kinds_of_keys),
    ("signs_for_many_threads_at_once", signs_for_many_threads_at_once),
    ("signs_again_after_the_module_was_stopped", signs_again_after_the_module_was_stopped),
    ("signs_again_after_the_token_was_made_anew", signs_again_after_the_token_was_made_anew),
    ("shows_a_refused_pin_once_and_never_in_an_error", shows_a_refused_pin_once_and_never_in_an_error),
    ("says_what_is_not_there", says_what_is_not_there),
    ("two_keys_share_a_module", two_keys_share_a_module),
];

/// Where Debian, Fedora and others put the library.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

const PIN: &str = "8461937";
const MISSING: &str = "SoftHSM is missing: install `softhsm2`, or run `deploy/desk setup --servers`";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Ok(directory) = std::env::var("RABITA_TOKEN_DIRECTORY") {
        let (_, test) = TESTS.iter().find(|(name, _)| arguments.first().is_some_and(|first| first == name)).expect("a test");
        test(&Token { directory: directory.into() });
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--list") {
        TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let chosen = TESTS.iter().filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter.as_str())));
    let failed = chosen.filter(|(name, _)| !passes(name)).count();
    ExitCode::from(u8::from(failed > 0))
}

/// Runs one test in a process of its own.
fn passes(name: &str) -> bool {
    let scratch = tempfile::tempdir().expect("a directory for the token");
    let directory = scratch.path();
    std::fs::create_dir(directory.join("tokens")).expect("a directory");
    let settings = format!("directories.tokendir = {}\nlog.level = ERROR\n", directory.join("tokens").display());
    std::fs::write(directory.join("softhsm2.conf"), settings).expect("the settings of SoftHSM");
    let itself = std::env::current_exe().expect("the path of this test");
    let mut run = Command::new(itself);
    run.arg(name).env("RABITA_TOKEN_DIRECTORY", directory).env("SOFTHSM2_CONF", directory.join("softhsm2.conf"));
    let has_passed = run.status().is_ok_and(|status| status.success());
    println!("test {name} ... {}", if has_passed { "ok" } else { "FAILED" });
    has_passed
}

/// A token of SoftHSM with one key pair of each kind, of which this process knows the PEM.
struct Token {
    directory: PathBuf,
}

impl Token {
    /// Makes the token, and puts the keys in.
    fn make(&self, pin: &str) {
        self.util(&["--init-token", "--free", "--label", "rabita", "--so-pin", "91827364", "--pin", pin]);
        for (label, id) in [("ed", "01"), ("ec", "02")] {
            let file = self.directory.join(label);
            let file = file.to_str().expect("a path of ASCII");
            self.util(&["--import", file, "--token", "rabita", "--label", label, "--id", id, "--pin", pin]);
        }
    }

    fn keys(&self) -> (VerifyingKey, VerifyingKey) {
        let [ed, ec] = [("ed", Algorithm::Ed25519), ("ec", Algorithm::EcdsaP256)].map(|(label, algorithm)| {
            let (key, pem) = SigningKey::generate(label, algorithm).expect("randomness");
            std::fs::write(self.directory.join(label), pem).expect("the key's file");
            key.verifying().clone()
        });
        (ed, ec)
    }

    fn delete(&self) {
        self.util(&["--delete-token", "--token", "rabita"]);
    }

    fn util(&self, arguments: &[&str]) {
        let output = Command::new("softhsm2-util").args(arguments).output().unwrap_or_else(|error| panic!("{MISSING} ({error})"));
        assert!(output.status.success(), "softhsm2-util {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn library() -> &'static Path {
    let found = LIBRARIES.iter().map(Path::new).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{MISSING}; looked for {LIBRARIES:?}"))
}

fn open(id: &str, key: &str) -> Result<SigningKey, KeyError> {
    SigningKey::from_pkcs11(id, library(), "rabita", key, PIN)
}

fn signs_with_both_kinds_of_keys(token: &Token) {
    let publics = token.keys();
    token.make(PIN);
    for (label, public) in [("ed", publics.0), ("ec", publics.1)] {
        let key = open(label, label).expect("the key in the token");
        assert_eq!(key.verifying(), &public);
        assert!(key.is_in_token());
        for message in [&b""[..], b"message", &[0; 10_000]] {
            let signature = key.sign(message).expect("a signature");
            public.verify(message, &signature).expect("a signature that verifies");
        }
    }
}

fn signs_for_many_threads_at_once(token: &Token) {
    let (_, public) = token.keys();
    token.make(PIN);
    let key = open("ec", "ec").expect("the key in the token");
    std::thread::scope(|scope| {
        for thread in 0..40_u8 {
            let (key, public) = (&key, &public);
            scope.spawn(move || {
                for _ in 0..10 {
                    public.verify(&[thread], &key.sign(&[thread]).expect("a signature")).expect("one that verifies");
                }
            });
        }
    });
}

fn signs_again_after_the_module_was_stopped(token: &Token) {
    let (public, _) = token.keys();
    token.make(PIN);
    let key = open("ed", "ed").expect("the key in the token");
    // The same library in the same process: this ends its sessions behind the key's back.
    Pkcs11::new(library()).expect("the module").finalize().expect("a module that was started");
    public.verify(b"message", &key.sign(b"message").expect("a signature")).expect("one that verifies");
}

fn signs_again_after_the_token_was_made_anew(token: &Token) {
    let (public, _) = token.keys();
    token.make(PIN);
    let key = open("ed", "ed").expect("the key in the token");
    public.verify(b"before", &key.sign(b"before").expect("a signature")).expect("one that verifies");
    token.delete();
    token.make(PIN);
    public.verify(b"after", &key.sign(b"after").expect("a signature")).expect("one that verifies");
}

fn shows_a_refused_pin_once_and_never_in_an_error(token: &Token) {
    token.keys();
    token.make(PIN);
    let key = open("ed", "ed").expect("the key in the token");
    token.delete();
    token.make("5550123");
    let error = key.sign(b"message").expect_err("a PIN that is not the token's");
    assert!(matches!(&error, KeyError::Pin { .. }), "{error}");
    assert!(!error.to_string().contains(PIN));
    let error = key.sign(b"message").expect_err("the same");
    assert!(error.to_string().contains("not tried again"), "{error}");
}

fn says_what_is_not_there(token: &Token) {
    token.keys();
    token.make(PIN);
    let asked =
        |module: &Path, token, key, pin| SigningKey::from_pkcs11("k", module, token, key, pin).expect_err("nothing there");
    assert!(matches!(asked(Path::new("/nowhere.so"), "rabita", "ed", PIN), KeyError::Module { .. }));
    assert!(matches!(asked(library(), "other", "ed", PIN), KeyError::TokenAbsent { .. }));
    assert!(matches!(asked(library(), "rabita", "other", PIN), KeyError::KeyAbsent { half: "private", .. }));
    let error = asked(library(), "rabita", "ed", "0000001");
    assert!(matches!(error, KeyError::Pin { .. }) && !error.to_string().contains("0000001"), "{error}");
}

fn two_keys_share_a_module(token: &Token) {
    let (ed_public, ec_public) = token.keys();
    token.make(PIN);
    let ed = open("ed", "ed").expect("the key in the token");
    let ec = open("ec", "ec").expect("the key in the token");
    // As at a reload: the same key once more, and then the first is gone.
    let again = open("ed", "ed").expect("the key in the token");
    drop(ed);
    ed_public.verify(b"message", &again.sign(b"message").expect("a signature")).expect("one that verifies");
    ec_public.verify(b"message", &ec.sign(b"message").expect("a signature")).expect("one that verifies");
}
