//! What a node tells of its work: the log, metrics and traces. None of them ever holds a payload.

use std::sync::OnceLock;
use std::time::SystemTime;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use rabita_config::node::{LogForm, Telemetry, Traces};
use rabita_contract::TraceParent;
use rabita_core::Trail;
use rabita_model::{Ask, Blame, Code};
use tracing_subscriber::EnvFilter;

use super::instruments;
use super::log::{self, LogGuard};

/// Begins the log on standard error. The guard writes out what is left when it is dropped.
///
/// # Errors
/// When the filter cannot be read.
pub fn log(telemetry: &Telemetry) -> Result<LogGuard, String> {
    let words = telemetry.log_filter.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_new(words).map_err(|error| format!("telemetry.log_filter: {error}"))?;
    let (writer, guard) = log::begin(std::io::stderr()).map_err(|error| error.to_string())?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let begun = match telemetry.log {
        LogForm::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogForm::Text => builder.with_ansi(false).try_init(),
    };
    begun.map_err(|error| error.to_string())?;
    Ok(guard)
}

/// The metrics of this process. Several nodes in one process, as in tests, share them.
pub(super) fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let buckets = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
            // An update waits for hours where its registry is down.
            let waits = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0, 21_600.0, 86_400.0];
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &buckets)
                .expect("there are buckets")
                .set_buckets_for_metric(Matcher::Full("rabita_update_seconds".to_owned()), &waits)
                .expect("there are buckets")
                .build_recorder();
            let handle = recorder.handle();
            // Another recorder can be there only in a program that embeds the node and has its own.
            if metrics::set_global_recorder(recorder).is_ok() {
                instruments::describe();
            }
            handle
        })
        .clone()
}

/// The maker of traces, where the configuration asks for them.
pub(super) struct Tracing(Option<(SdkTracerProvider, SdkTracer)>);

impl Tracing {
    pub fn open(traces: Option<&Traces>) -> Result<Self, String> {
        let Some(traces) = traces else { return Ok(Self(None)) };
        let exporter =
            SpanExporter::builder().with_http().with_endpoint(&traces.endpoint).build().map_err(|error| error.to_string())?;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(traces.share)));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter, Tokio).build())
            .with_sampler(sampler)
            .with_resource(Resource::builder().with_service_name("rabita").build())
            .build();
        let tracer = provider.tracer("rabita");
        Ok(Self(Some((provider, tracer))))
    }

    /// Begins the span of an exchange, below the caller's.
    pub fn begin(&self, caller: Option<TraceParent>, ask: &Ask) -> Option<Span> {
        let (_, tracer) = self.0.as_ref()?;
        let parent = caller.map_or_else(Context::new, |trace| {
            let flags = if trace.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
            let (trace_id, span_id) = (TraceId::from_bytes(trace.trace_id), SpanId::from_bytes(trace.span_id));
            Context::new().with_remote_span_context(SpanContext::new(trace_id, span_id, flags, true, TraceState::default()))
        });
        let name = format!("{} {}", ask.want.operation(), ask.target);
        let exchange = tracer.span_builder(name).with_kind(SpanKind::Server).start_with_context(tracer, &parent);
        // Most exchanges are in no trace where only a share of them is.
        let registry = exchange.is_recording().then(|| {
            let within = parent.with_remote_span_context(exchange.span_context().clone());
            let call = tracer.span_builder(format!("call {}", ask.target.registry)).with_kind(SpanKind::Client);
            call.start_with_context(tracer, &within)
        });
        Some(Span { exchange, registry })
    }

    /// Sends what is left.
    pub async fn flush(&self) {
        if let Some((provider, _)) = &self.0 {
            let provider = provider.clone();
            // The provider's flush blocks; the sender it waits for runs on this runtime.
            let _ = tokio::task::spawn_blocking(move || provider.shutdown()).await;
        }
    }
}

/// The spans of one exchange: its own, and where it is recorded the call to the registry within it.
pub(super) struct Span {
    exchange: opentelemetry_sdk::trace::Span,
    registry: Option<opentelemetry_sdk::trace::Span>,
}

impl Span {
    /// What the registry is told.
    pub fn traceparent(&self) -> String {
        let context = self.registry.as_ref().unwrap_or(&self.exchange).span_context();
        let flags = u8::from(context.is_sampled());
        format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id())
    }

    pub fn end(mut self, done: &Trail, status: u16, refused: Option<Code>) {
        let Some(mut registry) = self.registry.take() else { return };
        let now = SystemTime::now();
        registry.set_attribute(KeyValue::new("rabita.registry", done.target.registry.to_string()));
        if done.timing.registry.is_zero() {
            registry.set_attribute(KeyValue::new("rabita.asked", false));
        }
        registry.end_with_timestamp(now);
        for (key, value) in [
            ("rabita.registry", done.target.registry.to_string()),
            ("rabita.entity", done.target.entity.to_string()),
            ("rabita.operation", done.operation.to_string()),
            ("rabita.system", done.system.as_ref().map(ToString::to_string).unwrap_or_default()),
        ] {
            self.exchange.set_attribute(KeyValue::new(key, value));
        }
        self.exchange.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if let Some(code) = refused {
            self.exchange.set_attribute(KeyValue::new("error.type", code.as_str()));
            if code.blame() != Blame::Caller {
                self.exchange.set_status(Status::error(code.public_message()));
            }
        }
        self.exchange.end_with_timestamp(now);
    }
}
