//! What is measured when somebody looks: the gauges, and refusals as they happen.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use peering_core::config_entry::Kind;
use peering_core::peering::state::Liveness;
use peering_core::peering::{Peering, Stored};
use peering_core::peerstream::HEARTBEAT_TIMEOUT;

use super::refusals::Refused;
use super::status::StreamReport;
use super::{Service, ServiceError};
use crate::metrics::{self, Gauge, Report};

impl Service {
    /// Counts one refusal; returns how many of this kind there were since the last line in the log if one is due now.
    pub(crate) fn note_refusal(&self, refused: Refused) -> Option<u64> {
        let Refused { source, cause, .. } = refused;
        self.metrics.count(&metrics::REFUSALS, &[(metrics::CAUSE, cause)]);
        self.tally(refused);
        self.refusals.note(source, cause)
    }

    /// Counts one refusal for the audit trail, if there is one.
    pub(crate) fn tally(&self, refused: Refused) {
        if self.outbox.is_audited() {
            self.tallies.note(refused, self.clock.now());
        }
    }

    /// Measures everything.
    ///
    /// # Errors
    /// [`ServiceError`] if the store fails.
    pub(crate) async fn report(&self) -> Result<Report, ServiceError> {
        Ok(self.metrics.report(self.gauges().await?))
    }

    async fn gauges(&self) -> Result<Vec<Gauge>, ServiceError> {
        let mut gauges = Vec::new();
        let datacenter = self.cluster.datacenter().as_str();
        let peerings = self.view_all().await?.value;
        let mut streams = 0;
        for view in &peerings {
            let labels = [
                (metrics::PEER_ID, view.peering.local_id.to_string()),
                (metrics::PEER_NAME, view.peering.name.to_string()),
            ];
            streams += usize::from(view.stream.as_ref().is_some_and(|report| report.liveness == Liveness::Live));
            let healthy = f64::from(u8::from(self.is_healthy(&view.peering, view.stream.as_ref())));
            gauges.push(Gauge::new(&metrics::HEALTHY, labels.clone(), healthy));
            gauges.push(Gauge::new(&metrics::HEALTHY_OLD, labels.clone(), healthy));
            if let Some(report) = &view.stream {
                let exported = count(report.exported_services.len());
                gauges.push(Gauge::new(&metrics::EXPORTED_SERVICES, labels.clone(), exported));
                gauges.push(Gauge::new(&metrics::EXPORTED_SERVICES_OLD, labels, exported));
            }
        }
        let here = (metrics::DATACENTER, datacenter.to_owned());
        gauges.push(Gauge::new(&metrics::PEERINGS, [here.clone()], count(peerings.len())));
        gauges.push(Gauge::new(&metrics::STREAMS, [], count(streams)));
        let mut entries: BTreeMap<&str, usize> = Kind::KEPT.map(|kind| (kind.as_str(), 0)).into();
        for view in self.config_entries().await?.value {
            *entries.entry(view.entry.kind().as_str()).or_default() += 1;
        }
        for (kind, number) in entries {
            let labels = [here.clone(), (metrics::KIND, kind.to_owned())];
            gauges.push(Gauge::new(&metrics::CONFIG_ENTRIES, labels, count(number)));
        }
        Ok(gauges)
    }

    /// Says whether a peer was heard within the time that a heartbeat may take, whoever dials whom.
    ///
    /// A stream that was lost and comes back within that time is no alarm, as in Consul.
    fn is_healthy(&self, peering: &Peering, stream: Option<&StreamReport>) -> bool {
        let is_over = matches!(peering.state, Stored::Deleting | Stored::Terminated);
        let limit = SignedDuration::try_from(HEARTBEAT_TIMEOUT).unwrap_or(SignedDuration::MAX);
        let is_recent = |report: &StreamReport| {
            report.last_receive.is_some_and(|heard| self.clock.now().duration_since(heard) <= limit)
        };
        !is_over && stream.is_some_and(|report| report.liveness == Liveness::Live || is_recent(report))
    }
}

/// A float is exact up to 2^53, and nobody has so many of anything here.
fn count(number: usize) -> f64 {
    number as f64
}
