#![no_main]
//! cargo +nightly fuzz run append

#[path = "../../tests/command/everything.rs"]
mod everything;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for (name, read) in everything::READERS {
        if name == "append" {
            read(bytes);
        }
    }
});
