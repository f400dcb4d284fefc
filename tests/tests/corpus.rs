//! Every scenario of the corpus, on Postgres.

use message_store_tests::{Store, Target, corpus};

#[test]
fn postgres_answers_as_the_corpus_says() {
    let scenarios = corpus::scenarios();
    let (mut steps_played, mut differences) = (0, Vec::new());
    for (name, steps) in &scenarios {
        let store = Store::fresh(Target::Ours);
        // Of a later release of the Postgres extension.
        if name == "namespaces: options" && !exists(&store, "set_namespace_option") {
            eprintln!("not played: {name}");
            continue;
        }
        let found = corpus::play(&store, steps);
        steps_played += steps.len();
        differences.extend(found.into_iter().map(|difference| format!("{name}: {difference}")));
    }
    eprintln!("{} scenarios, {steps_played} steps", scenarios.len());
    assert!(scenarios.len() >= 20 && steps_played >= 200);
    assert!(differences.is_empty(), "{} steps differ:\n{}", differences.len(), differences.join("\n"));
}

fn exists(store: &Store, function: &str) -> bool {
    store.superuser().number(&format!("SELECT count(*) FROM pg_proc WHERE proname = '{function}'")) > 0
}
