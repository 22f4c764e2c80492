"""Prometheus metrics, summed over the worker processes if there are several."""

import os
from collections.abc import Iterable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# prometheus-client reads this variable on import; ``serve`` sets it for its workers.
MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"

requests_total = Counter(
    "qingxiang_http_requests_total", "Requests by route and status.", ["method", "route", "status"]
)
request_seconds = Histogram(
    "qingxiang_http_request_seconds",
    "Time from the first byte of a request to the end of its reply.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
wechat_messages_total = Counter(
    "qingxiang_wechat_messages_total",
    "Messages of WeChat by kind of notice and outcome: sent, used_up, wrong, dropped.",
    ["kind", "outcome"],
)
job_runs_total = Counter("qingxiang_job_runs_total", "Job runs by outcome.", ["job", "outcome"])
clock_offset_seconds = Gauge(
    "qingxiang_clock_offset_seconds",
    "Difference between the process's clock and PostgreSQL's, of the worst process.",
    multiprocess_mode="livemax",
)

replica_fresh = Gauge(
    "qingxiang_replica_fresh",
    "1 if a replica, by its number in QX_DATABASE_READ_URLS, is used; of the worst process.",
    ["replica"],
    multiprocess_mode="livemin",
)
replica_staleness_seconds = Gauge(
    "qingxiang_replica_staleness_seconds",
    "The most by which a replica is late, of the worst process; +Inf if that is unknown.",
    ["replica"],
    multiprocess_mode="livemax",
)
replica_reads_total = Counter(
    "qingxiang_replica_reads_total",
    "Reads that a replica may serve, by the server: its number, or primary if none was fresh.",
    ["server"],
)


class _Read(Collector):
    """Metrics that were read just now, from the database."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def exposition(read: Iterable[Metric] = ()) -> tuple[bytes, str]:
    """Render all metrics in Prometheus's text format; return body and content type.

    ``read``: metrics that no process counts.
    """
    registry = REGISTRY
    if MULTIPROCESS_DIR in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    more = CollectorRegistry()
    more.register(_Read(read))
    return generate_latest(registry) + generate_latest(more), CONTENT_TYPE_LATEST
