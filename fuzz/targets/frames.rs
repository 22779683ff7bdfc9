//! Frames of a peer stream under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peering_tests::fuzzing::frames::check(data));
