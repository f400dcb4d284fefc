//! A node's process, which is told what to do by lines.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub fn start(id: u64, folder: &Path, addresses: &[String]) -> Result<Process> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["node", &id.to_string()]).arg(folder.join(format!("node-{id}"))).args(addresses);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Process { child, input, output })
    }

    pub fn wait_until_ready(&mut self) -> Result<()> {
        match self.line()?.as_str() {
            "ready" => Ok(()),
            other => Err(format!("a node does not start: {other}").into()),
        }
    }

    /// The line that it answers with.
    pub fn ask(&mut self, request: &str) -> Result<String> {
        writeln!(self.input.as_mut().ok_or("no input")?, "{request}")?;
        self.line()
    }

    /// Every message that the node itself has, one a line.
    pub fn messages(&mut self) -> Result<Vec<String>> {
        let count: usize = self.ask("messages")?.parse()?;
        (0..count).map(|_| self.line()).collect()
    }

    /// Without a word to it.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    pub fn stop(mut self) -> Result<()> {
        self.input = None;
        self.child.wait()?;
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end_matches('\n').to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Addresses on this machine that nobody listens on.
pub fn free_addresses(count: usize) -> Result<Vec<String>> {
    let listeners = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<std::io::Result<Vec<_>>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.to_string())).collect()
}
