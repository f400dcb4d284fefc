//! A database with a message store in it.

use crate::{Cluster, Session, genuine, ours};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a store is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Genuine Message DB 1.3.0.
    Genuine,
    /// This project's extension.
    Ours,
}

impl Target {
    /// Both, genuine first.
    pub const BOTH: [Target; 2] = [Target::Genuine, Target::Ours];

    fn template(self) -> &'static str {
        match self {
            Target::Genuine => "template_genuine",
            Target::Ours => "template_ours",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Target::Genuine => "genuine",
            Target::Ours => "ours",
        })
    }
}

/// A database of its own with an empty store.
pub struct Store {
    /// What it is made of.
    pub target: Target,
    /// The database's name.
    pub database: String,
    /// The cluster it is in.
    pub cluster: &'static Cluster,
}

impl Store {
    /// A new database in the shared cluster, copied from one that the first call makes: Message DB's script takes
    /// 2 seconds.
    pub fn fresh(target: Target) -> Store {
        Store::fresh_in(Cluster::shared(), target)
    }

    /// The same in another cluster.
    pub fn fresh_in(cluster: &'static Cluster, target: Target) -> Store {
        static TEMPLATES: Mutex<()> = Mutex::new(());
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let _guard = TEMPLATES.lock().unwrap_or_else(|e| e.into_inner());
        let mut client = cluster.config("postgres", "postgres").connect(postgres::NoTls).expect("a connection");
        let template = target.template();
        if client.query("SELECT FROM pg_database WHERE datname = $1", &[&template]).expect("databases").is_empty() {
            // Under another name until it is whole: a later test must not copy half of it.
            client.batch_execute("DROP DATABASE IF EXISTS unfinished").expect("a database dropped");
            match target {
                Target::Genuine => genuine::install(cluster, "unfinished"),
                Target::Ours => ours::install(cluster, "unfinished"),
            }
            client
                .batch_execute(&format!("ALTER DATABASE unfinished RENAME TO {template}"))
                .expect("a database renamed");
        }
        let database = format!("{target}_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        client.batch_execute(&format!("CREATE DATABASE {database} TEMPLATE {template}")).expect("a database");
        Store { target, database, cluster }
    }

    /// A connection as an ordinary client has it: as the role `message_store`, which finds the schema of its own name.
    pub fn session(&self) -> Session {
        self.session_as("message_store")
    }

    /// A connection as the cluster's superuser, with the store's schema in its search_path.
    pub fn superuser(&self) -> Session {
        let mut session = self.session_as("postgres");
        session.ok("SET search_path = message_store, public");
        session
    }

    /// A connection as `role`, with the server's own settings.
    pub fn session_as(&self, role: &str) -> Session {
        Session::open(self.cluster.config(&self.database, role))
    }
}
