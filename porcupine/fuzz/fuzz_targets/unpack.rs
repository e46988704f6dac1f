#![no_main]
//! cargo +nightly fuzz run unpack

#[path = "../../tests/command/everything.rs"]
mod everything;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for (name, read) in everything::READERS {
        if name == "unpack" {
            read(bytes);
        }
    }
});
