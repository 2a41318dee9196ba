//! Golden files: `BLESS=1 cargo test -p rabita-contract` writes them anew.

use std::path::Path;

use serde_json::Value;

/// Holds a document against `tests/golden/{name}`.
pub fn holds(name: &str, found: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = format!("{}\n", serde_json::to_string_pretty(found).expect("JSON"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &text).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(&file).expect("there is a golden file; BLESS=1 writes it");
    assert_eq!(text, golden, "{name} changed; if it should, BLESS=1 writes it anew");
}
