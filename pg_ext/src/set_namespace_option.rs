//! `set_namespace_option`.

use message_store_core::namespace_option::{self, AppendLock, NamespaceOption};
use message_store_core::{Result, namespace_name};

use crate::call::{Answer, Call, sql_functions};
use crate::namespace::{Use, check_ownership, find};
use crate::spi::{connected, text_datum};
use crate::store_objects::BY_STREAM;
use crate::table_layout;

sql_functions! {
    "message_store_set_namespace_option" => set_namespace_option;
}

/// `set_namespace_option(name, option, value)`: the value.
///
/// It waits for everyone who is writing, and those who come later read the option as it is then.
fn set_namespace_option(call: &Call<'_>) -> Result<Answer> {
    let NamespaceOption::AppendLock(wanted) =
        namespace_option::check(call.text(1).as_deref(), call.text(2).as_deref())?;
    let store = find(namespace_name::check(call.text(0).as_deref())?)?;
    check_ownership(store.schema, &store.namespace);
    let store = store.lock(Use::Delete)?;
    if table_layout::of(&store).append_lock != wanted {
        let (table, constraint) = (&store.namespace, BY_STREAM.to_string_lossy());
        let change = match wanted {
            AppendLock::Stream => format!("ADD CONSTRAINT {constraint} CHECK (true) NOT VALID"),
            AppendLock::Category => format!("DROP CONSTRAINT {constraint}"),
        };
        connected(|spi| {
            spi.script(&format!("ALTER TABLE \"{table}\".messages {change}"));
            Ok(())
        })?;
    }
    Ok(Some(text_datum(wanted.name().as_bytes())))
}
