//! Traces over OTLP (http/protobuf), where hsmc is built with the feature `otlp` and the environment names a receiver:
//! `OTEL_EXPORTER_OTLP_ENDPOINT`, and beside it what OpenTelemetry's specification has for headers, timeout and the
//! service's name.
//!
//! Promises: without a receiver nothing is gathered; spans are sent from a thread of their own, and what has ended is
//! sent before the process does. Never: an address, a hash or a token in a span.

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// Sends what is left when it is dropped.
pub(super) struct Traces(SdkTracerProvider);

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(problem) = self.0.shutdown() {
            tracing::warn!(%problem, "the last traces were not sent");
        }
    }
}

/// What takes spans up.
///
/// # Errors
/// What the environment says of the receiver makes no sense.
pub(super) fn layer<S>() -> io::Result<(impl Layer<S>, Traces)>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    crate::tls::set_up();
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build();
    let exporter = exporter.map_err(io::Error::other)?;
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("hsmc");
    }
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    let spans = filter_fn(|about| about.is_span() && about.target() == super::SPANS);
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("hsmc"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    Ok((layer.with_filter(spans), Traces(provider)))
}
