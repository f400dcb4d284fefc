//! The ways of `docs/migration.md` that take the program, as the page shows them.

mod common;

use std::path::Path;
use std::process::Stdio;

use common::{digest, file_digest};
use message_store_tests::{Store, Target, page};

const PAGE: &str = include_str!("../../docs/migration.md");

#[test]
fn the_page_s_commands_do_what_it_says() {
    let store = Store::fresh(Target::Genuine);
    store.session().ok(
        "SELECT write_message(gen_random_uuid()::varchar, 'account-' || n % 50, 'Deposited', jsonb_build_object('n', n))
         FROM generate_series(1, 1000) AS n",
    );
    let mut other = Store::fresh(Target::Genuine).session_as("postgres");
    other.ok(&format!("ALTER DATABASE {} RENAME TO bank", store.database));
    let folder = tempfile::tempdir().expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_message-store")).parent().expect("a folder");
    let mut shown = 0;
    for (block, output) in page::examples(PAGE, "sh databases") {
        let mut shell = store.cluster.command("sh");
        let path = shell.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).expect("PATH");
        let path = format!("{}:{}", program.display(), path.display());
        shell.env("PATH", path).current_dir(folder.path()).stdin(Stdio::null());
        let ended = common::ended({
            shell.args(["-ec", &format!("exec 2>&1\n{block}")]);
            shell
        });
        assert_eq!(ended.code, Some(0), "{block}: {ended:?}");
        assert_eq!(Some(ended.out.as_str()), output, "{block}: {}", ended.err);
        shown += 1;
    }
    assert_eq!(shown, 3);

    // The same by other means than the program's own.
    let mut bank = store;
    bank.database = "bank".into();
    let wanted = digest(&["postgres", "message_store"], Some(&bank));
    assert!(wanted.starts_with("1001 "), "{wanted}");
    for file in ["bank.db", "branch.db"] {
        assert_eq!(file_digest(&folder.path().join(file)), wanted, "{file}");
    }
    bank.database = "bank_new".into();
    for schema in ["message_store", "branch"] {
        assert_eq!(digest(&["postgres", schema], Some(&bank)), wanted, "{schema}");
    }
}
