//! There is no catalogue: everything about services and nodes is answered, and empty.

use peering_tests::cluster::Cluster;
use serde_json::json;

#[tokio::test]
async fn the_catalogue_is_empty_with_an_index_to_wait_from() {
    let cluster = Cluster::start("dc1").await;
    for path in [
        "/v1/catalog/nodes",
        "/v1/catalog/service/web?peer=west",
        "/v1/health/service/web?peer=west&passing",
        "/v1/health/service/a%2Fb",
        "/v1/internal/ui/services?peer=west",
    ] {
        let answer = cluster.http().get(path).await;
        assert_eq!((answer.accepts(), answer.header("x-consul-index")), (json!([]), Some("1")), "{path}");
    }
    assert_eq!(cluster.http().get("/v1/catalog/services?peer=west").await.accepts(), json!({}));
    assert_eq!(cluster.http().get("/v1/catalog/node/n?peer=west").await.accepts(), json!(null));
    assert_eq!(cluster.http().get("/v1/catalog/datacenters").await.accepts(), json!(["dc1"]));
    for path in ["/v1/catalog/service/", "/v1/health/service/"] {
        cluster.http().get(path).await.refuses(400, "Missing service name");
    }
}
