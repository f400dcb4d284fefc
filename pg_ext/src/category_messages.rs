//! `get_category_messages`.

use message_store_core::Result;
use message_store_core::arguments::{CategoryArguments, CategoryRead};
use message_store_core::namespace_option::AppendLock;
use pgrx::pg_sys::{self, Datum, INT2OID, INT8OID, VARCHAROID};

use crate::call::{Answer, Call, Text, sql_functions};
use crate::direct_scan::{self, AsOf, Filter, Key, Read};
use crate::namespace::{self, Store, Use};
use crate::rows::Rows;
use crate::spi::{LatestSnapshot, Parameter, connected};
use crate::statements::Statement;
use crate::table_layout::{self, Index};
use crate::{durability, horizon, notices, settings};

sql_functions! {
    "message_store_get_category_messages" => get_category_messages;
}

/// `get_category_messages(category, position, batch_size, correlation, consumer_group_member, consumer_group_size,
/// condition, namespace)`: rows of `message`.
fn get_category_messages(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(7))?;
    let (category, correlation, condition) = (call.text(0), call.text(3), call.text(6));
    let arguments = CategoryArguments {
        category: category.map(|category| category.bytes()),
        position: call.int8(1),
        batch_size: call.int8(2),
        correlation: correlation.map(|correlation| correlation.bytes()),
        consumer_group_member: call.int8(4),
        consumer_group_size: call.int8(5),
        condition: condition.map(|condition| condition.bytes()),
    };
    let read = CategoryRead::new(arguments, condition.is_none() || settings::sql_condition())?;
    notices::get_category_messages(&read);
    read.check_group_size()?;
    let rows = Rows::of(call);
    let store = store.lock(Use::Read)?;
    let settled = settled(&store, category)?;
    let group = read.consumer_group;
    if read.condition.is_none()
        && let Some(category) = category
    {
        let from = [Key::Is(1, category.datum()), Key::AtLeast(2, read.position)];
        let to = settled.map(|settled| Key::AtMost(2, settled));
        let correlated = correlation.map(|correlation| Key::Is(3, correlation.datum()));
        let keys: Vec<Key> = from.into_iter().chain(to).chain(correlated).collect();
        let direct = Read {
            index: Index::Category,
            keys: &keys,
            backward: false,
            limit: read.batch_size.limit()?,
            filter: group.map_or(Filter::Everything, Filter::Member),
            snapshot: AsOf::Now,
        };
        if direct_scan::read(&store, &direct, &rows) {
            return Ok(None);
        }
    }
    // A condition's text goes without a LIMIT, and sees the batch size that was asked for.
    let limited = !read.batch_size.is_unlimited();
    let limit = (limited || read.condition.is_some()).then_some(read.batch_size.value());
    let parameters = [
        Parameter { kind: VARCHAROID, value: category.map(|category| category.datum()) },
        Parameter { kind: INT8OID, value: Some(Datum::from(read.position)) },
        Parameter { kind: INT8OID, value: limit.map(Datum::from) },
        Parameter { kind: VARCHAROID, value: correlation.map(|correlation| correlation.datum()) },
        Parameter { kind: INT8OID, value: group.map(|group| Datum::from(group.member)) },
        Parameter { kind: INT2OID, value: group.map(|group| Datum::from(group.size)) },
        Parameter { kind: INT8OID, value: settled.map(Datum::from) },
    ];
    connected(|spi| {
        let statement = Statement::CategoryMessages {
            correlation: read.correlation.is_some(),
            consumer_group: group.is_some(),
            settled: settled.is_some(),
        };
        // As of now, in every isolation level: a snapshot from when writers locked their streams alone may show a
        // message without those before it.
        if let Some(condition) = read.condition {
            let sql = statement.sql(&store, Some(condition), limited);
            spi.rows_of_text_at(&LatestSnapshot::push(), &sql, &parameters, &rows);
        } else {
            let plan = statement.plan(spi, &store);
            spi.rows_at(&LatestSnapshot::push(), plan, &parameters, &rows);
        }
        Ok(())
    })?;
    durability::flush_visible();
    Ok(None)
}

/// Up to where a read of the category may go, where writers of it do not wait for each other, or the transaction's
/// snapshot may be older than what it has written itself. `None` for no bound.
fn settled(store: &Store, category: Option<Text<'_>>) -> Result<Option<i64>> {
    // SAFETY: reads the backend's state.
    let (is_standby, has_old_snapshot) =
        unsafe { (pg_sys::RecoveryInProgress(), pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ.cast_signed()) };
    let by_stream = table_layout::of(store).append_lock == AppendLock::Stream;
    if settings::without_horizon() || !(by_stream || has_old_snapshot && !is_standby) {
        return Ok(None);
    }
    horizon::settled(store, category.as_ref().map(|category| category.bytes())).map(Some)
}
