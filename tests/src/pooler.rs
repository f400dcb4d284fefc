//! pgbouncer in front of a cluster: many clients share few connections, each for a transaction at a time.

use crate::Cluster;
use crate::cluster::as_server_user;
use crate::load::connect_with;
use std::path::PathBuf;
use std::process::{Child, Stdio};

const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// Ends pgbouncer when its own standard input ends, and that is when the tests end, however they do.
const SCRIPT: &str = r#"
    "$1" --quiet "$2/pgbouncer.ini" &
    read -r _
    kill $!
    wait
    rm -rf "$2"
"#;

/// A running pgbouncer in transaction mode. It ends when this is dropped, or with the test process.
pub struct Pooler {
    folder: PathBuf,
    script: Child,
}

impl Pooler {
    /// Starts one in front of a cluster. All clients of a role share so many connections to a database.
    pub fn start(cluster: &Cluster, connections: usize) -> Pooler {
        assert!(std::path::Path::new(PROGRAM).exists(), "no {PROGRAM}: `make setup` installs it");
        let folder = tempfile::Builder::new().prefix("msp-").tempdir_in("/tmp").expect("a temporary folder").keep();
        let (own, servers) = (folder.display(), cluster.socket_folder().display());
        let settings = format!(
            "[databases]
             * = host={servers} port=5432
             [pgbouncer]
             pool_mode = transaction
             default_pool_size = {connections}
             max_client_conn = 200
             auth_type = trust
             auth_file = {own}/users
             listen_addr =
             listen_port = 6432
             unix_socket_dir = {own}
             logfile = {own}/log
             pidfile = {own}/pid
            "
        );
        let settings: String = settings.lines().map(|line| line.trim().to_owned() + "\n").collect();
        std::fs::write(folder.join("pgbouncer.ini"), settings).expect("a file");
        std::fs::write(folder.join("users"), "\"message_store\" \"\"\n\"postgres\" \"\"\n").expect("a file");
        let mut command = as_server_user(&folder, "sh", None);
        command.args(["-c", SCRIPT, "pooler", PROGRAM]).arg(&folder);
        let script = command.stdin(Stdio::piped()).current_dir("/").spawn().expect("sh");
        let pooler = Pooler { folder, script };
        drop(connect_with(&pooler.config("postgres", "postgres")));
        pooler
    }

    /// A connection to `database` as `role`, through the pooler.
    pub fn config(&self, database: &str, role: &str) -> postgres::Config {
        let mut config = postgres::Config::new();
        config.host_path(&self.folder).port(6432).dbname(database).user(role);
        config
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}
