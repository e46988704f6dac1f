//! The data of a page as JSON, without a JSON library.
//!
//! Small, since histories are long: operations are arrays, times are relative to the first call,
//! orders share what they have in common with the first one, long texts are cut.

use std::fmt::Write;

use crate::check::{PartitionReport, Report, Verdict};
use crate::history::Operation;
use crate::model::{Model, Step};
use crate::picture::PictureOptions;

/// Longest description of an operation, in characters.
const LONG: usize = 160;
/// Longest description of a state.
const LONG_STATE: usize = 80;
/// Most orders of one partition.
const ORDERS: usize = 32;

pub(super) fn json<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    report: &Report,
    options: &PictureOptions<'_>,
) -> String {
    let base = history.iter().map(|operation| operation.call).min().unwrap_or(0);
    let base = options
        .annotations
        .iter()
        .map(|annotation| annotation.start)
        .min()
        .unwrap_or(base)
        .min(base);
    let mut clients: Vec<i64> = history.iter().map(|operation| operation.client).collect();
    clients.sort_unstable();
    clients.dedup();

    let mut out = String::with_capacity(128 * history.len() + 1024);
    out.push_str("{\"title\":");
    string(&mut out, options.title, usize::MAX);
    out.push_str(",\"text\":");
    string(&mut out, options.text, 20_000);
    let verdict = match report.verdict() {
        Verdict::Ok => "ok",
        Verdict::Illegal => "illegal",
        Verdict::Unknown => "unknown",
    };
    let _ = write!(out, ",\"verdict\":\"{verdict}\",\"base\":\"{base}\",\"clients\":{clients:?}");

    out.push_str(",\"ops\":[");
    for (at, operation) in history.iter().enumerate() {
        comma(&mut out, at);
        let row = clients.binary_search(&operation.client).unwrap_or(0);
        let _ = write!(out, "[{row},{},", operation.call - base);
        match operation.return_time() {
            Some(time) => {
                let _ = write!(out, "{},", time.saturating_sub(base));
            }
            None => out.push_str("null,"),
        }
        let text = model.describe_operation(&operation.input, operation.output());
        string(&mut out, &text, LONG);
        if let Some(meta) = &operation.meta {
            out.push(',');
            string(&mut out, meta, LONG);
        }
        out.push(']');
    }

    out.push_str("],\"parts\":[");
    let mut part_of = vec![0; history.len()];
    for (at, part) in report.partitions().iter().enumerate() {
        for operation in &part.operations {
            part_of[*operation] = at;
        }
        comma(&mut out, at);
        partition(&mut out, model, history, part);
    }
    let _ = write!(out, "],\"part_of\":{part_of:?},\"marked\":{:?}", options.marked);

    out.push_str(",\"notes\":[");
    for (at, note) in options.annotations.iter().enumerate() {
        comma(&mut out, at);
        out.push('[');
        string(&mut out, &note.tag, LONG);
        let _ = write!(out, ",{},", note.start - base);
        match note.end {
            Some(end) => {
                let _ = write!(out, "{},", end.saturating_sub(base));
            }
            None => out.push_str("null,"),
        }
        for (text, most) in [(&note.text, LONG), (&note.details, 4000), (&note.color, 40)] {
            string(&mut out, text, most);
            out.push(',');
        }
        let _ = write!(out, "{}]", u8::from(note.span));
    }
    out.push_str("]}");
    out
}

fn partition<M: Model>(
    out: &mut String,
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    part: &PartitionReport,
) {
    out.push_str("{\"name\":");
    string(out, &part.name, LONG);
    let verdict = match part.verdict {
        Verdict::Ok => "ok",
        Verdict::Illegal => "illegal",
        Verdict::Unknown => "unknown",
    };
    let _ = write!(out, ",\"verdict\":\"{verdict}\",\"count\":{}", part.operations.len());
    if let Some(stuck) = part.stuck {
        let kind = u8::from(stuck.at_return);
        let _ = write!(out, ",\"stuck\":[{},{kind}]", stuck.operation);
    }
    out.push_str(",\"orders\":[");
    let mut first: &[usize] = &[];
    for (at, order) in part.linearizations.iter().take(ORDERS).enumerate() {
        comma(out, at);
        let same = order.iter().zip(first).take_while(|(a, b)| a == b).count();
        let _ = write!(out, "{{\"same\":{same},\"ops\":{:?},\"states\":[", &order[same..]);
        let mut state = model.init();
        for (place, operation) in order.iter().enumerate() {
            let operation = &history[*operation];
            let moved = match model.step(&state, &operation.input, operation.output()) {
                Step::To(after) => {
                    state = after;
                    true
                }
                _ => false,
            };
            if place >= same {
                comma(out, place - same);
                if moved {
                    string(out, &model.describe_state(&state), LONG_STATE);
                } else {
                    out.push('0');
                }
            }
        }
        out.push_str("]}");
        if at == 0 {
            first = order;
        }
    }
    out.push_str("]}");
}

fn comma(out: &mut String, at: usize) {
    if at > 0 {
        out.push(',');
    }
}

/// A string literal that is safe inside a script element, cut to `most` characters.
fn string(out: &mut String, text: &str, most: usize) {
    out.push('"');
    for (at, c) in text.chars().enumerate() {
        if at == most {
            let _ = write!(out, "… ({} more)", text.chars().count() - most);
            break;
        }
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // A literal </script> or <!-- would end the script.
            '<' => out.push_str("\\u003c"),
            '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' | '\u{7f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #[test]
    fn strings_cannot_leave_the_script() {
        let mut out = String::new();
        super::string(&mut out, "a\"\\\n</script>\u{2028}", 100);
        assert_eq!(out, "\"a\\\"\\\\\\n\\u003c/script>\\u2028\"");
        out.clear();
        super::string(&mut out, "äöü", 2);
        assert_eq!(out, "\"äö… (1 more)\"");
    }
}
