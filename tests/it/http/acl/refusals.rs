//! Asking for rights, and asking with tokens that nobody has.

use reqwest::Method;
use serde_json::json;

use super::{Guarded, accepted, refused, text};

const AUTHORIZE: &str = "/v1/internal/acl/authorize";
/// Wrong tokens in a row.
const WRONG_TOKENS: usize = 10_000;

#[tokio::test]
async fn rights_are_told_one_by_one() {
    let guarded = Guarded::start().await;
    let reader = guarded.token_with("reader", "peering = \"read\"\nservice_prefix \"we\" { policy = \"write\" }").await;
    let reader = text(&reader, "SecretID").to_owned();
    let ask = async |token: &str, body: &str| guarded.ask(Method::POST, AUTHORIZE, token, body).await;
    let body = r#"[{"Resource":"peering","Access":"read"},{"Resource":"peering","Segment":"x","Access":"write"},{"Resource":"acl","Access":"read"},{"Resource":"service","Segment":"web","Access":"write"}]"#;
    let told = ask(&reader, body).await;
    assert_eq!(
        told.body,
        r#"[{"Resource":"peering","Access":"read","Allow":true},{"Resource":"peering","Segment":"x","Access":"write","Allow":false},{"Resource":"acl","Access":"read","Allow":false},{"Resource":"service","Segment":"web","Access":"write","Allow":true}]"#
    );
    let anonymous = ask("", r#"[{"Resource":"peering","Access":"read"}]"#).await;
    assert_eq!(accepted(&anonymous)[0]["Allow"], json!(false));
    let management = guarded.management.as_str();
    for none in ["[]", "null"] {
        assert_eq!(ask(management, none).await.body, "[]");
    }
    for (body, text) in [
        ("", "Failed to decode request body: EOF"),
        (r#"[{"Resource":"bogus","Access":"read"}]"#, r#"Invalid ACL resource requested: "bogus""#),
        (r#"[{"Resource":"peering","Access":"bogus"}]"#, "Invalid access level for peering resource: bogus"),
        (r#"[{"Resource":"peering","Access":"list"}]"#, "Invalid access level for peering resource: list"),
        (r#"[{"Resource":"identity","Access":"read"}]"#, r#"Invalid ACL resource requested: "identity""#),
        (r#"[{"Foo":1}]"#, r#"Failed to decode request body: json: unknown field "Foo""#),
    ] {
        refused(&ask(management, body).await, 400, text);
    }
    let many = format!("[{}]", vec!["{}"; 65].join(","));
    refused(&ask(management, &many).await, 400, "Refusing to process more than 64 authorizations at once");
    refused(&ask("nope", r#"[{"Resource":"peering","Access":"read"}]"#).await, 403, "ACL not found");
    let right = r#"{"Resource":"key","Segment":"a","Access":"list"}"#;
    let most = ask(management, &format!("[{}]", vec![right; 64].join(","))).await;
    assert!(accepted(&most).as_array().unwrap().iter().all(|right| right["Allow"] == true));
}

#[tokio::test]
async fn ten_thousand_wrong_tokens_leave_nothing_behind() {
    let guarded = Guarded::start().await;
    let revision = async || {
        let listed = guarded.ask(Method::GET, "/v1/acl/tokens", &guarded.management, "").await;
        (listed.header("x-consul-index").unwrap().to_owned(), listed.body.len())
    };
    let before = revision().await;
    for number in 0..WRONG_TOKENS {
        let token = format!("{number:08x}-0000-0000-0000-000000000000");
        let answer = guarded.ask(Method::GET, "/v1/peerings", &token, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (403, "ACL not found"));
    }
    assert_eq!(revision().await, before);
}
