//! What happened in one interval of ten seconds, as Consul's JSON shows it.

use jiff::Timestamp;

/// Length of an interval in seconds; Consul's.
const INTERVAL_SECONDS: i64 = 10;

/// The interval that runs and the one before it.
#[derive(Debug, Default)]
pub(super) struct Windows {
    began: i64,
    current: Option<Window>,
    last: Option<Window>,
}

/// Sums over one interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    /// How many values there were.
    pub(super) count: u32,
    /// Their sum.
    pub(super) sum: f64,
    /// The sum of their squares.
    squares: f64,
    /// The smallest.
    pub(super) min: f64,
    /// The largest.
    pub(super) max: f64,
}

impl Windows {
    /// Adds a value.
    pub(super) fn add(&mut self, value: f64, now: Timestamp) {
        let window = number(now);
        if window != self.began {
            self.last = if window == self.began + 1 { self.current } else { None };
            self.current = None;
            self.began = window;
        }
        self.current = Some(match self.current {
            None => Window { count: 1, sum: value, squares: value * value, min: value, max: value },
            Some(sums) => Window {
                count: sums.count.saturating_add(1),
                sum: sums.sum + value,
                squares: sums.squares + value * value,
                min: sums.min.min(value),
                max: sums.max.max(value),
            },
        });
    }

    /// Returns the interval before the present one, the last that is complete.
    pub(super) fn shown(&self, now: Timestamp) -> Option<Window> {
        match number(now) - self.began {
            0 => self.last,
            1 => self.current,
            _ => None,
        }
    }
}

impl Window {
    /// Returns the sum per second.
    pub(super) fn rate(&self) -> f64 {
        self.sum / f64::from(i32::try_from(INTERVAL_SECONDS).unwrap_or(1))
    }

    /// Returns the average.
    pub(super) fn mean(&self) -> f64 {
        self.sum / f64::from(self.count)
    }

    /// Returns the standard deviation of a sample; 0 of one value.
    pub(super) fn deviation(&self) -> f64 {
        let count = f64::from(self.count);
        if self.count < 2 {
            return 0.0;
        }
        ((count * self.squares - self.sum * self.sum) / (count * (count - 1.0))).max(0.0).sqrt()
    }
}

/// Returns when the interval that is shown began.
pub(super) fn begin_of_shown(now: Timestamp) -> Timestamp {
    Timestamp::from_second((number(now) - 1) * INTERVAL_SECONDS).unwrap_or(now)
}

fn number(now: Timestamp) -> i64 {
    now.as_second().div_euclid(INTERVAL_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_last_complete_interval_is_shown() {
        let mut windows = Windows::default();
        assert_eq!(windows.shown(at(0)), None);
        for value in [1.0, 2.0, 6.0] {
            windows.add(value, at(100));
        }
        assert_eq!(windows.shown(at(109)), None);
        let shown = windows.shown(at(110)).unwrap();
        assert_eq!((shown.count, shown.sum, shown.min, shown.max), (3, 9.0, 1.0, 6.0));
        assert_eq!((shown.rate(), shown.mean()), (0.9, 3.0));
        assert!((shown.deviation() - 7.0_f64.sqrt()).abs() < 1e-9, "{}", shown.deviation());
        windows.add(4.0, at(119));
        assert_eq!(windows.shown(at(119)), Some(shown));
        assert_eq!(windows.shown(at(120)).unwrap().sum, 4.0);
        assert_eq!(windows.shown(at(130)), None);
        windows.add(5.0, at(150));
        assert_eq!(windows.shown(at(150)), None);
        assert_eq!(windows.shown(at(160)).unwrap().deviation(), 0.0);
        assert_eq!(begin_of_shown(at(167)), at(150));
    }
}
