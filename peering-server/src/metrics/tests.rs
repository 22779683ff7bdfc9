//! One registry alone.

use jiff::Timestamp;

use super::*;
use crate::clock::ManualClock;

fn registry() -> (Metrics, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_second(1_000).unwrap()));
    (Metrics::new(Arc::clone(&clock) as _), clock)
}

#[test]
fn every_metric_has_a_name_of_its_own_and_a_sentence() {
    for (at, metric) in ALL.iter().enumerate() {
        assert!(metric.help.ends_with('.'), "{metric:?}");
        assert!(metric.name.starts_with("consul.") || metric.name.starts_with("peering."), "{metric:?}");
        assert!(ALL[..at].iter().all(|other| other.name != metric.name), "{metric:?} is there twice");
    }
}

#[test]
fn both_forms_tell_the_same_observations() {
    let (metrics, clock) = registry();
    let labels = [(METHOD, "GET"), (PATH, "v1_peerings")];
    metrics.took(&HTTP, &labels, Duration::from_millis(2));
    metrics.took(&HTTP, &labels, Duration::from_millis(4));
    metrics.count(&REFUSALS, &[(CAUSE, "spent")]);
    clock.advance(Duration::from_secs(10));
    let gauge = Gauge::new(&HEALTHY, [(PEER_NAME, "a\"b\\c\nd".to_owned())], 1.0);
    let report = metrics.report(vec![gauge, Gauge::new(&STREAMS, [], 2.5)]);
    assert_eq!(
        serde_json::to_string(&report.consul()).unwrap(),
        r#"{"Timestamp":"1970-01-01 00:16:40 +0000 UTC","Gauges":[{"Name":"consul.peering.healthy","Value":1,"Labels":{"peer_name":"a\"b\\c\nd"}},{"Name":"peering.streams","Value":2.5,"Labels":{}}],"Points":[],"Counters":[{"Name":"peering.refusals","Count":1,"Rate":0.1,"Sum":1,"Min":1,"Max":1,"Mean":1,"Stddev":0,"Labels":{"cause":"spent"}}],"Samples":[{"Name":"consul.api.http","Count":2,"Rate":0.6,"Sum":6,"Min":2,"Max":4,"Mean":3,"Stddev":1.4142135623730951,"Labels":{"method":"GET","path":"v1_peerings"}}]}"#
    );
    let text = report.prometheus();
    for line in [
        "# TYPE consul_peering_healthy gauge",
        r#"consul_peering_healthy{peer_name="a\"b\\c\nd"} 1"#,
        "# TYPE consul_api_http summary",
        r#"consul_api_http_sum{method="GET",path="v1_peerings"} 6"#,
        r#"consul_api_http_count{method="GET",path="v1_peerings"} 2"#,
        "# TYPE peering_refusals counter",
        r#"peering_refusals{cause="spent"} 1"#,
        "peering_streams 2.5",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.contains(r#"consul_api_http{method="GET",path="v1_peerings",quantile="0.99"} "#), "{text}");
}

#[test]
fn a_gauge_is_gone_with_what_it_tells_about() {
    let (metrics, _) = registry();
    let gauge = Gauge::new(&HEALTHY, [(PEER_NAME, "a".to_owned())], 1.0);
    assert!(metrics.report(vec![gauge]).prometheus().contains("consul_peering_healthy"));
    assert!(!metrics.report(vec![]).prometheus().contains("consul_peering_healthy"));
}

#[test]
fn a_timer_that_is_dropped_has_measured() {
    let (metrics, clock) = registry();
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
        let timed = metrics.time(&READ);
        tokio::time::advance(Duration::from_millis(7)).await;
        drop(timed);
    });
    clock.advance(Duration::from_secs(10));
    let report = metrics.report(vec![]);
    let json = serde_json::to_value(report.consul()).unwrap();
    assert_eq!((&json["Samples"][0]["Name"], &json["Samples"][0]["Sum"]), (&"consul.peering.read".into(), &7.into()));
}

#[test]
fn series_are_bounded_and_those_that_are_there_go_on() {
    let (metrics, _) = registry();
    for number in 0..METRIC_SERIES_MAX + 10 {
        metrics.count(&REFUSALS, &[(CAUSE, &number.to_string())]);
    }
    metrics.count(&REFUSALS, &[(CAUSE, "0")]);
    let text = metrics.report(vec![]).prometheus();
    assert_eq!(text.lines().filter(|line| line.starts_with("peering_refusals{")).count(), METRIC_SERIES_MAX);
    assert!(text.contains("peering_refusals{cause=\"0\"} 2\n"));
}

#[test]
fn two_registries_know_nothing_of_each_other() {
    let ((one, _), (other, _)) = (registry(), registry());
    one.count(&COMMITS, &[]);
    assert!(one.report(vec![]).prometheus().contains("peering_commits 1"));
    assert!(!other.report(vec![]).prometheus().contains("peering_commits 1"));
}
