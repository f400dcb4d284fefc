//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::compression::Compression;
use crate::filter::Filter;
use crate::loader::Loading;
use crate::location::Location;
use crate::store::Patience;

/// Moves, compares and follows message stores in Postgres and SQLite.
///
/// A store is named by a URL: postgres://user@host/database?namespace=tenant-a, sqlite:FILE?namespace=tenant-a, or
/// message-db://user@host/database for genuine Message DB. What the URL leaves out comes from the environment as with
/// psql: PGHOST, PGPORT, PGUSER, PGDATABASE, PGSERVICE, PGPASSFILE, and passwords from PGPASSWORD or ~/.pgpass.
///
/// Exit codes: 0 done, 1 the stores differ, 2 usage, 3 the source, 4 the target, 5 interrupted.
#[derive(Parser, Debug)]
#[command(name = "message-store", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub output: Output,
}

/// What is read of a store, and how.
#[derive(Args, Debug)]
pub struct Reading {
    #[command(flatten)]
    pub filter: Filter,
    /// Wait so long at the most for transactions that are writing at the beginning
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub wait: u64,
}

impl Reading {
    /// The same for a store.
    pub fn patience(&self, is_quiet: bool) -> Patience {
        Patience { at_most: Duration::from_secs(self.wait), is_quiet }
    }
}

/// How results are printed.
#[derive(Args, Debug, Clone, Copy)]
pub struct Output {
    /// Print the result, errors too, as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Write a store's messages to a file; goes on in a torn one
    Export {
        /// The store
        source: Location,
        /// The file; - is standard output
        #[arg(default_value = "-")]
        file: PathBuf,
        /// Instead of what the file's ending says: .gz or .zst
        #[arg(long)]
        compress: Option<Compression>,
        /// Begin anew, whatever the file holds
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        reading: Reading,
    },
    /// Put the messages of a file into a store; goes on after those that it has
    Import {
        /// The file; - is standard input
        file: PathBuf,
        /// The store
        target: Location,
        /// Take what there is of a torn file
        #[arg(long)]
        partial: bool,
        #[command(flatten)]
        loading: Loading,
    },
    /// Put a store's messages into another store; goes on after those that it has
    Copy {
        /// The store that is read
        source: Location,
        /// The store that is written
        target: Location,
        #[command(flatten)]
        loading: Loading,
        #[command(flatten)]
        reading: Reading,
    },
    /// Compare two stores, message by message; exit code 1 if they differ
    Verify {
        /// A store
        a: Location,
        /// Another one
        b: Location,
        #[command(flatten)]
        reading: Reading,
    },
    /// List the namespaces
    Namespaces {
        /// The store
        store: Location,
    },
    /// Counts and size of a store
    Stats {
        /// The store
        store: Location,
        /// In the text format of Prometheus
        #[arg(long, conflicts_with = "json")]
        prometheus: bool,
    },
    /// Print messages as they are written
    Tail(Tail),
    /// Print the completion script of a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `tail`.
#[derive(Args, Debug)]
pub struct Tail {
    /// The store
    pub store: Location,
    /// Only this stream
    #[arg(long, conflicts_with_all = ["category"])]
    pub stream: Option<String>,
    /// Only this category
    #[arg(long)]
    pub category: Option<String>,
    /// Which member of the consumer group reads, from 0
    #[arg(long, requires = "category", requires = "size")]
    pub member: Option<i64>,
    /// How many members the group has
    #[arg(long, requires = "member")]
    pub size: Option<i64>,
    /// From this position on: a global one, with --stream the stream's own; without it from now on
    #[arg(long, value_name = "POSITION", allow_negative_numbers = true)]
    pub from: Option<i64>,
    /// End after so many messages
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<u64>,
    /// End after the last message that there is now
    #[arg(long)]
    pub no_follow: bool,
    /// Look for messages at least so often, in milliseconds
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub interval: u64,
}
