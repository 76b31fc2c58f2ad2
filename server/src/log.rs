//! Turns the settings into what becomes of all that the process says: a log on standard error, figures, and spans for a
//! collector. What is said names requests, deliveries, tenants and connections; never payload values, never credentials.

use std::io::stderr;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter, ParseError};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Config, LogFormat};
use crate::trace::export::{Exporting, TraceError};
use crate::{metrics, panic};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("the log filter is not valid")]
    Filter(#[source] ParseError),
    /// Spans cannot be sent.
    #[error("the traces cannot be set up")]
    Traces(#[from] TraceError),
    /// There is a log already.
    #[error("the log cannot be set up twice")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Sets up the process's log, and what sends its spans. Keep what is returned until the end: it sends what is left.
pub fn start(config: &Config) -> Result<Exporting, LogError> {
    let filter = EnvFilter::try_new(&config.log.filter).map_err(LogError::Filter)?;
    let log = match config.log.format {
        LogFormat::Pretty => tracing_subscriber::fmt::layer().with_target(false).with_writer(stderr).boxed(),
        LogFormat::Json => json_subscriber::layer()
            .with_writer(stderr)
            .flatten_event(true)
            .with_current_span(false)
            .flatten_span_list_on_top_level(true)
            .with_opentelemetry_ids(config.traces.endpoint.is_some())
            .boxed(),
    };
    let (exporting, spans) = Exporting::start(&config.traces)?;
    let lines = Counted.with_filter(LevelFilter::WARN);
    registry().with(spans).with(log.with_filter(filter)).with(lines).try_init().map_err(LogError::Twice)?;
    panic::say_where();
    Ok(exporting)
}

/// Counts lines that somebody should look at.
struct Counted;

impl<S: Subscriber> Layer<S> for Counted {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        metrics::logged(if *event.metadata().level() == Level::ERROR { "error" } else { "warn" });
    }
}
