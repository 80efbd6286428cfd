"""What /proc and the API server say, read as it is meant."""

from __future__ import annotations

import os

import pytest
from e2e.bench.scale.usage import TICKS_PER_SECOND, Memory, busy_seconds, cpu_seconds, memory, parse_memory, written

STATUS = "Name:\tpython\nVmPeak:\t  900000 kB\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\nRssAnon:\t 9 kB\n"

API_METRICS = """\
# HELP apiserver_request_total [STABLE] Counter of apiserver requests.
# TYPE apiserver_request_total counter
apiserver_request_total{code="201",group="batch",resource="jobs",scope="resource",subresource="",verb="POST"} 10
apiserver_request_total{code="200",group="batch",resource="jobs",scope="resource",subresource="status",verb="PUT"} 20
apiserver_request_total{code="409",group="batch",resource="jobs",scope="resource",subresource="status",verb="PUT"} 1
apiserver_request_total{code="200",group="",resource="pods",scope="resource",subresource="status",verb="PATCH"} 40
apiserver_request_total{code="200",group="",resource="pods",scope="namespace",subresource="",verb="LIST"} 800
apiserver_request_total{code="200",group="",resource="pods",scope="cluster",subresource="",verb="WATCH"} 900
apiserver_request_total{code="200",group="coordination.k8s.io",resource="leases",scope="resource",verb="PUT"} 700
apiserver_request_duration_seconds_bucket{verb="POST",resource="jobs",le="0.1"} 10
"""


def test_memory_is_told_in_mib_now_and_at_its_peak() -> None:
    assert Memory(now=100.0, peak=200.0) == parse_memory(STATUS)


def test_this_process_has_memory_and_never_had_less_than_now() -> None:
    found = memory(os.getpid())

    assert 0 < found.now <= found.peak


def test_a_machine_is_busy_when_it_neither_idles_nor_waits_for_a_disk_and_guests_count_once() -> None:
    user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice = 100, 20, 30, 5000, 400, 5, 6, 7, 50, 10
    first = f"cpu  {user} {nice} {system} {idle} {iowait} {irq} {softirq} {steal} {guest} {guest_nice}"

    assert (100 + 20 + 30 + 5 + 6 + 7) / TICKS_PER_SECOND == busy_seconds(f"{first}\ncpu0 1 2 3 4 5 6 7 8 9 10\n")


def test_writes_are_of_any_outcome_and_neither_reads_nor_leases() -> None:
    assert 10 + 20 + 1 + 40 == written(API_METRICS)


def test_an_api_server_that_nobody_wrote_to_counts_none() -> None:
    assert 0 == written("")


def test_a_process_that_has_ended_is_told_by_its_name() -> None:
    with pytest.raises(LookupError, match="etcd"):
        cpu_seconds("etcd", 2**22 + 1)
