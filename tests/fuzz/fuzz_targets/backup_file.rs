#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| maas_fuzz_targets::backup::backup_file(data));
