"""Prometheus metrics, summed over the worker processes if there are several."""

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

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
job_runs_total = Counter("qingxiang_job_runs_total", "Job runs by outcome.", ["job", "outcome"])


def exposition() -> tuple[bytes, str]:
    """Render all metrics in Prometheus's text format; return body and content type."""
    registry = REGISTRY
    if MULTIPROCESS_DIR in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
