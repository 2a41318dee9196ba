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
                describe();
            }
            handle
        })
        .clone()
}

fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    counter!(
        "rabita_exchanges_total",
        "Exchanges by system, registry, entity, operation and code: ok where answered, caller_left where nobody waited."
    );
    histogram!("rabita_exchange_seconds", "The time from a request's head to its answer.");
    histogram!("rabita_registry_seconds", "The time that a registry took for one call.");
    gauge!("rabita_registry_in_flight", "Calls under way at a registry.");
    gauge!("rabita_registry_ready", "1 while a registry answers and its code lists are read.");
    gauge!("rabita_breaker_open", "1 while a registry is given a pause.");
    counter!("rabita_cache_total", "Questions to an entity's memory: hit, miss or stale.");
    counter!("rabita_flights_joined_total", "Questions answered by a call that was under way for another.");
    counter!("rabita_reply_faults_total", "Faults in registries' replies, refused or observed.");
    counter!("rabita_row_condition_errors_total", "Row conditions of grants that could not be told: the record was left out.");
    gauge!("rabita_connections", "Callers' connections.");
    counter!("rabita_connections_refused_total", "Connections beyond the limit.");
    counter!("rabita_handshakes_failed_total", "TLS handshakes that failed or took too long, by reason.");
    counter!("rabita_connections_distrusted_total", "Connections that ended because their client certificate no longer held.");
    gauge!("rabita_issuer_keys", "Keys of an issuer of access tokens that can verify.");
    counter!("rabita_issuer_keys_read_total", "Readings of an issuer's keys, by issuer and result.");
    counter!("rabita_updates_total", "Updates that ended, by registry and outcome.");
    counter!("rabita_update_attempts_total", "Attempts to apply updates, by registry and result.");
    histogram!("rabita_update_seconds", "The time from an update's acceptance to its outcome.");
    gauge!("rabita_journal_waiting", "Updates on their way, by registry.");
    gauge!("rabita_journal_parked", "Updates that wait for a person, by registry.");
    gauge!("rabita_journal_oldest_seconds", "The age of the oldest update on its way, by registry; 0 where none is.");
    gauge!("rabita_journal_healthy", "1 while the journal takes updates on.");
    gauge!("rabita_ledger_writable", "1 while the ledger takes entries: without it nothing is answered with data.");
    gauge!("rabita_ledger_entries", "Entries of the ledger.");
    gauge!("rabita_ledger_index_behind", "Entries of the ledger that cannot be found yet by what they are about.");
    histogram!("rabita_ledger_record_seconds", "The time that recording an exchange adds to its answer.");
    counter!(
        "rabita_ledger_refusals_unrecorded_total",
        "Refusals of unknown callers, or over a limit, beyond those that are recorded in a second."
    );
    gauge!("rabita_configuration_refused", "1 while the directory holds a configuration that was refused.");
    counter!("rabita_configuration_changes_total", "Changes of the configuration, by result: accepted or refused.");
    counter!("rabita_ledger_split_views_total", "Rounds in which a log showed another past than before.");
    counter!("rabita_ledger_timestamp_failures_total", "Rounds in which the checkpoint was not stamped, and should have been.");
    gauge!("rabita_ledger_stamped_entries", "Entries of the ledger that are under a time stamp.");
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
