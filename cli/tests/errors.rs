//! What cannot be done is said, with an exit code, and nothing is half done.

mod common;

use std::fs;

use common::{command, ended, fails, file_digest, file_url, message_db_url, ok, run, seed, url};
use message_store_tests::{Store, Target};

#[test]
fn wrong_arguments_are_2() {
    for (said, arguments) in [
        ("unknown kind of store \"mysql\"", &["copy", "mysql://a/b", "sqlite:x.db"][..]),
        ("a store is postgres://", &["stats", "bank.db"]),
        ("unknown parameter \"colour\"", &["stats", "postgres://h/d?colour=red"]),
        ("Must be a category: a-1", &["export", "sqlite:x.db", "--category", "a-1"]),
        ("must be YYYY-MM-DD", &["export", "sqlite:x.db", "--since", "yesterday"]),
        ("unrecognized subcommand", &["explode"]),
        ("--size", &["tail", "sqlite:x.db", "--category", "a", "--member", "0"]),
    ] {
        fails(2, said, arguments);
    }
}

#[test]
fn wrong_arguments_are_said_in_json_where_that_is_asked_for() {
    for arguments in [&["copy", "sqlite:a.db", "--json"][..], &["--json", "explode"], &["stats", "bank.db", "--json"]] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.err.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        let said: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
        assert_eq!(said["error"], "usage", "{ended:?}");
        assert!(said["message"].as_str().is_some_and(|message| !message.is_empty()), "{ended:?}");
    }
    for asked in [&["--help"][..], &["copy", "--help", "--json"], &["--version"]] {
        assert!(ok(asked).contains("message-store"));
    }
}

#[test]
fn no_error_has_a_password_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let services = folder.path().join("services.conf");
    fs::write(&services, "[bank]\nhost=/nowhere\npassword: topsecret\n").expect("written");
    for arguments in [
        &["stats", "postgres:ada:topsecret@/d"][..],
        &["stats", "postgres://ada:se@topsecret@h.invalid/d"],
        &["stats", "postgres:///d?host=/nowhere&pass%77ord=topsecret"],
        &["stats", "postgres://ada:topsecret@h/d?colour=red"],
        &["stats", "postgres://ada:topsecret@h/d?sslmode=require"],
        &["stats", "mysql://ada:topsecret@h/d"],
        &["stats", "postgres://ada:topsecret"],
        &["stats", "postgres://ada:top/topsecret@h/d"],
        &["stats", "postgres://ada:top?topsecret@h/d"],
        &["stats", "postgres://ada:%topsecret@h/d"],
        &["stats", "postgres://h/d?password:topsecret"],
        &["stats", "sqlite:a.db", "postgres://ada:topsecret@h/d"],
        &["postgres://ada:topsecret@h/d"],
        &["tail", "sqlite:a.db", "--from=postgres://ada:topsecret@h/d"],
        &["tail", "sqlite:a.db", "--from", "postgres://h/d?password=topsecret"],
        &["copy", "sqlite:a.db", "message-db://ada:topsecret@h/d?namespace=a"],
        &["stats", "postgres:?service=bank"],
    ] {
        for more in [&[][..], &["--json"]] {
            let mut command = command(&[arguments, more].concat());
            command.env("PGSERVICEFILE", &services);
            let ended = ended(command);
            assert!(ended.code.is_some_and(|code| code == 2 || code == 3), "{arguments:?}: {ended:?}");
            assert!(!format!("{ended:?}").contains("topsecret"), "{arguments:?}: {ended:?}");
        }
    }
}

#[test]
fn a_source_that_cannot_be_read_is_3_and_makes_no_target() {
    let store = Store::fresh(Target::Ours);
    let genuine = Store::fresh(Target::Genuine);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("noise"), "neither a database nor an export, but long enough to have a header\n".repeat(100))
        .expect("written");
    fs::write(path("empty.db"), "").expect("written");
    let target = file_url(&path("target.db"));
    let nobody = url(&store, "nobody");
    let unreachable = "postgres://u@/d?host=/nowhere".to_owned();
    let wrong_kind = url(&genuine, "message_store");
    for (said, source) in [
        ("unable to open database file", file_url(&path("missing.db"))),
        ("file is not a database", file_url(&path("noise"))),
        ("this file has no message store", file_url(&path("empty.db"))),
        ("Namespace does not exist: nobody", nobody),
        ("cannot connect to u@/nowhere:5432/d", unreachable),
        ("this database has no Message Store", wrong_kind),
        ("this is no genuine Message DB", message_db_url(&store)),
        ("definition of service \"nothing\" not found", "postgres:?service=nothing".to_owned()),
        ("sslmode require needs TLS", "postgres://h/d?sslmode=require".to_owned()),
        ("gssencmode require is not to be had", "postgres://h/d?gssencmode=require".to_owned()),
    ] {
        fails(3, said, &["copy", &source, &target]);
        assert!(!path("target.db").exists(), "{source}");
    }
    let noise = path("noise").display().to_string();
    fails(3, "No such file or directory", &["import", &path("missing").display().to_string(), &target]);
    fails(3, "line 1: no header", &["import", &noise, &target]);
    assert!(!path("target.db").exists());
}

#[test]
fn a_target_that_cannot_be_written_is_4() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 20);
    let source = url(&store, "message_store");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fails(4, "Namespace does not exist: nobody", &["copy", &source, &url(&store, "nobody")]);
    fails(4, "Invalid namespace name: No", &["copy", &source, &url(&store, "No"), "--create-namespace"]);
    fails(4, "unable to open database file", &["copy", &source, &file_url(&path("no/such/folder.db"))]);
    fails(4, "No such file or directory", &["export", &source, &path("no/file").display().to_string()]);
    // Another store's messages are not mixed in.
    let other = Store::fresh(Target::Ours);
    seed(&other, 21);
    fails(4, "the target holds other messages: its last one, ", &["copy", &source, &url(&other, "message_store")]);
    let ended = run(&["copy", &source, &url(&store, "nobody"), "--json"]);
    assert!(ended.out.starts_with("{\"error\":\"target\",\"message\":\"postgres://"), "{ended:?}");
    // A role that may not import.
    let mut session = store.superuser();
    session.ok("CREATE ROLE reader LOGIN");
    session.ok("SELECT create_namespace('kept')");
    session.ok("SELECT grant_namespace('kept', 'reader', 'write')");
    let as_reader = url(&store, "kept").replace("postgres@", "reader@");
    fails(
        4,
        "permission denied for sequence messages_global_position_seq",
        &["copy", &file_copy(&source, &path("c.db")), &as_reader],
    );
}

fn file_copy(source: &str, path: &std::path::Path) -> String {
    ok(&["copy", source, &file_url(path)]);
    file_url(path)
}

#[test]
fn a_damaged_file_is_refused_before_anything_is_imported() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 60);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let name = path("e.jsonl").display().to_string();
    let target = file_url(&path("target.db"));
    ok(&["export", &url(&store, "message_store"), &name]);
    let text = fs::read_to_string(&name).expect("the file");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 62);
    for (said, content) in [
        ("torn: it ends after line 61 without a footer", lines[..61].concat()),
        ("torn: it ends after line 40 without a footer", lines[..40].concat() + &lines[40][..30]),
        ("line 62: the checksum is ", text.replacen("Type3", "Type4", 1)),
        ("line 1: format 2 is newer", text.replacen("\"format\":1", "\"format\":2", 1)),
        ("line 1: no header", lines[1..].concat()),
    ] {
        fs::write(&name, content).expect("written");
        fails(3, said, &["import", &name, &target]);
        assert!(!path("target.db").exists(), "{said}");
    }
    for ending in ["gz", "zst"] {
        let name = path(&format!("e.jsonl.{ending}")).display().to_string();
        ok(&["export", &url(&store, "message_store"), &name]);
        let bytes = fs::read(&name).expect("the file");
        fs::write(&name, &bytes[..bytes.len() - 3]).expect("written");
        fails(3, "torn: it ends after line ", &["import", &name, &target]);
    }
}

#[test]
fn an_export_has_standard_output_to_itself() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 60);
    let folder = tempfile::tempdir().expect("a folder");
    let name = folder.path().join("e.jsonl").display().to_string();
    let ended = run(&["export", &url(&store, "message_store"), "-", "--json"]);
    assert_eq!((ended.code, ended.out.lines().count()), (Some(0), 62), "{ended:?}");
    let report: serde_json::Value = serde_json::from_str(ended.err.lines().last().expect("a line")).expect("JSON");
    assert_eq!(report["messages"], 60);
    fs::write(&name, ended.out).expect("written");
    ok(&["import", &name, &file_url(&folder.path().join("target.db"))]);
}

#[test]
fn a_bad_line_is_named_and_what_was_before_it_is_there() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 60);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let name = path("e.jsonl").display().to_string();
    ok(&["export", &url(&store, "message_store"), &name]);
    let text = fs::read_to_string(&name).expect("the file");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (number, line) in
        ["{\"id\":\"1\",\n", "{\"id\":\"1\",\"colour\":\"red\"}\n", "not JSON\n", "{\"kind\":\"hat\"}\n"]
            .into_iter()
            .enumerate()
    {
        let target = path(&format!("{number}.db"));
        fs::write(&name, lines[..40].concat() + line + &lines[40..].concat()).expect("written");
        fails(3, "line 41: ", &["import", &name, &file_url(&target), "--partial"]);
        assert!(file_digest(&target).starts_with("39 "), "{line}");
    }
    // A torn file is taken as far as it goes, if that is asked for; the whole one goes on after it.
    let target = path("part.db");
    fs::write(&name, lines[..40].concat() + &lines[40][..30]).expect("written");
    ok(&["import", &name, &file_url(&target), "--partial"]);
    assert!(file_digest(&target).starts_with("39 "));
    fs::write(&name, &text).expect("written");
    ok(&["import", &name, &file_url(&target)]);
    assert!(file_digest(&target).starts_with("60 "));
}

#[test]
fn positions_that_do_not_fit_are_refused_by_every_target() {
    let (store, genuine) = (Store::fresh(Target::Ours), Store::fresh(Target::Genuine));
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let name = path("e.jsonl").display().to_string();
    let line = |number: u32, position: u32| {
        format!(
            "{{\"id\":\"00000000-0000-4000-8000-00000000000{number}\",\"stream_name\":\"account-1\",\"type\":\"Opened\",\
             \"position\":{position},\"global_position\":{number},\"time\":\"2026-01-31 12:00:00\"}}\n"
        )
    };
    let header = "{\"kind\":\"header\",\"format\":1,\"store\":\"sqlite\",\"release\":\"0.1.0\",\"namespace\":\"message_store\",\
                  \"next_global_position\":9,\"created_at\":\"2026-01-31 12:00:00\"}\n";
    fs::write(&name, [header, &line(1, 0), &line(2, 2)].concat()).expect("written");
    for target in [file_url(&path("t.db")), url(&store, "message_store"), message_db_url(&genuine)] {
        let said = "global positions 1 to 2: Position does not fit: 2 (Stream: account-1, Stream Version: 0)";
        fails(4, said, &["import", &name, &target, "--partial"]);
        fails(4, "the target has no messages", &["import", &name, &target, "--partial"]);
    }
}

#[test]
fn an_unknown_server_comes_from_the_environment_and_the_service_file() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 5);
    let folder = tempfile::tempdir().expect("a folder");
    let service = folder.path().join("services.conf");
    let socket = store.cluster.socket_folder().display();
    // With what other clients of libpq need there.
    let others = "gssencmode=disable\nsslrootcert=/nowhere/ca.crt\ntarget_session_attrs=any\nkeepalives_idle=30";
    let text = format!("[bank]\nhost={socket}\nuser=postgres\ndbname={}\n{others}\n", store.database);
    fs::write(&service, text).expect("written");
    let mut by_service = command(&["namespaces", "postgres:?service=bank"]);
    by_service.env("PGSERVICEFILE", &service);
    assert_eq!(ended(by_service).out, "message_store\n");
    let mut by_variables = command(&["namespaces", "postgres:"]);
    by_variables
        .env("PGHOST", store.cluster.socket_folder())
        .env("PGUSER", "postgres")
        .env("PGDATABASE", &store.database);
    assert_eq!(ended(by_variables).out, "message_store\n");
    let mut by_variable = command(&["namespaces", "postgres:", "--json"]);
    by_variable.env("PGSERVICE", "bank").env("PGSERVICEFILE", &service).env("PGUSER", "nobody-at-all");
    // The service comes before the environment.
    assert!(ended(by_variable).out.contains("\"name\":\"message_store\""));
}

#[test]
fn a_password_comes_from_the_environment_or_a_file_of_ones_own() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok("SET password_encryption = 'scram-sha-256'");
    session.ok("CREATE ROLE carol LOGIN SUPERUSER PASSWORD 'se:cret'");
    let hba = store.cluster.socket_folder().join("data/pg_hba.conf");
    let before = fs::read_to_string(&hba).expect("pg_hba.conf");
    fs::write(&hba, format!("local all carol scram-sha-256\n{before}")).expect("written");
    session.ok("SELECT pg_reload_conf()");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let url = url(&store, "message_store").replace("postgres@", "carol@");
    fails(3, "password missing", &["namespaces", &url]);
    let mut with_variable = command(&["namespaces", &url]);
    with_variable.env("PGPASSWORD", "se:cret");
    assert_eq!(ended(with_variable).out, "message_store\n");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pgpass");
    fs::write(&file, "elsewhere:*:*:*:no\n*:*:*:carol:se\\:cret\n").expect("written");
    let with_file = |mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
        let mut command = command(&["namespaces", &url]);
        command.env("PGPASSFILE", &file);
        ended(command)
    };
    assert_eq!(with_file(0o600).out, "message_store\n");
    let open = with_file(0o644);
    assert!(open.code == Some(3) && open.err.contains("group or world access"), "{open:?}");
    fs::write(&hba, before).expect("written");
    session.ok("SELECT pg_reload_conf()");
}

/// The program where no process may have more than 256 MiB, so that nothing here takes the machine's memory.
fn limited(arguments: &[&str]) -> common::Ended {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", r#"ulimit -v 262144; exec "$@""#, "sh", env!("CARGO_BIN_EXE_message-store")]);
    ended({
        command.args(arguments);
        command
    })
}

#[test]
fn a_device_is_written_to_and_not_looked_into() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 60);
    let source = url(&store, "message_store");
    let full = limited(&["export", &source, "/dev/full"]);
    assert_eq!(full.code, Some(4), "{full:?}");
    assert_eq!(full.err, "message-store: /dev/full: No space left on device (os error 28)\n");
    let null = limited(&["export", &source, "/dev/null"]);
    assert_eq!(null.code, Some(0), "{null:?}");
    // A pipe with a name.
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let pipe = path("pipe").display().to_string();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let reader =
        std::process::Command::new("cat").arg(&pipe).stdout(std::process::Stdio::piped()).spawn().expect("cat");
    assert_eq!(limited(&["export", &source, &pipe]).code, Some(0));
    let text = String::from_utf8(reader.wait_with_output().expect("cat").stdout).expect("UTF-8");
    assert_eq!(text.lines().count(), 62);
    // And read from one.
    let script = r#""$1" export "$2" "$3" -q & exec "$1" import "$3" "$4""#;
    let target = path("piped.db");
    let mut both = std::process::Command::new("sh");
    both.args(["-c", script, "sh", env!("CARGO_BIN_EXE_message-store"), &source, &pipe, &file_url(&target)]);
    assert_eq!(ended(both).code, Some(0));
    assert!(file_digest(&target).starts_with("60 "));
}

#[test]
fn a_first_line_without_an_end_is_no_header() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 60);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let target = file_url(&path("target.db"));
    let endless = limited(&["import", "/dev/zero", &target, "--partial"]);
    assert_eq!(endless.code, Some(3), "{endless:?}");
    assert!(endless.err.contains("/dev/zero: line 1: no header"), "{endless:?}");
    // Two gigabytes of nothing, as they are and in a hundred members of a gzip.
    let nothing = path("nothing");
    fs::File::create(&nothing).and_then(|file| file.set_len(2 << 30)).expect("a sparse file");
    let bomb = path("bomb.gz").display().to_string();
    let mut gzip = std::process::Command::new("sh");
    gzip.args(["-c", r#"head -c 20M "$1" | gzip -1"#, "sh", &nothing.display().to_string()]);
    fs::write(&bomb, gzip.output().expect("gzip").stdout.repeat(100)).expect("written");
    let source = url(&store, "message_store");
    for file in [&nothing.display().to_string(), &bomb] {
        let ended = limited(&["export", &source, file]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("is there and no export"), "{ended:?}");
        let ended = limited(&["import", file, &target]);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.err.contains("line 1: no header"), "{ended:?}");
    }
    assert!(!path("target.db").exists());
}

#[test]
fn a_damaged_file_that_is_no_export_is_left_alone() {
    let store = Store::fresh(Target::Ours);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("somebody's.gz");
    let name = file.display().to_string();
    for content in [
        b"\x1f\x8b and then something else, which is no gzip".to_vec(),
        [b"\x28\xb5\x2f\xfd".as_slice(), &[7; 5000]].concat(),
    ] {
        fs::write(&file, &content).expect("written");
        fails(2, "is there and no export", &["export", &url(&store, "message_store"), &name]);
        assert_eq!(fs::read(&file).expect("the file"), content);
    }
}
