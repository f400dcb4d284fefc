//! Every scenario that was read off genuine Message DB, played on it again, and on ours.

use message_store_tests::golden::{self, ANY_VERSION_7, Deviation};
use message_store_tests::{Store, Target};
use serde_json::{Value, json};
use std::sync::Mutex;

/// Where ours differs from Message DB on purpose: the scenario, the step, what it does instead. Nothing else may differ.
fn deviation(scenario: &str, step: usize) -> Option<Deviation> {
    match (scenario, step) {
        // `write_message` with id NULL generates an id; Message DB fails, and burns a global position.
        ("id forms", 6) => Some(Deviation::Returns(json!(3))),
        ("id forms", 7) => Some(Deviation::Returns(json!(4))),
        ("id forms", 8) => Some(Deviation::Returns(id_forms_stream())),
        // Message DB's function bodies need the schema in search_path. Native functions find the store without it;
        // `unqualified_search_path` tests what they do there.
        ("search_path and privileges", 3..=9) => Some(Deviation::Skip),
        _ => None,
    }
}

/// The stream of "id forms" where the write without an id took position 3.
fn id_forms_stream() -> Value {
    let ids = [
        "a5eb2a97-84d9-4ccf-8a56-7160338b11e2",
        "a5eb2a97-84d9-4ccf-8a56-7160338b11e3",
        "a5eb2a97-84d9-4ccf-8a56-7160338b11e4",
        ANY_VERSION_7,
        "00000000-0000-4000-8000-000000000005",
    ];
    let message = |(position, id): (usize, &&str)| {
        json!({"id": id, "stream_name": "account-1", "type": "T", "position": position,
               "global_position": position + 1, "data": "{\"a\": 1}", "metadata": null})
    };
    ids.iter().enumerate().map(message).collect()
}

/// Some scenarios look at the locks of the whole cluster, so one store is played on at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn play_all(target: Target, deviation: impl Fn(&str, usize) -> Option<Deviation>) {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|e| e.into_inner());
    let store = Store::fresh(target);
    let scenarios = golden::scenarios();
    assert_eq!(scenarios.len(), 20);
    let play = |scenario: &Value| {
        let name = scenario["name"].as_str().expect("a name");
        golden::play(&store, scenario, |step| deviation(name, step))
    };
    let differences: Vec<String> = scenarios.iter().flat_map(play).collect();
    assert!(differences.is_empty(), "{} steps on {target} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn genuine_message_db_answers_as_recorded() {
    play_all(Target::Genuine, |_, _| None);
}

#[test]
fn ours_answers_as_message_db_does() {
    play_all(Target::Ours, deviation);
}
