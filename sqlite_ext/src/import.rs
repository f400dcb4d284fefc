//! `import_messages`.

use std::collections::HashMap;
use std::rc::Rc;

use message_store_core::batch::{ImportedMessage, ImportedMessageReader, Order};
use message_store_core::time;

use crate::batch::{Batch, Json};
use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::errors::Result;
use crate::insert::{Statements, insert_all};
use crate::namespaces::with_store;
use crate::statements::Query;
use crate::store::Store;
use crate::stream_version::stream_version;
use crate::transaction;

/// The function of this module.
pub const FUNCTION: Scalar =
    Scalar { name: "import_messages", arguments: (1, 2), purity: Purity::Direct, work: import_messages };

const STATEMENTS: Statements =
    Statements { fifty: Query::Insert50Imports, ten: Query::Insert10Imports, one: Query::InsertImport };

/// `import_messages(messages, namespace)`: how many.
fn import_messages<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let messages = Batch::parse(arguments.utf8(0)?)?;
    let count = with_store(connection, arguments.text(1), |store| {
        let messages = read(&messages)?;
        transaction::write_all(connection, store, || insert(connection, store, &messages))
    })?;
    Ok(count.into())
}

fn read<'a>(messages: &'a Batch<'a>) -> Result<Vec<(ImportedMessage, Json<'a>)>> {
    let mut order = Order::default();
    messages.read(|number, element| {
        let mut reader = ImportedMessageReader::new(number)?;
        let json = element.members(number, |key, kind, text| reader.member(key, kind, text))?;
        let message = reader.finish()?;
        order.check(&message)?;
        Ok((message, json))
    })
}

fn insert(connection: &Rc<Connection>, store: &Rc<Store>, messages: &[(ImportedMessage, Json<'_>)]) -> Result<i64> {
    check(connection, store, messages)?;
    let texts: Vec<_> =
        messages.iter().map(|(message, _)| (message.id.to_string(), time::format(message.time))).collect();
    let mut rows = Vec::with_capacity(messages.len());
    for ((message, json), (id, time)) in messages.iter().zip(&texts) {
        rows.push([
            message.position.into(),
            time.as_str().into(),
            message.stream_name.as_slice().into(),
            message.kind.as_slice().into(),
            json.data.as_deref().into(),
            json.metadata.as_deref().into(),
            id.as_str().into(),
            message.global_position.into(),
        ]);
    }
    let mut count = 0;
    insert_all(connection, store, STATEMENTS, &rows, |_| count += 1)?;
    Ok(count)
}

/// Makes sure that nobody has passed the first global position, and that each message is the next one of its stream.
fn check(connection: &Rc<Connection>, store: &Rc<Store>, messages: &[(ImportedMessage, Json<'_>)]) -> Result<()> {
    let mut versions: HashMap<&[u8], Option<i64>> = HashMap::new();
    if let Some((first, _)) = messages.first() {
        first.check_global_position(taken(connection, store)?)?;
    }
    for (message, _) in messages {
        let stream_name = message.stream_name.as_slice();
        let version = match versions.get(stream_name) {
            Some(version) => *version,
            None => stream_version(connection, store, Some(stream_name))?,
        };
        message.check_position(version)?;
        versions.insert(stream_name, Some(message.position));
    }
    Ok(())
}

/// The highest global position that was ever given out, where consumers may have passed it: in a store with messages.
fn taken(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<Option<i64>> {
    let mut statement = connection.statement(store, Query::LastGlobalPosition)?;
    let Some((last, has_messages)) = statement.query(&[], |row| (row.whole(0), row.integer(1) != 0))? else {
        return Ok(None);
    };
    Ok(last?.filter(|_| has_messages))
}
