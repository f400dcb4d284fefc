//! Reading the `messages` argument of a batch: a jsonb array of objects, element by element.

use message_store_core::Result;
use message_store_core::batch::{
    ImportedMessage, ImportedMessageReader, Kind, Member, NewMessage, NewMessageReader, check_array, check_object,
};
use pgrx::pg_sys::Datum;

use crate::jsonb;

/// A message of a batch, with its JSON as it came.
pub struct Element<M> {
    /// What the core has read.
    pub message: M,
    /// Its data.
    pub data: Option<Datum>,
    /// Its metadata.
    pub metadata: Option<Datum>,
}

/// One of the core's readers of an element.
pub trait Reader: Sized {
    /// What it reads.
    type Message;
    /// A reader of the element of that number, from 0.
    fn new(element: usize) -> Result<Self>;
    /// Takes a member.
    fn member(&mut self, key: &[u8], kind: Kind, value: &[u8]) -> Result<Member>;
    /// What was read.
    fn finish(self) -> Result<Self::Message>;
}

impl Reader for NewMessageReader {
    type Message = NewMessage;

    fn new(element: usize) -> Result<Self> {
        Ok(Self::new(element))
    }

    fn member(&mut self, key: &[u8], kind: Kind, value: &[u8]) -> Result<Member> {
        self.member(key, kind, value)
    }

    fn finish(self) -> Result<NewMessage> {
        self.finish()
    }
}

impl Reader for ImportedMessageReader {
    type Message = ImportedMessage;

    fn new(element: usize) -> Result<Self> {
        Self::new(element)
    }

    fn member(&mut self, key: &[u8], kind: Kind, value: &[u8]) -> Result<Member> {
        self.member(key, kind, value)
    }

    fn finish(self) -> Result<ImportedMessage> {
        self.finish()
    }
}

/// Reads the argument; `check` is asked about each element before the next one is read.
pub fn read<R: Reader>(
    argument: Option<Datum>,
    mut check: impl FnMut(&R::Message) -> Result<()>,
) -> Result<Vec<Element<R::Message>>> {
    let Some(argument) = argument else {
        check_array(None)?;
        return Ok(Vec::new());
    };
    let (kind, array) = jsonb::open(argument);
    check_array(Some(kind))?;
    let elements = array.iter().flat_map(|array| array.elements()).enumerate();
    elements
        .map(|(n, element)| {
            let element = read_element::<R>(n, &element)?;
            check(&element.message)?;
            Ok(element)
        })
        .collect()
}

fn read_element<R: Reader>(n: usize, element: &jsonb::Value) -> Result<Element<R::Message>> {
    let mut reader = R::new(n)?;
    check_object(n, element.kind())?;
    let (mut data, mut metadata) = (None, None);
    for (key, value) in element.members() {
        match reader.member(key.text(), value.kind(), value.text())? {
            Member::Taken => {}
            Member::Data => data = Some(value.into_jsonb()),
            Member::Metadata => metadata = Some(value.into_jsonb()),
        }
    }
    Ok(Element { message: reader.finish()?, data, metadata })
}
