//! Every outcome at every commit of every operation: nothing acknowledged is lost, no half state, a clear error.
//!
//! | File | Holds |
//! |---|---|
//! | `access` | what is done with tokens and policies of access control, tried in the same way |
//! | `stage` | two clusters over stores that can be made to fail, with peerings that nobody touches |
//! | `operations` | every operation that commits: what it needs, does, and must have done |
//! | `whole` | what holds in every store between two commits |

mod access;
mod operations;
mod stage;
mod whole;

use super::bench::{Bench, Operate};
use super::doubtful_store::{Doubt, DoubtfulStore};
use crate::causes::chain;
use crate::service::ServiceError;
use crate::service::cluster::ClusterError;
use operations::{ALL, Act, Operation};
use stage::Stage;

/// What an operation gets over by itself.
const SURVIVABLE: [Doubt; 3] = [Doubt::Conflict, Doubt::UnknownDone, Doubt::UnknownLost];
/// What it can only tell of.
const FATAL: [Doubt; 3] = [Doubt::Failure, Doubt::FailureDone, Doubt::Full];

/// Does an operation whose commit number `at`, counted from 0, ends like this. `None` if it makes fewer commits.
async fn with_fault(operation: Operation, at: usize, doubt: Doubt) -> Option<(Stage, Act, Result<(), ServiceError>)> {
    let mut stage = Stage::set().await;
    let mut act = Act::prepare(operation, &mut stage).await;
    let mut plan = vec![Doubt::None; at];
    plan.push(doubt);
    let store = stage.store_of(operation.side());
    let before = whole::dump(store.as_ref()).await;
    store.plan(&plan);
    let outcome = act.attempt(&stage).await;
    let is_met = store.planned() == 0;
    store.plan(&[]);
    if !is_met {
        outcome.unwrap_or_else(|error| panic!("{operation:?} without a fault: {error}"));
        return None;
    }
    if at == 0 && matches!(doubt, Doubt::Failure | Doubt::Full) {
        assert_eq!(whole::dump(store.as_ref()).await, before, "{operation:?}: {doubt:?} changed something");
    }
    Some((stage, act, outcome))
}

/// Fails unless an error says what failed and what to do, and no secret.
fn is_clear(error: &ServiceError, doubt: Doubt, secrets: &[String], place: &str) {
    let (text, causes) = (error.to_string(), chain(error));
    let (expected, cause) = match doubt {
        Doubt::Full => {
            ("the disk of the data directory is full; free space on it and try again", "the store failed to commit")
        }
        _ => ("the store could not be used", "the store failed to commit: input/output error"),
    };
    assert_eq!(text, expected, "{place}");
    assert!(causes.contains(cause), "{place}: {causes}");
    for secret in secrets {
        assert!(!causes.contains(secret.as_str()), "{place}: a secret is told");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_any_commit_nothing_acknowledged_is_lost_and_nothing_is_half_done() {
    let mut places = 0;
    for operation in ALL {
        for doubt in SURVIVABLE.into_iter().chain(FATAL) {
            let mut commits = 0;
            while let Some((stage, mut act, outcome)) = with_fault(operation, commits, doubt).await {
                let place = format!("{operation:?}, commit {commits}: {doubt:?}");
                stage.is_whole(&place).await;
                match outcome {
                    Ok(()) if FATAL.contains(&doubt) => panic!("{place}: acknowledged"),
                    Err(error) if SURVIVABLE.contains(&doubt) => panic!("{place}: {}", chain(&error)),
                    Ok(()) if operation.is_done_at_leisure() => act.attempt(&stage).await.unwrap(),
                    Ok(()) => {}
                    Err(error) => {
                        is_clear(&error, doubt, &act.secrets(), &place);
                        act.again(&stage, doubt == Doubt::FailureDone).await;
                    }
                }
                act.is_done(&stage, &place).await;
                stage.is_whole(&place).await;
                stage.nothing_is_lost(&place).await;
                commits += 1;
                places += 1;
            }
            assert_eq!(commits, operation.commits(), "{operation:?} makes another number of commits");
        }
    }
    println!("{places} outcomes of commits in {} operations", ALL.len());
}

#[tokio::test(start_paused = true)]
async fn an_acceptor_that_fails_under_an_exchange_costs_a_dialer_nothing() {
    for doubt in SURVIVABLE.into_iter().chain(FATAL) {
        let mut stage = Stage::set().await;
        let mut act = Act::prepare(Operation::EstablishNew, &mut stage).await;
        stage.acceptor_store.plan(&[doubt]);
        act.attempt(&stage).await.unwrap_or_else(|error| panic!("{doubt:?}: {}", chain(&error)));
        assert_eq!(stage.acceptor_store.planned(), 0);
        act.is_done(&stage, &format!("{doubt:?}")).await;
        stage.nothing_is_lost(&format!("{doubt:?}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_the_first_commit_a_cluster_has_one_identity_and_its_authority() {
    for doubt in SURVIVABLE.into_iter().chain(FATAL) {
        let store = DoubtfulStore::new();
        let bench = Bench { store: store.clone(), ..Bench::new("dc1") };
        store.plan(&[doubt]);
        let first = bench.cluster().await;
        assert_eq!(store.planned(), 0, "{doubt:?}");
        assert_eq!(first.is_err(), FATAL.contains(&doubt), "{doubt:?}");
        let (expected, has_happened) = match &first {
            Err(error) => {
                assert!(matches!(error, ClusterError::Store(_)), "{doubt:?}: {error}");
                let cause = if doubt == Doubt::Full { "full" } else { "input/output error" };
                assert!(chain(error).contains(cause), "{doubt:?}: {}", chain(error));
                (None, doubt == Doubt::FailureDone)
            }
            Ok(cluster) => (Some(cluster.trust_domain().clone()), true),
        };
        let stored = whole::dump(store.as_ref()).await;
        assert_eq!(stored.len(), if has_happened { 2 } else { 0 }, "{doubt:?}: {:?}", stored.keys());
        // A start after it finds what is there, or draws what is not, and so does the next.
        let again = bench.cluster().await.unwrap();
        assert!(expected.is_none_or(|expected| expected == *again.trust_domain()), "{doubt:?}");
        assert!(!has_happened || whole::dump(store.as_ref()).await == stored, "{doubt:?}: drawn twice");
        assert_eq!(bench.cluster().await.unwrap().trust_domain(), again.trust_domain(), "{doubt:?}");
        bench.service().await.token("dialer").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_commit_that_meets_others_is_tried_four_times_and_no_more() {
    for (conflicts, is_refused) in [(3, false), (4, true)] {
        let store = DoubtfulStore::new();
        let bench = Bench { store: store.clone(), ..Bench::new("dc1") };
        // None of them leaves an identity behind, as if each of the others had failed too.
        store.plan(&vec![Doubt::UnknownLost; conflicts]);
        let opened = bench.cluster().await;
        assert_eq!(matches!(opened, Err(ClusterError::Contended)), is_refused, "{conflicts}");
        assert_eq!((opened.is_err(), store.planned()), (is_refused, 0), "{conflicts}");
    }
}
