//! Message Store on three nodes, replicated by hiqlite: one is killed and started again, and has every message.
//!
//! Usage: replicated-sqlite FOLDER, which keeps the nodes' files. The nodes are processes of their own on 127.0.0.1.

mod node;
mod process;

use process::{Process, Result, free_addresses};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the nodes may take to agree.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [folder] => cluster(Path::new(folder)),
        [word, id, folder, addresses @ ..] if word == "node" => node::run(id.parse()?, folder, addresses),
        _ => Err("usage: replicated-sqlite FOLDER".into()),
    }
}

fn cluster(folder: &Path) -> Result<()> {
    let addresses = free_addresses(6)?;
    let start = |id| Process::start(id, folder, &addresses);
    let mut nodes = [start(1)?, start(2)?, start(3)?];
    for node in &mut nodes {
        node.wait_until_ready()?;
    }

    println!("node 1: {}", nodes[0].ask("write 0 300")?);
    println!("node 2: {}", nodes[1].ask("write 300 600")?);
    println!("too late: {}", nodes[1].ask("write-late")?);
    println!("messages on each node: {}", agreed(&mut nodes)?);

    nodes[2].kill()?;
    println!("node 3 killed");
    println!("node 1: {}", nodes[0].ask("write 600 900")?);
    println!("messages on each of the others: {}", agreed(&mut nodes[..2])?);

    nodes[2] = start(3)?;
    nodes[2].wait_until_ready()?;
    println!("node 3: {}", nodes[2].ask("write 900 1000")?);
    println!("messages on each node: {}", agreed(&mut nodes)?);
    for node in nodes {
        node.stop()?;
    }
    Ok(())
}

/// How many messages every node has, once all of them are equal on all.
fn agreed(nodes: &mut [Process]) -> Result<usize> {
    let started = Instant::now();
    loop {
        let messages = nodes.iter_mut().map(Process::messages).collect::<Result<Vec<_>>>()?;
        if messages.windows(2).all(|pair| pair[0] == pair[1]) {
            return Ok(messages[0].len());
        }
        if started.elapsed() > PATIENCE {
            let counts: Vec<_> = messages.iter().map(Vec::len).collect();
            return Err(format!("the nodes do not agree: {counts:?} messages").into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
