"""Every metric, in one place. No label ever comes from a user's string, but for the bounded names of the API itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)  # CPU, memory and file descriptors of the operator itself

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, float("inf"))
_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, float("inf"))

LEADER = Gauge("celeriac_leader", "1 where this replica holds the shard's Lease.", ["shard"], registry=REGISTRY)
TASKS = Gauge(
    "celeriac_tasks", "Tasks by phase, in the namespaces that this replica works on.", ["phase"], registry=REGISTRY
)
QUEUE_TASKS = Gauge(
    "celeriac_queue_tasks",
    "Tasks that stand in a queue, by state: queued or running. Beyond 500 queues the rest is one of no name.",
    ["namespace", "queue", "state"],
    registry=REGISTRY,
)
QUEUE_WAIT = Histogram(
    "celeriac_task_queue_wait_seconds",
    "From submission, or startTime, to the first Job.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
START_LATENCY = Histogram(
    "celeriac_attempt_start_latency_seconds",
    "From an attempt's Job to its container's start.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
RUN_TIME = Histogram(
    "celeriac_attempt_run_seconds", "From a container's start to its end.", buckets=_SECONDS, registry=REGISTRY
)
ATTEMPTS = Counter("celeriac_attempts", "Ended attempts by failure; success: none.", ["failure"], registry=REGISTRY)
FINISHED = Counter("celeriac_tasks_finished", "Finished tasks by phase.", ["phase"], registry=REGISTRY)
RECONCILE_TIME = Histogram(
    "celeriac_reconcile_seconds", "Time to reconcile one key, API calls included.", buckets=_QUICK, registry=REGISTRY
)
RECONCILE_ERRORS = Counter("celeriac_reconcile_errors", "Reconciles that raised.", ["kind"], registry=REGISTRY)
QUEUE_DEPTH = Gauge("celeriac_workqueue_depth", "Keys that are ready and wait.", registry=REGISTRY)
QUEUE_OLDEST = Gauge(
    "celeriac_workqueue_oldest_seconds", "Age of the key that has waited or been worked on longest.", registry=REGISTRY
)
ASYNCIO_TASKS = Gauge("celeriac_asyncio_tasks", "Tasks of the operator's event loop.", registry=REGISTRY)
WATCH_AGE = Gauge("celeriac_watch_age_seconds", "Since the last event of a watch.", ["kind"], registry=REGISTRY)
WATCH_EVENTS = Counter("celeriac_watch_events", "Events seen.", ["kind"], registry=REGISTRY)
WATCH_REPAIRS = Counter(
    "celeriac_watch_repairs", "Objects that a relist found missed by their watch.", ["kind"], registry=REGISTRY
)
API_CALLS = Counter(
    "celeriac_api_calls",
    "API calls by verb, resource and status code.",
    ["verb", "resource", "code"],
    registry=REGISTRY,
)
CRON_RUNS = Counter("celeriac_cron_runs", "Slots of CronTasks by what became of them.", ["outcome"], registry=REGISTRY)
CRON_LAG = Histogram(
    "celeriac_cron_lag_seconds",
    "From when a slot was due to its Task's creation.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
EVENTS_DROPPED = Counter("celeriac_events_dropped", "Kubernetes Events that could not be posted.", registry=REGISTRY)
NATS_CONFIGURED = Gauge("celeriac_nats_configured", "1 where CELERIAC_NATS_URL is set.", registry=REGISTRY)
NATS_CONNECTED = Gauge(
    "celeriac_nats_connected",
    "1 while NATS is connected and answers; 0 also without NATS.",
    registry=REGISTRY,
)
INTAKE = Counter(
    "celeriac_intake_messages",
    "Messages by what became of them: created, duplicate, delayed, dead or again.",
    ["result"],
    registry=REGISTRY,
)
DEAD_LETTERS = Counter("celeriac_dead_letters", "Messages that became dead letters.", ["reason"], registry=REGISTRY)
NO_ROOM = Counter(
    "celeriac_messages_no_room",
    "Times that a message had to stay in its queue: DeadLettersFull or DelayedFull.",
    ["reason"],
    registry=REGISTRY,
)
BACKLOG = Gauge(
    "celeriac_queue_backlog",
    "Messages in a queue's stream. Beyond 500 queues the rest is one of no name.",
    ["namespace", "queue"],
    registry=REGISTRY,
)
HISTORY_LOST = Counter("celeriac_history_lost", "Events of tasks that did not get to NATS.", registry=REGISTRY)
RECORDS = Gauge("celeriac_records", "Tasks whose records in NATS are kept in memory.", registry=REGISTRY)
RECORDS_EXPIRED = Counter("celeriac_records_expired", "Records that were deleted after their time.", registry=REGISTRY)
PAYLOADS_COLLECTED = Counter(
    "celeriac_payloads_collected", "Large params and results that nothing named any more.", registry=REGISTRY
)
WARM_ATTEMPTS = Counter(
    "celeriac_warm_attempts",
    "Attempts of TaskDefinitions with isolation Warm: hit, miss (no pod waited), or taken_back from a pod.",
    ["result"],
    registry=REGISTRY,
)
WARM_PODS = Gauge(
    "celeriac_warm_pods", "Pods that were started ahead: starting, ready or claimed.", ["state"], registry=REGISTRY
)
