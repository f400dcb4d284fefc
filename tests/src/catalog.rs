//! What a store's schema consists of, in the form of `golden/catalog.json`.

use crate::{Session, Store};
use serde_json::{Value, json};

const SECTIONS: [(&str, &str); 6] = [
    ("functions", include_str!("catalog/functions.sql")),
    ("columns", include_str!("catalog/columns.sql")),
    ("indexes", include_str!("catalog/indexes.sql")),
    ("message_type", include_str!("catalog/message_type.sql")),
    ("views", include_str!("catalog/views.sql")),
    ("grants", include_str!("catalog/grants.sql")),
];

/// The catalog of `store`, section by section.
pub fn read(store: &Store) -> Value {
    // Without the schema in search_path, so that Postgres writes it before every name of it.
    let mut session = store.session_as("postgres");
    let mut catalog = json!({});
    for (section, sql) in SECTIONS {
        let text = session.value(&format!("SELECT coalesce(json_agg(to_json(entry)), '[]') FROM ({sql}) AS entry"));
        catalog[section] = serde_json::from_str(&text.expect("JSON")).expect("JSON");
    }
    catalog
}

/// Every object of these schemas, in words that are the same in each version of Postgres.
pub fn objects(session: &mut Session, schemas: &[&str]) -> Vec<Vec<Option<String>>> {
    let schemas = format!("'{{{}}}'::text[]", schemas.join(","));
    session.rows(&include_str!("catalog/objects.sql").replace("$1", &schemas))
}
