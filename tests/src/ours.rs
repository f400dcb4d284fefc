//! This project's extension.

use crate::Cluster;

/// Creates `database` with the extension in it, and before that the role `message_store` where it is missing.
pub fn install(cluster: &Cluster, database: &str) {
    let mut client = cluster.config("postgres", "postgres").connect(postgres::NoTls).expect("a connection");
    let role = "SELECT FROM pg_roles WHERE rolname = 'message_store'";
    if client.query(role, &[]).expect("roles").is_empty() {
        client.batch_execute("CREATE ROLE message_store LOGIN").expect("a role");
    }
    client.batch_execute(&format!("CREATE DATABASE {database}")).expect("a database");
    let mut client = cluster.config(database, "postgres").connect(postgres::NoTls).expect("a connection");
    let created = client.batch_execute("CREATE EXTENSION message_store");
    created.unwrap_or_else(|e| panic!("CREATE EXTENSION message_store (`make install` installs it): {e:?}"));
}
