//! `namespaces`.

use serde_json::json;

use super::Report;
use crate::failure::{Failure, Side};
use crate::location::Location;
use crate::store::{self, Use};

/// Lists the namespaces of a store.
pub fn run(store: &Location) -> Result<Report, Failure> {
    let namespaces = store::open(store, Use::Read).and_then(|mut store| store.namespaces()).of_source()?;
    let mut text = String::new();
    for namespace in &namespaces {
        text.push_str(&namespace.name);
        if let Some(description) = &namespace.description {
            text.push_str(&format!("\t{description}"));
        }
        text.push('\n');
    }
    Ok(Report::new(json!(namespaces), text))
}
