# SPDX-License-Identifier: Apache-2.0
"""UDP flows: DNS through dnsmasq, echo, unreachable ports, idle flows."""

import errno
import socket
import time

import pytest
from laws import assert_conserved
from policies import forwarding
from servers import dnsmasq, echo, udp
from world import CLIENT4, CLIENT6, FENDER4, FENDER6, SERVERS4, SERVERS6, wait_for

BOTH = pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])


def through(world, port, idle="30s", **keys):
    policy = forwarding([port], [SERVERS4[0], SERVERS6[0]], protocols=("udp",), **keys)
    for c in policy["clusters"]:
        c["timeouts"] = {"idle": idle}
    return world.fender(policy)


def client_of(world, ip, port=0):
    return udp(world.client, CLIENT6 if ":" in ip else CLIENT4, port)


@pytest.mark.leaves_open
@BOTH
def test_dig_resolves(world, ip):
    dnsmasq(world)
    through(world, 53)
    argv = ["dig", f"@{ip}", "+time=20", "+tries=1", "+short"]
    assert world.client.run([*argv, "a.fender.test", "A"]).stdout.split() == ["192.0.2.7"]
    assert world.client.run([*argv, "b.fender.test", "AAAA"]).stdout.split() == ["2001:db8::7"]


@BOTH
def test_hundred_flows_get_their_own_answers_and_end_by_idling(world, ip):
    echo(world, 7)
    f = through(world, 7, idle="3s")  # far more than the hundred take
    sockets = [client_of(world, ip) for _ in range(100)]
    sockets[0].sendto(b"resolve", (ip, 7))  # only a few packets may wait for the next hop
    assert sockets[0].recv(100) == b"resolve"
    for i, s in enumerate(sockets):
        s.sendto(b"flow %d" % i, (ip, 7))
    for i, s in enumerate(sockets):
        assert s.recv(100) == b"flow %d" % i
    name = f"p7-{'v6' if ':' in ip else 'v4'}-udp"
    calls = f.stats().listener(name)
    assert calls["started"] == calls["opened"] == 100
    stats = assert_conserved(f.stats, closed=True)
    assert stats.listener(name)["closed"] == 100


@BOTH
def test_a_flow_that_keeps_talking_does_not_idle(world, ip):
    echo(world, 7)
    f = through(world, 7, idle="2s")
    s = client_of(world, ip)
    s.connect((ip, 7))

    def one_exchange():
        s.send(b"x")
        assert s.recv(10) == b"x"

    for _ in range(11):
        one_exchange()
        time.sleep(0.25)
    assert f.stats().listener(f"p7-{'v6' if ':' in ip else 'v4'}-udp")["started"] == 1


@BOTH
@pytest.mark.parametrize("size", [0, 1, 1000, 1452])
def test_datagram_sizes(world, ip, size):
    echo(world, 7)
    through(world, 7, idle="1s")
    s = client_of(world, ip)
    data = bytes(i & 255 for i in range(size))
    s.sendto(data, (ip, 7))
    assert s.recv(2000) == data


@BOTH
def test_fragments_are_dropped_with_their_reason(world, ip):
    echo(world, 7)
    f = through(world, 7, idle="1s")
    s = client_of(world, ip)
    s.sendto(b"x" * 3000, (ip, 7))

    def all_three_fragments_are_dropped():
        return f.stats().dropped().get("fragment") == 3

    wait_for(all_three_fragments_are_dropped)
    s.sendto(b"whole", (ip, 7))
    assert s.recv(100) == b"whole"


@BOTH
def test_closed_port_is_reported_to_the_client(world, ip):
    f = through(world, 9, idle="1s")
    s = client_of(world, ip)
    s.connect((ip, 9))
    s.send(b"anybody?")

    def port_unreachable_arrives():
        return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED

    wait_for(port_unreachable_arrives)
    assert f.stats().dropped().get("icmp_unmatched", 0) == 0
