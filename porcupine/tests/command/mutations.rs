//! Damaged files, made from sound ones by a seeded hand: every reader ends, and none panics.
//!
//! `PORCUPINE_CASES` says how many for each reader (a tenth of it).

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::everything::READERS;

/// One sound text for each format, with everything the format has.
const SAMPLES: [&str; 6] = [
    r##"{"client":1,"op":"put","key":"k","value":"x","version":0,"err":"OK","call":0,"return":10}
{"client":2,"op":"get","key":"k","out_value":"x","out_version":1,"err":"OK","call":5,"return":15,"meta":{"a":[1]}}
{"client":3,"op":"append","key":"k","value":"é\u0041","call":20,"return":null}
"##,
    r##"{"client":5,"op":"cas","key":"a","value":[1,2],"err":"Differs","call":10,"return":20}
{"client":6,"op":"txn","value":[["r","x",null],["append","y",[1,{"z":-7}]]],"out_value":[["r","x",[1]],["append","y",2]],"call":1,"return":9}
{"client":7,"op":"transfer","value":{"from":0,"to":1,"amount":3},"err":"Info","call":11,"return":12}
"##,
    "; comment\n[{:process 0, :type :invoke, :f :write, :value [:x #{1 \"a\"}], :time 10}\n #jepsen.history.Op{:process 1, :type :invoke, :f :txn, :value [[:r 1 nil] [:append 2 -3]], :key \"k\"}\n {:process :nemesis, :type :info, :f :kill, :value {:a 1.5e3}}\n {:process 0, :type :ok, :f :write, :value [:x 1], :time 30}\n {:process 1, :type :info, :f :txn, :error \\newline}]\n",
    "0\t:invoke\t:cas\t[nil 1]\n:nemesis\t:info\t:stop\tnil\n0\t:ok\t:cas\t[nil 1]\n1 :invoke :read nil\n1 :fail :read :timed-out\n",
    "INFO  jepsen.util - 0\t:invoke\t:acquire\tnil\n2023-04-05 12:00:01,123{GMT}\tINFO\t[w 0] jepsen.util: 0\t:info\t:acquire\t:timeout\nINFO other\n",
    r##"{"tag":"faults","start":1200,"end":5300,"text":"S1 is cut off","kind":"fault","span":true}
{"tag":"checks","start":12,"text":"one leader","details":"S2","color":"teal"}
"##,
];

#[test]
fn damaged_files_are_errors_at_most() {
    let cases =
        std::env::var("PORCUPINE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let mut packed: Vec<Vec<u8>> = SAMPLES.iter().map(|text| text.as_bytes().to_vec()).collect();
    for text in SAMPLES {
        let fastest = ruzstd::encoding::CompressionLevel::Fastest;
        packed.push(ruzstd::encoding::compress_to_vec(text.as_bytes(), fastest));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
        packed.push(gzip.finish().unwrap());
    }
    for (number, (name, read)) in READERS.iter().enumerate() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(number as u64);
        for sample in &packed {
            read(sample);
        }
        for case in 0..cases / 10 {
            let bytes = damaged(&packed, &mut rng);
            let done = std::panic::catch_unwind(|| read(&bytes));
            let text = String::from_utf8_lossy(&bytes);
            assert!(done.is_ok(), "{name}, case {case}: {text:?}");
        }
    }
}

/// A sample with a few bytes or pieces changed, doubled, moved, or left out.
fn damaged(samples: &[Vec<u8>], rng: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    const TOKENS: [&str; 24] = [
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "\"",
        "\\",
        "#",
        ":",
        ";",
        "nil",
        "null",
        "-",
        "\n",
        "\u{feff}",
        "99999999999999999999",
        "-9223372036854775808",
        "#_",
        "#{",
        "^",
        "1e999",
        ":ok",
        ":invoke",
    ];
    let mut bytes = samples[rng.random_range(0..samples.len())].clone();
    for _ in 0..rng.random_range(1..6) {
        let length = bytes.len();
        let at = rng.random_range(0..=length);
        let end = rng.random_range(at..=length.min(at + 40));
        match rng.random_range(0..7) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let piece = bytes[at..end].to_vec();
                let to = rng.random_range(0..=length);
                bytes.splice(to..to, piece);
            }
            2 if at < length => bytes[at] ^= 1 << rng.random_range(0..8),
            3 if at < length => bytes[at] = rng.random(),
            4 => {
                let token = TOKENS[rng.random_range(0..TOKENS.len())];
                let times = if rng.random_range(0..50) == 0 { 5_000 } else { 1 };
                bytes.splice(at..end, token.repeat(times).into_bytes());
            }
            5 => {
                let other = &samples[rng.random_range(0..samples.len())];
                let from = rng.random_range(0..other.len());
                let piece = &other[from..other.len().min(from + 60)];
                bytes.splice(at..at, piece.iter().copied());
            }
            _ => bytes.truncate(end),
        }
    }
    bytes
}
