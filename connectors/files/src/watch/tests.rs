use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rabita_battery::people::registry;
use rabita_sdk::{Failure, GroupSpec, Source};
use serde_json::json;

use super::{Stopped, UNREADABLE, Watching, blocking};
use crate::double::NoSecrets;
use crate::kind::{plans, shared};
use crate::layout::{Fault, Input, Layout, Records, Selection, Writer};

/// A layout with a defect, which counts how often it was met.
struct Defective(Arc<AtomicUsize>);

impl Layout for Defective {
    fn open(&self, _: Input, _: &Selection) -> Result<Box<dyn Records>, Fault> {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("a defect, as this test wants it");
    }

    fn columns(&self) -> Option<Vec<Source>> {
        None
    }

    fn groups(&self) -> Option<Vec<GroupSpec>> {
        None
    }

    fn writer(&self) -> Option<&dyn Writer> {
        None
    }
}

#[tokio::test]
async fn a_drop_that_a_defect_of_the_bus_keeps_from_being_read_is_told_as_such_and_tried_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let drop = directory.path().join("people.jsonl");
    std::fs::write(&drop, "{}\n").expect("a file");
    let settings = json!({ "source": { "directory": "." }, "index": "index", "arrival": { "settle_ms": 0 } });
    let mut spec = registry(settings, json!({ "file": "people.jsonl", "format": { "json_lines": {} } }));
    spec.directory = directory.path().to_owned();
    let (mut plans, met) = (plans(&spec).expect("plans"), Arc::new(AtomicUsize::new(0)));
    plans[0].layout = Box::new(Defective(Arc::clone(&met)));
    let shared = Arc::new(shared(&spec, &NoSecrets, plans).await.expect("it opens"));
    let mut watching = Watching { shared: Arc::clone(&shared), lock: None, seen: HashMap::new(), broken_off: HashMap::new() };
    for _ in 0..3 {
        watching.round().await;
    }
    assert_eq!(met.load(Ordering::Relaxed), 1);
    let failure = shared.view(0, Instant::now() + Duration::from_secs(20), |_| Ok(())).expect_err("there is nothing");
    assert_eq!(failure, Failure::unavailable(UNREADABLE));
    let left = std::fs::read_dir(&shared.directory).expect("a directory").flatten();
    assert!(left.map(|entry| entry.file_name()).all(|name| !name.to_string_lossy().ends_with(".index")), "half an index");
    // Another drop may be well.
    std::fs::write(&drop, "{ }\n").expect("a file");
    watching.round().await;
    assert_eq!(met.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn what_panics_does_not_pass_for_a_node_that_stops() {
    assert_eq!(blocking(|| 7).await, Ok(7));
    let stopped = blocking(|| -> u8 { panic!("a defect, as this test wants it") }).await;
    assert_eq!(stopped, Err(Stopped::BrokenOff));
    assert!(String::from(Stopped::BrokenOff).contains("a defect of the bus"));
}
