//! One look at the metrics, in both of its forms.

use std::collections::BTreeMap;

use jiff::Timestamp;
use metrics::{KeyName, Recorder};
use serde::{Serialize, Serializer};

use super::window::Window;
use super::{Labels, METADATA, Metric, key_of, new_recorder};

/// Whole numbers below this are exact as floats.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

/// A number that was measured just now.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    metric: &'static Metric,
    labels: Labels,
    value: f64,
}

/// Everything there is to see.
pub struct Report {
    pub(super) at: Timestamp,
    pub(super) gauges: Vec<Gauge>,
    pub(super) counters: Vec<(&'static str, Labels, Window)>,
    pub(super) samples: Vec<(&'static str, Labels, Window)>,
    pub(super) text: String,
}

impl Gauge {
    /// Makes one.
    #[must_use]
    pub fn new<const N: usize>(metric: &'static Metric, labels: [(&'static str, String); N], value: f64) -> Self {
        Self { metric, labels: labels.into(), value }
    }
}

impl Report {
    /// Prints it as Prometheus reads it.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let recorder = new_recorder();
        for Gauge { metric, labels, value } in &self.gauges {
            recorder.describe_gauge(KeyName::from_const_str(metric.name), None, metric.help.into());
            recorder.register_gauge(&key_of(metric.name, labels), &METADATA).set(*value);
        }
        recorder.handle().render() + &self.text
    }

    /// Returns it in the shape of Consul's JSON.
    #[must_use]
    pub fn consul(&self) -> Consul<'_> {
        let point = |gauge: &'_ Gauge| (gauge.metric.name, gauge.labels.clone(), gauge.value);
        let mut gauges: Vec<_> = self.gauges.iter().map(point).collect();
        gauges.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        let gauge = |(name, labels, value)| Point { name, value: Figure(value), labels: map(labels) };
        let sums = |list: &'_ [(&'static str, Labels, Window)]| -> Vec<Sums> {
            list.iter().map(|(name, labels, window)| sums(name, labels.clone(), window)).collect()
        };
        Consul {
            timestamp: self.at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
            gauges: gauges.into_iter().map(gauge).collect(),
            points: &[],
            counters: sums(&self.counters),
            samples: sums(&self.samples),
        }
    }
}

/// What `GET /v1/agent/metrics` answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Consul<'a> {
    timestamp: String,
    gauges: Vec<Point>,
    points: &'a [Point],
    counters: Vec<Sums>,
    samples: Vec<Sums>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Point {
    name: &'static str,
    value: Figure,
    labels: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sums {
    name: &'static str,
    count: u32,
    rate: Figure,
    sum: Figure,
    min: Figure,
    max: Figure,
    mean: Figure,
    stddev: Figure,
    labels: BTreeMap<&'static str, String>,
}

fn sums(name: &'static str, labels: Labels, window: &Window) -> Sums {
    Sums {
        name,
        count: window.count,
        rate: Figure(window.rate()),
        sum: Figure(window.sum),
        min: Figure(window.min),
        max: Figure(window.max),
        mean: Figure(window.mean()),
        stddev: Figure(window.deviation()),
        labels: map(labels),
    }
}

fn map(labels: Labels) -> BTreeMap<&'static str, String> {
    labels.into_iter().collect()
}

/// A number that is printed without a point if it is whole, as Go prints it.
struct Figure(f64);

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < EXACT_BELOW {
            let whole = self.0 as i64;
            serializer.serialize_i64(whole)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}
