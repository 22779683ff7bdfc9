//! Answers that are compressed for those who take gzip.

use std::io::Read;

use flate2::read::GzDecoder;
use peering_tests::cluster::Cluster;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Least bytes that are compressed.
const COMPRESSED_FROM: usize = 1_400;

/// Asks for the list, and returns the head of the answer in lower case, and the body as it came.
///
/// A client of HTTP/1.0 is sent no chunks.
async fn list(cluster: &Cluster, accept: Option<&str>) -> (String, Vec<u8>) {
    let address = cluster.http().address();
    let accept = accept.map(|value| format!("Accept-Encoding: {value}\r\n")).unwrap_or_default();
    let request = format!("GET /v1/peerings HTTP/1.0\r\nHost: {address}\r\n{accept}\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap().to_lowercase(), body)
}

/// Starts a cluster whose list has so many bytes more than the shortest one with three pairs of metadata.
async fn padded(mut padding: usize) -> Cluster {
    let cluster = Cluster::start("dc1").await;
    let mut meta = serde_json::Map::new();
    for key in ["a", "b", "c"] {
        // The most that one value takes, of which one byte is there in any case.
        let more = padding.min(511);
        padding -= more;
        meta.insert(key.to_owned(), json!("x".repeat(1 + more)));
    }
    assert_eq!(padding, 0);
    cluster.generate_with(json!({ "PeerName": "c2", "Meta": meta })).await;
    cluster
}

#[tokio::test]
async fn an_answer_of_1400_bytes_is_compressed_for_who_takes_gzip_and_no_shorter_one_is() {
    let shortest = list(&padded(0).await, None).await.1.len();
    for (bytes, is_compressed) in [(COMPRESSED_FROM - 1, false), (COMPRESSED_FROM, true)] {
        let cluster = padded(bytes - shortest).await;
        let (head, plain) = list(&cluster, None).await;
        assert_eq!(plain.len(), bytes);
        assert!(!head.contains("content-encoding") && head.contains(&format!("\r\ncontent-length: {bytes}\r\n")));
        let (head, body) = list(&cluster, Some("gzip")).await;
        assert_eq!(head.contains("\r\ncontent-encoding: gzip\r\n"), is_compressed, "{head}");
        assert_eq!(head.matches("\r\nvary: accept-encoding\r\n").count(), 1, "{head}");
        assert!(head.contains("\r\nx-consul-index: ") && head.contains("\r\ncontent-type: application/json\r\n"));
        if is_compressed {
            assert!(body.len() < bytes);
            let mut unpacked = Vec::new();
            GzDecoder::new(body.as_slice()).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, plain);
        } else {
            assert_eq!(body, plain);
        }
    }
}

#[tokio::test]
async fn nobody_is_sent_gzip_who_does_not_take_it() {
    let cluster = padded(1_500).await;
    for (accept, is_compressed) in [
        ("gzip", true),
        ("GZIP", true),
        ("deflate, gzip;q=0.5", true),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", true),
        ("gzip;q=0", false),
        ("gzip;q=0.000, identity", false),
        ("identity", false),
        ("br, zstd, deflate", false),
        ("*", false),
        ("", false),
        ("gzip;q=zz", false),
    ] {
        let (head, _) = list(&cluster, Some(accept)).await;
        assert_eq!(head.contains("\r\ncontent-encoding: gzip\r\n"), is_compressed, "{accept}: {head}");
        assert!(head.contains("\r\nvary: accept-encoding\r\n"));
    }
}
