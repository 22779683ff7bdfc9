//! What a read says about how fresh its answer must be, and the wait for a change (a blocking query).

use std::time::Duration;

use axum::extract::Query;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use peering_core::duration::GoDuration;
use peering_core::foreign;
use peering_core::gojson::go_quoted;
use tokio::time::{Instant, timeout_at};

use super::App;
use super::error::HttpError;
use crate::bounds::{WAIT_DEFAULT, WAIT_MAX};
use crate::entropy::fraction;
use crate::service::ServiceError;
use crate::service::access::{Action, Actor};
use crate::service::peerings::Indexed;
use crate::store::Revision;

/// Part of a wait that is added to it by chance, at most.
const WAIT_JITTER: f64 = 1.0 / 16.0;

/// The query parameters and headers that every read understands.
///
/// How fresh an answer must be (`stale`, `consistent`, `cached`, `max_stale`, `Cache-Control`) is checked and changes
/// nothing: one server is always its own leader, and keeps no answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadOptions {
    /// Answer only what is newer; 0 for whatever there is.
    index: Revision,
    /// How long to wait for that, before chance adds to it.
    wait: Duration,
}

impl ReadOptions {
    /// Reads them from the head of a request. Of a parameter that is given twice the first counts.
    ///
    /// # Errors
    /// 400 with Consul's text for the first that is malformed, in Consul's order.
    pub(crate) fn of(parts: &Parts) -> Result<Self, HttpError> {
        let query: Vec<(String, String)> =
            Query::try_from_uri(&parts.uri).map(|Query(pairs)| pairs).unwrap_or_default();
        let given = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = |name: &str| given(name).filter(|value| !value.is_empty());

        let max_stale = value("max_stale");
        let is_stale = match max_stale.map(GoDuration::parse) {
            None => given("stale").is_some(),
            Some(Ok(most)) => given("stale").is_some() || most.as_nanos() > 0,
            Some(Err(_)) => {
                let shown = go_quoted(foreign::echo(max_stale.unwrap_or_default()));
                return Err(HttpError::bad_request(format!("Invalid max_stale value {shown}")));
            }
        };
        let is_consistent = given("consistent").is_some();
        for (is_given, name) in [(is_stale, "stale"), (given("cached").is_some(), "cached")] {
            if is_given && is_consistent {
                let text = format!("Cannot specify ?{name} with ?consistent, conflicting semantics.");
                return Err(HttpError::bad_request(text));
            }
        }
        let cache_control = parts.headers.get(CACHE_CONTROL).map(|value| value.to_str().unwrap_or("max-age="));
        if !cache_control.is_none_or(is_cache_control) {
            return Err(HttpError::bad_request("Invalid Cache-Control header."));
        }
        let wait = match value("wait").map(GoDuration::parse) {
            None => WAIT_DEFAULT,
            Some(Ok(wait)) => {
                wait.to_std().filter(|wait| !wait.is_zero()).map_or(WAIT_DEFAULT, |wait| wait.min(WAIT_MAX))
            }
            Some(Err(_)) => return Err(HttpError::bad_request("Invalid wait time")),
        };
        let index = match value("index").map(index) {
            None => 0,
            Some(Some(index)) => index,
            Some(None) => return Err(HttpError::bad_request("Invalid index")),
        };
        Ok(Self { index, wait })
    }
}

/// Lets a read wait only for somebody who is known: places are bounded, and a stranger must not take them from others.
///
/// Whoever has a token waits, also one that may not see all of the answer; a wrong one is refused at once. Whoever has
/// none waits if rules let everybody see it, and is answered at once otherwise.
///
/// # Errors
/// What [`Service::require`](crate::service::Service::require) says of the caller, except that it may not.
pub(crate) async fn if_known(
    app: &App,
    actor: &Actor,
    action: Action,
    options: ReadOptions,
) -> Result<ReadOptions, ServiceError> {
    match app.service.require(actor, action).await {
        Ok(_) => Ok(options),
        Err(ServiceError::Denied(_)) if actor.token.is_some() => Ok(options),
        Err(ServiceError::Denied(_)) => Ok(ReadOptions { index: 0, ..options }),
        Err(other) => Err(other),
    }
}

/// Reads an index as Go reads an unsigned number: digits alone.
fn index(text: &str) -> Option<Revision> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Says whether Consul could read a `Cache-Control`: its two directives with a number have whole seconds.
fn is_cache_control(value: &str) -> bool {
    value.to_ascii_lowercase().split(',').all(|directive| match directive.trim().split_once('=') {
        Some(("max-age" | "stale-if-error", seconds)) => seconds.parse::<i64>().is_ok(),
        _ => true,
    })
}

/// Answers once there is something newer than the caller has, or when its wait is over, whatever there is then.
///
/// `watched` is the key or the directory whose changes make `ask` worth asking again. A stop of the server ends the wait,
/// and so does a client that hangs up: this future is dropped then, and its place among the waiting is given back.
///
/// # Errors
/// What `ask` says, and that too many wait.
pub(crate) async fn blocking<T, F>(
    app: &App,
    options: ReadOptions,
    watched: &str,
    ask: impl FnMut() -> F,
) -> Result<Indexed<T>, ServiceError>
where
    F: Future<Output = Result<Indexed<T>, ServiceError>>,
{
    wait(app, options, watched, |_| false, ask).await
}

/// As [`blocking`], for one thing that may not be there.
///
/// That it is not there is an answer too, with the index of what it would be in. It counts as newer only the first time,
/// so that whoever waits for something to be made is not told each time that something else was. Without `watched` there
/// never will be such a thing.
///
/// # Errors
/// What `ask` says, and that too many wait.
pub(crate) async fn blocking_for_one<T, F>(
    app: &App,
    options: ReadOptions,
    watched: Option<&str>,
    ask: impl FnMut() -> F,
) -> Result<Indexed<Option<T>>, ServiceError>
where
    F: Future<Output = Result<Indexed<Option<T>>, ServiceError>>,
{
    wait(app, options, watched.unwrap_or_default(), Option::is_none, ask).await
}

async fn wait<T, F>(
    app: &App,
    options: ReadOptions,
    watched: &str,
    is_absent: fn(&T) -> bool,
    mut ask: impl FnMut() -> F,
) -> Result<Indexed<T>, ServiceError>
where
    F: Future<Output = Result<Indexed<T>, ServiceError>>,
{
    if options.index == 0 {
        return ask().await;
    }
    let mut waiting = app.service.changes.wait_for(watched)?;
    let jitter = fraction(app.service.entropy.as_ref()) * WAIT_JITTER;
    let deadline = Instant::now() + options.wait.mul_f64(1.0 + jitter);
    let mut was_absent = false;
    loop {
        // The answer is not kept over the wait: a crowd would keep as many copies, and it may be old by the end.
        let answer = ask().await?;
        let is_absent = is_absent(&answer.value);
        if answer.index > options.index && !(was_absent && is_absent) {
            return Ok(answer);
        }
        was_absent = is_absent;
        drop(answer);
        if !timeout_at(deadline, waiting.changed()).await.unwrap_or(false) {
            return ask().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(query: &str, cache_control: &[&str]) -> Result<ReadOptions, HttpError> {
        let mut request = http::Request::get(format!("/v1/peerings?{query}"));
        for value in cache_control {
            request = request.header(CACHE_CONTROL, *value);
        }
        ReadOptions::of(&request.body(()).unwrap().into_parts().0)
    }

    fn refusal(query: &str, cache_control: &[&str]) -> String {
        options(query, cache_control).unwrap_err().text().to_owned()
    }

    #[test]
    fn a_wait_is_a_go_duration_of_at_most_ten_minutes_and_five_by_default() {
        let wait = |query| options(query, &[]).unwrap().wait.as_millis();
        for query in ["", "wait=", "wait=0", "wait=0s", "wait=-5s"] {
            assert_eq!(wait(query), 300_000, "{query}");
        }
        assert_eq!(wait("wait=300000ms"), 300_000);
        assert_eq!(wait("wait=%2B1.5s&wait=zz"), 1_500);
        assert_eq!((wait("wait=10m"), wait("wait=10m1ns"), wait("wait=99999h")), (600_000, 600_000, 600_000));
    }

    #[test]
    fn an_index_is_digits_alone() {
        let index = |query| options(query, &[]).unwrap().index;
        assert_eq!((index(""), index("index="), index("index=0"), index("index=007")), (0, 0, 0, 7));
        assert_eq!(index("index=18446744073709551615&index=zz"), u64::MAX);
        for query in ["-1", "%2B1", "zz", "18446744073709551616", "0x10", "1_0", "%201"] {
            assert_eq!(refusal(&format!("index={query}"), &[]), "Invalid index", "{query}");
        }
    }

    #[test]
    fn what_says_how_fresh_is_taken_and_changes_nothing() {
        let plain = options("", &[]).unwrap();
        for query in
            ["stale", "stale=&cached=", "consistent", "cached", "max_stale=5s", "max_stale=-5s&consistent", "leader"]
        {
            assert_eq!(options(query, &["no-cache"]).unwrap(), plain, "{query}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let stale = "Cannot specify ?stale with ?consistent, conflicting semantics.";
        for query in ["stale&consistent", "consistent=&cached&stale=", "max_stale=1ns&consistent"] {
            assert_eq!(refusal(query, &[]), stale, "{query}");
        }
        let cached = "Cannot specify ?cached with ?consistent, conflicting semantics.";
        assert_eq!(refusal("cached&consistent", &[]), cached);
    }

    #[test]
    fn the_first_mistake_in_consuls_order_is_told() {
        let bad = ["max-age=zz"];
        assert_eq!(refusal("index=zz&wait=zz&stale&consistent&max_stale=%22", &bad), r#"Invalid max_stale value "\"""#);
        assert!(refusal("index=zz&wait=zz&stale&consistent", &bad).starts_with("Cannot specify"));
        assert_eq!(refusal("index=zz&wait=zz", &bad), "Invalid Cache-Control header.");
        assert_eq!(refusal("index=zz&wait=zz", &[]), "Invalid wait time");
        assert_eq!(refusal("wait=10", &[]), "Invalid wait time");
        assert_eq!(refusal("max_stale=5", &[]), r#"Invalid max_stale value "5""#);
    }

    #[test]
    fn a_bad_max_stale_is_repeated_up_to_a_bound() {
        let long = "z".repeat(2_000);
        assert_eq!(refusal(&format!("max_stale={long}"), &[]), format!("Invalid max_stale value {:?}", &long[..1024]));
    }

    #[test]
    fn a_cache_control_is_read_as_consul_reads_it() {
        for value in [
            "no-cache",
            "x; max-age=zz",
            "max-age=10",
            "must-revalidate",
            ";;=",
            "max-age=-1",
            "max-age",
            "foo=bar",
            "public, max-age=+1",
            "max-age=1,stale-if-error=2",
            "max-age = zz",
            "no-cache=zz",
        ] {
            assert!(options("", &[value]).is_ok(), "{value}");
        }
        for value in [
            "max-age=zz",
            "stale-if-error=zz",
            "MAX-AGE=zz",
            "max-age=1s",
            "max-age=",
            "max-age=1=2",
            "max-age=1;stale-if-error=zz",
            "max-age=99999999999999999999",
            "x, max-age= 1",
        ] {
            assert_eq!(refusal("", &[value]), "Invalid Cache-Control header.", "{value}");
        }
        assert!(options("", &["max-age=1", "max-age=zz"]).is_ok(), "the first header counts");
    }
}
