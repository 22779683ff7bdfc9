//! How long peering tokens live and are kept.

use std::time::Duration;

use jiff::SignedDuration;
use peering_core::duration::GoDuration;

use super::Settings;
use super::resolve::Resolver;
use crate::bounds::TOKEN_RETENTION;

/// Shortest life of a token: the text in it has whole seconds.
pub(crate) const TOKEN_TTL_MIN: Duration = Duration::from_secs(1);

/// How long peering tokens live and are kept. A running server takes on a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenPolicy {
    /// The life of a token for which none is asked; without it, the longest there may be.
    pub ttl_default: Option<Duration>,
    /// The longest life of a token; without it, tokens may live for ever.
    pub ttl_max: Option<Duration>,
    /// Time for which a token is kept after it ended.
    pub retention: SignedDuration,
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self { ttl_default: None, ttl_max: None, retention: TOKEN_RETENTION }
    }
}

impl TokenPolicy {
    /// Returns the life of a token for which none is asked.
    #[must_use]
    pub fn ttl_if_none_is_asked_for(&self) -> Option<Duration> {
        self.ttl_default.or(self.ttl_max)
    }
}

impl Resolver {
    /// Reads the settings about tokens.
    pub(super) fn tokens(&mut self, settings: &Settings) -> TokenPolicy {
        let ttl_default = self.ttl("token-ttl-default", settings.token_ttl_default.as_deref());
        let ttl_max = self.ttl("token-ttl-max", settings.token_ttl_max.as_deref());
        if let (Some(default), Some(max)) = (ttl_default, ttl_max)
            && default > max
        {
            let (default, max) = (GoDuration::from(default), GoDuration::from(max));
            self.mistake("token-ttl-default", format!("{default} is longer than -token-ttl-max, {max}"));
        }
        let retention = match settings.token_retention.as_deref().map(GoDuration::parse) {
            None => TOKEN_RETENTION,
            Some(Ok(kept)) if kept.as_nanos() >= 0 => SignedDuration::from_nanos(kept.as_nanos()),
            Some(Ok(kept)) => {
                self.mistake("token-retention", format!("expected a duration of 0 or more, got {kept}"));
                TOKEN_RETENTION
            }
            Some(Err(error)) => {
                self.mistake("token-retention", error.to_string());
                TOKEN_RETENTION
            }
        };
        TokenPolicy { ttl_default, ttl_max, retention }
    }

    fn ttl(&mut self, setting: &'static str, given: Option<&str>) -> Option<Duration> {
        let ttl = GoDuration::parse(given?).map_err(|error| self.mistake(setting, error.to_string())).ok()?;
        let long_enough = ttl.to_std().filter(|ttl| *ttl >= TOKEN_TTL_MIN);
        if long_enough.is_none() {
            self.mistake(setting, format!("expected at least {}, got {ttl}", GoDuration::from(TOKEN_TTL_MIN)));
        }
        long_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(default: Option<&str>, max: Option<&str>, retention: Option<&str>) -> Result<TokenPolicy, String> {
        let settings = Settings {
            dev: Some(true),
            token_ttl_default: default.map(str::to_owned),
            token_ttl_max: max.map(str::to_owned),
            token_retention: retention.map(str::to_owned),
            ..Settings::default()
        };
        settings.resolve().map(|config| config.tokens).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn a_life_is_a_go_duration_of_a_second_at_least() {
        let default = |text| resolve(Some(text), None, None).map(|tokens| tokens.ttl_default.unwrap());
        assert_eq!(default("1.5h"), Ok(Duration::from_secs(5_400)));
        assert_eq!(default(".5h"), Ok(Duration::from_secs(1_800)));
        assert_eq!(default("1s"), Ok(Duration::from_secs(1)));
        for (text, problem) in [
            ("-1s", "expected at least 1s, got -1s"),
            ("999ms", "expected at least 1s, got 999ms"),
            ("1µs", "expected at least 1s, got 1µs"),
            ("0", "expected at least 1s, got 0s"),
            ("1y", "time: unknown unit \"y\" in duration \"1y\""),
            ("9e9h", "time: unknown unit \"e\" in duration \"9e9h\""),
            ("9999999h", "time: invalid duration \"9999999h\""),
            ("24", "time: missing unit in duration \"24\""),
        ] {
            assert_eq!(default(text), Err(format!("-token-ttl-default: {problem}")));
            assert_eq!(resolve(None, Some(text), None), Err(format!("-token-ttl-max: {problem}")));
        }
    }

    #[test]
    fn the_longest_life_is_that_of_a_token_for_which_none_is_asked_unless_there_is_a_default() {
        let asked = |default, max| resolve(default, max, None).unwrap().ttl_if_none_is_asked_for();
        let hours = |count: u64| Some(Duration::from_secs(count * 3_600));
        assert_eq!(asked(None, None), None);
        assert_eq!(asked(Some("1h"), None), hours(1));
        assert_eq!(asked(None, Some("24h")), hours(24));
        assert_eq!(asked(Some("24h"), Some("24h")), hours(24));
        let refused = resolve(Some("48h"), Some("24h"), None).unwrap_err();
        assert_eq!(refused, "-token-ttl-default: 48h0m0s is longer than -token-ttl-max, 24h0m0s");
    }

    #[test]
    fn ended_tokens_are_kept_for_thirty_days_or_as_long_as_somebody_says() {
        let kept = |text| resolve(None, None, text).map(|tokens| tokens.retention);
        assert_eq!(kept(None), Ok(SignedDuration::from_hours(720)));
        assert_eq!(kept(Some("1h")), Ok(SignedDuration::from_hours(1)));
        assert_eq!(kept(Some("0s")), Ok(SignedDuration::ZERO));
        assert_eq!(kept(Some("-1h")).unwrap_err(), "-token-retention: expected a duration of 0 or more, got -1h0m0s");
        assert_eq!(kept(Some("30d")).unwrap_err(), "-token-retention: time: unknown unit \"d\" in duration \"30d\"");
    }
}
