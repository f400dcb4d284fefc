//! `set_namespace_option`.

use message_store_core::namespace_option::{self, AppendLock, NamespaceOption};
use message_store_core::{Result, namespace_name};

use crate::call::{Answer, Call, sql_functions};
use crate::namespace::{Use, check_ownership, find};
use crate::spi::connected;
use crate::store_objects::{BY_STREAM, NOTIFIES};
use crate::table_layout;

sql_functions! {
    "message_store_set_namespace_option" => set_namespace_option;
}

/// `set_namespace_option(name, option, value)`: the value.
///
/// It waits for everyone who is writing, and those who come later read the option as it is then.
fn set_namespace_option(call: &Call<'_>) -> Result<Answer> {
    let option = namespace_option::check(call.text(1).as_deref(), call.text(2).as_deref())?;
    let store = find(namespace_name::check(call.text(0).as_deref())?)?;
    check_ownership(store.schema, &store.namespace);
    let store = store.lock(Use::Delete)?;
    let layout = table_layout::of(&store);
    let (constraint, is_set, wanted) = match option {
        NamespaceOption::AppendLock(lock) => {
            (BY_STREAM, layout.append_lock == AppendLock::Stream, lock == AppendLock::Stream)
        }
        NamespaceOption::Notify(notify) => (NOTIFIES, layout.notify, notify),
    };
    if is_set != wanted {
        let (table, constraint) = (&store.namespace, constraint.to_string_lossy());
        let change = if wanted {
            format!("ADD CONSTRAINT {constraint} CHECK (true) NOT VALID")
        } else {
            format!("DROP CONSTRAINT {constraint}")
        };
        connected(|spi| {
            spi.script(&format!("ALTER TABLE \"{table}\".messages {change}"));
            Ok(())
        })?;
    }
    Ok(call.text(2).map(|value| value.datum()))
}
