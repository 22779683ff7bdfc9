//! Bodies of HTTP under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peering_tests::fuzzing::bodies::check(data));
