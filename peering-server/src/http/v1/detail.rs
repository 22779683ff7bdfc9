//! What explains a peering's state, in the JSON of ours that stands behind Consul's keys.

use std::time::Duration;

use jiff::Timestamp;
use peering_core::api::detail::{Detail, LastError, NextRedial, Transition};
use peering_core::duration::GoDuration;

use crate::service::status::{self, Explanation};

/// What spans are rounded to: nobody reads more of an age, and Go prints it shortly.
const ROUNDED_TO: Duration = Duration::from_millis(100);

pub(super) fn detail(told: &Explanation, now: Timestamp) -> Detail {
    Detail {
        last_receive_age: told.receive_age.map(span),
        last_send_age: told.send_age.map(span),
        last_error: told.last_error.as_ref().map(last_error),
        next_redial: told.next_redial.map(|redial| NextRedial {
            time: now.checked_add(redial.after).unwrap_or(now),
            after: span(redial.after),
            failures: redial.failures,
        }),
        transitions: told.transitions.iter().map(transition).collect(),
    }
}

fn last_error(error: &status::LastError) -> LastError {
    LastError {
        time: error.at,
        code: error.trouble.code().into_owned(),
        text: error.text.to_string(),
        remedy: error.trouble.remedy().to_owned(),
    }
}

fn transition(transition: &status::Transition) -> Transition {
    Transition {
        time: transition.at,
        from: transition.from.to_string(),
        to: transition.to.to_string(),
        cause: transition.cause.word().into_owned(),
    }
}

fn span(span: Duration) -> String {
    let tenths = (span + ROUNDED_TO / 2).as_nanos() / ROUNDED_TO.as_nanos();
    let nanos = i64::try_from(tenths * ROUNDED_TO.as_nanos()).unwrap_or(i64::MAX);
    GoDuration::from_nanos(nanos).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_to_tenths_of_a_second() {
        for (millis, text) in [(0, "0s"), (49, "0s"), (50, "100ms"), (1_249, "1.2s"), (64_000, "1m4s")] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }
}
