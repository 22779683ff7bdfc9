//! Metrics, in both forms and of one server each.

use std::sync::Arc;
use std::time::Duration;

use peering_server::clock::ManualClock;
use peering_server::metrics;
use peering_tests::cluster::{Cluster, STATE_WITHIN, peer};
use peering_tests::eventually::eventually;
use serde_json::Value;

/// Returns the value of this line of Prometheus' text.
fn value<'a>(text: &'a str, series: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

async fn text(cluster: &Cluster) -> String {
    let answer = cluster.http().get("/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    answer.body
}

#[tokio::test]
async fn gauges_tell_the_truth_on_both_sides_and_go_with_their_peering() {
    let (mut acceptor, dialer) = tokio::join!(Cluster::start("dc1"), Cluster::start("dc2"));
    acceptor.generate("never").await;
    peer(&acceptor, &dialer).await;
    acceptor.export(&[("web", &["dc2"]), ("api", &["dc2"])]).await;
    let labels = async |cluster: &Cluster, name: &str| {
        format!("{{peer_id={},peer_name=\"{name}\"}}", cluster.read(name).await["ID"])
    };
    let (to_dialer, to_acceptor) = (labels(&acceptor, "dc2").await, labels(&dialer, "dc1").await);
    eventually(STATE_WITHIN, async || {
        let text = text(&acceptor).await;
        let exported = value(&text, &format!("consul_peering_exported_services{to_dialer}")) == Some("2");
        if exported { Ok(()) } else { Err(text) }
    })
    .await;
    let (seen, other) = (text(&acceptor).await, text(&dialer).await);
    for name in ["consul_peering_healthy", "consul_consul_peering_healthy"] {
        assert_eq!(value(&seen, &format!("{name}{to_dialer}")), Some("1"), "{seen}");
        assert_eq!(value(&other, &format!("{name}{to_acceptor}")), Some("1"), "{other}");
    }
    let never = labels(&acceptor, "never").await;
    assert_eq!(value(&seen, &format!("consul_peering_healthy{never}")), Some("0"));
    assert_eq!(value(&seen, &format!("consul_peering_exported_services{never}")), None, "there was no stream");
    assert_eq!(value(&seen, "consul_state_peerings{datacenter=\"dc1\"}"), Some("2"));
    assert_eq!(value(&other, "consul_state_peerings{datacenter=\"dc2\"}"), Some("1"));
    let entries = |kind: &str| format!("consul_state_config_entries{{datacenter=\"dc1\",kind=\"{kind}\"}}");
    assert_eq!(value(&seen, &entries("exported-services")), Some("1"));
    assert_eq!(value(&seen, &entries("mesh")), Some("0"));
    assert_eq!((value(&seen, "peering_streams"), value(&other, "peering_streams")), (Some("1"), Some("1")));

    acceptor.delete("dc2").await;
    let seen = text(&acceptor).await;
    assert!(!seen.contains("peer_name=\"dc2\""), "{seen}");
    dialer.reaches("dc1", "TERMINATED").await;
    assert_eq!(value(&text(&dialer).await, &format!("consul_peering_healthy{to_acceptor}")), Some("0"));
    acceptor.stop().await;
}

#[tokio::test]
async fn a_peer_is_healthy_until_it_was_silent_for_two_minutes() {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let (acceptor, mut dialer) = tokio::join!(Cluster::start_at("dc1", &clock), Cluster::start_at("dc2", &clock));
    peer(&acceptor, &dialer).await;
    dialer.stop().await;
    acceptor.reaches("dc2", "FAILING").await;
    let healthy = async || {
        let text = text(&acceptor).await;
        let line = text.lines().find(|line| line.starts_with("consul_peering_healthy{")).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(healthy().await, "1", "it may come back");
    clock.advance(Duration::from_secs(121));
    assert_eq!(healthy().await, "0");
}

#[tokio::test]
async fn operations_and_requests_are_timed_under_names_of_bounded_number() {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let (cluster, dialer) = tokio::join!(Cluster::start_at("dc1", &clock), Cluster::start_at("dc2", &clock));
    let token = cluster.generate("dc2").await;
    assert_eq!(dialer.establish("dc1", &token).await.accepts(), serde_json::json!({}));
    dialer
        .establish("dc3", &token)
        .await
        .refuses(403, "a new peering token must be generated: invalid peering establishment secret");
    for path in
        ["/v1/peerings", "/v1/peering/dc2", "/v1/peering/a", "/v1/peering/b%2Fc", "/v1/nothing/x", "/v1/config/a/b"]
    {
        cluster.http().get(path).await;
    }
    let odd = reqwest::Method::from_bytes(b"PURGE").unwrap();
    cluster.http().ask(odd, "/v1/peerings").await;
    let seen = text(&cluster).await;
    for (series, count) in [
        ("consul_peering_generate_token_count", "1"),
        ("consul_peering_list_count", "1"),
        ("consul_peering_read_count", "3"),
        ("consul_peering_exchange_secret_count", "2"),
        ("consul_api_http_count{method=\"GET\",path=\"v1_peering_\"}", "3"),
        ("consul_api_http_count{method=\"GET\",path=\"v1_config_\"}", "1"),
        ("consul_api_http_count{method=\"OTHER\",path=\"v1_peerings\"}", "1"),
        ("consul_api_http_count{method=\"POST\",path=\"v1_peering_token\"}", "1"),
        ("peering_refusals{cause=\"spent\"}", "1"),
    ] {
        assert_eq!(value(&seen, series), Some(count), "{series} in\n{seen}");
    }
    assert!(!seen.contains("nothing"), "a path that is no endpoint is no label");
    assert!(value(&seen, "peering_commits").is_some_and(|count| count.parse::<u32>().unwrap() >= 2));
    assert_eq!(value(&text(&dialer).await, "consul_peering_establish_count"), Some("2"));

    // The same ten seconds, in Consul's shape, once they are over.
    clock.advance(Duration::from_secs(10));
    let json = cluster.http().get("/v1/agent/metrics").await.accepts();
    assert_eq!(json["Timestamp"], "2026-01-01 00:00:00 +0000 UTC");
    assert_eq!(json["Points"], serde_json::json!([]));
    let find = |list: &str, name: &str| -> Value {
        let found = json[list].as_array().unwrap().iter().find(|point| point["Name"] == name).cloned();
        found.unwrap_or_else(|| panic!("no {name} in {json:#}"))
    };
    assert_eq!(find("Samples", "consul.peering.read")["Count"], 3);
    assert_eq!(find("Counters", "peering.refusals")["Labels"], serde_json::json!({ "cause": "spent" }));
    assert_eq!(find("Gauges", "consul.state.peerings")["Value"], 1);
    let prometheus = cluster.http().get("/v1/agent/metrics?format=prometheus").await;
    assert_eq!(prometheus.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(prometheus.body.contains("# TYPE consul_api_http summary\n"));
}

#[tokio::test]
async fn every_metric_that_is_shown_is_one_that_is_documented() {
    let (acceptor, dialer) = tokio::join!(Cluster::start("dc1"), Cluster::start("dc2"));
    peer(&acceptor, &dialer).await;
    let seen = text(&acceptor).await + &text(&dialer).await;
    let known: Vec<String> = metrics::ALL.iter().map(|metric| metric.name.replace('.', "_")).collect();
    for line in seen.lines().filter(|line| line.starts_with("# ")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(known.iter().any(|known| known == name), "{line}");
    }
    // Nobody was refused, and nobody asked for a list.
    let unseen = [&metrics::REFUSALS, &metrics::LIST, &metrics::DELETE];
    for metric in metrics::ALL.iter().filter(|metric| !unseen.contains(metric)) {
        assert!(seen.contains(metric.help), "{metric:?}");
    }
}
