//! Every metric and every label, each with a sentence; and the counters and timers of one server.
//!
//! A server has a registry of its own, because several servers live in one process. Counters and timers are fed as
//! things happen; gauges are measured when somebody looks, so that none is ever out of date and none outlives what it
//! tells about. Both forms of the answer, Prometheus' text and Consul's JSON, come from the same observations.
//!
//! Names are Consul's where it has them. What only we have begins with `peering.`.

mod report;
mod window;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::{Counter, Histogram, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::bounds::METRIC_SERIES_MAX;
use crate::clock::Clock;
pub use report::{Gauge, Report};
use window::Windows;

/// Name of a metric, with what it means.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name in Consul's form; Prometheus has `_` for every `.`.
    pub name: &'static str,
    /// What it tells.
    pub help: &'static str,
}

/// Makes a metric, or the list of all.
macro_rules! define {
    ($($id:ident = $name:literal: $help:literal;)+) => {
        $(#[doc = $help] pub const $id: Metric = Metric { name: $name, help: $help };)+

        /// Every metric.
        pub const ALL: &[Metric] = &[$($id),+];
    };
}

define! {
    HEALTHY = "consul.peering.healthy":
        "Whether the peer was heard within the last two minutes (1) or not (0), by peer_id and peer_name.";
    EXPORTED_SERVICES = "consul.peering.exported_services":
        "Services that the peer was told of on its stream, by peer_id and peer_name.";
    HEALTHY_OLD = "consul.consul.peering.healthy":
        "Deprecated, the same as consul.peering.healthy.";
    EXPORTED_SERVICES_OLD = "consul.consul.peering.exported_services":
        "Deprecated, the same as consul.peering.exported_services.";
    PEERINGS = "consul.state.peerings":
        "Peerings in the store, by datacenter.";
    CONFIG_ENTRIES = "consul.state.config_entries":
        "Config entries in the store, by datacenter and kind.";
    GENERATE_TOKEN = "consul.peering.generate_token":
        "Milliseconds that issuing a token took.";
    ESTABLISH = "consul.peering.establish":
        "Milliseconds that using a token took, the exchange with the peer included.";
    READ = "consul.peering.read":
        "Milliseconds that reading a peering took.";
    LIST = "consul.peering.list":
        "Milliseconds that listing the peerings took.";
    DELETE = "consul.peering.delete":
        "Milliseconds that marking a peering for deletion took.";
    EXCHANGE_SECRET = "consul.peering.exchange_secret":
        "Milliseconds that exchanging a peer's establishment secret took.";
    HTTP = "consul.api.http":
        "Milliseconds that a request took, by method and path; the path is the endpoint, not what was asked for there.";
    STREAMS = "peering.streams":
        "Peer streams that run and are heard.";
    REFUSALS = "peering.refusals":
        "Exchanges and streams that were refused, by cause.";
    COMMITS = "peering.commits":
        "Changes of peerings and config entries that were committed.";
}

/// Our id of the peering.
pub const PEER_ID: &str = "peer_id";
/// Our name for the peer.
pub const PEER_NAME: &str = "peer_name";
/// The datacenter of this server.
pub const DATACENTER: &str = "datacenter";
/// The kind of config entry.
pub const KIND: &str = "kind";
/// The HTTP method; `OTHER` for one that HTTP does not define.
pub const METHOD: &str = "method";
/// The endpoint, such as `v1_peering_`.
pub const PATH: &str = "path";
/// Why something was refused, in one word.
pub const CAUSE: &str = "cause";

/// Quantiles of a timer that Prometheus is told; Consul's.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// Who registers; the exporter keeps no more than this.
const METADATA: Metadata<'static> = Metadata::new("peering", Level::INFO, None);

/// Labels of a series.
type Labels = Vec<(&'static str, String)>;

/// The counters and timers of a server.
pub(crate) struct Metrics {
    clock: Arc<dyn Clock>,
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    series: Mutex<BTreeMap<(&'static str, Labels), Series>>,
}

/// One counter or timer: what Prometheus sees, and what Consul's JSON shows.
struct Series {
    instrument: Instrument,
    windows: Windows,
}

enum Instrument {
    Counter(Counter),
    Timer(Histogram),
}

/// Measures until it is dropped.
pub(crate) struct Timed<'a> {
    metrics: &'a Metrics,
    metric: &'static Metric,
    begun: Instant,
}

impl Metrics {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let recorder = new_recorder();
        for Metric { name, help } in ALL {
            let name = || KeyName::from_const_str(name);
            recorder.describe_counter(name(), None, (*help).into());
            recorder.describe_histogram(name(), None, (*help).into());
        }
        Self { clock, handle: recorder.handle(), recorder, series: Mutex::default() }
    }

    /// Counts one.
    pub(crate) fn count(&self, metric: &'static Metric, labels: &[(&'static str, &str)]) {
        self.observe(metric, labels, 1.0, |recorder, key| {
            Instrument::Counter(recorder.register_counter(key, &METADATA))
        });
    }

    /// Notes how long something took.
    pub(crate) fn took(&self, metric: &'static Metric, labels: &[(&'static str, &str)], time: Duration) {
        let milliseconds = time.as_secs_f64() * 1_000.0;
        self.observe(metric, labels, milliseconds, |recorder, key| {
            Instrument::Timer(recorder.register_histogram(key, &METADATA))
        });
    }

    /// Begins to measure; what was measured counts when the result is dropped.
    #[must_use = "it measures until it is dropped"]
    pub(crate) fn time(&self, metric: &'static Metric) -> Timed<'_> {
        Timed { metrics: self, metric, begun: now() }
    }

    fn observe(
        &self,
        metric: &'static Metric,
        labels: &[(&'static str, &str)],
        value: f64,
        register: impl FnOnce(&PrometheusRecorder, &Key) -> Instrument,
    ) {
        let labels: Labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = series.len() >= METRIC_SERIES_MAX;
        let key = (metric.name, labels);
        if is_full && !series.contains_key(&key) {
            return;
        }
        let found = series.entry(key).or_insert_with_key(|(name, labels)| {
            let instrument = register(&self.recorder, &key_of(name, labels));
            Series { instrument, windows: Windows::default() }
        });
        found.windows.add(value, self.clock.now());
        match &found.instrument {
            Instrument::Counter(counter) => counter.increment(1),
            Instrument::Timer(timer) => timer.record(value),
        }
    }

    /// Puts together what was observed and what was measured just now.
    pub(crate) fn report(&self, gauges: Vec<Gauge>) -> Report {
        let now = self.clock.now();
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut counters, mut samples) = (Vec::new(), Vec::new());
        for ((name, labels), Series { instrument, windows }) in series.iter() {
            let Some(window) = windows.shown(now) else { continue };
            let list = match instrument {
                Instrument::Counter(_) => &mut counters,
                Instrument::Timer(_) => &mut samples,
            };
            list.push((*name, labels.clone(), window));
        }
        drop(series);
        Report { at: window::begin_of_shown(now), gauges, counters, samples, text: self.handle.render() }
    }

    /// Moves what timers have observed out of their buffers, which nothing else bounds if nobody looks.
    pub(crate) fn tidy(&self) {
        self.handle.run_upkeep();
    }
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        self.metrics.took(self.metric, &[], now().saturating_duration_since(self.begun));
    }
}

/// The time that timers measure by: tokio's, so that tests can move it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn new_recorder() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new();
    // Quantiles between 0 and 1 are accepted; with others the exporter's own are as good.
    let with_quantiles = builder.set_quantiles(&QUANTILES);
    with_quantiles.map(PrometheusBuilder::build_recorder).unwrap_or_else(|_| PrometheusBuilder::new().build_recorder())
}

fn key_of(name: &'static str, labels: &Labels) -> Key {
    let labels = labels.iter().map(|(name, value)| Label::new(*name, value.clone()));
    Key::from_parts(name, labels.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
