//! What Terraform's provider for Consul sends for its resources `consul_peering_token` and `consul_peering`.
//!
//! Source: `hashicorp/terraform-provider-consul` 2.23.0, built on `github.com/hashicorp/consul/api` 1.32.1. Before each
//! operation the provider asks the agent for its datacenter, which it then names in the query; if it may not know, it
//! names none. Every argument of both resources forces a replacement: Terraform destroys and creates, at once.

use peering_tests::cluster::Cluster;
use peering_tests::go_client::{Connection, GoClient};
use peering_tests::http::Answer;
use serde_json::{Value, json};

use super::once_deleted;
use crate::http::acl::Guarded;

/// One run of Terraform against one cluster.
struct Provider {
    connection: Connection,
}

/// What Terraform keeps of a `consul_peering` in its state.
type Attributes = Value;

impl Provider {
    /// Runs it against a cluster without access control, which takes no notice of the token.
    async fn of(cluster: &Cluster) -> Self {
        Self::with_token(cluster, "secret").await
    }

    async fn with_token(cluster: &Cluster, token: &str) -> Self {
        let client = GoClient::new(cluster.http().address(), "Go-http-client/1.1").token(token).content_type_twice();
        Self { connection: client.connect().await }
    }

    /// Returns the query of the next request.
    async fn query(&mut self) -> String {
        let answer = self.connection.get("/v1/agent/self").await;
        match answer.status {
            200 => format!("?dc={}", answer.json()["Config"]["Datacenter"].as_str().unwrap()),
            403 => String::new(),
            status => panic!("{status} {}", answer.body),
        }
    }

    async fn create_token(&mut self, name: &str, more: Value) -> Answer {
        let query = self.query().await;
        self.connection.post(&format!("/v1/peering/token{query}"), body(name, more)).await
    }

    async fn create_peering(&mut self, name: &str, token: &str) -> Result<Attributes, Answer> {
        let query = self.query().await;
        let body = body(name, json!({ "PeeringToken": token }));
        let answer = self.connection.post(&format!("/v1/peering/establish{query}"), body).await;
        if answer.status != 200 {
            return Err(answer);
        }
        // The client decodes the body, so an empty one would be an error.
        assert_eq!(answer.json(), json!({}));
        Ok(self.refresh(name).await.expect("what was just created is there"))
    }

    /// Reads for either resource. None drops it from the state, so that the next plan creates it again.
    async fn refresh(&mut self, name: &str) -> Option<Attributes> {
        let query = self.query().await;
        let answer = self.connection.get(&format!("/v1/peering/{name}{query}")).await;
        if answer.status == 404 {
            return None;
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
        Some(answer.json())
    }

    async fn destroy(&mut self, name: &str) {
        let query = self.query().await;
        let answer = self.connection.delete(&format!("/v1/peering/{name}{query}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    }
}

/// Returns a request body; like Go's, it leaves out what is empty.
fn body(name: &str, more: Value) -> String {
    let mut body = json!({ "PeerName": name });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.to_string()
}

fn token_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["PeeringToken"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_resource_is_created_refreshed_replaced_and_destroyed() {
    let cluster = Cluster::start("dc1").await;
    let mut terraform = Provider::of(&cluster).await;

    // 1. Create: the token goes into the state, nothing is read.
    let arguments = json!({ "Meta": { "hello": "world" }, "ServerExternalAddresses": ["lb.example.net:8503"] });
    let first = token_of(&terraform.create_token("eu-cluster", arguments).await);
    // 2. Refresh: the resource stays as it is as long as the name is there.
    let peering = terraform.refresh("eu-cluster").await.unwrap();
    assert_eq!((&peering["State"], &peering["Meta"]), (&json!("PENDING"), &json!({ "hello": "world" })));

    // 3. Replace: destroyed and created under the same name, without a pause between.
    terraform.destroy("eu-cluster").await;
    let another = json!({ "Meta": { "hello": "you" } });
    let second = once_deleted(async || terraform.create_token("eu-cluster", another.clone()).await).await;
    let second = token_of(&second);
    assert_ne!(first, second);
    let replaced = terraform.refresh("eu-cluster").await.unwrap();
    assert_ne!(replaced["ID"], peering["ID"], "another peering, not the old one");
    assert_eq!((&replaced["State"], &replaced["Meta"]), (&json!("PENDING"), &json!({ "hello": "you" })));

    // 4. Deleted by somebody else: the next refresh drops the resource, and the next apply creates it again.
    cluster.delete("eu-cluster").await;
    assert_eq!(terraform.refresh("eu-cluster").await, None);
    token_of(&terraform.create_token("eu-cluster", json!({})).await);

    // 5. Destroy, also if it is gone already.
    terraform.destroy("eu-cluster").await;
    terraform.destroy("eu-cluster").await;
    cluster.is_gone("eu-cluster").await;
    assert_eq!(terraform.refresh("eu-cluster").await, None);
}

#[tokio::test]
async fn a_peering_resource_is_created_from_a_token_resource_and_destroyed_before_it() {
    let (eu, us) = (Cluster::start("eu").await, Cluster::start("us").await);
    let (mut on_eu, mut on_us) = (Provider::of(&eu).await, Provider::of(&us).await);

    // 1. Apply: a token here, and a peering from it there, which is read at once.
    let token = token_of(&on_eu.create_token("us-cluster", json!({})).await);
    let created = on_us.create_peering("eu-cluster", &token).await.unwrap();
    assert_eq!(created["Name"], "eu-cluster");
    assert!(created["PeerID"].is_string() && created["PeerServerName"].is_string(), "{created}");
    assert!(!created["PeerServerAddresses"].as_array().unwrap().is_empty(), "{created}");
    assert!(!created["PeerCAPems"].as_array().unwrap().is_empty(), "{created}");
    assert_eq!(created.get("DeletedAt"), None);

    // 2. Refresh: the state of the peering moves, which changes nothing that was asked for.
    us.reaches("eu-cluster", "ACTIVE").await;
    let refreshed = on_us.refresh("eu-cluster").await.unwrap();
    assert_eq!((&refreshed["ID"], &refreshed["PeerID"]), (&created["ID"], &created["PeerID"]));
    assert!(on_eu.refresh("us-cluster").await.is_some());

    // 3. Replace both: what depends is destroyed first, and created last.
    on_us.destroy("eu-cluster").await;
    on_eu.destroy("us-cluster").await;
    let another = token_of(&once_deleted(async || on_eu.create_token("us-cluster", json!({})).await).await);
    us.is_gone("eu-cluster").await;
    let replaced = on_us.create_peering("eu-cluster", &another).await.unwrap();
    assert_ne!(replaced["PeerID"], created["PeerID"]);
    us.reaches("eu-cluster", "ACTIVE").await;
    eu.reaches("us-cluster", "ACTIVE").await;

    // 4. Destroy.
    on_us.destroy("eu-cluster").await;
    on_eu.destroy("us-cluster").await;
    us.is_gone("eu-cluster").await;
    eu.is_gone("us-cluster").await;
    assert_eq!(on_us.refresh("eu-cluster").await, None);
    assert_eq!(on_eu.refresh("us-cluster").await, None);
}

#[tokio::test]
async fn with_access_control_the_right_to_write_peerings_is_enough() {
    let guarded = Guarded::start().await;
    let secret = |token: Value| token["SecretID"].as_str().unwrap().to_owned();
    let writer = secret(guarded.token_with("writer", "peering = \"write\"").await);
    let mut terraform = Provider::with_token(&guarded.cluster, &writer).await;
    assert_eq!(terraform.query().await, "", "it may not ask for the datacenter");
    token_of(&terraform.create_token("eu-cluster", json!({})).await);
    assert!(terraform.refresh("eu-cluster").await.is_some());
    terraform.destroy("eu-cluster").await;

    // With the right to read the agent too, it names the datacenter as without access control.
    let both = secret(guarded.token_with("both", "peering = \"write\"\nagent_prefix \"\" { policy = \"read\" }").await);
    let mut terraform = Provider::with_token(&guarded.cluster, &both).await;
    assert_eq!(terraform.query().await, "?dc=dc1");
    token_of(&once_deleted(async || terraform.create_token("eu-cluster", json!({})).await).await);

    // Misuse: with the right to read, a refresh works and nothing else.
    let reader = guarded.token_with("reader", "peering = \"read\"").await;
    let accessor = reader["AccessorID"].as_str().unwrap().to_owned();
    let mut terraform = Provider::with_token(&guarded.cluster, &secret(reader)).await;
    assert!(terraform.refresh("eu-cluster").await.is_some());
    let refused = terraform.create_token("us-cluster", json!({})).await;
    let text = format!("Permission denied: token with AccessorID '{accessor}' lacks permission 'peering:write'");
    assert_eq!((refused.status, refused.body), (403, text));
}

#[tokio::test]
async fn a_token_that_terraform_applies_twice_is_refused_as_spent() {
    let (eu, us) = (Cluster::start("eu").await, Cluster::start("us").await);
    let (mut on_eu, mut on_us) = (Provider::of(&eu).await, Provider::of(&us).await);
    let token = token_of(&on_eu.create_token("us-cluster", json!({})).await);
    on_us.create_peering("eu-cluster", &token).await.unwrap();
    us.reaches("eu-cluster", "ACTIVE").await;

    // The peering was deleted by somebody, and the state still has the token that made it.
    us.delete("eu-cluster").await;
    assert_eq!(on_us.refresh("eu-cluster").await, None);
    let refused = on_us.create_peering("eu-cluster", &token).await.unwrap_err();
    refused.refuses(403, "a new peering token must be generated: invalid peering establishment secret");
}
