//! The core's parsers beside Postgres' own, on text made at random: JSON, ids, times, and beside Message DB's functions
//! on stream names.
//!
//! `MESSAGE_STORE_FUZZ_SECONDS` says for how long (4 each), `MESSAGE_STORE_SEED` repeats a run's random choices. The seeds of
//! `tests/fuzz/seeds.txt`, with which something was once wrong, are tried first.

use message_store_core::consumer_group::member_of;
use message_store_core::{Error, hash, json, message_id, stream_name, time};
use message_store_tests::{Session, Store, Target, fuzz};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// `text` read by Postgres as `type` and printed, or its error.
const PROBE: &str =
    "CREATE FUNCTION public.read_as(type text, given text, OUT text text, OUT state text, OUT message text,
    OUT detail text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT ($1::%s)::text', type) INTO text USING given;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END $$";

/// What a parser says of a text: what it prints of it, or SQLSTATE, message and detail.
type Said = Result<String, (String, String, String)>;

fn ours(result: Result<String, Error>) -> Said {
    result.map_err(|e| (e.sqlstate().into(), e.to_string(), e.detail().unwrap_or_default()))
}

/// What Postgres says of each text.
fn postgres(session: &mut Session, kind: &str, texts: &[String]) -> Vec<Said> {
    let sql = "SELECT r.* FROM unnest($2::text[]) WITH ORDINALITY AS t (given, n),
               LATERAL public.read_as($1, t.given) AS r ORDER BY t.n";
    let rows = session.client().query(sql, &[&kind, &texts]).expect("Postgres' answers");
    rows.into_iter()
        .map(|row| row.get::<_, Option<String>>(0).ok_or_else(|| (row.get(1), row.get(2), row.get(3))))
        .collect()
}

fn probe() -> Session {
    let mut session = Store::fresh(Target::Ours).session_as("postgres");
    session.ok(PROBE);
    session
}

const BATCH: usize = 500;

/// Texts in batches, each judged beside Postgres' answer, until the time is over.
fn compare(name: &str, kind: &str, make: fn(&mut StdRng) -> String, judge: fn(&str, &Said) -> Result<(), String>) {
    let mut session = probe();
    let finds_surrogates_first = session.number("SELECT current_setting('server_version_num')") >= 160_000;
    let tried = fuzz::rounds(name, 4, |random| {
        let texts: Vec<String> = (0..BATCH).map(|_| make(random)).collect();
        for (text, said) in texts.iter().zip(postgres(&mut session, kind, &texts)) {
            if let Err(difference) = judge(text, &said)
                && !(finds_surrogates_first && is_alone_before_a_control(&said, &difference))
            {
                panic!("{text:?}: {difference}; Postgres: {said:?}");
            }
        }
    });
    eprintln!("{name}: {} texts", tried * BATCH);
}

/// Where a high surrogate stands alone before a control character, both wrong, Postgres names the first from 16 on, and
/// the second, as ours does, up to 15.
fn is_alone_before_a_control(said: &Said, difference: &str) -> bool {
    let alone = "Unicode low surrogate must follow a high surrogate.";
    matches!(said, Err((_, _, detail)) if detail == alone) && difference.contains("must be escaped.")
}

const PIECES: [&str; 46] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"a\"",
    "\"b\"",
    "\"aa\"",
    "\"\\u0062\"",
    "\"\\ud83d\\ude42\"",
    "\\ud83d",
    "\\n",
    "\\",
    "\\x",
    "\n",
    "\t ",
    " ",
    "é",
    "日",
    "0",
    "1",
    "-",
    "+",
    ".",
    "e",
    "E",
    "1.50",
    "-0",
    "-0.00",
    "1e3",
    "1E-5",
    "12e+2",
    "9223372036854775808",
    "1e130000",
    "null",
    "true",
    "false",
    "nul",
    "tru",
    "\"\\u0000\"",
    "\"\\uD800\"",
    "\"\\/\"",
    "\u{7f}",
    "\u{1}",
];

/// JSON, or nearly.
fn document(random: &mut StdRng) -> String {
    let mut text = String::new();
    if random.random_bool(0.3) {
        for _ in 0..random.random_range(0..12) {
            text += PIECES.choose(random).expect("a piece");
        }
        return text;
    }
    value(random, 0, &mut text);
    if random.random_bool(0.3) {
        let places: Vec<usize> = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).collect();
        text.insert_str(*places.choose(random).expect("a place"), PIECES.choose(random).expect("a piece"));
    }
    text
}

fn value(random: &mut StdRng, depth: usize, text: &mut String) {
    match random.random_range(0..if depth < 6 { 10 } else { 6 }) {
        0 => *text += ["null", "true", "false"].choose(random).expect("a word"),
        1..3 => number(random, text),
        3..6 => string(random, text),
        6..8 => list(random, text, ('[', ']'), |random, text| value(random, depth + 1, text)),
        _ => list(random, text, ('{', '}'), |random, text| {
            string(random, text);
            *text += [":", ": ", " :\n"].choose(random).expect("a colon");
            value(random, depth + 1, text);
        }),
    }
}

fn list(
    random: &mut StdRng,
    text: &mut String,
    (open, close): (char, char),
    mut one: impl FnMut(&mut StdRng, &mut String),
) {
    text.push(open);
    for n in 0..random.random_range(0..5) {
        if n > 0 {
            *text += [",", ", ", " ,\t"].choose(random).expect("a comma");
        }
        one(random, text);
    }
    text.push(close);
}

fn number(random: &mut StdRng, text: &mut String) {
    if random.random_bool(0.3) {
        text.push('-');
    }
    let digits = random.random_range(1..19);
    *text += &random.random_range(0..10u64.pow(digits)).to_string();
    if random.random_bool(0.4) {
        *text += &format!(".{:0width$}", random.random_range(0..1000), width = random.random_range(1..9));
    }
    if random.random_bool(0.3) {
        *text += &format!("{}{}", ["e", "E", "e+", "e-"].choose(random).expect("an e"), random.random_range(0..400));
    }
}

fn string(random: &mut StdRng, text: &mut String) {
    text.push('"');
    for _ in 0..random.random_range(0..6) {
        match random.random_range(0..12) {
            0 => *text += ["\\n", "\\\"", "\\\\", "\\/", "\\t", "\\b", "\\f", "\\r"].choose(random).expect("an escape"),
            1 => *text += &format!("\\u{:04x}", random.random::<u16>()),
            2 => *text += "\\ud83d\\ude42",
            3 => text.push(random.random()),
            _ => text.push(*['a', 'b', 'ä', '日', '🙂', ' ', '\u{7f}'].choose(random).expect("a character")),
        }
    }
    // Postgres has no NUL in text.
    *text = text.replace('\0', "0");
    text.push('"');
}

#[test]
fn json_is_read_and_printed_as_by_postgres() {
    compare("json", "jsonb", document, |text, said| {
        let canonical = ours(json::canonical(text.as_bytes()));
        let parsed = ours(json::parse(text.as_bytes()).map(|value| value.to_string()));
        if canonical == *said && parsed == *said { Ok(()) } else { Err(format!("ours: {canonical:?}, {parsed:?}")) }
    });
}

/// Nearly an id.
fn id(random: &mut StdRng) -> String {
    let mut text: String = (0..8).map(|_| format!("{:04x}", random.random::<u16>())).collect::<Vec<_>>().join("");
    for at in (1..8).rev() {
        if random.random_bool(0.5) {
            text.insert(at * 4, '-');
        }
    }
    if random.random_bool(0.3) {
        text = text.to_uppercase();
    }
    if random.random_bool(0.2) {
        text = format!("{{{text}}}");
    }
    spoilt(random, text, &["-", "{", "}", "g", " ", "é", "0", ""])
}

/// The text, one time in three with a piece put in, taken out or in the place of another.
fn spoilt(random: &mut StdRng, mut text: String, pieces: &[&str]) -> String {
    if random.random_bool(0.35) {
        let places: Vec<usize> = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).collect();
        let at = *places.choose(random).expect("a place");
        if random.random_bool(0.5) && at < text.len() {
            text.remove(at);
        }
        text.insert_str(at.min(text.len()), pieces.choose(random).expect("a piece"));
    }
    text
}

#[test]
fn ids_are_read_as_by_postgres() {
    compare("ids", "uuid", id, |text, said| {
        let found = ours(message_id::canonical(text.as_bytes()));
        if found == *said { Ok(()) } else { Err(format!("ours: {found:?}")) }
    });
}

/// Nearly a time.
fn moment(random: &mut StdRng) -> String {
    let mut two = |end: u32| format!("{:02}", random.random_range(0..end));
    let (month, day, hour, minute, second) = (two(14), two(33), two(25), two(61), two(61));
    let year = random.random_range(0..10_000);
    let separator = [" ", "T"].choose(random).expect("a separator");
    let mut text = format!("{year:04}-{month}-{day}{separator}{hour}:{minute}:{second}");
    if random.random_bool(0.5) {
        text += &format!(".{:0width$}", random.random_range(0..10), width = random.random_range(1..7));
    }
    if random.random_bool(0.3) {
        text.push('Z');
    }
    spoilt(random, text, &["-", ":", "+", "0", "9", " ", "T", "Z", "."])
}

/// What is taken for a time is the same time for Postgres, which takes many more.
#[test]
fn times_are_read_as_by_postgres() {
    compare("times", "timestamp", moment, |text, said| {
        let Some(read) = time::parse(text.as_bytes()) else { return Ok(()) };
        let printed = time::format(read);
        let shortest = match printed.trim_end_matches('0').trim_end_matches('.') {
            whole if whole.len() < 19 => &printed[..19],
            shorter => shorter,
        };
        if said.as_deref() == Ok(shortest) { Ok(()) } else { Err(format!("ours: {shortest}")) }
    });
}

/// A stream name, or anything else.
fn name(random: &mut StdRng) -> String {
    (0..random.random_range(0..12))
        .map(|_| match random.random_range(0..6) {
            0 => '-',
            1 => '+',
            2 => random.random::<char>(),
            _ => *['a', 'b', ':', '\'', '"', '\\', ' ', '日', '\n'].choose(random).expect("a character"),
        })
        .filter(|&character| character != '\0')
        .collect()
}

#[test]
fn names_are_read_as_by_message_db() {
    let mut session = Store::fresh(Target::Genuine).session();
    let tried = fuzz::rounds("names", 4, |random| {
        let names: Vec<String> = (0..BATCH).map(|_| name(random)).collect();
        let rows = session.client().query(
            "SELECT category(n), id(n), cardinal_id(n), is_category(n), hash_64(n),
                    mod(abs(hash_64(cardinal_id(n))), 7)
             FROM unnest($1::varchar[]) WITH ORDINALITY AS t (n, number) ORDER BY number",
            &[&names],
        );
        for (name, row) in names.iter().zip(rows.expect("Message DB's answers")) {
            let bytes = name.as_bytes();
            assert_eq!(row.get::<_, String>(0).as_bytes(), stream_name::category(bytes), "category of {name:?}");
            let text = |column: usize| row.get::<_, Option<String>>(column).map(String::into_bytes);
            assert_eq!(text(1).as_deref(), stream_name::id(bytes), "id of {name:?}");
            assert_eq!(text(2).as_deref(), stream_name::cardinal_id(bytes), "cardinal id of {name:?}");
            assert_eq!(row.get::<_, bool>(3), stream_name::is_category(Some(bytes)), "{name:?}");
            assert_eq!(row.get::<_, i64>(4), hash::hash_64(bytes), "hash of {name:?}");
            assert_eq!(row.get::<_, Option<i64>>(5), member_of(bytes, 7), "member of {name:?}");
        }
    });
    eprintln!("names: {} texts", tried * BATCH);
}
