//! Changes to kept inputs, in an order that follows from a seed.

/// Longest input that is made: what grows beyond this is as good shorter.
const INPUT_BYTES_MAX: usize = 64 << 10;
/// Most changes to one input.
const CHANGES_MAX: usize = 6;
/// Bytes at which something may turn over.
const TURNING: [u8; 12] = [0, 1, 0x1b, b'"', b'-', b'=', b'\\', b'}', 0x7f, 0x80, 0xfe, 0xff];

/// Makes inputs out of kept ones.
///
/// # Examples
/// ```
/// use peering_tests::fuzzing::mutate::Mutator;
///
/// let kept = [b"{}".to_vec(), b"[1]".to_vec()];
/// let inputs = |seed| {
///     let mut mutator = Mutator::new(seed);
///     (0..10).map(|_| mutator.next(&kept, &["null"])).collect::<Vec<_>>()
/// };
/// assert_eq!(inputs(7), inputs(7));
/// assert_ne!(inputs(7), inputs(8));
/// ```
#[derive(Debug, Clone)]
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// Starts the order of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Makes the next input.
    ///
    /// # Panics
    /// If there are no kept inputs or no words.
    #[must_use]
    pub fn next(&mut self, kept: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
        let mut input = kept[self.below(kept.len())].clone();
        for _ in 0..=self.below(CHANGES_MAX) {
            self.change(&mut input, kept, words);
            input.truncate(INPUT_BYTES_MAX);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, kept: &[Vec<u8>], words: &[&str]) {
        let (from, to) = self.range(input.len());
        match self.below(9) {
            0 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] ^= 1 << self.below(8);
            }
            1 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] = TURNING[self.below(TURNING.len())];
            }
            2 => drop(input.drain(from..to)),
            3 => input.truncate(from),
            4 => {
                let part = input[from..to].to_vec();
                input.splice(to..to, part.repeat(1 + self.below(4)));
            }
            5 => {
                let other = &kept[self.below(kept.len())];
                let (begin, end) = self.range(other.len());
                input.splice(from..to, other[begin..end].iter().copied());
            }
            6 => {
                let word = words[self.below(words.len())];
                input.splice(from..to, word.bytes());
            }
            7 => {
                let word = words[self.below(words.len())];
                input.splice(from..from, word.bytes());
            }
            _ => {
                let byte = u8::try_from(self.below(256)).unwrap();
                input.insert(from, byte);
            }
        }
    }

    /// Draws a part of something this long: mostly a short one.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let longest = if self.below(4) == 0 { length - from } else { (length - from).min(16) };
        (from, from + self.below(longest + 1))
    }

    /// Draws a number below this one.
    fn below(&mut self, end: usize) -> usize {
        // splitmix64, whose every seed is as good as any other.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }
}
