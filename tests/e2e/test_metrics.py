# SPDX-License-Identifier: Apache-2.0
"""GET /metrics: a valid exposition that says what the statistics say, scraped by Prometheus."""

import http.client
import json
import os
import re
import signal
import subprocess
import urllib.parse

import policies
import pytest
from fender import _UnixConnection
from service import Service
from world import BACKENDS4, wait_for

METRICS = "127.0.0.1:9901"
PROMETHEUS = "127.0.0.1:9902"
PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)
CALLS = 25


def get(f, path="/metrics", **headers):
    """(status, content type, body)"""
    c = _UnixConnection(f.socket, 10)
    try:
        c.request("GET", path, headers=headers)
        r = c.getresponse()
        return r.status, r.headers["Content-Type"], r.read()
    finally:
        c.close()


def lines(f, path="/metrics"):
    """{'fender_x{cluster="a"}': 1.0}"""
    status, kind, body = get(f, path)
    assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
    rows = [r.rsplit(" ", 1) for r in body.decode().splitlines() if not r.startswith("#")]
    assert len({name for name, _ in rows}) == len(rows), "a series twice"
    return {name: float(value) for name, value in rows}


@pytest.fixture
def serving(world):
    """A service whose answers take 30 ms, with everything that has metrics of its own."""
    s = Service(
        world,
        backends=2,
        mode="delay 30ms",
        args=["--metrics", METRICS],
        bulkhead={"max_concurrent": 5, "max_queue": 100, "queue_timeout": "20s"},
        circuit_breaker={},
        outlier_detection={},
        retry={},
    )
    assert set(s.calls(CALLS)) == {"b1", "b2"}

    def all_are_over():
        row = s.cluster()
        return row["closed"] == row["opened"] == CALLS

    wait_for(all_are_over)
    return s


def test_promtool_has_no_complaint(serving):
    for path in ("/metrics", "/metrics?endpoints=none", "/metrics?endpoints=all"):
        body = get(serving.fender, path)[2]
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=body, capture_output=True, timeout=30
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_metrics_say_what_the_statistics_say(serving):

    def nothing_is_under_way():
        return lines(serving.fender)["fender_conservation_holds"] == 1

    wait_for(nothing_is_under_way)
    stats = serving.fender.stats().raw
    m = lines(serving.fender)
    cluster, listener = stats["clusters"][0], stats["listeners"][0]
    for name in ("started", "succeeded", "failed", "cancelled", "rejected"):
        assert m[f'fender_cluster_calls_{name}_total{{cluster="api"}}'] == cluster[name]
        assert m[f'fender_listener_calls_{name}_total{{listener="api"}}'] == listener[name]
    for name in ("opened", "closed"):
        assert m[f'fender_cluster_connections_{name}_total{{cluster="api"}}'] == cluster[name]
    for name, value in cluster["policy"].items():
        assert m[f'fender_cluster_{name}_total{{cluster="api"}}'] == value, name
    for row in stats["endpoints"]:
        labels = f'{{cluster="api",endpoint="{row["address"]}"}}'
        assert m[f"fender_endpoint_calls_started_total{labels}"] == row["started"]
        assert m[f"fender_endpoint_to_client_bytes_total{labels}"] == row["to_client_bytes"]
    for row in stats["interfaces"]:
        assert f'fender_interface_receive_packets_total{{interface="{row["name"]}"}}' in m
    for reason, count in stats["packets"]["dropped"].items():
        key = f'fender_packets_dropped_total{{worker="0",reason="{reason}"}}'
        assert m[key] >= count
    assert m['fender_cluster_bulkhead_limit{cluster="api"}'] == 5
    assert m['fender_cluster_bulkhead_overshoot_max{cluster="api"}'] == 0
    assert m['fender_cluster_calls_in_flight{cluster="api"}'] == 0
    assert m["fender_ready"] == 1 and m["fender_conservation_holds"] == 1
    assert m["fender_policy_generation"] == stats["generation"]
    without = lines(serving.fender, "/metrics?endpoints=none")
    assert set(without) == {name for name in m if "endpoint=" not in name}
    assert get(serving.fender, "/metrics?endpoints=some")[0] == 400


def test_histograms_hold_every_call(serving):
    m = lines(serving.fender)
    waited = serving.counter("queued")
    for kind, count in (
        ("connect", CALLS),
        ("first_byte", CALLS),
        ("duration", CALLS),
        ("queue_wait", waited),
    ):
        name = f"fender_cluster_{kind}_seconds"
        assert m.get(f'{name}_count{{cluster="api"}}', 0) == count, kind
        if count:
            assert m[f'{name}_bucket{{cluster="api",le="+Inf"}}'] == count
    # Nobody answers sooner than after 30 ms: 2^-6 s is 15.6 ms.
    assert m['fender_cluster_first_byte_seconds_bucket{cluster="api",le="0.015625"}'] == 0
    assert m['fender_cluster_duration_seconds_bucket{cluster="api",le="0.015625"}'] == 0
    assert m['fender_cluster_first_byte_seconds_sum{cluster="api"}'] >= CALLS * 0.029
    latency = serving.cluster()["latency"]
    assert latency["first_byte"]["count"] == CALLS
    assert 29000 <= latency["first_byte"]["p50_us"] <= latency["first_byte"]["p99_us"]


@pytest.mark.restarts
def test_histograms_outlive_reload_and_restarts(serving):
    f = serving.fender
    name = 'fender_cluster_first_byte_seconds_count{cluster="api"}'
    serving.change(timeouts={"connect": "2s"})
    assert lines(f)[name] == CALLS
    f.process.kill()
    f.process.wait()
    f.spawn()
    wait_for(f.ready)
    assert lines(f)[name] == CALLS
    starts = lines(f)["fender_dataplane_starts_total"]
    os.kill(f.dataplane_pid(), signal.SIGKILL)

    def another_one_runs():
        m = lines(f)
        return m["fender_dataplane_starts_total"] > starts and m["fender_ready"] == 1

    wait_for(another_one_runs)
    assert lines(f)[name] == CALLS
    serving.calls(1)
    assert lines(f)[name] == CALLS + 1


def test_accept_headers(serving):
    f = serving.fender
    for accept in (
        "*/*",
        "",
        ",;=,",
        "text/plain;q=1," + PROTOBUF + ";q=0.1",
        PROTOBUF + ";q=0",
        "application/vnd.google.protobuf",
        "a/b;" * 2000,
        "," * 8000,
        "\xff\xfe\x80;q=\xe9",
    ):
        assert get(f, Accept=accept)[:2] == (200, "text/plain; version=0.0.4; charset=utf-8")
    status, kind, body = get(f, Accept=PROTOBUF)
    assert status == 200 and kind.startswith("application/vnd.google.protobuf;")
    assert b"fender_cluster_connect_seconds" in body and b"# TYPE" not in body
    c = _UnixConnection(f.socket, 10)
    try:
        c.request("GET", "/metrics", headers={"Accept": "a" * 60000})
        assert c.getresponse().status >= 400
    except (OSError, http.client.HTTPException):
        pass  # it may end the connection instead
    finally:
        c.close()
    assert f.ready()


class Prometheus:
    """A server of its own in Fender's namespace, which scrapes it over TCP."""

    def __init__(self, world):
        self.ns = world.gateway
        config = world.path("prometheus.yaml")
        with open(config, "w") as f:
            json.dump(
                {
                    "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
                    "scrape_configs": [
                        {"job_name": "fender", "static_configs": [{"targets": [METRICS]}]}
                    ],
                },
                f,
            )
        world.spawn(
            self.ns,
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={world.path('tsdb')}",
                f"--web.listen-address={PROMETHEUS}",
                "--enable-feature=native-histograms",
            ],
            "prometheus.log",
        )

    def query(self, expression):
        """The one value, or None while there is none."""
        c = http.client.HTTPConnection(PROMETHEUS, timeout=30)
        try:
            with self.ns:
                c.connect()
            c.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
            result = json.loads(c.getresponse().read())["data"]["result"]
            return float(result[0]["value"][1]) if result else None
        except (OSError, http.client.HTTPException, ValueError):
            return None  # not up yet
        finally:
            c.close()

    def is_value(self, expression, value, relative=1e-9):
        """The value is that, or becomes it: a scrape may come late on a busy machine."""
        seen = []

        def query_answers_so():
            seen[:] = [self.query(expression)]
            return seen[0] == pytest.approx(value, rel=relative)

        try:
            wait_for(query_answers_so)
        except AssertionError:
            raise AssertionError(f"{expression}: {seen[0]}, not {value}") from None


def test_a_real_prometheus_scrapes_native_histograms(world, serving):
    p = Prometheus(world)
    latency = serving.cluster()["latency"]["first_byte"]
    where = '{cluster="api"}'
    first_byte = f"fender_cluster_first_byte_seconds{where}"
    p.is_value(f"fender_cluster_calls_started_total{where}", CALLS)
    # These functions know native histograms only.
    p.is_value(f"histogram_count(fender_cluster_connect_seconds{where})", CALLS)
    p.is_value(f"histogram_sum({first_byte})", latency["sum_us"] / 1e6)
    for quantile, key in ((0.5, "p50_us"), (0.9, "p90_us"), (0.99, "p99_us")):
        p.is_value(f"histogram_quantile({quantile}, {first_byte})", latency[key] / 1e6, 0.05)
    # No series of the text is missing; classic buckets are native ones here.
    series = [
        re.sub("_seconds_(bucket|sum|count){.*", "_seconds", name) for name in lines(serving.fender)
    ]
    p.is_value('count({__name__=~"fender_.*"})', len(set(series)))
    with open(world.path("prometheus.log")) as log:
        assert [line for line in log if "rror on ingesting" in line] == []


def anonymous_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Anonymous:"))


def test_large_answers_leave_no_memory_behind(world):
    policy = policies.base(max_clusters=512, max_endpoints=8192, policy_slot="8MiB")
    ports = range(8000, 8016)
    for n in range(400):
        policies.cluster(policy, f"service-{n}", [f"{BACKENDS4[0]}:{port}" for port in ports])
    f = world.fender(policy)
    with open(f"/proc/{f.process.pid}/maps") as maps:
        if "libasan" in maps.read():
            pytest.skip("ASan keeps what is freed")
    before = anonymous_kib(f.process.pid)
    for _ in range(5):
        size = len(get(f)[2])
    assert size > 10_000_000
    assert anonymous_kib(f.process.pid) - before < size / 1024 / 2
