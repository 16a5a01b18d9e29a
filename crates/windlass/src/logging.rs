//! Log lines and traces: constant messages, everything that varies in fields.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, Result};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Subscriber;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::cli::{Global, LogFormat};

/// Libraries say little unless they are named in the level.
const QUIET: &str = "rustls=info,hyper=info,hyper_util=info,h2=info,tower=info,kube=info,gix=info,russh=warn";

/// A collector that does not answer must not hold up the end of the program.
const LAST_EXPORT: Duration = Duration::from_secs(2);

/// Sends the last spans when it is dropped.
#[must_use = "traces end when this is dropped"]
pub(crate) struct Telemetry {
    tracing: Option<SdkTracerProvider>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.tracing
            && let Err(error) = provider.shutdown_with_timeout(LAST_EXPORT)
        {
            tracing::debug!(%error, "the last spans could not be sent");
        }
    }
}

/// Starts logging to standard error and, if an endpoint is set, traces to an OpenTelemetry collector.
///
/// # Errors
///
/// When the level or the endpoint cannot be used.
pub(crate) fn start(global: &Global) -> Result<Telemetry> {
    let (subscriber, telemetry) =
        subscriber(&global.log, global.log_format, global.otlp_endpoint.as_deref())?;
    subscriber.try_init().map_err(|error| anyhow::anyhow!("logging could not start: {error}"))?;
    Ok(telemetry)
}

fn subscriber(
    level: &str,
    format: LogFormat,
    endpoint: Option<&str>,
) -> Result<(impl Subscriber + Send + Sync + 'static, Telemetry)> {
    let filter = EnvFilter::try_new(format!("{QUIET},{level}"))
        .with_context(|| format!("--log {level:?} is no level such as info or windlass_engine=debug"))?;
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let logs: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Text => {
            logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).with_filter(filter).boxed()
        }
        LogFormat::Json => logs.json().flatten_event(true).with_filter(filter).boxed(),
    };
    let provider = endpoint.filter(|endpoint| !endpoint.is_empty()).map(provider).transpose()?;
    let traces = provider.as_ref().map(|provider| {
        // Spans of our own alone: the exporter's requests must not make new ones. They are on level debug, so that
        // without this layer none is made at all.
        let ours = Targets::new().with_target("windlass", LevelFilter::DEBUG);
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("windlass"))
            .with_filter(ours.and(filter_fn(|metadata| metadata.is_span())))
    });
    Ok((tracing_subscriber::registry().with(logs).with(traces), Telemetry { tracing: provider }))
}

/// Sends spans in batches, from a thread of its own, as protobuf over HTTP.
fn provider(endpoint: &str) -> Result<SdkTracerProvider> {
    // The setting names the collector; each kind of signal has its path below it.
    let address = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(address)
        .build()
        .with_context(|| format!("--otlp-endpoint {endpoint:?} cannot be used"))?;
    let mut resource =
        Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("windlass");
    }
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Takes one request: its head, and its body.
    fn receive(listener: &TcpListener) -> (String, Vec<u8>) {
        let (mut stream, _) = listener.accept().expect("a request comes");
        let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            let n = stream.read(&mut chunk).expect("it can be read");
            bytes.extend_from_slice(&chunk[..n]);
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.parse().ok()).expect("it has a length");
            if bytes.len() >= end + 4 + length {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .expect("it can be answered");
                return (head, bytes[end + 4..].to_vec());
            }
        }
    }

    #[test]
    fn spans_reach_a_collector() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let receiving = std::thread::spawn(move || receive(&listener));
        let (subscriber, telemetry) = subscriber("off", LogFormat::Json, Some(&endpoint)).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug_span!("prepare_test", unit = "argocd/web").in_scope(|| {});
            tracing::debug_span!(target: "hyper", "not_ours").in_scope(|| {});
        });
        drop(telemetry);
        let (head, body) = receiving.join().unwrap();
        assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        let holds = |text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
        for expected in ["prepare_test", "argocd/web", "service.name", "windlass"] {
            assert!(holds(expected), "{expected} is missing");
        }
        assert!(!holds("not_ours"));
    }

    #[test]
    fn without_an_endpoint_no_span_is_made() {
        let (subscriber, telemetry) = subscriber("info", LogFormat::Text, None).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            assert!(tracing::debug_span!("prepare_test").is_disabled());
        });
        assert!(telemetry.tracing.is_none());
    }

    #[test]
    fn every_metric_is_documented() {
        let mut registry = prometheus_client::registry::Registry::default();
        windlass_engine::Metrics::default().register(&mut registry);
        windlass_server::register_process_metrics(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let page = include_str!("../../../docs/metrics.md");
        let types: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        assert!(types.len() > 10, "{text}");
        for line in types {
            let (name, kind) = line.split_once(' ').unwrap();
            let suffix = if kind == "counter" { "_total" } else { "" };
            let row = format!("| `{name}{suffix}` | {kind} |");
            assert!(page.contains(&row), "docs/metrics.md lacks {row}");
        }
    }

    #[test]
    fn a_level_that_cannot_be_read_is_named() {
        let error = subscriber("a=b=c", LogFormat::Text, None).err().unwrap();
        assert!(error.to_string().contains("a=b=c"), "{error}");
    }
}
