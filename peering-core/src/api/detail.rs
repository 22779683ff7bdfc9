//! Why a peering is in its state: an object of ours behind Consul's keys, which readers of Consul ignore.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// What explains the state of a peering. What there is nothing to say of is absent.
///
/// # Units
/// Spans are Go durations such as `1.2s`, measured by a clock that nobody sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Detail {
    /// How long ago the last frame of the peer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_receive_age: Option<String>,
    /// How long ago the last frame went to the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_send_age: Option<String>,
    /// What went wrong last, even if all is well again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// When the peer is dialed again; on a dialer that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_redial: Option<NextRedial>,
    /// The last changes of the state that this server saw, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Transition>,
}

impl Detail {
    /// Says whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the object if it is of this shape; what another server means by the key is passed over.
    pub(super) fn if_it_is_ours<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Self>, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        Ok(serde_json::from_value(value).ok().filter(|detail: &Self| !detail.is_empty()))
    }
}

/// What went wrong, when, and what to do about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LastError {
    /// When.
    pub time: Timestamp,
    /// A stable word, such as `heartbeat-timeout`; `grpc-` and a number for a status without a word of its own.
    pub code: String,
    /// What was said, cut.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
}

/// When the peer is dialed again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NextRedial {
    /// When.
    pub time: Timestamp,
    /// In how long.
    pub after: String,
    /// Failures since the peer was last heard.
    pub failures: u32,
}

/// A change of the state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Transition {
    /// When.
    pub time: Timestamp,
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// Why: the code of an error, or a word such as `peer-heard`.
    pub cause: String,
}

#[cfg(test)]
mod tests {
    use crate::api::v1::Peering;

    #[test]
    fn what_is_no_detail_of_ours_is_passed_over() {
        let read = |detail: &str| {
            let text = format!(r#"{{"ID":"i","Name":"n","Detail":{detail}}}"#);
            serde_json::from_str::<Peering>(&text).unwrap().detail
        };
        for other in ["null", "{}", "\"ok\"", "[1]", r#"{"LastError":7}"#, r#"{"Else":{}}"#] {
            assert_eq!(read(other), None, "{other}");
        }
        let ours = read(r#"{"LastReceiveAge":"1.2s","Else":1,"NextRedial":{"Failures":3}}"#).unwrap();
        assert_eq!((ours.last_receive_age.as_deref(), ours.next_redial.unwrap().failures), (Some("1.2s"), 3));
    }
}
