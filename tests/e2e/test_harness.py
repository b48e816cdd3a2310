# SPDX-License-Identifier: Apache-2.0
"""The worlds themselves, with the kernel forwarding in Fender's place, and the laws' teeth."""

import copy
import os
import subprocess

import pytest
from frames import ETH_IPV4, ICMP, RawSocket, eth, icmp, ipv4, ipv6, tcp, udp
from laws import (
    Stats,
    call_faults,
    closed_faults,
    packet_faults,
    permit_faults,
    table_faults,
)
from netns import NETNS_DIR
from servers import connect, curl, echo, listen, nginx, path_mtu, transfer
from servers import udp as udp_socket
from world import CLIENT4, CLIENT6, SERVERS4, SERVERS6, TOOLS, World, at


@pytest.fixture
def routed(world):
    world.kernel_gateway()
    return world


@pytest.mark.parametrize("ip", [SERVERS4[1], SERVERS6[1]], ids=["v4", "v6"])
def test_a_world_carries_http(routed, ip):
    nginx(routed)
    assert curl(routed, f"http://{at(ip, 80)}/").strip() == ip


@pytest.mark.parametrize("ip", [SERVERS4[1], SERVERS6[1]], ids=["v4", "v6"])
def test_a_world_carries_udp_of_every_size(routed, ip):
    echo(routed, 7)
    s = udp_socket(routed.client, CLIENT6 if ":" in ip else CLIENT4)
    for size in (0, 1, 1000, 1452):
        s.sendto(b"x" * size, (ip, 7))
        data, who = s.recvfrom(2000)
        assert (len(data), who[0]) == (size, ip)


def test_the_echo_server_holds_many_connections(routed):
    echo(routed, 7)
    argv = ["/usr/bin/python3", TOOLS / "hold_connections.py", SERVERS4[0], 7, 2000]
    done = routed.client.run(argv, timeout=60)
    assert done.stdout.startswith("held 2000,")


@pytest.mark.parametrize("side", ["server", "client"])
@pytest.mark.parametrize("family", ["v4", "v6"])
def test_the_router_of_a_world_answers_too_big(routed, side, family):
    """What goes to the host behind the router is found not to fit 1300 bytes."""
    host = routed.add_router(side, mtu=1300)
    routed.gateway.ip(
        "route add 10.77.3.0/24 via 10.77.2.254 onlink dev fb",
        "route add fd77:3::/64 via fd77:2::fe onlink dev fb",
        "route add 10.77.4.0/24 via 10.77.1.254 onlink dev fa",
        "route add fd77:4::/64 via fd77:1::fe onlink dev fa",
    )
    other = routed.client if side == "server" else routed.server
    net = 3 if side == "server" else 4
    there = f"10.77.{net}.2" if family == "v4" else f"fd77:{net}::2"
    server = listen(host, there, 9)
    s = connect(other, there, 9)
    accepted, _ = server.accept()
    transfer(s, accepted)
    assert path_mtu(s) == 1300
    for one in (s, accepted, server):
        one.close()


def test_a_world_leaves_nothing():
    world = World()
    echo(world, 7)
    names, tmp, shm = [n.name for n in world.namespaces], world.tmp, world.shm
    pids = [p for n in world.namespaces for p in n.pids()]
    assert pids
    world.destroy()
    assert not [n for n in names if os.path.exists(f"{NETNS_DIR}/{n}")]
    assert not os.path.exists(tmp) and not os.path.exists(shm)
    assert not [p for p in pids if os.path.exists(f"/proc/{p}")]


def test_programs_end_with_the_test_run(world):
    """A test run that is killed takes its programs with it."""
    code = (
        "import os, sys, signal; sys.path.insert(0, sys.argv[1]); import netns; "
        "ns = netns.Namespace('x'); p = ns.popen(['sleep', '60']); "
        "print(ns.name, p.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    here = os.path.dirname(os.path.abspath(__file__))
    out = subprocess.run(
        ["/usr/bin/python3", "-c", code, here], capture_output=True, text=True
    ).stdout
    name, pid = out.split()
    from netns import sweep_stale
    from world import wait_for

    def the_program_is_gone():
        return not os.path.exists(f"/proc/{pid}")

    wait_for(the_program_is_gone)
    sweep_stale()
    assert not os.path.exists(f"{NETNS_DIR}/{name}")


def test_frames_are_what_the_kernel_accepts(routed):
    """A built echo request is answered, a built datagram received: the builders are right."""
    raw = RawSocket(routed.client, receive=True)
    mac = routed.gateway.ip_json("link", "show", "fa")[0]["address"]
    me = routed.client.ip_json("link", "show", "eth0")[0]["address"]
    receiver = udp_socket(routed.server, SERVERS4[0], 5000)
    body = udp(CLIENT4, SERVERS4[0], 1234, 5000, b"built by hand")
    raw.send(eth(mac, me, ETH_IPV4, ipv4(CLIENT4, SERVERS4[0], 17, body)))
    assert receiver.recv(100) == b"built by hand"
    raw.send(eth(mac, me, ETH_IPV4, ipv4(CLIENT4, SERVERS4[0], ICMP, icmp(8, 0, b"\0\1\0\1ping"))))
    while True:
        frame = raw.receive()
        if frame[23:24] == b"\1" and frame[34:35] == b"\0":
            break
    assert frame.endswith(b"ping")
    server = listen(routed.server, SERVERS6[0], 5001)
    segment = tcp(CLIENT6, SERVERS6[0], 40000, 5001)
    raw.send(eth(mac, me, 0x86DD, ipv6(CLIENT6, SERVERS6[0], 6, segment)))
    while True:
        frame = raw.receive()
        if frame[12:14] == b"\x86\xdd" and frame[20] == 6:
            break
    assert frame[54 + 13] == 0x12  # SYN-ACK
    raw.close()
    server.close()


CALLS = {
    "name": "x",
    **dict.fromkeys("started opened".split(), 3),
    **dict.fromkeys("succeeded failed closed".split(), 1),
    **dict.fromkeys("cancelled rejected".split(), 0),
    "in_flight": 1,
    "open": 2,
}
WORKER = {
    "worker": 0,
    "received": 10,
    "originated": 2,
    "handed_in": 0,
    "transmitted": 8,
    "consumed": 1,
    "handed_out": 0,
    "held": 1,
    "dropped": {"ttl": 2},
}
PORTS = [{"name": "a", "rx_packets": 10, "tx_packets": 8}]
SOUND = {
    "workers": [WORKER],
    "interfaces": PORTS,
    "listeners": [CALLS],
    "clusters": [],
    "endpoints": [],
    "draining": [],
    "connections": {"used": 2, "resting": 0},
}


def faults(raw):
    stats = Stats(raw)
    return [*packet_faults(stats), *call_faults(stats), *table_faults(stats)]


def test_the_laws_accept_what_is_sound():
    assert faults(SOUND) == []


@pytest.mark.parametrize("field", ["received", "transmitted", "held", "handed_out", "consumed"])
def test_the_laws_notice_a_lost_packet(field):
    raw = copy.deepcopy(SOUND)
    raw["workers"][0][field] += 1
    assert faults(raw)


@pytest.mark.parametrize("field", ["started", "failed", "rejected", "opened", "closed"])
def test_the_laws_notice_a_lost_call(field):
    raw = copy.deepcopy(SOUND)
    raw["listeners"][0][field] += 1
    assert faults(raw)


def test_the_laws_notice_a_leaked_entry():
    raw = copy.deepcopy(SOUND)
    raw["connections"]["used"] += 1
    assert faults(raw)


def test_the_laws_notice_what_stays_open():
    assert list(closed_faults(Stats(SOUND)))


LENT = {
    "in_flight": {"bulkhead": {"in_flight": 1}},
    "queued": {"bulkhead": {"queued": 1}},
    "overshoot_max": {"bulkhead": {"overshoot_max": 1}},
    "attempts_in_flight": {"attempts_in_flight": 1},
    "retries_in_flight": {"retry": {"on_wire": 1}},
    "probe slots": {"breaker": {"probes_active": 1}},
}


@pytest.mark.parametrize("what", LENT)
def test_the_laws_notice_what_is_not_given_back(what):
    raw = copy.deepcopy(SOUND)
    raw["clusters"] = [{**CALLS, **LENT[what]}]
    (fault,) = permit_faults(Stats(raw))
    assert what in fault
    assert list(permit_faults(Stats(SOUND))) == []
