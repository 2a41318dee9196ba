//! The metrics that there are. A test of the documents holds this list against the code.

/// Every metric: its name, its kind in the words of Prometheus, and what it tells.
pub const METRICS: &[(&str, &str, &str)] = &[
    (
        "rabita_exchanges_total",
        "counter",
        "Exchanges by system, registry, entity, operation and code: ok where answered, caller_left where nobody waited.",
    ),
    ("rabita_exchange_seconds", "histogram", "The time from a request's head to its answer."),
    ("rabita_registry_seconds", "histogram", "The time that a registry took for one call."),
    ("rabita_registry_in_flight", "gauge", "Calls under way at a registry."),
    ("rabita_registry_ready", "gauge", "1 while a registry answers and its code lists are read."),
    ("rabita_breaker_open", "gauge", "1 while a registry is given a pause."),
    ("rabita_cache_total", "counter", "Questions to an entity's memory: hit, miss or stale."),
    ("rabita_flights_joined_total", "counter", "Questions answered by a call that was under way for another."),
    ("rabita_reply_faults_total", "counter", "Faults in registries' replies, refused or observed."),
    ("rabita_row_condition_errors_total", "counter", "Row conditions of grants that could not be told: the record was left out."),
    ("rabita_connections", "gauge", "Callers' connections."),
    ("rabita_connections_refused_total", "counter", "Connections beyond the limit."),
    ("rabita_handshakes_failed_total", "counter", "TLS handshakes that failed or took too long, by reason."),
    ("rabita_connections_distrusted_total", "counter", "Connections that ended because their client certificate no longer held."),
    ("rabita_host_connected", "gauge", "1 while a host of an agency is connected."),
    ("rabita_host_calls_total", "counter", "Calls that a host was given."),
    ("rabita_hosts_refused_total", "counter", "Connections of hosts that were refused after TLS, by host."),
    ("rabita_host_registries_refused_total", "counter", "Registries that a host announced and may not serve, by host."),
    ("rabita_issuer_keys", "gauge", "Keys of an issuer of access tokens that can verify."),
    ("rabita_issuer_keys_read_total", "counter", "Readings of an issuer's keys, by issuer and result."),
    ("rabita_updates_total", "counter", "Updates that ended, by registry and outcome."),
    ("rabita_update_attempts_total", "counter", "Attempts to apply updates, by registry and result."),
    ("rabita_update_seconds", "histogram", "The time from an update's acceptance to its outcome."),
    ("rabita_journal_waiting", "gauge", "Updates on their way, by registry."),
    ("rabita_journal_parked", "gauge", "Updates that wait for a person, by registry."),
    ("rabita_journal_oldest_seconds", "gauge", "The age of the oldest update on its way, by registry; 0 where none is."),
    ("rabita_journal_healthy", "gauge", "1 while the journal takes updates on."),
    ("rabita_ledger_writable", "gauge", "1 while the ledger takes entries: without it nothing is answered with data."),
    ("rabita_ledger_entries", "gauge", "Entries of the ledger."),
    ("rabita_ledger_index_behind", "gauge", "Entries of the ledger that cannot be found yet by what they are about."),
    ("rabita_ledger_record_seconds", "histogram", "The time that recording an exchange adds to its answer."),
    (
        "rabita_ledger_refusals_unrecorded_total",
        "counter",
        "Refusals of unknown callers, or over a limit, beyond those that are recorded in a second.",
    ),
    ("rabita_configuration_refused", "gauge", "1 while the directory holds a configuration that was refused."),
    ("rabita_configuration_changes_total", "counter", "Changes of the configuration, by result: accepted or refused."),
    ("rabita_ledger_split_views_total", "counter", "Rounds in which a log showed another past than before."),
    (
        "rabita_ledger_timestamp_failures_total",
        "counter",
        "Rounds in which the checkpoint was not stamped, and should have been.",
    ),
    ("rabita_ledger_stamped_entries", "gauge", "Entries of the ledger that are under a time stamp."),
    ("rabita_event_streams", "gauge", "Streams of events that are open."),
    ("rabita_events_streamed_total", "counter", "Events that were sent on streams, by system."),
    ("rabita_webhooks_running", "gauge", "Subscriptions that this node serves."),
    ("rabita_webhook_attempts_total", "counter", "Attempts to bring an event to a subscriber, by system and result."),
    ("rabita_webhook_dead_total", "counter", "Events that became dead letters, by system."),
    ("rabita_updates_parked_total", "counter", "Updates that were laid aside for a person, by registry."),
    ("rabita_detected_total", "counter", "Changes of others that were found, by registry, version and entity."),
    ("rabita_detected_own_total", "counter", "Found changes that were the bus's own, and not told again."),
    ("rabita_detected_invalid_total", "counter", "Found changes whose record breaks its schema."),
    ("rabita_detection_errors_total", "counter", "Questions for changes that failed."),
    (
        "rabita_detection_lag_seconds",
        "gauge",
        "For how long changes of a registry wait that were not found yet; 0 where none do.",
    ),
    ("rabita_journal_batch_size", "histogram", "Orders that share a transaction at the brokers."),
    (
        "rabita_journal_unreadable_total",
        "counter",
        "Messages of the journal's topics that could not be read, and were passed over.",
    ),
];

/// Tells the recorder what each metric is.
pub(super) fn describe() {
    for (name, kind, text) in METRICS {
        match *kind {
            "counter" => metrics::describe_counter!(*name, *text),
            "gauge" => metrics::describe_gauge!(*name, *text),
            _ => metrics::describe_histogram!(*name, *text),
        }
    }
}
