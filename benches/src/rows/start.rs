//! How long the program takes to start and end, beside a program that does nothing.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Result, ensure};
use tokio::process::Command;

use super::shown;
use crate::child::Role;
use crate::figure::{Aim, Figure, median};
use crate::sizes::Sizes;

/// Measures `peering version` and `/bin/true`, in turn.
pub(crate) async fn measure(sizes: &Sizes) -> Result<Vec<Figure>> {
    let (mut ours, mut nothing) = (Vec::new(), Vec::new());
    for _ in 0..sizes.starts {
        let mut version = Role::Product.command()?;
        version.arg("version");
        ours.push(run(version).await?);
        nothing.push(run(Command::new("/bin/true")).await?);
    }
    let (ours, nothing) = (median(ours), median(nothing));
    Ok(vec![Figure {
        what: "start to end of `peering version`".to_owned(),
        ours: shown(ours),
        limit: format!("{} (/bin/true)", shown(nothing)),
        ratio: ours / nothing,
        aim: Aim::AtMost(6.0),
    }])
}

async fn run(mut command: Command) -> Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let begun = Instant::now();
    let status = command.status().await?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(begun.elapsed().as_secs_f64())
}
