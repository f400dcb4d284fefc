//! Namespaces and roles for tests, under names of their own: roles belong to the cluster, which tests share.

use crate::{Failure, Outcome, Session, Store, Target};

/// A role of this store's database that may connect and nothing else. Its name is a namespace's, too.
pub fn role(store: &Store, name: &str) -> String {
    let role = format!("{name}_{}", store.database);
    store.superuser().ok(&format!("CREATE ROLE {role} LOGIN"));
    role
}

/// A namespace of the superuser's that `role` may read and write.
pub fn granted(store: &Store, namespace: &str, role: &str) {
    let mut superuser = store.superuser();
    superuser.ok(&format!("SELECT create_namespace('{namespace}')"));
    superuser.ok(&format!("SELECT grant_namespace('{namespace}', '{role}', 'write')"));
}

/// Lets `role` create namespaces.
pub fn may_create(store: &Store, role: &str) {
    store.superuser().ok(&format!(
        "GRANT CREATE ON DATABASE {} TO {role}; GRANT USAGE ON SCHEMA message_store TO {role};
         GRANT INSERT, DELETE ON message_store.namespaces TO {role}",
        store.database
    ));
}

/// How many messages a namespace's table holds, whoever may see them.
pub fn count(store: &Store, namespace: &str) -> i64 {
    store.superuser().number(&format!("SELECT count(*) FROM \"{namespace}\".messages"))
}

/// Waits until a backend waits for a lock, for at most ten seconds.
pub fn wait_until_blocked(watcher: &mut Session, backend: i64) {
    let blocked = format!("SELECT cardinality(pg_blocking_pids({backend}))");
    for _ in 0..2000 {
        if watcher.number(&blocked) > 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("backend {backend} did not wait for a lock");
}

/// Runs a statement that must wait for a lock, does `meanwhile`, and answers with what it did in the end.
pub fn waits(store: &Store, session: &mut Session, sql: &str, meanwhile: impl FnOnce()) -> Outcome {
    let backend = session.number("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| session.run(sql));
        wait_until_blocked(&mut store.superuser(), backend);
        meanwhile();
        waiting.join().expect("the one who waited")
    })
}

/// Two tenants: one owns its namespace, the other was granted what it may do in its own.
pub struct Tenants {
    /// Their database.
    pub store: Store,
    /// The owner of `tenant-a`.
    pub a: String,
    /// Who may read and write `tenant-b`.
    pub b: String,
}

/// Both, in a fresh database.
pub fn tenants() -> Tenants {
    let store = Store::fresh(Target::Ours);
    let [a, b] = ["alice", "bob"].map(|name| role(&store, name));
    may_create(&store, &a);
    store.session_as(&a).ok("SELECT message_store.create_namespace('tenant-a')");
    granted(&store, "tenant-b", &b);
    Tenants { store, a, b }
}

/// Makes the functions found by their bare names, wherever the store is looked for first.
pub fn path(namespace: &str) -> String {
    format!("\"{namespace}\", message_store, public")
}

/// A message to a stream of a namespace.
pub fn write(namespace: &str, stream: &str) -> String {
    format!("SELECT message_store.write_message(NULL, '{stream}', 'T', '{{}}', NULL, NULL, '{namespace}')")
}

/// That a failure is one of the store's own, with this message and nothing else to say.
pub fn assert_own_error(failure: &Failure, message: &str) {
    failure.assert_clean();
    assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("P0001", message));
    assert_eq!((&failure.detail, &failure.hint), (&None, &None));
}

/// Runs what must fail with an error of the store's own, with this message.
pub fn error(session: &mut Session, sql: &str, message: &str) {
    assert_own_error(&session.error(sql), message);
}

/// Whether there is a schema of that name.
pub fn schema_exists(session: &mut Session, name: &str) -> bool {
    session.number(&format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{name}'")) == 1
}
