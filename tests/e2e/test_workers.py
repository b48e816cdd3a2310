# SPDX-License-Identifier: Apache-2.0
"""Two workers: queues are not owners, so packets are handed to the owner of their flow."""

import socket
import subprocess

import pytest
from policies import base, cluster, forwarding, listener
from servers import connect, curl, echo, iperf3, nginx, udp, wrk
from world import CLIENT4, CLIENT6, FENDER4, FENDER6, SERVERS4, SERVERS6, TOOLS, at, wait_for

BOTH = pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])
QUEUES = pytest.mark.parametrize("queues", [1, 2], ids=["one-queue", "two-queues"])


def spread(f, queues):
    """Both workers own flows and hand over what came in at the wrong queue."""
    stats = f.stats()
    assert stats.packets("handed_in") > 0
    for w in stats.workers:
        assert w["handed_in"] > 0, "a worker owned nothing that came in elsewhere"
        assert (w["received"] > 0) == (w["worker"] < queues)
    print(f"dropped: {stats.dropped()}")  # ring_full where all compete for two CPUs


@QUEUES
@BOTH
def test_wrk_over_two_workers(make_world, queues, ip):
    world = make_world(queues=queues)
    nginx(world)
    f = world.fender(forwarding([80], SERVERS4 + SERVERS6, workers=2))
    for close in (False, True):
        assert wrk(world, f"http://{at(ip, 80)}/", seconds=1, close=close).errors == {}
    spread(f, queues)


@QUEUES
def test_streams_over_two_workers(make_world, queues):
    world = make_world(queues=queues)
    f = world.fender(forwarding([5201], [SERVERS4[0]], protocols=("tcp", "udp"), workers=2))
    end = iperf3(world, FENDER4, "-P", 10, "--bidir")  # flows enough for both workers
    assert end["sum_received"]["bytes"] > 1 << 20
    spread(f, queues)


@QUEUES
@BOTH
def test_udp_flows_over_two_workers(make_world, queues, ip):
    world = make_world(queues=queues)
    echo(world, 7)
    policy = forwarding([7], [SERVERS4[0], SERVERS6[0]], protocols=("udp",), workers=2)
    for c in policy["clusters"]:
        c["timeouts"] = {"idle": "3s"}  # far more than a round takes
    f = world.fender(policy)
    sockets = [udp(world.client, CLIENT6 if ":" in ip else CLIENT4) for _ in range(64)]
    sockets[0].sendto(b"resolve", (ip, 7))  # only a few packets may wait for the next hop
    assert sockets[0].recv(100) == b"resolve"
    for _ in range(3):
        for i, s in enumerate(sockets):
            s.sendto(b"%d" % i, (ip, 7))
        for i, s in enumerate(sockets):
            assert s.recv(10) == b"%d" % i
    name = f"p7-{'v6' if ':' in ip else 'v4'}-udp"
    assert f.stats().listener(name)["started"] == 64
    spread(f, queues)


@pytest.mark.slow
def test_thousands_of_connections_over_two_workers(make_world):
    world = make_world(queues=2)
    echo(world, 7)
    f = world.fender(forwarding([7], SERVERS4, workers=2))
    argv = ["/usr/bin/python3", TOOLS / "hold_connections.py", FENDER4, 7, 4000]
    with world.client.popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        said = holder.stdout.readline()
        assert said.startswith("held 4000,"), said
        assert f.stats().open_connections() == 4000
        holder.stdin.close()
    assert holder.returncode == 0
    spread(f, 2)


def test_retransmissions_on_another_queue_are_the_same_call(make_world):
    """The kernel moves a flow to another queue at each retransmission (its SYN's here): one
    connect must stay one call with one SNAT port, whatever queue its SYNs arrive on."""
    world = make_world(queues=2)
    mac = world.server.ip_json("link", "show", "eth0")[0]["address"]
    policy = base(workers=2)
    policy["interfaces"][1]["neighbours"] = [{"address": "10.77.2.99", "mac": mac}]
    cluster(policy, "hole", ["10.77.2.99:9"], timeouts={"connect": "5s"})
    f = world.fender(listener(policy, "hole", at(FENDER4, 9), "hole"))
    sockets = [_begin_connect(world, 9) for _ in range(100)]
    syns = f.stats().listener("hole")["to_endpoint_packets"]

    def every_syn_was_repeated():
        return f.stats().listener("hole")["to_endpoint_packets"] >= syns + 100

    wait_for(every_syn_was_repeated)
    hole = f.stats().listener("hole")
    assert hole["started"] == hole["open"] == 100
    for s in sockets:
        s.close()


def _begin_connect(world, port):
    with world.client:
        s = socket.socket()
    s.setblocking(False)
    s.connect_ex((FENDER4, port))
    return s


def test_one_long_connection_is_intact_across_queues(make_world):
    world = make_world(queues=2)
    echo(world, 7)
    world.fender(forwarding([7], [SERVERS4[0]], workers=2))
    s = connect(world.client, FENDER4, 7)
    for i in range(300):
        s.sendall(b"%05d" % i)
        assert s.recv(10) == b"%05d" % i
    s.close()


def test_page_over_four_workers(make_world):
    """More workers than CPUs is slow, not wrong."""
    world = make_world(queues=4)
    nginx(world)
    f = world.fender(forwarding([80], SERVERS4, workers=4))
    for _ in range(40):
        curl(world, f"http://{at(FENDER4, 80)}/")
    assert f.stats().listener("p80-v4-tcp")["succeeded"] == 40
