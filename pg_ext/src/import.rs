//! `import_messages`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use message_store_core::batch::{ImportedMessage, ImportedMessageReader, Order};
use message_store_core::{Result, expected_version::NO_STREAM};
use pgrx::pg_sys::{Datum, INT8OID, VARCHAROID};
use uuid::Uuid;

use crate::batch::{self, Element};
use crate::call::{Answer, Call, sql_functions};
use crate::namespace::{self, Store, Use};
use crate::spi::{LatestSnapshot, Parameter, Spi, connected, text_datum};
use crate::statements::Statement;
use crate::{arrays, durability, horizon, notify, stream_heads};

sql_functions! {
    "message_store_import_messages" => import_messages;
}

type Message = Element<ImportedMessage>;

/// `import_messages(messages, namespace)`: how many were added.
///
/// Nobody writes meanwhile: the lock on the table is taken before the sequence is read, and kept to the end.
fn import_messages(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(1))?;
    let mut order = Order::default();
    let messages = batch::read::<ImportedMessageReader>(call.jsonb(0), |message| order.check(message))?;
    horizon::check_may_set(&store)?;
    let store = store.lock(Use::Import)?;
    connected(|spi| {
        let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return Ok(()) };
        let drawn = horizon::last_position_drawn(&store)?;
        // A refusal speaks of messages that must be durable then.
        check(spi, &store, &messages, first, drawn).inspect_err(|_| durability::flush_visible())?;
        horizon::mark_all(&store, first.message.global_position.min(drawn.unwrap_or(0) + 1));
        insert(spi, &store, &messages);
        notify::categories_of(&store, messages.iter().map(|message| message.message.stream_name.as_slice()));
        let next = last.message.global_position.max(drawn.unwrap_or(0));
        spi.run(
            Statement::SetGlobalPosition.plan(spi, &store),
            &[Parameter { kind: INT8OID, value: Some(Datum::from(next)) }],
        );
        Ok(())
    })?;
    Ok(Some(Datum::from(i64::try_from(messages.len()).unwrap_or(i64::MAX))))
}

/// Makes sure that nobody has passed the first global position, and that each message is the next one of its stream.
///
/// Against what is there now that the table is locked: the snapshot of a REPEATABLE READ transaction may be older.
fn check(spi: &Spi, store: &Store, messages: &[Message], first: &Message, drawn: Option<i64>) -> Result<()> {
    let any_message = Statement::AnyMessage.plan(spi, store);
    let snapshot = LatestSnapshot::push();
    // Consumers have passed what was removed as well.
    let is_empty = spi.bigint_at(&snapshot, any_message, &[]).is_none() && !stream_heads::is_any(store)?;
    let taken = if is_empty { None } else { drawn };
    first.message.check_global_position(taken)?;
    let mut versions: HashMap<&[u8], i64> = HashMap::new();
    let plan = Statement::StreamVersion.plan(spi, store);
    for Message { message, .. } in messages {
        let version = match versions.entry(&message.stream_name) {
            Entry::Occupied(version) => version.into_mut(),
            Entry::Vacant(unknown) => {
                let name = text_datum(&message.stream_name);
                let last = spi.bigint_at(&snapshot, plan, &[Parameter { kind: VARCHAROID, value: Some(name) }]);
                let version = if last.is_some() { last } else { stream_heads::position(store, name)? };
                unknown.insert(version.unwrap_or(NO_STREAM))
            }
        };
        message.check_position(Some(*version))?;
        *version = message.position;
    }
    Ok(())
}

fn insert(spi: &Spi, store: &Store, messages: &[Message]) {
    let ids: Vec<Uuid> = messages.iter().map(|message| message.message.id).collect();
    spi.run(
        Statement::Import.plan(spi, store),
        &[
            arrays::bigints(messages.iter().map(|message| message.message.global_position)),
            arrays::bigints(messages.iter().map(|message| message.message.position)),
            arrays::timestamps(messages.iter().map(|message| Some(message.message.time))),
            arrays::texts(messages.iter().map(|message| message.message.stream_name.as_slice())),
            arrays::texts(messages.iter().map(|message| message.message.kind.as_slice())),
            arrays::jsonbs(messages.iter().map(|message| message.data)),
            arrays::jsonbs(messages.iter().map(|message| message.metadata)),
            arrays::uuids(&ids),
        ],
    );
}
