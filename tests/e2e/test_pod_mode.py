# SPDX-License-Identifier: Apache-2.0
"""Pod mode: egress and ingress through a shared interface, and the kernel's own traffic on it."""

import contextlib
import os
import signal
import socket

import pytest
from fender import DATAPLANE
from netns import end_processes
from pod import (
    APP4,
    APP6,
    APP_PORT,
    EGRESS_PORT,
    INGRESS_PORT,
    LINK4,
    LINK6,
    POD4,
    POD6,
    PodWorld,
    pod_policy,
)
from servers import connect, echo, listen, udp
from world import SERVERS4, SERVERS6, SERVICE4, SERVICE6, at, wait_for

SHARED_PORTS = range(61000, 65000)
V4 = (SERVICE4, SERVERS4[0], POD4, LINK4, APP4)
V6 = (SERVICE6, SERVERS6[0], POD6, LINK6, APP6)
BOTH = pytest.mark.parametrize("service, server, pod, link, app", [V4, V6], ids=["ipv4", "ipv6"])


@pytest.fixture
def pod_world(make_world):
    return make_world(of=PodWorld)


def ping(ns, ip):
    ns.run(["ping", "-c", 1, "-W", 5, ip])


def says(s, data=b"hello"):
    s.sendall(data)
    got = b""
    while len(got) < len(data):
        more = s.recv(100)
        assert more, "closed"
        got += more
    assert got == data


def kernel_traffic_passes(world, server, pod):
    ping(world.pod, server)
    ping(world.node, pod)
    with connect(world.pod, server, EGRESS_PORT) as s:
        says(s)
    with connect(world.node, pod, APP_PORT) as s:
        says(s)


@BOTH
def test_egress_ingress_and_the_kernel_side_by_side(pod_world, service, server, pod, link, app):
    world = pod_world
    f = world.fender(pod_policy())
    there = listen(world.node, server, EGRESS_PORT)
    with connect(world.pod, service, EGRESS_PORT) as out:
        accepted, peer = there.accept()
        with accepted:
            out.sendall(b"x")
            assert accepted.recv(1) == b"x"
        assert peer[0] == pod and peer[1] in SHARED_PORTS
    there.close()

    here = listen(world.pod, app, APP_PORT)
    with connect(world.node, pod, INGRESS_PORT) as come:
        accepted, peer = here.accept()
        with accepted:
            accepted.sendall(b"y")
            assert come.recv(1) == b"y"
        assert peer[0] == link
    here.close()

    echo(world, EGRESS_PORT)
    echo(world, APP_PORT, ns=world.pod)
    kernel_traffic_passes(world, server, pod)
    assert not {"neighbour", "neighbour_queue"} & f.stats().dropped().keys()


@pytest.mark.restarts
@BOTH
def test_two_queues_of_a_shared_interface(make_world, service, server, pod, link, app):
    """The program and its sockets serve four queues of two devices, also after a kill."""
    world = make_world(of=PodWorld, queues=2)
    f = world.fender(pod_policy(workers=2))
    echo(world, EGRESS_PORT)
    echo(world, APP_PORT, ns=world.pod)
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(connect(ns, ip, port, timeout=30))
            for ns, ip, port in (
                (world.pod, service, EGRESS_PORT),
                (world.node, pod, INGRESS_PORT),
            )
            for _ in range(24)
        ]
        for s in sockets:
            says(s)
        assert all(w["received"] > 0 for w in f.stats().workers)
        first = f.dataplane_pid()
        os.kill(first, signal.SIGKILL)

        def another_dataplane_is_ready():
            return f.ready() and f.dataplane_pid() not in (0, first)

        wait_for(another_dataplane_is_ready)
        for s in sockets:
            says(s, b"go on")
        kernel_traffic_passes(world, server, pod)


@BOTH
def test_datagrams_go_both_ways(pod_world, service, server, pod, link, app):
    world = pod_world
    echo(world, EGRESS_PORT)
    echo(world, APP_PORT, ns=world.pod)
    world.fender(pod_policy(protocols=("udp",)))
    for ns, source, to in (
        (world.pod, app, (service, EGRESS_PORT)),
        (world.node, server, (pod, INGRESS_PORT)),
    ):
        with udp(ns, source) as s:
            s.connect(to)
            s.send(b"datagram")
            assert s.recv(100) == b"datagram"


def kill_both(f):
    f.process.kill()
    f.process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.kill(f.killed, signal.SIGKILL)
    end_processes([f.killed])


def quiet(sock):
    """Neither data nor a reset comes for a while."""
    sock.settimeout(0.3)
    try:
        sock.recv(1)
    except socket.timeout:
        sock.settimeout(30)
        return True
    return False


@pytest.mark.restarts
@BOTH
def test_connections_survive_the_dataplane(pod_world, service, server, pod, link, app):
    """While nobody serves the interface its connections wait, and the kernel's do not."""
    world = pod_world
    echo(world, EGRESS_PORT)
    echo(world, APP_PORT, ns=world.pod)
    f = world.fender(pod_policy())
    f.killed = f.dataplane_pid()
    with connect(world.pod, service, EGRESS_PORT) as out, connect(
        world.node, pod, INGRESS_PORT
    ) as come, connect(world.pod, server, EGRESS_PORT) as kernels:
        for s in (out, come, kernels):
            says(s)
        kill_both(f)
        says(kernels)
        kernel_traffic_passes(world, server, pod)
        out.sendall(b"one")
        come.sendall(b"two")
        assert quiet(out) and quiet(come)
        f.start()
        assert out.recv(10) == b"one"
        assert come.recv(10) == b"two"
        for s in (out, come, kernels):
            says(s)


def mac_of(ns, ip):
    rows = ns.ip_json("neigh", "show", "to", ip, "dev", "eth0")
    return rows[0].get("lladdr") if rows else None


@BOTH
def test_neighbours_are_the_kernels(pod_world, service, server, pod, link, app):
    """A new MAC address is followed, and a flushed table interrupts nothing."""
    world = pod_world
    echo(world, EGRESS_PORT)
    f = world.fender(pod_policy())
    with connect(world.pod, service, EGRESS_PORT) as s:
        says(s)
        world.pod.ip("neigh flush dev eth0")
        says(s)
        new = "02:00:00:00:77:02"
        world.node.ip("link set eth0 address " + new)
        world.node.ip("neigh flush dev eth0")
        world.node.run(["ping", "-c", 1, "-W", 5, "-I", server, pod])

        def kernel_has_the_new_one():
            return mac_of(world.pod, server) == new

        wait_for(kernel_has_the_new_one, 20)
        says(s)
    with connect(world.pod, service, EGRESS_PORT) as s:
        says(s)
    assert "neighbour" not in f.stats().dropped()


def test_neighbours_stay_without_a_control_plane(pod_world):
    world = pod_world
    echo(world, EGRESS_PORT)
    f = world.fender(pod_policy())
    with connect(world.pod, SERVICE4, EGRESS_PORT) as s:
        says(s)
        f.process.kill()
        f.process.wait()
        world.pod.ip("neigh flush dev eth0")
        says(s)
    for service in (SERVICE4, SERVICE6):
        with connect(world.pod, service, EGRESS_PORT) as s:
            says(s)


def test_an_unknown_client_is_resolved_by_the_kernel(pod_world):
    """The way back to a client that the kernel knows nothing of: a worker has to ask for it."""
    world = pod_world
    echo(world, APP_PORT, ns=world.pod)
    world.fender(pod_policy())
    mac = world.pod.ip_json("link", "show", "eth0")[0]["address"]
    world.node.ip(f"neigh replace {POD4} lladdr {mac} dev eth0 nud permanent")
    with connect(world.node, POD4, INGRESS_PORT, source=SERVERS4[2]) as s:
        says(s)
    assert mac_of(world.pod, SERVERS4[2])


LIMIT = {"packets_per_second": 1, "burst": 20}
PLENTY = {"connections_per_second": "100k"}


@pytest.mark.parametrize("direction", ["to_endpoint", "to_client"])
def test_limits_bite_on_both_interfaces(pod_world, direction):
    """Towards the endpoint before fnd1 (egress) and eth0 (ingress), towards the client vice
    versa."""
    world = pod_world
    echo(world, EGRESS_PORT)
    echo(world, APP_PORT, ns=world.pod)
    policy = pod_policy(protocols=("udp",))
    for row in policy["listeners"]:
        per_connection = {**LIMIT, "direction": direction}
        row["rate_limit"] = {
            "per_connection": per_connection,
            "per_source": PLENTY,
            "listener": PLENTY,
        }
    f = world.fender(policy)
    for name, ns, source, to in (
        ("out-v4-udp", world.pod, APP4, (SERVICE4, EGRESS_PORT)),
        ("in-v4-udp", world.node, SERVERS4[0], (POD4, INGRESS_PORT)),
    ):
        with udp(ns, source) as s:
            s.connect(to)
            s.send(b"first")
            assert s.recv(10) == b"first"
            for _ in range(100):
                s.send(b"more")

            def the_rest_is_refused(name=name):
                seen = f.stats().listener(name)["limits"]["packets"]
                return seen.get("rate_limited_connection", 0) >= 50

            wait_for(the_rest_is_refused, 10)


@BOTH
def test_health_is_checked_by_the_kernels_way(pod_world, service, server, pod, link, app):
    """Probes leave from the pod's address, past Fender's ports: no `source` is needed."""
    world = pod_world
    up = echo(world, EGRESS_PORT)
    policy = pod_policy()
    check = {"type": "tcp", "interval": "200ms", "unhealthy_threshold": 1, "healthy_threshold": 1}
    for c in policy["clusters"]:
        if c["name"].startswith("out"):
            c["health_check"] = check
    f = world.fender(policy)
    cluster = "out-v6" if ":" in server else "out-v4"

    def probed_as(state):
        def endpoint_has_the_state():
            row = f.stats().endpoint(cluster, at(server, EGRESS_PORT))
            return row["health"]["state"] == state

        wait_for(endpoint_has_the_state, 10)

    probed_as("healthy")
    world.stop(up)
    probed_as("unhealthy")


def routes(world):
    shown = world.pod.ip_json("route", "show") + world.pod.ip_json("-6", "route", "show")
    return sorted(r["dst"] for r in shown if r["dev"] == "fnd0" and r["protocol"] != "kernel")


@pytest.fixture
def mortal(pod_world):
    """A dataplane that dies at its start while the file `broken` exists."""
    script = pod_world.path("dataplane")
    broken = pod_world.path("broken")
    with open(script, "w") as f:
        f.write(f'#!/bin/sh\n[ -e {broken} ] && kill -9 $$\nexec {DATAPLANE} "$@"\n')
    os.chmod(script, 0o755)
    return script, broken


@pytest.mark.restarts
def test_without_hope_the_kernel_takes_over(pod_world, mortal):
    """on_dataplane_loss: pass. Routes of the services leave Fender, and come back with it."""
    world, (script, broken) = pod_world, mortal
    echo(world, EGRESS_PORT)
    world.node.ip(f"addr add {SERVICE4} dev lo")
    world.pod.ip(f"route add default via {SERVERS4[0]}")
    f = world.fender(pod_policy(on_dataplane_loss="pass"), args=["--dataplane", script])
    assert routes(world) == [SERVICE4, SERVICE6]
    open(broken, "w").close()
    os.kill(f.dataplane_pid(), signal.SIGKILL)

    def routes_are_withdrawn():
        return routes(world) == []

    wait_for(routes_are_withdrawn, 60)
    with connect(world.pod, SERVICE4, EGRESS_PORT) as s:
        says(s)
    os.unlink(broken)
    f.process.send_signal(signal.SIGHUP)
    wait_for(f.ready, 30)
    assert routes(world) == [SERVICE4, SERVICE6]
    before = f.stats().listener("out-v4-tcp")["started"]
    with connect(world.pod, SERVICE4, EGRESS_PORT) as s:
        says(s)
        assert f.stats().listener("out-v4-tcp")["started"] == before + 1
