#![no_main]
//! cargo +nightly fuzz run jsonl

#[path = "../../tests/command/everything.rs"]
mod everything;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for (name, read) in everything::READERS {
        if name == "jsonl" {
            read(bytes);
        }
    }
});
