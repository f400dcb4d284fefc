//! The stores that workloads run on: databases of the one cluster, shared where nothing is written.

use message_store_tests::{Cluster, Session, Store, Target};
use std::rc::Rc;

/// Genuine Message DB's store and ours, in this order.
pub type Pair = [Rc<Store>; 2];

/// Messages in the store that the reads share.
const READ: u32 = 100_000;
/// Messages of a stream in a filled store.
pub const STREAM: u32 = 100;

/// So that neither store pays for hint bits or a missing visibility map during the measurement.
const VACUUM: &str = "VACUUM ANALYZE messages";

/// The stores that there are so far.
pub struct Stores {
    /// Messages stored, of which the sizes are compared.
    pub sizes: [u32; 3],
    read: Option<Pair>,
    mixed: Option<Pair>,
    sized: Option<[Pair; 3]>,
    dropped: Vec<String>,
}

impl Stores {
    /// None so far.
    pub fn new(sizes: [u32; 3]) -> Stores {
        Stores { sizes, read: None, mixed: None, sized: None, dropped: Vec::new() }
    }

    /// An empty store for the coming race only.
    pub fn fresh(&mut self, target: Target) -> Rc<Store> {
        let store = Store::fresh(target);
        self.dropped.push(store.database.clone());
        Rc::new(store)
    }

    /// Empty stores for the coming race only.
    pub fn fresh_pair(&mut self) -> Pair {
        Target::BOTH.map(|target| self.fresh(target))
    }

    /// Our store for the coming race only, in which writers of different streams do not wait for one another.
    pub fn parallel(&mut self) -> Result<Rc<Store>, String> {
        let store = self.fresh(Target::Ours);
        let mut superuser = store.superuser();
        if superuser.number("SELECT count(*) FROM pg_proc WHERE proname = 'set_namespace_option'") == 0 {
            return Err("parallel append: this build has no set_namespace_option".into());
        }
        superuser.ok("SELECT set_namespace_option('message_store', 'append_lock', 'stream')");
        Ok(store)
    }

    /// Stores of 100,000 messages, which nothing may write to.
    pub fn read(&mut self) -> Pair {
        let filled = || Target::BOTH.map(|target| Rc::new(filled(target, READ)));
        self.read.get_or_insert_with(filled).clone()
    }

    /// Stores of 100,000 messages of four categories in turn, `account` one of them, which nothing may write to.
    pub fn mixed(&mut self) -> Pair {
        let filled = || {
            Target::BOTH.map(|target| {
                let store = Rc::new(Store::fresh(target));
                let name = "(ARRAY['account', 'order', 'payment', 'shipment'])[1 + n % 4] || '-' || n / 4 % 250";
                insert(&store, name, "n / 1000", 0, READ);
                store
            })
        };
        self.mixed.get_or_insert_with(filled).clone()
    }

    /// Stores of each size, by size. They are one store that grows, and its copies.
    pub fn sized(&mut self) -> [Pair; 3] {
        let sizes = self.sizes;
        let grow = || {
            let [genuine, ours] = Target::BOTH.map(|target| grown(target, sizes));
            genuine.iter().chain(&ours).for_each(|store| warm(store));
            let mut pairs = genuine.into_iter().zip(ours).map(Pair::from);
            std::array::from_fn(|_| pairs.next().expect("as many stores as sizes"))
        };
        self.sized.get_or_insert_with(grow).clone()
    }

    /// Has everything written out, so that no checkpoint of the filling falls into a measurement.
    pub fn checkpoint(&self) {
        administrator().ok("CHECKPOINT");
    }

    /// Drops what the last race had to itself.
    pub fn drop_used(&mut self) {
        let mut administrator = administrator();
        for database in self.dropped.drain(..) {
            administrator.ok(&format!("DROP DATABASE {database} WITH (FORCE)"));
        }
    }
}

fn administrator() -> Session {
    Session::open(Cluster::shared().config("postgres", "postgres"))
}

/// Adds messages to `store` until it holds `to`: blocks of 1,000 streams, whose messages lie apart as if they had come in
/// turn.
pub fn fill(store: &Store, from: u32, to: u32) {
    let block = 1000 * STREAM;
    let (name, position) = (format!("'account-' || n / {block} * 1000 + n % 1000"), format!("n % {block} / 1000"));
    insert(store, &name, &position, from, to);
}

/// Adds the messages from `from` to before `to`, with names and positions made of a message's number `n`.
pub fn insert(store: &Store, name: &str, position: &str, from: u32, to: u32) {
    let mut superuser = store.superuser();
    superuser.ok(&format!(
        r#"INSERT INTO messages (stream_name, position, type, data, metadata)
        SELECT {name}, {position}, 'Deposited',
            jsonb_build_object('accountId', n % 1000, 'amount', n * 1.25, 'currency', 'EUR', 'text', 'a deposit like any other'),
            jsonb_build_object('correlationStreamName', 'order-' || n % 50, 'schemaVersion', '1')
        FROM generate_series({from}, {to} - 1) AS n"#
    ));
    superuser.ok(VACUUM);
}

fn filled(target: Target, messages: u32) -> Store {
    let store = Store::fresh(target);
    fill(&store, 0, messages);
    store
}

fn grown(target: Target, sizes: [u32; 3]) -> Vec<Rc<Store>> {
    let store = Rc::new(Store::fresh(target));
    let (mut stores, mut from) = (Vec::new(), 0);
    for (n, size) in sizes.into_iter().enumerate() {
        eprintln!("filling {target} with {size} messages");
        fill(&store, from, size);
        from = size;
        let is_last = n + 1 == sizes.len();
        stores.push(if is_last { Rc::clone(&store) } else { Rc::new(copy(&store, size)) });
    }
    stores
}

/// A copy is cold in the shared buffers where the store that it was made of is warm.
fn warm(store: &Store) {
    let mut superuser = store.superuser();
    superuser.ok("CREATE EXTENSION pg_prewarm SCHEMA public");
    superuser.ok("SELECT public.pg_prewarm(oid) FROM pg_class
        WHERE relnamespace = 'message_store'::regnamespace AND relname ~ '^messages' AND relkind IN ('r', 'i')");
}

fn copy(store: &Store, size: u32) -> Store {
    let database = format!("{}_of_{size}", store.target);
    let from = &store.database;
    administrator().ok(&format!("CREATE DATABASE {database} TEMPLATE {from} STRATEGY = FILE_COPY"));
    Store { target: store.target, database, cluster: store.cluster }
}
