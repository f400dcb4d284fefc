//! The functions that look at nothing but their argument.

use message_store_core::{MESSAGE_DB_VERSION, RELEASE, Result, hash, stream_name};
use pgrx::pg_sys::Datum;

use crate::call::{Answer, Call, sql_functions};
use crate::spi::text_datum;

sql_functions! {
    "message_store_category" => category;
    "message_store_id" => id;
    "message_store_cardinal_id" => cardinal_id;
    "message_store_is_category" => is_category;
    "message_store_hash_64" => hash_64;
    "message_store_message_store_version" => message_store_version;
    "message_store_message_store_release" => message_store_release;
}

fn category(call: &Call<'_>) -> Result<Answer> {
    Ok(call.text(0).map(|name| text_datum(stream_name::category(&name))))
}

fn id(call: &Call<'_>) -> Result<Answer> {
    Ok(call.text(0).and_then(|name| stream_name::id(name.bytes()).map(text_datum)))
}

fn cardinal_id(call: &Call<'_>) -> Result<Answer> {
    Ok(call.text(0).and_then(|name| stream_name::cardinal_id(name.bytes()).map(text_datum)))
}

fn is_category(call: &Call<'_>) -> Result<Answer> {
    let name = call.text(0);
    Ok(Some(Datum::from(stream_name::is_category(name.map(|name| name.bytes())))))
}

fn hash_64(call: &Call<'_>) -> Result<Answer> {
    Ok(call.text(0).map(|value| Datum::from(hash::hash_64(&value))))
}

fn message_store_version(_call: &Call<'_>) -> Result<Answer> {
    Ok(Some(text_datum(MESSAGE_DB_VERSION.as_bytes())))
}

fn message_store_release(_call: &Call<'_>) -> Result<Answer> {
    Ok(Some(text_datum(RELEASE.as_bytes())))
}
