//! Every error of Message Store's own, with its exact text and SQLSTATE.
//!
//! Clients match these texts, so they are part of the contract: those of Message DB are Message DB's, those of an
//! engine error (a bad uuid, a broken constraint) are Postgres', the rest are this product's own.

use std::sync::OnceLock;

/// The result of a rule.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller is told. No variant has a hint; `detail` says which have a detail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // each text says what its variant means, each field is named as in the text
pub enum Error {
    #[error("Wrong expected version: {expected} (Stream: {}, Stream Version: {version})", or_null(stream_name))]
    WrongExpectedVersion { expected: i64, stream_name: Option<String>, version: i64 },
    #[error("Must be a stream name: {}", or_null(.0))]
    MustBeStreamName(Option<String>),
    #[error("Must be a category: {}", or_null(.0))]
    MustBeCategory(Option<String>),
    #[error("Correlation must be a category (Correlation: {0})")]
    CorrelationMustBeCategory(String),
    #[error(
        "Consumer group member and size must be specified (Consumer Group Member: {}, Consumer Group Size: {})",
        or_null(member),
        or_null(size)
    )]
    ConsumerGroupIncomplete { member: Option<i64>, size: Option<i64> },
    #[error(
        "Consumer group size must not be less than 1 (Consumer Group Member: {member}, Consumer Group Size: {size})"
    )]
    ConsumerGroupSizeTooSmall { member: i64, size: i64 },
    #[error(
        "Consumer group member must not be less than 0 (Consumer Group Member: {member}, Consumer Group Size: {size})"
    )]
    ConsumerGroupMemberNegative { member: i64, size: i64 },
    #[error(
        "Consumer group member must be less than the group size (Consumer Group Member: {member}, Consumer Group \
         Size: {size})"
    )]
    ConsumerGroupMemberTooLarge { member: i64, size: i64 },
    #[error("smallint out of range")]
    ConsumerGroupSizeOutOfRange,
    #[error("Retrieval with SQL condition is not activated")]
    ConditionNotActivated,
    #[error("LIMIT must not be negative")]
    NegativeLimit,
    #[error("bigint out of range")]
    PositionOutOfRange,
    #[error("invalid input syntax for type uuid: \"{0}\"")]
    InvalidId(String),
    #[error("function \"{0}\" was not called by trigger manager")]
    NotCalledByTrigger(&'static str),
    #[error("function \"{0}\" was not called by a trigger on message_store.namespaces")]
    NotCalledByRegistry(&'static str),
    #[error("null value in column \"{0}\" of relation \"messages\" violates not-null constraint")]
    NullValue(&'static str),
    #[error("duplicate key value violates unique constraint \"messages_id\"")]
    DuplicateId(String),
    #[error("{message}")]
    InvalidJson { sqlstate: &'static str, message: String, detail: Option<String> },

    #[error("Messages must be a JSON array of objects (Element {element}: {reason})")]
    InvalidMessages { element: usize, reason: String },
    #[error("Namespace does not exist: {}", or_null(.0))]
    NamespaceDoesNotExist(Option<String>),
    #[error(
        "Namespace does not exist: message_store (SELECT message_store.create_namespace('message_store') creates it)"
    )]
    DefaultStoreMissing,
    #[error("Namespace lacks what this release needs: {namespace} (its owner completes it: {call})", namespace = .0, call = completes(.0))]
    NamespaceIsIncomplete(String),
    #[error("Namespace already exists: {0}")]
    NamespaceExists(String),
    #[error(
        "Invalid namespace name: {} (1 to 63 bytes of a-z, 0-9, _ and -, starting with a letter or digit, not \
         reserved)",
        or_null(.0)
    )]
    InvalidNamespaceName(Option<String>),
    #[error("Not a registered namespace: {0} (a schema or file of that name exists)")]
    NotARegisteredNamespace(String),
    #[error("Not a message store: {0}")]
    NotAMessageStore(String),
    #[error("Namespace is not owned by its recorded owner: {0}")]
    NamespaceOwnerChanged(String),
    #[error("Default namespace cannot be deleted: message_store")]
    DefaultNamespaceCannotBeDeleted,
    #[error("Namespace contains other objects: {namespace} ({objects})")]
    NamespaceContainsOtherObjects { namespace: String, objects: String },
    #[error("Token hash is already in use")]
    TokenHashInUse,
    #[error("Mode must be read or write: {}", or_null(.0))]
    InvalidGrantMode(Option<String>),
    #[error("Position does not fit: {position} (Stream: {stream_name}, Stream Version: {version})")]
    PositionDoesNotFit { position: i64, stream_name: String, version: i64 },
    #[error("Global position is taken: {0}")]
    GlobalPositionTaken(i64),
    #[error("Reading {0} needs the primary: a standby does not know the writers' locks")]
    NotOnAStandby(&'static str),
    #[error(
        "The sequence of global positions must be messages_global_position_seq, with increment 1, cache 1 and no cycle: \
         {0}"
    )]
    UnusableSequence(String),
    #[error("role \"{}\" does not exist", or_null(.0))]
    RoleDoesNotExist(Option<String>),
    #[error("A trigger on the table kept back messages of the batch: {written} of {given} would be written")]
    MessagesKeptBack { given: usize, written: usize },
    #[error(
        "Messages of the stream were kept back, and its version would go back: {stream_name} (Stream Version: {version})"
    )]
    VersionWouldGoBack { stream_name: String, version: i64 },
    #[error("could not serialize access due to concurrent delete")]
    ConcurrentDelete,
    #[error("Unknown namespace option: {}", or_null(.0))]
    UnknownNamespaceOption(Option<String>),
    #[error("Invalid value for append_lock: {} (category or stream)", or_null(.0))]
    InvalidAppendLock(Option<String>),
    #[error("Invalid value for notify: {} (on or off)", or_null(.0))]
    InvalidNotify(Option<String>),
    #[error("Consumer must not be empty")]
    ConsumerMustNotBeEmpty,
    #[error("null value in column \"position\" of relation \"consumer_positions\" violates not-null constraint")]
    NullConsumerPosition,
    #[error("Message does not exist: {}", or_null(.0))]
    MessageDoesNotExist(Option<String>),
    #[error("invalid input syntax for type bigint: \"{0}\"")]
    InvalidInteger(String),
    #[error("value \"{0}\" is out of range for type bigint")]
    IntegerOutOfRange(String),
    #[error("invalid input syntax for type boolean: \"{0}\"")]
    InvalidBoolean(String),
    #[error("invalid byte sequence for encoding \"UTF8\": {0}")]
    InvalidEncoding(String),
    #[error("SET requires parameter name")]
    NullSettingName,
    #[error("unrecognized configuration parameter \"{0}\"")]
    UnknownSetting(String),
}

impl Error {
    /// The SQLSTATE: Postgres' own for what its engine would raise, P0001 for everything else.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::ConsumerGroupSizeOutOfRange | Self::PositionOutOfRange | Self::IntegerOutOfRange(_) => "22003",
            Self::NegativeLimit => "2201W",
            Self::InvalidId(_) | Self::InvalidInteger(_) | Self::InvalidBoolean(_) => "22P02",
            Self::UnknownSetting(_) | Self::RoleDoesNotExist(_) => "42704",
            Self::NullValue(_) | Self::NullConsumerPosition => "23502",
            Self::InvalidEncoding(_) => "22021",
            Self::NullSettingName => "22004",
            Self::NotCalledByTrigger(_) | Self::NotCalledByRegistry(_) => "39P01",
            Self::ConcurrentDelete => "40001",
            Self::DuplicateId(_) => "23505",
            Self::InvalidJson { sqlstate, .. } => sqlstate,
            _ => "P0001",
        }
    }

    /// The detail, for the errors that have one in Postgres.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::DuplicateId(id) => Some(format!("Key (id)=({id}) already exists.")),
            Self::InvalidJson { detail, .. } => detail.clone(),
            _ => None,
        }
    }
}

/// The call that creates what is missing of a namespace.
fn completes(namespace: &str) -> String {
    let function = if namespace == crate::namespace_name::DEFAULT { "create_namespace" } else { "register_namespace" };
    format!("SELECT message_store.{function}('{namespace}')")
}

static DECODE: OnceLock<fn(&[u8]) -> String> = OnceLock::new();

/// Says how the bytes of texts are to be read for errors, where they may be in another encoding than UTF-8.
pub fn decode_by(decode: fn(&[u8]) -> String) {
    DECODE.get_or_init(|| decode);
}

/// A value for an error text; bytes that are not UTF-8 are replaced, unless somebody can read them.
pub(crate) fn text(bytes: &[u8]) -> String {
    match DECODE.get() {
        Some(decode) => decode(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// NULL is printed as `<NULL>`, as plpgsql's RAISE does.
fn or_null<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| "<NULL>".to_owned(), T::to_string)
}
