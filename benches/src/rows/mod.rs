//! The rows of the table, one file for each kind of measurement.

mod establish;
mod fleet;
mod generate;
mod start;
mod token;

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;

use crate::figure::Figure;
use crate::sizes::Sizes;

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Row {
    /// Decoding and encoding a token.
    Token,
    /// Start of the program.
    Start,
    /// Durable generate-token, over many connections and over one.
    Generate,
    /// From a token to ACTIVE on both sides.
    Establish,
    /// Memory, idle processor time, lists, generating and starting with many peerings.
    Fleet,
}

impl Row {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 5] = [Self::Token, Self::Generate, Self::Establish, Self::Fleet, Self::Start];

    /// Measures.
    pub(crate) async fn measure(self, sizes: &Sizes) -> Result<Vec<Figure>> {
        match self {
            Self::Token => token::measure(sizes),
            Self::Start => start::measure(sizes).await,
            Self::Generate => generate::measure(sizes).await,
            Self::Establish => establish::measure(sizes).await,
            Self::Fleet => fleet::measure(sizes).await,
        }
    }
}

/// Runs something and returns how many seconds it took.
async fn seconds<F: Future<Output = Result<()>>>(work: F) -> Result<f64> {
    let begun = Instant::now();
    work.await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Prints a time in the unit that suits it.
fn shown(seconds: f64) -> String {
    match seconds {
        long if long >= 1.0 => format!("{long:.2} s"),
        middle if middle >= 1e-3 => format!("{:.2} ms", middle * 1e3),
        short => format!("{:.2} µs", short * 1e6),
    }
}

/// Prints a rate.
fn rate(count: usize, seconds: f64) -> String {
    format!("{:.0} /s", count as f64 / seconds)
}

/// Pause between two looks at what comes about in its own time.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
