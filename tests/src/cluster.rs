//! A private Postgres cluster: in a folder of its own, reached by a unix socket only, gone with the test process.

use crate::postgres_binaries;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

const SUPERVISOR: &str = include_str!("cluster.sh");

/// What every cluster is started with. Nothing of it has to survive a crash of the machine.
const SETTINGS: [&str; 4] = ["max_connections=100", "max_prepared_transactions=10", "max_wal_size=4GB", "timezone=UTC"];

/// A running cluster. It stops, and its folder goes, when this is dropped or when the process ends, however it ends.
pub struct Cluster {
    folder: PathBuf,
    supervisor: Mutex<Option<Supervisor>>,
}

/// How a cluster crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// An immediate stop: each process ends itself.
    Stop,
    /// SIGKILL to each process.
    Kill,
    /// SIGKILL to the postmaster alone: the others go on until they notice.
    Postmaster,
}

impl Crash {
    fn line(self) -> &'static [u8] {
        match self {
            Crash::Stop => b"stop\n",
            Crash::Kill => b"kill\n",
            Crash::Postmaster => b"postmaster\n",
        }
    }
}

/// A disk of its own, so small that it can be filled, and what of the cluster is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmallDisk {
    /// An empty folder for a tablespace, [`Cluster::tablespace_folder`].
    Tablespace,
    /// The write-ahead log.
    Log,
}

impl SmallDisk {
    fn size(self) -> &'static str {
        match self {
            SmallDisk::Tablespace => "24m",
            SmallDisk::Log => "96m",
        }
    }

    fn name(self) -> &'static str {
        match self {
            SmallDisk::Tablespace => "tablespace",
            SmallDisk::Log => "log",
        }
    }

    /// Whether this process may mount one.
    pub fn is_possible() -> bool {
        let mount = "mount -t tmpfs -o size=1m tmpfs /mnt";
        let tried = Command::new("unshare").args(["--mount", "sh", "-c", mount]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success()) && id(&["-u"]) == 0
    }
}

/// Mounts the disk where only this script and what it starts see it, so that it is gone with them.
const ON_SMALL_DISK: &str = r#"
    dir=$1 size=$2
    shift 2
    mkdir "$dir/small" && mount -t tmpfs -o "size=$size,mode=0777" tmpfs "$dir/small" || exit 1
    "$@"
    umount "$dir/small"
    rm -rf "$dir"
"#;

/// The running script, which has said so on its output.
struct Supervisor {
    script: Child,
    output: BufReader<ChildStdout>,
}

impl Cluster {
    /// The cluster that the tests of one process share. It runs without fsync and in little memory.
    pub fn shared() -> &'static Cluster {
        Cluster::shared_with(&["fsync=off", "shared_buffers=16MB"])
    }

    /// The shared cluster with other settings, which must be asked for before anything else has started it.
    pub fn shared_with(settings: &[&str]) -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        extern "C" fn stop_shared() {
            if let Some(cluster) = SHARED.get() {
                cluster.stop();
            }
        }
        SHARED.get_or_init(|| {
            let cluster = Cluster::start(settings);
            // SAFETY: the function has C's calling convention, touches only a static and does not unwind.
            let registered = unsafe { libc::atexit(stop_shared) };
            assert_eq!(registered, 0, "atexit");
            cluster
        })
    }

    /// Starts a cluster with `settings` (`name=value`) on top of the usual ones, and those of the environment's
    /// `MESSAGE_STORE_SETTINGS` (divided by commas or ends of lines) on top of them.
    pub fn start(settings: &[&str]) -> Cluster {
        Cluster::start_as(settings, None, None, None)
    }

    /// The same with a part of it on a small disk.
    pub fn start_on_small_disk(settings: &[&str], disk: SmallDisk) -> Cluster {
        Cluster::start_as(settings, None, Some(disk), None)
    }

    /// Starts a hot standby that follows this cluster.
    pub fn standby(&self) -> Cluster {
        Cluster::start_as(&["fsync=off", "shared_buffers=16MB", "hot_standby=on"], Some(self), None, None)
    }

    /// Starts a cluster of an older Postgres, whose programs are in that folder; [`Cluster::upgrade`] ends its past.
    pub fn start_older(older: &Path) -> Cluster {
        Cluster::start_as(&["fsync=off", "shared_buffers=16MB"], None, None, Some(older))
    }

    /// Stops a cluster of an older Postgres, upgrades it by pg_upgrade, and starts it with the Postgres of the tests.
    pub fn upgrade(&self) {
        self.tell(b"upgrade\n");
    }

    fn start_as(
        settings: &[&str],
        primary: Option<&Cluster>,
        disk: Option<SmallDisk>,
        older: Option<&Path>,
    ) -> Cluster {
        // Not the configured temporary folder: a socket's path may be 107 bytes long.
        let folder = tempfile::Builder::new().prefix("mst-").tempdir_in("/tmp").expect("a temporary folder").keep();
        let mut command = as_server_user(&folder, "sh", disk);
        command.args(["-c", SUPERVISOR, "cluster"]).arg(&folder).arg(postgres_binaries::directory());
        let everywhere = std::env::var("MESSAGE_STORE_SETTINGS").unwrap_or_default();
        let everywhere = everywhere.split([',', '\n']).map(str::trim).filter(|setting| !setting.is_empty());
        command.args(SETTINGS).args(settings).args(everywhere);
        // Of its own process group, so that Ctrl-C ends the tests, and their end stops the cluster in good order.
        command.process_group(0).current_dir("/").env("RUST_BACKTRACE", "1").env("LC_ALL", "C.UTF-8");
        command.env("STANDBY_OF", primary.map_or(Path::new(""), |primary| &primary.folder));
        command.env("SMALL_DISK", disk.map_or("", SmallDisk::name)).env("OLDER", older.unwrap_or(Path::new("")));
        let mut script = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh");
        let output = BufReader::new(script.stdout.take().expect("a pipe"));
        let mut supervisor = Supervisor { script, output };
        supervisor.wait_until_ready();
        Cluster { folder, supervisor: Mutex::new(Some(supervisor)) }
    }

    /// Ends every process of the cluster, and starts it again: it recovers from what had been flushed.
    pub fn crash(&self, way: Crash) {
        self.tell(way.line());
    }

    fn tell(&self, line: &[u8]) {
        let mut supervisor = self.supervisor.lock().unwrap_or_else(|e| e.into_inner());
        let supervisor = supervisor.as_mut().expect("a running cluster");
        supervisor.script.stdin.as_mut().expect("a pipe").write_all(line).expect("a line written");
        supervisor.wait_until_ready();
    }

    /// Starts it where it has stopped by itself.
    pub fn start_again(&self) {
        self.tell(b"start\n");
    }

    /// Leaves no room on the small disk.
    pub fn fill_disk(&self) {
        let mut ballast = std::fs::File::create(self.ballast()).expect("a file");
        let full = loop {
            if let Err(error) = ballast.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    }

    /// Takes away what [`Cluster::fill_disk`] has written.
    pub fn make_room(&self) {
        std::fs::remove_file(self.ballast()).expect("room");
    }

    /// On the small disk, as the server sees it.
    pub fn tablespace_folder(&self) -> PathBuf {
        self.folder.join("small/tablespace")
    }

    fn ballast(&self) -> PathBuf {
        let supervisor = self.supervisor.lock().unwrap_or_else(|e| e.into_inner());
        let script = supervisor.as_ref().expect("a running cluster").script.id();
        let folder = self.folder.strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(script.to_string()).join("root").join(folder).join("small/ballast")
    }

    /// The folder that holds the socket.
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// A connection to `database` as `role`; the rest of [`postgres::Config`] is the caller's.
    pub fn config(&self, database: &str, role: &str) -> postgres::Config {
        let mut config = postgres::Config::new();
        config.host_path(&self.folder).dbname(database).user(role);
        config
    }

    /// `program`, one of Postgres' or one that runs them, pointed at this cluster as the superuser.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(postgres_binaries::directory().clone()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).expect("a path"));
        command.env("PGHOST", &self.folder).env("PGPORT", "5432").env("PGUSER", "postgres");
        command.env_remove("PGDATABASE").env_remove("PGOPTIONS").env_remove("PGPASSWORD").env_remove("PGSERVICE");
        command
    }

    fn stop(&self) {
        let supervisor = self.supervisor.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(mut supervisor) = supervisor {
            drop(supervisor.script.stdin.take());
            let _ = supervisor.script.wait();
        }
    }
}

impl Supervisor {
    fn wait_until_ready(&mut self) {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("output");
        if line != "ready\n" {
            self.output.read_to_string(&mut line).expect("output");
            panic!("the cluster does not start:\n{line}");
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `program` as a user that Postgres agrees to run as: the current one, or `postgres` where that is root.
/// On a small disk, where one is asked for, which takes root.
pub(crate) fn as_server_user(folder: &Path, program: &str, disk: Option<SmallDisk>) -> Command {
    if id(&["-u"]) != 0 {
        return Command::new(program);
    }
    chown(folder, Some(id(&["-u", "postgres"])), Some(id(&["-g", "postgres"]))).expect("chown");
    let mut command = match disk {
        Some(disk) => {
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", ON_SMALL_DISK, "disk"]).arg(folder).args([disk.size(), "runuser"]);
            command
        }
        None => Command::new("runuser"),
    };
    command.args(["-u", "postgres", "--", program]);
    command
}

fn id(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).output().expect("id");
    assert!(output.status.success(), "id {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}
