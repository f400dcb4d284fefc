//! The command-line program `message-store`.

mod arguments;
mod batch;
mod command;
mod compression;
mod connection;
mod export_reader;
mod export_writer;
mod failure;
mod filter;
mod format;
mod ids;
mod interrupt;
mod loader;
mod location;
mod message;
mod pages;
mod progress;
mod selection;
mod standing;
mod store;
mod torn_export;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use serde_json::json;

use arguments::{Arguments, Command, Output};
use failure::{Failure, Side};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return ExitCode::from(refused(&error)),
        Err(asked_for) => asked_for.exit(),
    };
    let output = arguments.output;
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if output.json {
                // Where a result was printed already, as by verify, this is a second line.
                let _ = print(&json!({"error": failure.name(), "message": failure.to_string()}).to_string());
            } else {
                eprintln!("message-store: {failure}");
            }
            ExitCode::from(failure.code())
        }
    }
}

/// Says what is wrong with the command line, and returns the exit code.
fn refused(error: &clap::Error) -> u8 {
    let given = || env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let text = location::without_passwords(&error.render().to_string(), given());
    let failure = Failure::Usage(text.trim_start_matches("error: ").trim_end().to_owned());
    if given().take_while(|argument| argument != "--").any(|argument| argument == "--json") {
        let _ = print(&json!({"error": failure.name(), "message": failure.to_string()}).to_string());
    } else {
        eprint!("{text}");
    }
    failure.code()
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    interrupt::watch().of_source()?;
    let Output { json, quiet } = arguments.output;
    let result = match arguments.command {
        Command::Export { source, file, compress, force, reading } => {
            command::export::run(&source, &file, compress, force, &reading, quiet)?
        }
        Command::Import { file, target, partial, loading } => {
            command::import::run(&file, &target, partial, loading, quiet)?
        }
        Command::Copy { source, target, loading, reading } => {
            command::copy::run(&source, &target, &reading, loading, quiet)?
        }
        Command::Verify { a, b, reading } => command::verify::run(&a, &b, &reading, quiet)?,
        Command::Namespaces { store } => command::namespaces::run(&store)?,
        Command::Stats { store, prometheus } => command::stats::run(&store, prometheus)?,
        Command::Tail(tail) => return command::tail::run(&tail, json),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "message-store", &mut script);
            return io::stdout().write_all(&script).of_target();
        }
    };
    let printed = if json { result.json.to_string() } else { result.text };
    if result.is_stdout_taken || result.is_to_stderr && !json {
        if json || !quiet {
            eprintln!("{printed}");
        }
        return Ok(());
    }
    print(&printed)
}

/// Prints a line. A reader that has gone away is none of our business.
fn print(line: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{}", line.trim_end_matches('\n')) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Target(error.to_string())),
        _ => Ok(()),
    }
}
