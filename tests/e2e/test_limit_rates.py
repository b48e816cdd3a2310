# SPDX-License-Identifier: Apache-2.0
"""Rates that limits keep: long runs at twice the limit, bursts, changes on the way, restarts. What
is asserted follows from the bounds of docs/limiter.md and the times of the readings, so that a
slow machine makes a claim weaker and never false; what was measured is printed (pytest -s)."""

import concurrent.futures
import json
import os
import signal
import time

import pytest
from blast import HEADERS, REFUSED, Blast, Limit, Readings, Sink, Window, check_burst
from policies import base, cluster, forwarding, interface, listener
from servers import iperf3
from world import FENDER4, FENDER6, PATIENCE_S, SERVERS4, SERVERS6, at, wait_for

pytestmark = pytest.mark.alone

PLENTY = {"connections_per_second": "1M"}
UNITS = {"packets": ("packets_per_second", ""), "bytes": ("bytes_per_second", "B")}


class Case:
    """A listener with one limit, and a sender of twice that."""

    def __init__(self, port, version, unit, rate, payload):
        self.port, self.version, self.unit, self.rate = port, version, unit, rate
        self.payload = payload
        self.name = f"{rate}-{unit}-v{version}"
        self.ip = FENDER4 if version == 4 else FENDER6
        self.server = (SERVERS4 if version == 4 else SERVERS6)[0]
        self.size = payload + HEADERS[version]

    def limit(self, factor=1.0):
        """Burst: one second's worth."""
        cost = 1 if self.unit == "packets" else self.size
        return Limit(int(self.rate * factor), int(self.rate * factor), cost)

    def rules(self, factor=1.0, **keys):
        key, sign = UNITS[self.unit]
        rate = f"{self.limit(factor).rate}{sign}"
        return {key: rate, "burst": "1x", "direction": "to_endpoint", **keys}

    def blast(self, world, times=2, **keys):
        per_second = int(times * self.limit().rate / self.limit().cost)
        return Blast(world, self.ip, self.port, self.payload, per_second, **keys)


CASES = [
    Case(7001, 6, "packets", 1_000, 18),
    Case(7002, 4, "packets", 100_000, 18),
    Case(7003, 4, "bytes", 1_000_000, 972),
    Case(7004, 6, "bytes", 10_000_000, 1152),
    Case(7005, 4, "bytes", 100_000_000, 1472),
]
HEAVY = [CASES[1], CASES[4]]  # a worker that cannot keep up loses what the light ones offer, too
LIGHT = [c for c in CASES if c not in HEAVY]


def limited(cases, limiter, factor=1.0, workers=1, **keys):
    policy = base(workers=workers)
    for name in ("clients", "servers"):
        interface(policy, name, limiter=limiter)
    for c in cases:
        cluster(policy, f"c{c.port}", [at(c.server, c.port)])
        listener(policy, c.name, at(c.ip, c.port), f"c{c.port}", "udp")
        policy["listeners"][-1]["rate_limit"] = {
            "per_connection": c.rules(factor, **keys),
            "per_source": PLENTY,
            "listener": PLENTY,
        }
    for c in policy["clusters"]:
        c["timeouts"] = {"idle": "30s"}  # a flow that begins anew may have a burst again
    return policy


def readings(f, cases):
    return Readings(f, {c.name: c.unit for c in cases})


def queue_by_cpu(world):
    """The client's sending CPU chooses the queue, so that one flow uses both."""
    ends = "/sys/class/net/eth0/queues"
    for i in range(world.queues):
        world.client.run(["sh", "-c", f"echo {1 << i:x} >{ends}/tx-{i}/xps_cpus"])


def report(title, windows):
    print(f"\n{title}")
    for name, w in windows.items():
        print(f"  {name}: {w}")


@pytest.mark.leaves_open
@pytest.mark.parametrize(
    "limiter, cases, seconds",
    [("xdp", CASES, 20), ("dpdk", LIGHT, 20), ("dpdk", HEAVY, 8)],
    ids=["xdp", "dpdk-light", "dpdk-heavy"],
)
def test_long_runs_at_twice_the_limit(make_world, limiter, cases, seconds):
    """All at once, IPv4 and IPv6, each flow on two queues and CPUs; then half of each limit."""
    world = make_world(queues=2)
    queue_by_cpu(world)
    sink = Sink(world, *(c.port for c in cases))
    f = world.fender(limited(cases, limiter, workers=2))
    assert f.stats().interface("clients")["limiter"] == limiter
    begin = readings(f, cases)
    begin.take()
    blasts = [c.blast(world) for c in cases]
    refused = begin.until_refused(10)
    for c in cases:
        check_burst(begin.of[c.name], c.limit())
        seen = begin.last()[c.name]
        whole = seen.admitted > c.limit().burst - c.limit().cost
        assert whole or c.name not in refused, f"{c.name}: refused before its burst: {seen}"
    long = readings(f, cases).watch(seconds + 1.5)
    assert "applied" in f.reload(limited(cases, limiter, factor=0.5, workers=2)).stdout
    time.sleep(0.1)
    half = readings(f, cases).watch(3)
    sent = [b.stop() for b in blasts]
    windows = {c.name: Window(long.of[c.name], c.limit()) for c in cases}
    halves = {c.name: Window(half.of[c.name], c.limit(0.5)) for c in cases}
    report(f"limiter {limiter}, two queues:", windows)
    report(f"limiter {limiter}, from 100 ms after the limits were halved:", halves)
    for window in [*windows.values(), *halves.values()]:
        window.check()
    check_what_arrived(f, cases, sent, sink.stop())


def check_what_arrived(f, cases, sent, arrived):
    """Between the limiter and the sink a busy machine loses packets; none is made."""
    end = f.stats()
    for c, n in zip(cases, sent, strict=True):
        packets, size = arrived[c.port]
        passed = end.listener(c.name)["limits"]["packets"]["passed"]
        print(f"  {c.name}: {n} sent, {passed} admitted, {packets} arrived")
        assert packets <= passed <= n
        assert size == packets * c.payload


@pytest.mark.restarts
@pytest.mark.leaves_open
@pytest.mark.parametrize("limiter", ["xdp", "dpdk"])
def test_no_burst_comes_of_a_restart(world, limiter):
    """Both processes are killed under a flood: what the connection has used stays used."""
    case = Case(7001, 4, "packets", 2_000, 18)
    Sink(world, case.port)
    f = world.fender(limited([case], limiter))
    seen = readings(f, [case])
    seen.take()
    blast = case.blast(world, times=4)
    assert seen.until_refused(PATIENCE_S)
    for pid in (f.process.pid, f.dataplane_pid()):
        os.kill(pid, signal.SIGKILL)
    f.process.wait()
    f.start()
    assert seen.until_refused(PATIENCE_S)
    rows = seen.watch(0.3).of[case.name]
    blast.stop()
    check_burst(rows, case.limit())
    assert rows[-1].refused > 0


@pytest.mark.leaves_open
@pytest.mark.parametrize("limiter", ["xdp", "dpdk"])
def test_a_flood_beside_it_holds_nobody_back(world, limiter):
    """Of two flows of one listener only the one that is beyond its limit is refused anything."""
    case = Case(7002, 4, "packets", 1_000, 18)
    sink = Sink(world, case.port)
    f = world.fender(limited([case], limiter))
    seen = readings(f, [case])
    flood = case.blast(world, times=10, source=40001)
    assert seen.until_refused(PATIENCE_S)
    calm = case.blast(world, times=0.2, source=40002, threads=1)

    def flood_is_shown():
        rows = json.loads(f.cli("limits", "--json").stdout)["connections"]
        return [row["client"] for row in rows if row["refused"]]

    def both_flows_are_there():
        return f.stats().listener(case.name)["opened"] == 2

    wait_for(both_flows_are_there)
    time.sleep(1)
    shown = wait_for(flood_is_shown)
    assert flood.stop() > 0 and calm.stop() > 0
    assert {client.rpartition(":")[2] for client in shown} == {"40001"}
    assert sink.stop()[case.port][0] > 0


class Stream:
    """iperf3 over TCP through a listener with a limit in bytes, watched at the limiter."""

    def __init__(self, world, limiter, ip):
        self.world, self.limiter, self.ip = world, limiter, ip
        self.name = f"p5201-v{6 if ':' in ip else 4}-tcp"
        for ns in (world.client, world.server):
            ns.sysctl("net.ipv4.tcp_ecn", 1)
            ns.sysctl("net.ipv4.tcp_congestion_control", "reno")  # bbr does not heed marks
        self.f = world.fender(self.policy())

    def policy(self, **limit):
        policy = forwarding([5201], [SERVERS4[0], SERVERS6[0]], addresses=[self.ip])
        for name in ("clients", "servers"):
            interface(policy, name, limiter=self.limiter)
        if limit:
            limit = {"burst": "1x", "direction": "to_endpoint", **limit}
            policy["listeners"][0]["rate_limit"] = {"per_connection": limit}
        return policy

    def run(self, seconds, rate=0, **limit):
        """Seconds of it; with a rate, under that limit. Prints and returns what it came to."""
        self.f.reload(self.policy(**({"bytes_per_second": f"{rate}B", **limit} if rate else {})))
        before = self.counters()
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            future = pool.submit(iperf3, self.world, self.ip, seconds=seconds)
            self.watch(future)
            end = future.result()
        self.took_s = time.monotonic() - began
        after = self.counters()
        self.moved = after["to_endpoint_bytes"] - before["to_endpoint_bytes"]
        seen, old = after["limits"]["packets"], before["limits"]["packets"]
        self.verdicts = {v: n - old.get(v, 0) for v, n in seen.items() if n > old.get(v, 0)}
        goodput = int(end["sum_received"]["bits_per_second"] / 8)
        of = f" of {rate / 1e6:.1f}" if rate else ""
        action = limit.get("action", "no limit")
        print(f"  {action}: {goodput / 1e6:.1f}{of} MB/s of payload, {self.verdicts}")
        return goodput

    def counters(self):
        return self.f.stats().listener(self.name)

    def watch(self, future):
        """When the limit was seen to act: between which times of which readings."""
        self.acted = []
        last = acted = None
        while not future.done():
            after = time.monotonic()
            packets = self.counters()["limits"]["packets"]
            now = packets.get("marked", 0) + packets.get(REFUSED, 0)
            if last and now > acted:
                self.acted.append((last, time.monotonic()))
            last, acted = after, now
            time.sleep(0.05)

    def held_s(self):
        """For how long it was the limit that held the stream: its bucket was never full from the
        first time that it acted to the last. 0: the machine did."""
        waits = (b[1] - a[0] for a, b in zip(self.acted, self.acted[1:], strict=False))
        if len(self.acted) < 2 or max(waits) > 0.9:  # the burst takes a second
            return 0
        return self.acted[-1][0] - self.acted[0][1]


@pytest.mark.parametrize("limiter, ip", [("xdp", FENDER4), ("dpdk", FENDER6)])
def test_goodput_of_tcp_under_each_action(world, limiter, ip):
    """A limit of half of what goes through without one."""
    print(f"\ntcp, limiter {limiter}, {ip}:")
    stream = Stream(world, limiter, ip)
    rate = stream.run(2) // 2
    for action, verdict, seconds in (
        ("drop", REFUSED, 4),
        ("mark", "marked", 4),
        ("observe", "would_rate_limit_connection", 2),
    ):
        assert stream.run(seconds, rate, action=action) > 0
        within = rate * (1 + stream.took_s) + 100_000  # the control connection
        assert stream.moved <= within or verdict in stream.verdicts
        if action == "observe":
            assert REFUSED not in stream.verdicts
            continue
        assert stream.moved <= within + (rate if action == "mark" else 0)
        held = stream.held_s()
        print(f"    {(stream.moved / rate - 1) / seconds:.1%} of the limit after the burst")
        assert stream.moved >= rate * (1 + 0.95 * held) or not held
        if action == "mark":
            assert stream.verdicts.get(REFUSED, 0) <= stream.verdicts["passed"] / 100
