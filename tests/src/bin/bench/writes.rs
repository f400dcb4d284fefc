//! Messages written one by one: one category and many, few clients and many, with and without waiting for the disk.

use crate::pgbench::Script;
use crate::race::{Race, Row, Theme, Workload};
use crate::stores::Stores;
use message_store_tests::{Store, Target};
use std::rc::Rc;

pub const DATA: &str = r#"{"amount": 12.50, "currency": "EUR"}"#;
pub const METADATA: &str = r#"{"correlationStreamName": "order-1"}"#;

const ONE_CATEGORY: &str = "\\set stream random(1, 1000)\n";
const MANY_CATEGORIES: &str = "\\set category random(1, 1000)\n\\set stream random(1, 100)\n";

/// The stream's next position is not known to a plain INSERT: it takes one that nobody else has.
const POSITIONS: &str =
    "CREATE SEQUENCE public.positions MINVALUE 0; GRANT USAGE ON SEQUENCE public.positions TO message_store";

/// The workloads.
pub fn theme() -> Theme {
    let mut workloads = Vec::new();
    for is_one_category in [true, false] {
        for clients in [1, 8, 32] {
            workloads.extend([true, false].map(|is_synchronous| Write { is_one_category, clients, is_synchronous }));
        }
    }
    let mut workloads: Vec<Workload> = workloads.into_iter().flat_map(Write::workloads).collect();
    workloads.push(Workload::new("write-open", |stores| held_open(stores.fresh_pair())));
    workloads.push(Workload::fallible("write-open-parallel", |stores| {
        let genuine = stores.fresh(Target::Genuine);
        let mut race = held_open([genuine, stores.parallel()?]);
        race.rows = vec![Row::new(format!("{HELD_OPEN}, parallel append")).target(8.0)];
        Ok(race)
    }));
    // In one category they commit one after the other anyway; in many they do so for the notification alone.
    for (is_one_category, clients, is_synchronous) in
        [(true, 1, false), (true, 8, true), (false, 16, true), (false, 16, false)]
    {
        let write = Write { is_one_category, clients, is_synchronous };
        workloads.push(Workload::new(format!("{}-notify", write.name()), move |stores| write.notify(stores)));
    }
    Theme { title: "Writes, a message a transaction", workloads }
}

/// `write_message` of a message to the stream that `name` gives.
pub fn write_message(name: &str) -> String {
    format!("SELECT write_message(gen_random_uuid()::varchar, {name}, 'Deposited', '{DATA}', '{METADATA}');\n")
}

#[derive(Clone, Copy)]
struct Write {
    is_one_category: bool,
    clients: u32,
    is_synchronous: bool,
}

impl Write {
    fn workloads(self) -> Vec<Workload> {
        let Write { is_one_category, clients, is_synchronous } = self;
        let name = self.name();
        let with_limit = is_one_category && matches!((clients, is_synchronous), (1 | 8, _));
        let mut workloads = vec![Workload::new(&name, move |stores| self.race(stores, with_limit))];
        if let Some(target) = self.parallel_target() {
            workloads.push(Workload::fallible(format!("{name}-parallel"), move |stores| self.parallel(stores, target)));
        }
        workloads
    }

    fn name(self) -> String {
        let categories = if self.is_one_category { "one" } else { "many" };
        format!("write-{categories}-{}-{}", self.clients, if self.is_synchronous { "on" } else { "off" })
    }

    fn title(self) -> String {
        let categories = if self.is_one_category { "one category" } else { "many categories" };
        let clients = if self.clients == 1 { "1 client".into() } else { format!("{} clients", self.clients) };
        format!("{categories}, {clients}, synchronous_commit {}", if self.is_synchronous { "on" } else { "off" })
    }

    fn target(self) -> Option<f64> {
        match (self.is_one_category, self.clients, self.is_synchronous) {
            (true, 8, true) => Some(2.2),
            (true, 32, true) => Some(1.8),
            (true, 1, false) | (false, 32, true) => Some(1.4),
            _ => None,
        }
    }

    fn parallel_target(self) -> Option<f64> {
        match (self.is_one_category, self.clients, self.is_synchronous) {
            (true, 8, true) => Some(2.5),
            (true, 32, true) => Some(3.5),
            (true, 8, false) => Some(3.0),
            _ => None,
        }
    }

    fn script(self, statement: &str) -> Script {
        let variables = if self.is_one_category { ONE_CATEGORY } else { MANY_CATEGORIES };
        let options = if self.is_synchronous { "" } else { "-c synchronous_commit=off" };
        Script { clients: self.clients, options, ..Script::new(format!("{variables}{statement}")) }
    }

    fn write(self) -> Script {
        let name = if self.is_one_category { "'account-' || :stream" } else { "'c' || :category || '-' || :stream" };
        self.script(&write_message(name))
    }

    fn race(self, stores: &mut Stores, with_limit: bool) -> Race {
        let [genuine, ours] = stores.fresh_pair();
        let mut sides = vec![self.write().on(&genuine), self.write().on(&ours)];
        let mut row = Row::new(self.title());
        row.target = self.target();
        let mut rows = vec![row];
        if with_limit {
            sides.push(self.plain_insert(&stores.fresh(Target::Ours)));
            rows.push(Row::new(self.title()).sides(2, 1));
        }
        Race { sides, rows }
    }

    fn parallel(self, stores: &mut Stores, target: f64) -> Result<Race, String> {
        let parallel = stores.parallel()?;
        let genuine = stores.fresh(Target::Genuine);
        let row = Row::new(format!("{}, parallel append", self.title())).target(target);
        Ok(Race { sides: vec![self.write().on(&genuine), self.write().on(&parallel)], rows: vec![row] })
    }

    /// The price of telling who listens, of whom there is one.
    fn notify(self, stores: &mut Stores) -> Race {
        let [silent, telling] = [(); 2].map(|()| stores.fresh(Target::Ours));
        telling.superuser().ok("SELECT set_namespace_option('message_store', 'notify', 'on')");
        let mut listener = telling.superuser();
        listener.ok("LISTEN message_store");
        let mut telling = self.write().labelled("ours with notify", &telling);
        telling.keep(listener);
        let row = Row::new(format!("{}, option notify", self.title()));
        Race { sides: vec![self.write().labelled("ours without notify", &silent), telling], rows: vec![row] }
    }

    /// What any function has to stay below: no lock, no look for the stream's last position.
    fn plain_insert(self, store: &Rc<Store>) -> crate::race::Side {
        store.superuser().ok(POSITIONS);
        let insert = format!(
            "INSERT INTO messages (id, stream_name, position, type, data, metadata) VALUES \
             (gen_random_uuid(), 'account-' || :stream, nextval('public.positions'), 'Deposited', '{DATA}', '{METADATA}');\n"
        );
        self.script(&insert).labelled("plain INSERT", store)
    }
}

const HELD_OPEN: &str = "one category, 16 clients, transactions held open for 5 ms";

fn held_open(stores: [Rc<Store>; 2]) -> Race {
    let write = write_message("'account-' || :stream");
    let script = format!("{ONE_CATEGORY}BEGIN;\n{write}\\sleep 5 ms\nCOMMIT;\n");
    let script = Script { clients: 16, ..Script::new(script) };
    Race { sides: stores.iter().map(|store| script.on(store)).collect(), rows: vec![Row::new(HELD_OPEN)] }
}
