# SPDX-License-Identifier: Apache-2.0
"""Rate limits as an operator meets them: in force, counted, changed, kept, shown, cleared away."""

import contextlib
import json
import os
import re
import signal
import threading
import time

import pytest
from clients import CONNECTED, Clients
from fender import Fender
from policies import forwarding, interface
from servers import echo, udp
from world import BACKENDS4, CLIENT4, FENDER4, PATIENCE_S, SERVERS4, wait_for

PORT = 7
NAME = f"p{PORT}-v4-udp"
PLENTY = {"connections_per_second": "100k"}
BURST = 40


def policy_with(protocol="udp", **rate_limit):
    """One listener of port 7 with these limits; UDP's must name all three."""
    policy = forwarding([PORT], [SERVERS4[0]], protocols=(protocol,))
    if rate_limit and protocol == "udp":
        rate_limit = {"per_source": PLENTY, "listener": PLENTY, **rate_limit}
    for listener in policy["listeners"]:
        listener["rate_limit"] = rate_limit
        if not rate_limit:
            del listener["rate_limit"]
    for c in policy["clusters"]:
        c["timeouts"] = {"idle": "1s"}
    return policy


def packets(rate, burst=BURST, direction="to_endpoint", **keys):
    return {"packets_per_second": rate, "burst": burst, "direction": direction, **keys}


def flow(world):
    s = udp(world.client, CLIENT4)
    s.connect((FENDER4, PORT))
    return s


def resolve(world, s):
    """Let Fender learn the server's address: few packets may wait for it."""
    s.send(b"first")
    assert s.recv(100) == b"first"


def send(s, n):
    for i in range(n):
        s.send(b"%d" % i)


@contextlib.contextmanager
def sending(s):
    """A few hundred packets a second, meanwhile."""
    over = threading.Event()

    def work():
        while not over.wait(0.003):
            s.send(b"more")

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def verdicts(f, name=NAME):
    return f.stats().listener(name)["limits"]["packets"]


def judged(f, name=NAME):
    return sum(verdicts(f, name).values())


def wait_judged(f, n, name=NAME):
    """Until the limiter has seen so many packets; returns what became of them."""

    def all_packets_are_counted():
        return judged(f, name) >= n

    wait_for(all_packets_are_counted)
    return verdicts(f, name)


def pins(world):
    """What Fender has put there: not the kernel's own two files, nor a control plane's lock."""
    names = os.listdir(world.bpf)
    return [n for n in names if not n.endswith(".debug") and not n.startswith("lock-")]


def limiters(f):
    return {i["name"]: i["limiter"] for i in f.stats().raw["interfaces"]}


def refused_start(world, policy, **keys):
    f = Fender(world, policy, **keys)
    world.fenders.append(f)
    f.spawn()
    assert f.process.wait(60) != 0
    said = f.log_text()
    print(said)
    return said


def test_a_flow_is_held_to_its_limit_and_all_of_it_is_counted(world):
    echo(world, PORT)
    f = world.fender(policy_with(per_connection=packets(1)))
    assert limiters(f) == {"clients": "xdp", "servers": "xdp"}
    s = flow(world)
    began = time.monotonic()
    resolve(world, s)
    send(s, 200)

    def all_are_refused_or_forwarded():
        row = f.stats().listener(NAME)
        refused = row["limits"]["packets"].get("rate_limited_connection", 0)
        return refused + row["to_endpoint_packets"] == 201

    wait_for(all_are_refused_or_forwarded)
    most = BURST + (time.monotonic() - began) + 1
    assert BURST <= f.stats().listener(NAME)["to_endpoint_packets"] <= most
    assert f.stats().listener(NAME)["limits"]["full_starts"] == 1


def test_another_flow_is_not_touched(world):
    echo(world, PORT)
    f = world.fender(policy_with(per_connection=packets(1)))
    limited, other = flow(world), flow(world)
    resolve(world, limited)
    send(limited, 100)
    wait_judged(f, 100)
    for i in range(BURST - 10):
        other.send(b"%d" % i)
        assert other.recv(100) == b"%d" % i


def test_tcp_starts_of_a_source_are_limited(world):
    echo(world, PORT)
    name = f"p{PORT}-v4-tcp"
    limit = {"connections_per_second": 1, "burst": 3}
    f = world.fender(policy_with("tcp", per_source=limit))
    began = time.monotonic()
    with Clients(world.client, FENDER4, PORT) as c:
        c.open(8)

        def three_are_in_and_others_refused():
            c.drive(0.02)
            refused = verdicts(f, name).get("rate_limited_source", 0)
            return c.outcomes()[CONNECTED] >= 3 and refused > 0

        wait_for(three_are_in_and_others_refused)
        opened = c.select(CONNECTED)
        assert len(opened) <= 3 + (time.monotonic() - began) + 1
        for k in opened:
            k.sock.settimeout(PATIENCE_S)
            k.sock.sendall(b"still here")
            assert k.sock.recv(100) == b"still here"


def test_a_changed_limit_acts_on_a_live_flow_at_once(world):
    echo(world, PORT)
    f = world.fender(policy_with(per_connection=packets("50k", burst="50k")))
    s = flow(world)
    resolve(world, s)
    send(s, 100)
    assert "rate_limited_connection" not in wait_judged(f, 200)
    assert "applied" in f.reload(policy_with(per_connection=packets(1, burst=1))).stdout
    before = f.stats().listener(NAME)["to_endpoint_packets"]
    began = time.monotonic()
    send(s, 100)
    assert wait_judged(f, 300)["rate_limited_connection"] > 50
    passed = f.stats().listener(NAME)["to_endpoint_packets"] - before
    assert passed <= 2 + time.monotonic() - began
    assert "applied" in f.reload(policy_with()).stdout
    refused = verdicts(f)["rate_limited_connection"]
    for i in range(20):
        s.send(b"free %d" % i)
        while s.recv(100) != b"free %d" % i:
            pass  # answers of before
    assert verdicts(f)["rate_limited_connection"] == refused


def test_observed_limits_refuse_nothing(world):
    echo(world, PORT)
    f = world.fender(policy_with(per_connection=packets(1, burst=1, action="observe")))
    s = flow(world)
    for i in range(20):
        s.send(b"%d" % i)
        assert s.recv(100) == b"%d" % i
    seen = verdicts(f)
    assert seen["would_rate_limit_connection"] >= 10
    assert "rate_limited_connection" not in seen


def test_limits_and_counters_outlive_a_killed_control_plane(world):
    echo(world, PORT)
    f = world.fender(policy_with(per_connection=packets(1)))
    s = flow(world)
    began = time.monotonic()
    resolve(world, s)
    send(s, 100)
    before = wait_judged(f, 100)
    f.process.send_signal(signal.SIGKILL)
    f.process.wait()
    send(s, 100)
    f.start()
    send(s, 100)
    after = wait_judged(f, 300)
    most = BURST + (time.monotonic() - began) + 1
    stats = f.stats()
    assert all(after[name] >= n for name, n in before.items())
    assert BURST <= stats.listener(NAME)["to_endpoint_packets"] <= most
    assert stats.listener(NAME)["limits"]["full_starts"] == 1
    assert limiters(f) == {"clients": "xdp", "servers": "xdp"}
    assert "applied" in f.reload(policy_with(per_connection=packets(2))).stdout


@pytest.mark.restarts
def test_both_killed_start_again_on_the_same_maps(world):
    echo(world, PORT)
    f = world.fender(policy_with(per_connection=packets(1)))
    s = flow(world)
    resolve(world, s)
    send(s, 100)
    refused = wait_judged(f, 101)["rate_limited_connection"]
    dataplane = f.dataplane_pid()
    for pid in (f.process.pid, dataplane):
        os.kill(pid, signal.SIGKILL)
    f.process.wait()
    assert pins(world) == [f"fender-{f.instance}"]
    f.start()
    assert verdicts(f)["rate_limited_connection"] >= refused
    assert f.stop() == 0
    assert pins(world) == []


@pytest.mark.restarts
def test_maps_of_other_sizes_are_made_anew(world):
    f = world.fender(policy_with())
    for pid in (f.process.pid, f.dataplane_pid()):
        os.kill(pid, signal.SIGKILL)
    f.process.wait()
    policy = policy_with()
    policy["sidecar"]["connections"] = 1024
    f.write(policy)
    f.start()
    assert limiters(f) == {"clients": "xdp", "servers": "xdp"}


def test_a_clean_stop_leaves_no_pin_and_no_program(world):
    f = world.fender(policy_with(per_connection=packets(1)))
    assert pins(world) == [f"fender-{f.instance}"]
    assert f.stop() == 0
    assert pins(world) == []
    assert not [d["ifname"] for d in world.gateway.ip_json("link", "show") if d.get("xdp")]


def test_without_a_bpf_file_system_the_worker_limits(world):
    echo(world, PORT)
    elsewhere = world.path("no-bpf")
    os.mkdir(elsewhere)
    f = world.fender(policy_with(), bpf_dir=elsewhere)
    assert limiters(f) == {"clients": "dpdk", "servers": "dpdk"}
    for i in f.stats().raw["interfaces"]:
        assert "not on a BPF file system" in i["limiter_fallback"]
    assert "event=fallback limiter=dpdk" in f.log_text()
    assert re.search(r"dpdk: .*not on a BPF", " ".join(f.cli("stats").stdout.split()))
    resolve(world, flow(world))
    assert os.listdir(elsewhere) == []


def test_a_limiter_that_was_asked_for_must_be_had(world):
    policy = interface(policy_with(), "servers", limiter="xdp")
    elsewhere = world.path("no-bpf")
    os.mkdir(elsewhere)
    said = refused_start(world, policy, bpf_dir=elsewhere)
    assert "interfaces[1] (limiter: xdp) needs the XDP program" in said
    assert "--bpf-dir" in said


def test_limiter_dpdk_needs_no_maps(world):
    echo(world, PORT)
    policy = policy_with()
    for name in ("clients", "servers"):
        interface(policy, name, limiter="dpdk")
    f = world.fender(policy)
    assert limiters(f) == {"clients": "dpdk", "servers": "dpdk"}
    assert not any("limiter_fallback" in i for i in f.stats().raw["interfaces"])
    assert pins(world) == []
    resolve(world, flow(world))


def test_maps_of_a_running_dataplane_must_be_found(world):
    f = world.fender(policy_with())
    f.process.send_signal(signal.SIGKILL)
    f.process.wait()
    elsewhere = world.path("no-bpf")
    os.mkdir(elsewhere)
    said = refused_start(world, f.policy, name="second", bpf_dir=elsewhere)
    assert "they are gone" in said and "--bpf-dir" in said
    f.start()
    assert limiters(f) == {"clients": "xdp", "servers": "xdp"}


def test_a_listener_that_leaves_keeps_its_limits_while_it_drains(world):
    echo(world, PORT)
    f = world.fender(policy_with(per_connection=packets(1)))
    s = flow(world)
    began = time.monotonic()
    resolve(world, s)
    send(s, 100)
    wait_judged(f, 100)
    policy = policy_with()
    policy["listeners"] = []
    f.reload(policy)
    draining = f.stats().raw["draining"]
    send(s, 100)
    time.sleep(0.1)
    f.reload(policy_with(per_connection=packets(1)))
    most = BURST + (time.monotonic() - began) + 1
    assert f.stats().listener(NAME)["to_endpoint_packets"] <= most, draining


@pytest.mark.restarts
def test_who_drains_keeps_its_limits_though_the_control_plane_is_killed(world):
    echo(world, PORT)
    limited = policy_with(per_connection=packets(1))
    limited["clusters"][0]["timeouts"] = {"idle": "5m", "drain": "5m"}
    f = world.fender(limited)
    s = flow(world)
    began = time.monotonic()
    resolve(world, s)
    send(s, 100)
    wait_judged(f, 100)
    f.reload({**limited, "listeners": []})
    f.process.send_signal(signal.SIGKILL)
    f.process.wait()
    f.start()
    limited["clusters"][0]["timeouts"]["idle"] = "4m"
    f.reload({**limited, "listeners": []})
    send(s, 100)
    f.reload(limited)
    wait_judged(f, 200)
    most = BURST + (time.monotonic() - began) + 1
    assert f.stats().listener(NAME)["to_endpoint_packets"] <= most
    limited["clusters"][0]["timeouts"]["drain"] = "100ms"
    f.reload({**limited, "listeners": []})


BOTH_LIMITERS = pytest.mark.parametrize("limiter", ["xdp", "dpdk"])


def by_limiter(limiter, idle):
    policy = policy_with(per_connection=packets("1M", burst="1M"))
    for name in ("clients", "servers"):
        interface(policy, name, limiter=limiter)
    for c in policy["clusters"]:
        c["timeouts"] = {"idle": idle}
    return policy


@BOTH_LIMITERS
def test_a_flow_after_a_pause_is_a_new_one(world, limiter):
    echo(world, PORT)
    f = world.fender(by_limiter(limiter, "300ms"))
    s = flow(world)

    def its_flow_is_over():
        return f.stats().listener(NAME)["open"] == 0

    for starts in range(1, 4):
        resolve(world, s)
        assert f.stats().listener(NAME)["limits"]["full_starts"] == starts
        wait_for(its_flow_is_over)
        # The XDP program met the last packet a little earlier, and counts in ticks of 1 ms.
        time.sleep(0.01)


@BOTH_LIMITERS
def test_verdicts_are_timed(world, limiter):
    echo(world, PORT)
    f = world.fender(by_limiter(limiter, "1s"))
    s = flow(world)
    hook = {"xdp": "xdp", "dpdk": "worker"}[limiter]

    def one_was_timed():
        send(s, 100)
        return hook in f.stats().raw["limiter_verdicts"]

    resolve(world, s)
    wait_for(one_was_timed)
    assert list(f.stats().raw["limiter_verdicts"]) == [hook]
    times = json.loads(f.http("GET", "/limits")[1])["verdicts"][hook]
    assert 0 < times["p50_ns"] <= times["p90_ns"] <= times["p99_ns"]
    said = f.http("GET", "/metrics")[1]
    count = re.search(rf'fender_limiter_verdict_seconds_count{{hook="{hook}"}} (\d+)', said)
    assert int(count[1]) >= times["count"] > 0
    assert "A verdict in" in f.cli("limits").stdout


def rows(f):
    return json.loads(f.cli("limits", "--json").stdout)["connections"]


@pytest.mark.parametrize("direction", ["to_endpoint", "to_client"])
def test_limited_connections_are_shown(world, direction):
    echo(world, PORT)
    f = world.fender(policy_with(per_connection=packets(5, burst=5, direction=direction)))
    s = flow(world)

    def refused_now():
        return [r for r in rows(f) if r["refused_per_second"] > 0]

    with sending(s):
        (row,) = wait_for(refused_now)
        table = f.cli("limits", "-n", "3").stdout
    client = "{}:{}".format(*s.getsockname())
    assert row["client"] == client
    assert row["endpoint"] == f"{BACKENDS4[0]}:{PORT}"
    assert row["listener"] == NAME
    assert row["direction"] == direction
    assert row["limit"] == {"packets_per_second": 5, "action": "drop"}
    assert row["refused"] > 0
    assert client in table and NAME[:7] in table
    assert max(map(len, table.splitlines())) <= 80


def test_where_nothing_is_limited_that_is_said(world):
    f = world.fender(policy_with())
    assert "No listener has a rate limit." in f.cli("limits").stdout
    f.reload(policy_with(per_connection=packets("1k")))
    assert "No connection is limited now." in f.cli("limits").stdout
    assert f.http("GET", "/limits?limit=0")[0] == 400
    assert f.http("GET", "/limits?limit=x")[0] == 400
    assert f.cli("limits", "-n", "0", check=False).returncode == 2
