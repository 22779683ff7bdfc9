//! `peering list -watch`: looks every second, since `ACTIVE` and `FAILING` are computed and no waiting read wakes for
//! them. It outlives the server that it asks.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use peering_core::api::v1::Peering;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::client::error::ClientError;
use crate::commands::detail::error_line;
use crate::commands::error::CommandError;
use crate::commands::format::Format;
use crate::commands::session::Session;
use crate::gotime;
use crate::output::Output;
use crate::output::escape::line;
use crate::world::{Clock, World};

/// Time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Stands for the state of a peering that is not there.
const ABSENT: &str = "-";

/// Follows the states until SIGINT or SIGTERM.
///
/// # Errors
/// [`CommandError::List`] if the first look fails or a later one is refused, [`CommandError::Output`] if nobody reads.
pub(super) fn follow(session: &Session, format: Format, world: &mut World<'_>) -> Result<(), CommandError> {
    let (output, clock) = (&mut world.output, world.clock);
    session.run(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(CommandError::Watch)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(CommandError::Watch)?;
        let stop = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        watch(async || session.client.list().await, Screen { format, output, clock, drawn: None }, stop).await
    })
}

/// Where changes are shown.
pub(crate) struct Screen<'a, 'o> {
    pub(crate) format: Format,
    pub(crate) output: &'a mut Output<'o>,
    pub(crate) clock: Clock<'a>,
    /// The table that stands on the terminal.
    pub(crate) drawn: Option<String>,
}

/// Looks again and again until `stop`. A server that does not answer is told of once, and once that it does again.
pub(crate) async fn watch(
    list: impl AsyncFn() -> Result<Option<Vec<Peering>>, ClientError>,
    mut screen: Screen<'_, '_>,
    stop: impl Future<Output = ()>,
) -> Result<(), CommandError> {
    let mut stop = std::pin::pin!(stop);
    let mut known: Option<BTreeMap<String, String>> = None;
    let mut is_lost = false;
    loop {
        let listed = tokio::select! {
            listed = list() => listed,
            () = &mut stop => return screen.leave(),
        };
        match listed {
            Ok(peerings) => {
                let mut peerings = peerings.unwrap_or_default();
                peerings.sort_by(|a, b| a.name.cmp(&b.name));
                if std::mem::take(&mut is_lost) {
                    screen.output.message("The server answers again");
                    screen.drawn = None;
                }
                let before = known.take().unwrap_or_default();
                screen.show(&before, &peerings)?;
                known = Some(peerings.into_iter().map(|peering| (peering.name, peering.state)).collect());
            }
            // What was never seen is most likely asked for in the wrong way.
            Err(error) if known.is_none() => return Err(CommandError::List(error)),
            Err(error @ ClientError::Status { code: 400..500, .. }) => return Err(CommandError::List(error)),
            Err(error) if !is_lost => {
                is_lost = true;
                screen.output.message(&format!("The server does not answer, it is asked again each second: {error}"));
            }
            Err(_) => {}
        }
        tokio::select! {
            () = sleep(LOOK_INTERVAL) => {}
            () = &mut stop => return screen.leave(),
        }
    }
}

/// A change of a state; none is that of a peering which is not there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Change<'a> {
    time: String,
    name: &'a str,
    from: Option<&'a str>,
    to: Option<&'a str>,
    /// Why, if the server says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

impl Screen<'_, '_> {
    /// Goes on to a new line below a table: a terminal shows the interrupt's own key as `^C`, and a prompt comes next.
    fn leave(&mut self) -> Result<(), CommandError> {
        if self.drawn.is_some() {
            self.output.result("")?;
        }
        Ok(())
    }

    fn show(&mut self, before: &BTreeMap<String, String>, now: &[Peering]) -> Result<(), CommandError> {
        if self.format == Format::Pretty && self.output.terminals().stdout {
            let table = with_reasons(super::pretty(now), now);
            if self.drawn.as_ref() != Some(&table) {
                self.output.redraw(&table)?;
                self.drawn = Some(table);
            }
            return Ok(());
        }
        for change in changes(before, now, (self.clock)()) {
            match self.format {
                Format::Json => self.output.json(&change)?,
                Format::Pretty => self.output.result(&change.line())?,
            }
        }
        Ok(())
    }
}

/// Compares two looks, by name.
fn changes<'a>(before: &'a BTreeMap<String, String>, now: &'a [Peering], at: Timestamp) -> Vec<Change<'a>> {
    let time = gotime::rfc3339_seconds(at);
    let mut changes = Vec::new();
    for peering in now {
        let (from, to) = (before.get(&peering.name).map(String::as_str), Some(peering.state.as_str()));
        if from != to {
            changes.push(Change { time: time.clone(), name: &peering.name, from, to, cause: cause(peering) });
        }
    }
    let is_gone = |name: &str| now.iter().all(|peering| peering.name != name);
    for (name, state) in before.iter().filter(|(name, _)| is_gone(name)) {
        changes.push(Change { time: time.clone(), name, from: Some(state), to: None, cause: None });
    }
    changes.sort_by(|a, b| a.name.cmp(b.name));
    changes
}

/// Adds to a table, below it, a line for each peering that is not ACTIVE and of which the server says why.
fn with_reasons(mut table: String, peerings: &[Peering]) -> String {
    let reasons: Vec<String> = peerings.iter().filter_map(reason).collect();
    if !reasons.is_empty() {
        table.truncate(table.trim_end_matches('\n').len());
        table.push_str("\n\n");
        table.push_str(&reasons.join("\n"));
    }
    table
}

fn reason(peering: &Peering) -> Option<String> {
    let detail = peering.detail.as_ref().filter(|_| peering.state != "ACTIVE")?;
    let last = detail.transitions.last().filter(|last| last.to == peering.state);
    let since = last.map(|last| format!(" since {} ({})", gotime::rfc3339_seconds(last.time), line(&last.cause)));
    let error = detail.last_error.as_ref();
    let error =
        error.map(|error| format!("; last error {} {}", gotime::rfc3339_seconds(error.time), error_line(error)));
    let why = [since, error].into_iter().flatten().collect::<String>();
    (!why.is_empty()).then(|| format!("{} is {}{why}", line(&peering.name), line(&peering.state)))
}

/// Returns why a peering is in its state, if its last transition led there.
fn cause(peering: &Peering) -> Option<&str> {
    let last = peering.detail.as_ref()?.transitions.last()?;
    (last.to == peering.state).then_some(last.cause.as_str())
}

impl Change<'_> {
    fn line(&self) -> String {
        let state = |state: Option<&str>| line(state.unwrap_or(ABSENT)).into_owned();
        let cause = self.cause.map(|cause| format!("  ({})", line(cause))).unwrap_or_default();
        format!("{}  {}  {} → {}{cause}", self.time, line(self.name), state(self.from), state(self.to))
    }
}
