//! Turns spans into what an OpenTelemetry collector takes, and sends it there: OTLP over HTTP, from a thread of its own.
//! What does not fit into the queue is dropped: nobody waits for a collector.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, TracerProvider as _};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter as Exporter,
};
use tokio_rustls::rustls::crypto::ring;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::config::Traces;

/// Sends spans until it is dropped; then it sends those that are left.
#[derive(Debug)]
#[must_use = "spans are sent as long as it is there"]
pub struct Exporting(Option<SdkTracerProvider>);

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The filter is not one.
    #[error("the filter of the traces is not valid")]
    Filter(#[source] ParseError),
    /// The address or a header is not one.
    #[error("the collector cannot be addressed")]
    Exporter(#[from] ExporterBuildError),
    /// The ratio is not one.
    #[error("`traces.sampling_ratio` must be a number from 0 to 1")]
    Ratio,
}

impl Exporting {
    /// Starts what `settings` say: nothing, unless they name a collector. The layer is what spans go into.
    pub fn start<S>(settings: &Traces) -> Result<(Self, Option<impl Layer<S>>), TraceError>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let Some(endpoint) = &settings.endpoint else { return Ok((Self(None), None)) };
        if !(0.0..=1.0).contains(&settings.sampling_ratio) {
            return Err(TraceError::Ratio);
        }
        let filter = EnvFilter::try_new(&settings.filter).map_err(TraceError::Filter)?;
        let headers = settings.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        let timeout = Duration::from_millis(settings.export_timeout_ms);
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(timeout))
            .with_endpoint(endpoint)
            .with_timeout(timeout)
            .with_headers(headers.collect::<HashMap<_, _>>())
            .build()?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(settings.spans_queued_max)
            .with_max_export_batch_size(settings.spans_per_export_max)
            .with_scheduled_delay(Duration::from_secs(settings.export_seconds));
        let resource = Resource::builder_empty().with_attributes([
            KeyValue::new("service.name", settings.service_name.clone()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ]);
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sampling_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::new(Named(exporter), batches.build()))
            .with_sampler(sampler)
            .with_resource(resource.build())
            .build();
        let layer = layer(provider.tracer("rollcall")).with_filter(filter);
        Ok((Self(Some(provider)), Some(layer)))
    }
}

fn layer<S>(tracer: SdkTracer) -> OpenTelemetryLayer<S, SdkTracer>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    OpenTelemetryLayer::new(tracer).with_location(false).with_threads(false).with_tracked_inactivity(false)
}

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Some(provider) = &self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

/// Gives spans the names and kinds that people look for: in the log, those would only be in the way.
#[derive(Debug)]
struct Named<E>(E);

impl<E: Exporter> Exporter for Named<E> {
    async fn export(&self, mut spans: Vec<SpanData>) -> OTelSdkResult {
        spans.iter_mut().for_each(name);
        self.0.export(spans).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// `request` becomes `POST /library/books`, `stage` becomes `map`.
fn name(span: &mut SpanData) {
    let said = |key: &str| {
        let attribute = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        attribute.map(|attribute| attribute.value.to_string())
    };
    match &*span.name {
        "request" => {
            if let (Some(method), Some(route)) = (said("http.request.method"), said("http.route")) {
                span.name = format!("{method} {route}").into();
            }
            span.span_kind = SpanKind::Server;
        }
        "webhook" => span.span_kind = SpanKind::Client,
        "delivery" => span.span_kind = SpanKind::Consumer,
        "stage" => {
            if let Some(stage) = said("stage") {
                span.name = stage.into();
            }
        }
        _ => {}
    }
}

/// Sends over HTTP, and waits for the answer: the thread that sends has nothing else to do.
#[derive(Debug)]
struct Client(ureq::Agent);

impl Client {
    fn new(timeout: Duration) -> Self {
        let roots = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> = roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from(roots))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(timeout))
            .tls_config(tls)
            .build();
        Self(config.into())
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let mut answer = self.0.run(Request::from_parts(head, body.as_ref()))?;
        let body = Bytes::from(answer.body_mut().read_to_vec()?);
        let (head, _) = answer.into_parts();
        Ok(Response::from_parts(head, body))
    }
}
