//! Panics on purpose, in debug builds only, for the test that none crosses into the host.

use std::ffi::c_int;
use std::rc::Rc;

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::rows::{Rows, Value};
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::engine::table_function::TableFunction;
use crate::errors::Result;

/// `message_store_panic()`: panics.
pub const FUNCTION: Scalar =
    Scalar { name: "message_store_panic", arguments: (0, 0), purity: Purity::Direct, work: panic_at_once };

/// `message_store_panic_in(callback)`: panics in `filter`, `next`, `column` or `close`.
pub static TABLE_FUNCTION: TableFunction = TableFunction {
    name: "message_store_panic_in",
    columns: &["value"],
    arguments: &["arg_callback"],
    ascending: None,
    open,
};

fn panic_at_once<'a>(_: &Rc<Connection>, _: &'a Arguments<'a>) -> Result<Answer<'a>> {
    panic!("provoked")
}

struct Provoked(String, u8);

fn open(_: &Rc<Connection>, arguments: &Arguments<'_>) -> Result<Box<dyn Rows>> {
    let callback = String::from_utf8_lossy(arguments.text(0).unwrap_or_default()).into_owned();
    assert!(callback != "filter", "provoked");
    Ok(Box::new(Provoked(callback, 0)))
}

impl Rows for Provoked {
    fn next(&mut self) -> Result<bool> {
        self.1 += 1;
        assert!(self.0 != "next" || self.1 < 2, "provoked");
        Ok(self.1 < 3)
    }

    fn column(&self, _: c_int, _: &mut Value<'_>) -> Result<()> {
        assert!(self.0 != "column", "provoked");
        Ok(())
    }
}

impl Drop for Provoked {
    fn drop(&mut self) {
        assert!(self.0 != "close", "provoked");
    }
}
