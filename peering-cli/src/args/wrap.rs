//! Breaks text into lines of even length, as Consul's help pages do.

/// Cost of a line that is longer than the width, so that one is taken only for a word that fits on no line.
const OVERLONG_COST: u64 = 100_000;

/// Breaks text at blanks and newlines into lines of at most `width` characters with the least raggedness.
///
/// # Shape
/// Raggedness is the sum over all lines but the last of the square of the blanks left at the end. Among equal
/// breakings the one with the shorter first line wins. A word longer than the width gets a line of its own.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let words: Vec<&str> = text.trim().split([' ', '\n']).collect();
    // Of the words from `first` on: the least cost, and where the second line begins.
    let mut best = vec![(0_u64, words.len()); words.len() + 1];
    for first in (0..words.len()).rev() {
        best[first] = cheapest_break(&words[first..], width, &best[first..], first);
    }
    let (mut lines, mut first) = (Vec::new(), 0);
    while first < words.len() {
        let next = best[first].1;
        lines.push(words[first..next].join(" "));
        first = next;
    }
    lines
}

/// Finds the best first line of `words`, given the cost of every shorter remainder.
fn cheapest_break(words: &[&str], width: usize, costs: &[(u64, usize)], offset: usize) -> (u64, usize) {
    let total: usize = words.iter().map(|word| word.chars().count() + 1).sum::<usize>() - 1;
    if total <= width {
        return (0, offset + words.len());
    }
    let mut cheapest = (u64::MAX, offset + words.len());
    let mut length = 0;
    for taken in 1..=words.len() {
        length += words[taken - 1].chars().count() + usize::from(taken > 1);
        let slack = u64::try_from(width.abs_diff(length)).unwrap_or(u64::from(u32::MAX));
        let overlong = if length > width { OVERLONG_COST } else { 0 };
        let cost = slack.saturating_mul(slack).saturating_add(overlong).saturating_add(costs[taken].0);
        if cost < cheapest.0 {
            cheapest = (cost, offset + taken);
        }
    }
    cheapest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_is_one_line() {
        assert_eq!(wrap(" one two\nthree ", 13), ["one two three"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn lines_are_balanced_rather_than_filled() {
        // Filling greedily would give "aaa bb cc", "ddddd": a slack of 0 on a width of 9, but of 4 for "aaa bb".
        assert_eq!(wrap("aaa bb cc ddddd", 6), ["aaa", "bb cc", "ddddd"]);
        assert_eq!(wrap("a b c d e f", 5), ["a b c", "d e f"]);
    }

    #[test]
    fn the_last_line_costs_nothing() {
        assert_eq!(wrap("aaaa bbbb c", 9), ["aaaa bbbb", "c"]);
    }

    #[test]
    fn a_word_that_fits_nowhere_stands_alone() {
        assert_eq!(wrap("a bbbbbbbbbb c", 5), ["a", "bbbbbbbbbb", "c"]);
        assert_eq!(wrap("bbbbbbbbbb", 5), ["bbbbbbbbbb"]);
    }

    #[test]
    fn widths_are_counted_in_characters() {
        assert_eq!(wrap("ää öö", 5), ["ää öö"]);
    }

    #[test]
    fn no_other_breaking_is_less_ragged() {
        let words = ["to", "wrap", "a", "paragraph", "evenly", "one", "looks", "at", "all", "breaks"];
        let width = 14;
        let cost = |breaks: u32| {
            let mut lines = vec![String::new()];
            for (i, word) in words.iter().enumerate() {
                if i > 0 && breaks & (1 << (i - 1)) != 0 {
                    lines.push(String::new());
                }
                let line = lines.last_mut().unwrap();
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            if lines.iter().any(|line| line.len() > width) {
                return None;
            }
            let (_, others) = lines.split_last().unwrap();
            Some((others.iter().map(|line| (width - line.len()).pow(2)).sum::<usize>(), lines.clone()))
        };
        let least = (0..1 << (words.len() - 1)).filter_map(cost).min().unwrap().0;
        let lines = wrap(&words.join(" "), width);
        let (_, others) = lines.split_last().unwrap();
        assert_eq!(others.iter().map(|line| (width - line.len()).pow(2)).sum::<usize>(), least, "{lines:?}");
    }
}
