//! Log lines on stderr, and the macros of the crate `log` as events.
//!
//! Log lines are rendered from [events](labrt::events). Two listeners print or keep them:
//! `LAB_LOG=filter` has them printed as they come, for the whole process; a run that is recorded
//! has a [`Writer`](view::trace::Writer) of its own. Lines logged with the macros of the crate
//! `log` become events too, so that both listeners get them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use labrt::events::{self, Level, Parts, Record, Sink};
use log::kv::{self, VisitSource};
use log::{LevelFilter, Log, Metadata};

/// Prints the events that its filter lets through.
struct Live(env_logger::Logger);

impl Sink for Live {
    fn record(&self, record: &Record) {
        let level = level_of(record.event.level());
        let metadata = Metadata::builder().level(level).target(record.event.target()).build();
        if !self.0.enabled(&metadata) {
            return;
        }
        let text = format_args!("{}", record.event);
        let line = log::Record::builder().metadata(metadata).args(text).build();
        if self.0.matches(&line) {
            eprintln!("{record}");
        }
    }
}

fn level_of(level: Level) -> log::Level {
    match level {
        Level::Error => log::Level::Error,
        Level::Warn => log::Level::Warn,
        Level::Info => log::Level::Info,
        Level::Debug => log::Level::Debug,
        Level::Trace => log::Level::Trace,
    }
}

/// Turns lines of the crate `log` into events.
struct Lines;

/// What the filter of live lines lets through.
static LIVE: OnceLock<LevelFilter> = OnceLock::new();

/// How many runs are recorded; while there is one, all levels are on.
static RECORDED: AtomicUsize = AtomicUsize::new(0);

/// Installs the logger, the first time with the filter for live lines.
///
/// Where a test binary has installed a logger of its own, that one stays; lines of the crate `log`
/// are then missing from the files.
pub(crate) fn install(filter: Option<&str>) -> LevelFilter {
    *LIVE.get_or_init(|| {
        let live = filter.map(|filter| env_logger::Builder::new().parse_filters(filter).build());
        let level = live.as_ref().map_or(LevelFilter::Off, env_logger::Logger::filter);
        if let Some(live) = live {
            events::listen_everywhere(Some(Arc::new(Live(live))));
        }
        if log::set_logger(&Lines).is_ok() {
            log::set_max_level(level);
        }
        level
    })
}

/// Keeps the level of the crate `log` at trace while a run is recorded.
pub(crate) struct RaisedLevel(LevelFilter);

impl RaisedLevel {
    pub(crate) fn new() -> RaisedLevel {
        let live = install(None);
        RECORDED.fetch_add(1, Ordering::SeqCst);
        log::set_max_level(LevelFilter::Trace);
        RaisedLevel(live)
    }
}

impl Drop for RaisedLevel {
    fn drop(&mut self) {
        if RECORDED.fetch_sub(1, Ordering::SeqCst) == 1 {
            log::set_max_level(self.0);
        }
    }
}

impl Log for Lines {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        events::listening(Parts::LOG)
    }

    fn log(&self, line: &log::Record<'_>) {
        events::emit(|| {
            let mut fields = Fields::default();
            let _ = line.key_values().visit(&mut fields); // it never fails
            events::Log {
                level: match line.level() {
                    log::Level::Error => Level::Error,
                    log::Level::Warn => Level::Warn,
                    log::Level::Info => Level::Info,
                    log::Level::Debug => Level::Debug,
                    log::Level::Trace => Level::Trace,
                },
                target: line.target().to_owned().into(),
                text: line.args().to_string(),
                fields: fields.0,
            }
        });
    }

    fn flush(&self) {}
}

#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        self.0.insert(key.to_string(), value.to_string());
        Ok(())
    }
}
