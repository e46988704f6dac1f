//! Each reader of files, fed with any bytes: it may say what is wrong with them, and no more.
//!
//! The fuzz targets in `fuzz/` include this file.

use porcupine::formats::{
    Format, Readable, Records, Rules, Value, annotations, append_kv, history, keyed_history,
    keys_are_inside, one_list_each, unpack, versioned_kv,
};
use porcupine::models::{
    AppendKv, Bank, Counter, Lease, ListAppend, Lock, MultiRegister, Mutex, PriorityQueue, Queue,
    ReentrantLock, Register, Set,
};

/// Reads bytes and forgets what they say.
pub(crate) type Reader = fn(&[u8]);

/// The readers, by name.
pub(crate) const READERS: [(&str, Reader); 9] = [
    ("versioned", |bytes| drop(versioned_kv(bytes).map_err(|error| error.to_string()))),
    ("append", |bytes| drop(append_kv(bytes).map_err(|error| error.to_string()))),
    ("jsonl", |bytes| of_format(bytes, Format::JsonLines)),
    ("edn", |bytes| of_format(bytes, Format::Edn)),
    ("txt", |bytes| of_format(bytes, Format::Txt)),
    ("log", |bytes| of_format(bytes, Format::Log)),
    ("annotations", |bytes| drop(annotations(bytes).map_err(|error| error.to_string()))),
    ("value", |bytes| {
        if let Ok(value) = Value::from_edn(&String::from_utf8_lossy(bytes)) {
            // What is printed is read as the same value, if it is made of values only.
            let printed = value.to_string();
            drop(Value::from_edn(&printed));
        }
    }),
    ("unpack", |bytes| {
        use std::io::Read;
        let limit = 1 << 20;
        if let Ok(unpacked) = unpack(bytes) {
            let _ = unpacked.take(limit).read_to_end(&mut Vec::new());
        }
    }),
];

fn of_format(bytes: &[u8], format: Format) {
    let _ = Format::detect(bytes);
    match Records::read(bytes, format) {
        Ok(records) => every_model(&records),
        Err(error) => drop(error.to_string()),
    }
}

fn every_model(records: &Records) {
    model(&Register::starting_at(Value::Nil), records);
    model(&MultiRegister::new(), records);
    model(&Counter::new(), records);
    model(&Set::new(), records);
    model(&Queue::new(), records);
    model(&PriorityQueue::new(), records);
    model(&ListAppend::new(), records);
    model(&Bank::new(Default::default()), records);
    model(&Mutex::new(), records);
    model(&Lock, records);
    model(&ReentrantLock::new(), records);
    model(&Lease, records);
    model(&AppendKv::new(), records);
    let _ = one_list_each(records);
}

fn model<M: Readable>(model: &M, records: &Records) {
    for keys_inside in [false, true, keys_are_inside::<M>(records)] {
        let rules = Rules { failed_cas_differs: keys_inside, keys_inside };
        let plain = history(model, records, &rules);
        let keyed = keyed_history(model, records, &rules);
        // Only AppendKv needs a key, which both find in the same place.
        assert_eq!(plain.is_ok(), keyed.is_ok());
        if let (Ok(plain), Ok(keyed)) = (plain, keyed) {
            assert_eq!(plain.lines, keyed.lines);
            assert_eq!(plain.operations.len(), plain.lines.len());
            for operation in &plain.operations {
                let _ = model.describe_operation(&operation.input, operation.output());
            }
        }
    }
}
