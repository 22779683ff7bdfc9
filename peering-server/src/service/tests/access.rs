//! Who may do what, over the service alone.

use std::sync::Arc;

use peering_core::acl::{DESCRIPTION_BYTES_MAX, POLICIES_MAX, RULES_BYTES_MAX};
use peering_core::api::acl::{AclLink, AclPolicyRequest, AclTokenRequest};
use peering_core::secret::AclSecret;

use super::bench::Bench;
use crate::bounds::{ACL_COMPILED_POLICIES_MAX, ACL_DATACENTERS_MAX, ACL_PAGE_ROWS};
use crate::config::AclMode;
use crate::service::access::{Access, Action, Actor};
use crate::service::acl::{AclError, ShownSecret};
use crate::service::{Service, ServiceError};

/// Wrong tokens in a row.
const WRONG_TOKENS: usize = 10_000;

/// A service with access control, and who may do everything.
async fn guarded(bench: &Bench) -> (Service, Actor) {
    let access = Access { mode: AclMode::Deny, node: "s1".to_owned() };
    let service = Arc::into_inner(bench.service().await).unwrap().with_access(access);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("management-token");
    service.prepare_access(Some(&file)).await.unwrap();
    let management = with_token(&std::fs::read_to_string(file).unwrap());
    (service, management)
}

fn with_token(secret: &str) -> Actor {
    Actor { token: Some(AclSecret::from_text(secret)), ..Actor::default() }
}

fn policy(name: &str, rules: &str) -> AclPolicyRequest {
    AclPolicyRequest { name: name.to_owned(), rules: rules.to_owned(), ..AclPolicyRequest::default() }
}

/// Makes a token with policies of these names, and returns who has it.
async fn with_policies(service: &Service, management: &Actor, names: &[&str]) -> Actor {
    let link = |name: &&str| AclLink { name: (*name).to_owned(), ..AclLink::default() };
    let request = AclTokenRequest { policies: names.iter().map(link).collect(), ..AclTokenRequest::default() };
    match service.create_token(management, request).await.unwrap().secret {
        ShownSecret::Shown(secret) => with_token(secret.expose()),
        ShownSecret::Hidden => panic!("whoever makes a token sees its secret"),
    }
}

#[tokio::test]
async fn ten_thousand_wrong_tokens_write_nothing_and_are_remembered_as_one() {
    let (service, management) = guarded(&Bench::new("dc1")).await;
    service.require(&management, Action::AclWrite).await.unwrap();
    let before = (service.store.revision().await.unwrap(), service.compiled.len());
    for number in 0..WRONG_TOKENS {
        let refused = service.require(&with_token(&format!("wrong {number}")), Action::PeeringRead).await;
        assert!(matches!(refused, Err(ServiceError::Acl(AclError::NotFound))), "{refused:?}");
    }
    assert_eq!((service.store.revision().await.unwrap(), service.compiled.len()), before);
    // All of them are one line of the log, and one entry of what is counted.
    assert_eq!(service.refusals.note(None, "acl_token"), None);
}

#[tokio::test]
async fn more_policies_than_are_kept_read_are_read_again() {
    let (service, management) = guarded(&Bench::new("dc1")).await;
    let count = ACL_COMPILED_POLICIES_MAX + POLICIES_MAX;
    let names: Vec<String> = (0..count).map(|number| format!("p{number}")).collect();
    for name in &names {
        service.create_policy(&management, policy(name, "peering = \"read\"")).await.unwrap();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for names in names.chunks(POLICIES_MAX) {
        let reader = with_policies(&service, &management, names).await;
        service.require(&reader, Action::PeeringRead).await.unwrap();
        assert!(service.compiled.len() <= ACL_COMPILED_POLICIES_MAX);
    }
    // Lists go over more than one page.
    assert!(count > ACL_PAGE_ROWS);
    assert_eq!(service.list_policies(&management).await.unwrap().value.len(), count + 2);
}

#[tokio::test]
async fn tokens_and_policies_have_bounds() {
    let (service, management) = guarded(&Bench::new("dc1")).await;
    let refused = |error: ServiceError| match error {
        ServiceError::Acl(error) => error.to_string(),
        other => panic!("{other}"),
    };
    let many = |count: usize| AclTokenRequest {
        policies: vec![AclLink { name: "global-management".to_owned(), ..AclLink::default() }; count],
        ..AclTokenRequest::default()
    };
    assert!(service.create_token(&management, many(POLICIES_MAX)).await.is_ok());
    let text = service.create_token(&management, many(POLICIES_MAX + 1)).await.map(drop).map_err(refused);
    assert_eq!(text, Err("Policies: expected at most 64 policies, got 65".to_owned()));

    let described =
        |bytes: usize| AclTokenRequest { description: Some("x".repeat(bytes)), ..AclTokenRequest::default() };
    assert!(service.create_token(&management, described(DESCRIPTION_BYTES_MAX)).await.is_ok());
    let text = service.create_token(&management, described(DESCRIPTION_BYTES_MAX + 1)).await.map(drop).map_err(refused);
    assert_eq!(text, Err("Description: expected at most 16384 bytes, got 16385".to_owned()));

    // What takes most room in the store: characters that are written as six.
    let longest = AclPolicyRequest {
        name: "n".repeat(128),
        description: "\u{1}".repeat(DESCRIPTION_BYTES_MAX),
        rules: format!("#{}", "\u{1}".repeat(RULES_BYTES_MAX - 1)),
        datacenters: vec!["\u{1}".repeat(100); ACL_DATACENTERS_MAX],
        ..AclPolicyRequest::default()
    };
    assert!(service.create_policy(&management, longest).await.is_ok());
    let wide = AclPolicyRequest { datacenters: vec![String::new(); ACL_DATACENTERS_MAX + 1], ..policy("wide", "") };
    let text = service.create_policy(&management, wide).await.map(drop).map_err(refused);
    assert_eq!(text, Err("Datacenters: expected at most 64 names, got 65".to_owned()));
    let long = policy("long", &"#".repeat(RULES_BYTES_MAX + 1));
    let text = service.create_policy(&management, long).await.map(drop).map_err(refused).unwrap_err();
    assert!(text.starts_with("the rules of a policy may have 131072 bytes, got 131073"), "{text}");
}

#[tokio::test]
async fn a_policy_for_another_datacenter_gives_nothing_here() {
    let (service, management) = guarded(&Bench::new("dc1")).await;
    for (datacenter, may) in [("dc1", true), ("dc2", false)] {
        let datacenters = vec![datacenter.to_owned()];
        let made = AclPolicyRequest { datacenters, ..policy(datacenter, "peering = \"read\"") };
        service.create_policy(&management, made).await.unwrap();
        let actor = with_policies(&service, &management, &[datacenter]).await;
        assert_eq!(service.require(&actor, Action::PeeringRead).await.is_ok(), may);
    }
}

#[tokio::test]
async fn a_right_on_the_agent_is_asked_on_its_name() {
    let (service, management) = guarded(&Bench::new("dc1")).await;
    service.create_policy(&management, policy("own", "agent \"s1\" { policy = \"read\" }")).await.unwrap();
    let own = with_policies(&service, &management, &["own"]).await;
    service.require(&own, Action::AgentRead).await.unwrap();
    let denied = service.require(&Actor::default(), Action::AgentRead).await.unwrap_err().to_string();
    let anonymous = "Permission denied: anonymous token lacks permission 'agent:read' on \"s1\". The anonymous token is used implicitly when a request does not specify a token.";
    assert_eq!(denied, anonymous);
}

#[tokio::test]
async fn without_a_management_token_a_start_makes_one_and_otherwise_none() {
    let bench = Bench::new("dc1");
    let (service, management) = guarded(&bench).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("management-token");
    service.prepare_access(Some(&file)).await.unwrap();
    assert!(!file.exists());
    // A place that cannot be written stops the start, and leaves no token that nobody knows.
    let fresh = Bench::new("dc1");
    let access = Access { mode: AclMode::Deny, node: String::new() };
    let other = Arc::into_inner(fresh.service().await).unwrap().with_access(access);
    assert!(other.prepare_access(Some(&directory.path().join("no/such"))).await.is_err());
    other.prepare_access(Some(&file)).await.unwrap();
    assert!(file.exists());
    assert!(service.require(&management, Action::AclWrite).await.is_ok());
}

#[tokio::test]
async fn no_debug_output_shows_a_secret() {
    let (service, management) = guarded(&Bench::new("dc1")).await;
    let secret = management.token.as_ref().unwrap().expose().to_owned();
    let view = service.read_own_token(&management).await.unwrap();
    let identity = service.identify(&management).await.unwrap();
    let refused = service.identify(&with_token("hunter2")).await.unwrap_err();
    for shown in
        [format!("{view:?}"), format!("{management:?}"), format!("{identity:?}"), format!("{refused:?} {refused}")]
    {
        assert!(!shown.contains(&secret) && !shown.contains("hunter2"), "{shown}");
    }
}
