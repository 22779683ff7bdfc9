//! Every outcome at every commit of what is done with tokens and policies of access control.

use std::sync::Arc;
use std::time::Duration;

use peering_core::acl::Builtin;
use peering_core::api::acl::{AclLink, AclPolicyRequest, AclTokenRequest};
use peering_core::secret::AclSecret;
use rustix::process::geteuid;

use super::super::bench::Bench;
use super::super::doubtful_store::{Doubt, DoubtfulStore};
use super::{FATAL, SURVIVABLE, is_clear, whole};
use crate::causes::chain;
use crate::clock::ManualClock;
use crate::config::AclMode;
use crate::service::access::{Access, Action, Actor};
use crate::service::acl::{AclError, ManagementTokenError, ShownSecret, TokenView};
use crate::service::{Service, ServiceError};

const NEW_ACCESSOR: &str = "11111111-2222-4333-8444-555555555555";
const NEW_SECRET: &str = "66666666-2222-4333-8444-555555555555";
const READS: &str = "peering = \"read\"";
/// How long the token lives that the sweep removes.
const LIFE: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Prepare,
    Bootstrap,
    CreatePolicy,
    RenamePolicy,
    DeletePolicy,
    CreateToken,
    UpdateToken,
    DeleteToken,
    SweepTokens,
}

use Operation::*;

const ALL: [Operation; 9] =
    [Prepare, Bootstrap, CreatePolicy, RenamePolicy, DeletePolicy, CreateToken, UpdateToken, DeleteToken, SweepTokens];

impl Operation {
    /// Counts its commits when all goes well.
    const fn commits(self) -> usize {
        match self {
            // The policies that are built in, the anonymous token, and the first one of all.
            Prepare => Builtin::ALL.len() + 2,
            _ => 1,
        }
    }

    /// Says whether nothing tells a first success from a second attempt, so that the second is refused.
    const fn is_refused_twice(self) -> bool {
        !matches!(self, Prepare | RenamePolicy | UpdateToken | SweepTokens)
    }
}

/// A server's store with what an operation needs: a policy, and a token that has it.
struct Desk {
    service: Service,
    store: Arc<DoubtfulStore>,
    clock: Arc<ManualClock>,
    management: Actor,
    policy: String,
    token: String,
    secret: Actor,
}

/// The server's own user, over its unix socket.
fn own_user() -> Actor {
    Actor { user: Some(geteuid().as_raw()), ..Actor::default() }
}

fn policy(name: &str) -> AclPolicyRequest {
    AclPolicyRequest { name: name.to_owned(), rules: READS.to_owned(), ..AclPolicyRequest::default() }
}

fn holder(token: &TokenView) -> Actor {
    match &token.secret {
        ShownSecret::Shown(secret) => with_secret(secret.expose()),
        ShownSecret::Hidden => panic!("whoever makes a token sees its secret"),
    }
}

fn with_secret(secret: &str) -> Actor {
    Actor { token: Some(AclSecret::from_text(secret)), ..Actor::default() }
}

impl Desk {
    /// Brings everything to where the operation begins.
    async fn set(operation: Operation) -> Self {
        let store = DoubtfulStore::new();
        let bench = Bench { store: store.clone(), ..Bench::new("dc1") };
        let access = Access { mode: AclMode::Deny, node: "s1".to_owned() };
        let service = Arc::into_inner(bench.service().await).unwrap().with_access(access);
        let (policy, token) = (String::new(), String::new());
        let (management, secret) = (Actor::default(), Actor::default());
        let mut desk = Self { service, store, clock: bench.clock, management, policy, token, secret };
        if operation != Prepare {
            desk.service.prepare_access(None).await.unwrap();
        }
        if !matches!(operation, Prepare | Bootstrap) {
            desk.management = desk.bootstrapped().await;
            let made = desk.service.create_policy(&desk.management, self::policy("readers")).await.unwrap();
            desk.policy = made.policy.id.to_string();
            let policies = vec![AclLink { id: desk.policy.clone(), ..AclLink::default() }];
            let expiration_ttl = (operation == SweepTokens).then(|| LIFE.into());
            let request = AclTokenRequest { policies, expiration_ttl, ..AclTokenRequest::default() };
            let made = desk.service.create_token(&desk.management, request).await.unwrap();
            (desk.token, desk.secret) = (made.token.accessor.to_string(), holder(&made));
        }
        if operation == SweepTokens {
            desk.clock.advance(2 * LIFE);
        }
        desk
    }

    async fn bootstrapped(&self) -> Actor {
        holder(&self.service.bootstrap_acl(&own_user(), &AclSecret::from_text("")).await.unwrap())
    }

    /// Does it once.
    async fn attempt(&self, operation: Operation) -> Result<(), ServiceError> {
        let Self { service, management, .. } = self;
        match operation {
            Prepare => service.prepare_access(None).await.map_err(|error| match error {
                ManagementTokenError::Service(error) => *error,
                other => panic!("{other}"),
            }),
            Bootstrap => service.bootstrap_acl(&own_user(), &AclSecret::from_text("")).await.map(drop),
            CreatePolicy => service.create_policy(management, policy("more-readers")).await.map(drop),
            RenamePolicy => service.update_policy(management, &self.policy, policy("lookers-on")).await.map(drop),
            DeletePolicy => service.delete_policy(management, &self.policy).await,
            CreateToken => {
                let policies = vec![AclLink { id: self.policy.clone(), ..AclLink::default() }];
                let (accessor_id, secret_id) = (NEW_ACCESSOR.to_owned(), NEW_SECRET.to_owned());
                let request = AclTokenRequest { accessor_id, secret_id, policies, ..AclTokenRequest::default() };
                service.create_token(management, request).await.map(drop)
            }
            UpdateToken => {
                let description = Some("nothing any more".to_owned());
                let request = AclTokenRequest { description, ..AclTokenRequest::default() };
                service.update_token(management, &self.token, request).await.map(drop)
            }
            DeleteToken => service.delete_token(management, &self.token).await,
            SweepTokens => service.sweep_acl_tokens().await,
        }
    }

    /// Fails unless it is done.
    async fn is_done(&self, operation: Operation, place: &str) {
        let Self { service, management, secret, .. } = self;
        let policies = async |actor: &Actor| {
            let listed = service.list_policies(actor).await.unwrap().value;
            listed.into_iter().map(|view| view.policy.name).collect::<Vec<_>>()
        };
        let may_read = async |actor: &Actor| service.require(actor, Action::PeeringRead).await.is_ok();
        match operation {
            Prepare => {
                let management = self.bootstrapped().await;
                assert_eq!(policies(&management).await.len(), Builtin::ALL.len(), "{place}");
                let tokens = service.list_tokens(&management, None).await.unwrap().value;
                assert_eq!(tokens.len(), 2, "{place}: the anonymous one and the first one");
            }
            Bootstrap => {
                let again = service.bootstrap_acl(&own_user(), &AclSecret::from_text("")).await;
                assert!(matches!(again, Err(ServiceError::Acl(AclError::BootstrapOver { .. }))), "{place}");
            }
            CreatePolicy => {
                let names = policies(management).await;
                assert_eq!(names.iter().filter(|name| *name == "more-readers").count(), 1, "{place}: {names:?}");
            }
            RenamePolicy => {
                let names = policies(management).await;
                assert!(names.iter().any(|name| name == "lookers-on"), "{place}: {names:?}");
                assert!(names.iter().all(|name| name != "readers"), "{place}: {names:?}");
                assert!(may_read(secret).await, "{place}");
            }
            CreateToken => assert!(may_read(&with_secret(NEW_SECRET)).await, "{place}"),
            DeletePolicy | UpdateToken => {
                service.identify(secret).await.unwrap_or_else(|error| panic!("{place}: {error}"));
                assert!(!may_read(secret).await, "{place}: a right outlives its policy");
            }
            DeleteToken | SweepTokens => {
                let gone = service.read_token(management, &self.token).await;
                assert!(matches!(gone, Err(ServiceError::Acl(AclError::NoToken))), "{place}");
                assert!(!may_read(secret).await, "{place}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_any_commit_about_rights_none_is_half_done_and_none_is_refused_for_nothing() {
    let mut places = 0;
    for operation in ALL {
        for doubt in SURVIVABLE.into_iter().chain(FATAL) {
            for at in 0..=operation.commits() {
                let place = format!("{operation:?}, commit {at}: {doubt:?}");
                let desk = Desk::set(operation).await;
                let before = whole::dump(desk.store.as_ref()).await;
                let mut plan = vec![Doubt::None; at];
                plan.push(doubt);
                desk.store.plan(&plan);
                let outcome = desk.attempt(operation).await;
                let unmet = desk.store.planned();
                desk.store.plan(&[]);
                if at == operation.commits() {
                    assert_eq!(unmet, 1, "{operation:?} makes another number of commits");
                    outcome.unwrap_or_else(|error| panic!("{place}, which was not met: {}", chain(&error)));
                    continue;
                }
                assert_eq!(unmet, 0, "{place}");
                whole::check(desk.store.as_ref(), &place).await;
                if at == 0 && matches!(doubt, Doubt::Failure | Doubt::Full) {
                    assert_eq!(whole::dump(desk.store.as_ref()).await, before, "{place}");
                }
                match outcome {
                    Ok(()) if FATAL.contains(&doubt) => panic!("{place}: acknowledged"),
                    Err(error) if SURVIVABLE.contains(&doubt) => panic!("{place}: {}", chain(&error)),
                    // What was not swept is swept by the next.
                    Ok(()) if operation == SweepTokens => desk.attempt(operation).await.unwrap(),
                    Ok(()) => {}
                    Err(error) => {
                        is_clear(&error, doubt, &[], &place);
                        match desk.attempt(operation).await {
                            Ok(()) => {}
                            Err(ServiceError::Acl(_))
                                if doubt == Doubt::FailureDone && operation.is_refused_twice() => {}
                            Err(error) => panic!("{place}, tried again: {}", chain(&error)),
                        }
                    }
                }
                desk.is_done(operation, &place).await;
                whole::check(desk.store.as_ref(), &place).await;
                places += 1;
            }
        }
    }
    println!("{places} outcomes of commits in {} operations", ALL.len());
}
