//! `get_category_messages`.

use message_store_core::Result;
use message_store_core::arguments::{CategoryArguments, CategoryRead};
use pgrx::pg_sys::{Datum, INT2OID, INT8OID, VARCHAROID};

use crate::call::{Answer, Call, sql_functions};
use crate::namespace::{self, Use};
use crate::rows::Rows;
use crate::spi::{Parameter, connected};
use crate::statements::Statement;
use crate::{notices, settings};

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
    // A condition's text goes without a LIMIT, and sees the batch size that was asked for.
    let limited = !read.batch_size.is_unlimited();
    let limit = (limited || condition.is_some()).then_some(read.batch_size.value());
    let group = read.consumer_group;
    let parameters = [
        Parameter { kind: VARCHAROID, value: category.map(|category| category.datum()) },
        Parameter { kind: INT8OID, value: Some(Datum::from(read.position)) },
        Parameter { kind: INT8OID, value: limit.map(Datum::from) },
        Parameter { kind: VARCHAROID, value: correlation.map(|correlation| correlation.datum()) },
        Parameter { kind: INT8OID, value: group.map(|group| Datum::from(group.member)) },
        Parameter { kind: INT2OID, value: group.map(|group| Datum::from(group.size)) },
    ];
    let store = store.lock(Use::Read)?;
    connected(|spi| {
        let statement =
            Statement::CategoryMessages { correlation: read.correlation.is_some(), consumer_group: group.is_some() };
        match read.condition {
            None => spi.rows(statement.plan(spi, &store), &parameters, &rows),
            condition => spi.rows_of_text(&statement.sql(&store, condition, limited), &parameters, &rows),
        }
        Ok(None)
    })
}
