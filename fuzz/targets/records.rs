//! Records of the store under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peering_tests::fuzzing::records::check(data));
