//! The table of what each kind was held to the battery on.

use std::collections::BTreeSet;
use std::path::Path;

use rabita_server::kinds;

use super::root;

/// The files below this directory in which a battery is run.
fn set_ups(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).expect("the battery's directory can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            set_ups(&path, found);
        } else if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("rabita_battery::battery!(")) {
            let inside = path.strip_prefix(root()).expect("it is below the root");
            found.insert(inside.display().to_string());
        }
    }
}

#[test]
fn the_table_of_the_battery_names_every_kind_and_every_set_up() {
    let text = std::fs::read_to_string(root().join("connectors/SPEC.md")).expect("the specification is there");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.contains("tests/tests/battery/"))
        .map(|line| line.split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    let told = |column: usize| -> BTreeSet<String> { rows.iter().map(|row| row[column].to_owned()).collect() };
    let mut wanted = BTreeSet::new();
    set_ups(&root().join("tests/tests/battery"), &mut wanted);
    assert_eq!(told(3), wanted);
    let kinds = kinds::all();
    let untold: Vec<&str> = kinds.iter().map(|kind| kind.name()).filter(|name| !told(1).contains(*name)).collect();
    assert_eq!(untold, [""; 0]);
}
