//! Reads that wait for a change (blocking queries).

use std::time::{Duration, Instant};

use peering_tests::cluster::{Cluster, STATE_WITHIN, peer_with};
use peering_tests::eventually::eventually;
use peering_tests::http::{Answer, Http};
use peering_tests::link::Link;
use peering_tests::usage::{descriptors, memory_bytes_max, open_files_at_least};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A wait that no test sees the end of.
const LONG: &str = "wait=300s";
/// A wait that tests see the end of, and what chance may add to it.
const SHORT: Duration = Duration::from_millis(320);
/// More than a write takes to be heard of on a busy machine, and far less than a long wait.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Returns the index of an answer.
fn index(answer: &Answer) -> u64 {
    answer.header("x-consul-index").unwrap().parse().unwrap()
}

/// Asks for something newer than an index, in a task of its own.
fn wait(http: &Http, path: &str, index: u64, wait: &str) -> JoinHandle<Answer> {
    let (http, path) = (http.clone(), format!("{path}?index={index}&{wait}"));
    tokio::spawn(async move { http.get(&path).await })
}

/// Returns the answer of a request that should be answered by now.
async fn woken(waiting: JoinHandle<Answer>) -> Answer {
    timeout(AT_ONCE, waiting).await.expect("nobody woke it").unwrap()
}

/// Sees to it that a request waits: it has had more time than it takes to be answered.
async fn still_waits(waiting: &mut JoinHandle<Answer>) {
    assert!(timeout(SHORT, &mut *waiting).await.is_err(), "it was answered");
}

async fn index_of(cluster: &Cluster, path: &str) -> u64 {
    index(&cluster.http().get(path).await)
}

#[tokio::test]
async fn api_case_24_a_read_waits_for_a_change_or_for_its_time() {
    let cluster = Cluster::start("dc1").await;
    cluster.generate("c2").await;
    for path in ["/v1/peering/c2", "/v1/peerings"] {
        let now = index_of(&cluster, path).await;
        let begun = Instant::now();
        let answer = cluster.http().get(&format!("{path}?index={now}&wait=1s")).await;
        let waited = begun.elapsed();
        assert_eq!((answer.status, index(&answer)), (200, now));
        assert!(waited >= Duration::from_secs(1) && waited < Duration::from_millis(1_500), "{waited:?}");

        let waiting = wait(cluster.http(), path, now, LONG);
        cluster.generate("c2").await;
        let answer = woken(waiting).await;
        assert!(index(&answer) > now, "{path}");
        assert_eq!(answer.body, cluster.http().get(path).await.body);
    }
}

#[tokio::test]
async fn api_case_25_a_stream_that_drops_wakes_nobody_and_one_that_comes_back_does() {
    let (acceptor, dialer) = tokio::join!(Cluster::start("dc1"), Cluster::start("dc2"));
    let link = Link::to(acceptor.peer_address()).await;
    let token = acceptor.generate_over("dc2", link.address()).await;
    peer_with(&acceptor, &dialer, &token).await;
    let mut crowd = Vec::new();
    for (cluster, path) in [(&acceptor, "/v1/peering/dc2"), (&acceptor, "/v1/peerings"), (&dialer, "/v1/peering/dc1")] {
        // What a stream stores as it begins has been stored when nothing more comes for a while.
        let mut now = index_of(cluster, path).await;
        loop {
            let answer = cluster.http().get(&format!("{path}?index={now}&wait=300ms")).await;
            if index(&answer) == now {
                break;
            }
            now = index(&answer);
        }
        crowd.push((now, wait(cluster.http(), path, now, LONG)));
    }
    link.hold(link.seen());
    link.cut();
    acceptor.reaches("dc2", "FAILING").await;
    dialer.reaches("dc1", "FAILING").await;
    for (_, waiting) in &mut crowd {
        still_waits(waiting).await;
    }
    link.release();
    acceptor.reaches("dc2", "ACTIVE").await;
    for (before, waiting) in crowd {
        assert!(index(&woken(waiting).await) > before);
    }
}

#[tokio::test]
async fn api_case_26_a_bad_value_is_refused_with_its_text_alone() {
    let cluster = Cluster::start("dc1").await;
    cluster.generate("c2").await;
    for path in ["/v1/peering/c2", "/v1/peering/nope", "/v1/peerings", "/v1/status/leader"] {
        for (query, text) in [
            ("wait=zz", "Invalid wait time"),
            ("wait=10", "Invalid wait time"),
            ("index=zz", "Invalid index"),
            ("index=-1&wait=1s", "Invalid index"),
            ("max_stale=x", r#"Invalid max_stale value "x""#),
            ("stale&consistent", "Cannot specify ?stale with ?consistent, conflicting semantics."),
            ("cached&consistent", "Cannot specify ?cached with ?consistent, conflicting semantics."),
        ] {
            cluster.http().get(&format!("{path}?{query}")).await.refuses(400, text);
        }
        let answer = cluster.http().send(Method::GET, path, &[("cache-control", "max-age=zz")], "").await;
        answer.refuses(400, "Invalid Cache-Control header.");
    }
    // A partition is refused first, and what is no read has no such parameters.
    let partition = "Invalid query parameter: \"partition\" - Partitions are a Consul Enterprise feature";
    cluster.http().get("/v1/peerings?wait=zz&partition=x").await.refuses(400, partition);
    let _ = cluster.http().post("/v1/peering/token?wait=zz&index=zz", r#"{"PeerName":"c2"}"#).await.accepts();
    assert_eq!(cluster.http().delete("/v1/peering/nope?wait=zz").await.status, 200);
}

#[tokio::test]
async fn api_case_27_what_real_clients_send_is_accepted() {
    let cluster = Cluster::start("dc1").await;
    for name in ["c2", "c3"] {
        cluster.generate(name).await;
    }
    let plain = cluster.http().get("/v1/peerings").await;
    for query in ["stale=&wait=300000ms&index=1", "consistent&dc=dc9", "cached", "max_stale=5s", "near=_agent&filter=x"]
    {
        let answer = cluster.http().get(&format!("/v1/peerings?{query}")).await;
        assert_eq!((answer.accepts(), index(&answer)), (plain.json(), index(&plain)), "{query}");
        assert_eq!(answer.header_names(), plain.header_names());
    }
}

#[tokio::test]
async fn who_waits_for_a_peer_that_is_not_there_hears_when_it_is_and_of_no_other() {
    let cluster = Cluster::start("dc1").await;
    cluster.generate("c2").await;
    let now = index_of(&cluster, "/v1/peerings").await;
    let mut waiting = wait(cluster.http(), "/v1/peering/New", now, LONG);
    still_waits(&mut waiting).await;
    for name in ["c3", "c2"] {
        cluster.generate(name).await;
        still_waits(&mut waiting).await;
    }
    cluster.generate("new").await;
    let answer = woken(waiting).await;
    assert_eq!((answer.accepts(), index(&answer) > now), (cluster.read("new").await, true));
}

#[tokio::test]
async fn a_wait_for_a_peer_that_does_not_come_ends_in_a_not_found() {
    let cluster = Cluster::start("dc1").await;
    cluster.generate("c2").await;
    let now = index_of(&cluster, "/v1/peerings").await;
    for name in ["nope", "no_name"] {
        let begun = Instant::now();
        let answer = wait(cluster.http(), &format!("/v1/peering/{name}"), now, "wait=320ms").await.unwrap();
        answer.refuses(404, &format!("Peering not found for {name:?}"));
        assert!(begun.elapsed() >= SHORT);
        // Behind the last change there is nothing to wait for.
        let answer = woken(wait(cluster.http(), &format!("/v1/peering/{name}"), now - 1, LONG)).await;
        assert_eq!(answer.status, 404);
    }
}

#[tokio::test]
async fn a_peering_wakes_whoever_waits_for_it_and_the_list_wakes_for_all() {
    let cluster = Cluster::start("dc1").await;
    for name in ["a", "b"] {
        cluster.generate(name).await;
    }
    let (one, all) = (index_of(&cluster, "/v1/peering/a").await, index_of(&cluster, "/v1/peerings").await);
    assert!(one < all);
    // At an index of the list, above its own, a peering waits for its own next change.
    let mut of_one = wait(cluster.http(), "/v1/peering/a", all, LONG);
    still_waits(&mut of_one).await;
    let of_all = wait(cluster.http(), "/v1/peerings", all, LONG);
    cluster.generate("b").await;
    assert!(index(&woken(of_all).await) > all);
    still_waits(&mut of_one).await;
    cluster.generate("a").await;
    assert!(index(&woken(of_one).await) > all);
}

#[tokio::test]
async fn a_deletion_wakes_twice_for_the_mark_and_for_the_end() {
    let cluster = Cluster::start("dc1").await;
    cluster.generate("a").await;
    let now = index_of(&cluster, "/v1/peerings").await;
    let (one, all) =
        (wait(cluster.http(), "/v1/peering/a", now, LONG), wait(cluster.http(), "/v1/peerings", now, LONG));
    cluster.delete("a").await;
    let one = woken(one).await;
    assert!(one.status == 404 || one.json()["State"] == "DELETING", "{}", one.body);
    let mut listed = woken(all).await;
    while listed.body != "[]" {
        assert_eq!(listed.json()[0]["State"], "DELETING");
        listed = woken(wait(cluster.http(), "/v1/peerings", index(&listed), LONG)).await;
    }
    assert!(index(&listed) > now, "the end of the last one counts too");
}

#[tokio::test]
async fn an_index_above_the_present_waits_for_its_time_and_shows_what_is_there_then() {
    let cluster = Cluster::start("dc1").await;
    cluster.generate("a").await;
    let begun = Instant::now();
    let waiting = wait(cluster.http(), "/v1/peering/a", u64::MAX, "wait=320ms");
    cluster.generate("a").await;
    let answer = waiting.await.unwrap();
    assert!(begun.elapsed() >= SHORT);
    assert_eq!(answer.accepts(), cluster.read("a").await);
    assert_eq!(index(&answer), answer.json()["ModifyIndex"].as_u64().unwrap());
}

#[tokio::test]
async fn a_shutdown_ends_every_wait_at_once() {
    let mut cluster = Cluster::start("dc1").await;
    cluster.generate("a").await;
    let now = index_of(&cluster, "/v1/peerings").await;
    let mut crowd = Vec::new();
    for path in ["/v1/peering/a", "/v1/peerings", "/v1/peering/nope"] {
        let mut waiting = wait(cluster.http(), path, now, LONG);
        still_waits(&mut waiting).await;
        crowd.push(waiting);
    }
    let begun = Instant::now();
    cluster.stop().await;
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    let statuses: Vec<u16> =
        tokio_stream::StreamExt::collect(tokio_stream::StreamExt::then(tokio_stream::iter(crowd), async |waiting| {
            waiting.await.unwrap().status
        }))
        .await;
    assert_eq!(statuses, [200, 200, 404]);
}

#[tokio::test]
async fn a_client_that_hangs_up_gives_its_place_back() {
    let cluster = Cluster::start_changed("dc1", |config| config.http_max_connections = 1).await;
    let http = Http::new(cluster.http().address());
    eventually(STATE_WITHIN, async || {
        http.try_send(Method::POST, "/v1/peering/token", &[("connection", "close")], r#"{"PeerName":"a"}"#)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    })
    .await;
    for _ in 0..3 {
        let waiting = eventually(STATE_WITHIN, async || {
            // The only place is free as soon as whoever had it is gone.
            let mut waiting = wait(&Http::new(cluster.http().address()), "/v1/peering/a", u64::MAX, LONG);
            match timeout(SHORT, &mut waiting).await {
                Err(_) => Ok(waiting),
                Ok(_) => Err("there is no place".to_owned()),
            }
        })
        .await;
        let refused = Http::new(cluster.http().address()).try_send(Method::GET, "/v1/peerings", &[], "").await;
        assert!(refused.is_err(), "the only place is taken: {refused:?}");
        waiting.abort();
    }
    eventually(STATE_WITHIN, async || {
        let answer = Http::new(cluster.http().address()).try_send(Method::GET, "/v1/peerings", &[], "").await;
        answer.map(drop).map_err(|error| error.to_string())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs 12,000 open files and a process of its own"]
async fn five_thousand_clients_that_wait_on_one_index_are_woken_by_one_write_within_bounds() {
    const CROWD: usize = 5_000;
    /// Both ends of a connection, and what its request keeps, with room to spare.
    const BYTES_EACH_MAX: usize = 64 << 10;
    open_files_at_least(12_000);
    let cluster = Cluster::start("dc1").await;
    cluster.generate("a").await;
    let now = index_of(&cluster, "/v1/peerings").await;
    let (files, memory) = (descriptors(std::process::id()), memory_bytes_max(std::process::id()));
    let address = cluster.http().address();
    let request = format!("GET /v1/peerings?index={now}&wait=600s HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut crowd = Vec::with_capacity(CROWD);
    for _ in 0..CROWD {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        crowd.push(stream);
    }
    // Somebody else is served meanwhile, and none of the crowd is answered.
    assert_eq!(cluster.http().get("/v1/peering/a").await.status, 200);
    tokio::time::sleep(SHORT).await;
    let waits = |stream: &TcpStream| matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(crowd.iter().all(waits));
    let waiting = memory_bytes_max(std::process::id()) - memory;
    let begun = Instant::now();
    cluster.generate("a").await;
    let newer = format!("X-Consul-Index: {}\r\n", index_of(&cluster, "/v1/peerings").await);
    for stream in &mut crowd {
        let mut answer = [0; 4_096];
        let length = timeout(STATE_WITHIN, stream.read(&mut answer)).await.expect("woken").unwrap();
        assert!(String::from_utf8_lossy(&answer[..length]).contains(&newer));
    }
    let woken = memory_bytes_max(std::process::id()) - memory;
    println!(
        "{CROWD} clients waited in {} KiB each, were woken in {:?}, and took {} KiB each at most",
        (waiting / CROWD) >> 10,
        begun.elapsed(),
        (woken / CROWD) >> 10
    );
    assert!(woken < CROWD * BYTES_EACH_MAX, "{woken} bytes for {CROWD}");
    drop(crowd);
    eventually(STATE_WITHIN, async || {
        let left = descriptors(std::process::id());
        if left <= files { Ok(()) } else { Err(format!("{left} files are open, {files} before")) }
    })
    .await;
}
