//! A figure, the limit beside it, and the table of them.

use std::fmt::Write;

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) what: String,
    /// The product's figure.
    pub(crate) ours: String,
    /// The limit's, measured in the same run.
    pub(crate) limit: String,
    /// The one against the other, or the figure itself.
    pub(crate) ratio: f64,
    /// What is wanted.
    pub(crate) aim: Aim,
}

/// What is wanted of a ratio.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Aim {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Aim {
    fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(most) => ratio <= most,
            Self::AtLeast(least) => ratio >= least,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most}"),
            Self::AtLeast(least) => format!("≥ {least}"),
        }
    }
}

/// Renders the table, in columns as wide as their longest entry.
pub(crate) fn table(figures: &[Figure]) -> String {
    let head = ["what", "measured", "against", "ratio", "aim", ""].map(str::to_owned);
    let lines = figures.iter().map(|figure| {
        let verdict = if figure.aim.is_met(figure.ratio) { "met" } else { "missed" };
        [
            figure.what.clone(),
            figure.ours.clone(),
            figure.limit.clone(),
            format!("{:.2}", figure.ratio),
            figure.aim.text(),
            verdict.to_owned(),
        ]
    });
    let lines: Vec<[String; 6]> = std::iter::once(head).chain(lines).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

/// Returns the middle of some samples; of an even number, the lower of the two in the middle.
///
/// # Panics
/// Without samples.
pub(crate) fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[(samples.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(median(vec![4.0, 3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
    }

    #[test]
    fn a_table_says_which_aims_were_missed() {
        let figure = |ratio, aim| Figure { what: "w".into(), ours: "o".into(), limit: "l".into(), ratio, aim };
        let table = table(&[figure(0.4, Aim::AtLeast(0.5)), figure(1.5, Aim::AtMost(1.5))]);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].ends_with("0.40   ≥ 0.5  missed") && lines[2].ends_with("1.50   ≤ 1.5  met"), "{table}");
    }
}
