//! Prints one table of figures; each row stands beside its limit, measured in the same run.
//!
//! `cargo run --release -p peering-benches` runs every row; names of rows run only those, and `--quick` runs each with
//! small numbers, to see that it runs at all. What the figures mean is written in `docs/performance.md`.

mod bare;
mod child;
mod figure;
mod load;
mod machine;
mod raw;
mod recorder;
mod rows;
mod sizes;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use self::child::Role;
use self::rows::Row;
use self::sizes::Sizes;

/// Measures the product beside its limits.
#[derive(Debug, Parser)]
struct Words {
    /// Rows to run; all, if none is named.
    rows: Vec<Row>,
    /// Small numbers, to see that every row runs.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    match Role::of_this_process() {
        Role::Product => return peering_cli::main(),
        Role::BareStream => return finish(run(bare::serve_until_killed())),
        Role::BareHttp => return finish(run(load::serve_nothing_until_killed())),
        Role::Bench => {}
    }
    finish(run(measure(Words::parse())))
}

async fn measure(words: Words) -> Result<()> {
    let sizes = if words.quick { Sizes::QUICK } else { Sizes::FULL };
    let wanted = if words.rows.is_empty() { Row::ALL.to_vec() } else { words.rows };
    let mut figures = Vec::new();
    for row in wanted {
        eprintln!("measuring {row:?} …");
        figures.extend(row.measure(&sizes).await?);
    }
    print!("{}", figure::table(&figures));
    Ok(())
}

fn run<F: Future<Output = Result<()>>>(work: F) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(work)
}

fn finish(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
