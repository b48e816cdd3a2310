# SPDX-License-Identifier: Apache-2.0
"""ICMP: errors translated to the inner flow in both directions, errors Fender makes, ping."""

import errno
import socket

import pytest
from laws import dropped_between
from policies import base, cluster, forwarding, interface, listener
from servers import connect, echo, listen, path_mtu, transfer, udp
from world import CLIENT4, CLIENT6, FENDER4, FENDER6, SERVERS4, SERVERS6, SNAT4, SNAT6, at, wait_for

BOTH = pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])
PORT = 9000
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_DO = 10, 23, 2


def routed(policy, net, interface_name):
    policy["interfaces"][0 if interface_name == "clients" else 1]["routes"] = [
        {"to": f"10.77.{net}.0/24", "via": f"10.77.{1 if net == 4 else 2}.254"},
        {"to": f"fd77:{net}::/64", "via": f"fd77:{1 if net == 4 else 2}::fe"},
    ]
    return policy


@BOTH
def test_too_big_behind_the_server_side_router_reaches_the_client(world, ip):
    """Path MTU discovery of an upload works through Fender's translation."""
    host = world.add_router("server", mtu=1300)
    remote = "fd77:3::2" if ":" in ip else "10.77.3.2"
    server = listen(host, remote, PORT)
    policy = cluster(base(), "far", [at(remote, PORT)])
    listener(policy, "far", at(ip, PORT), "far")
    f = world.fender(routed(policy, 3, "servers"))
    client = connect(world.client, ip, PORT)
    accepted, _ = server.accept()
    accepted.settimeout(30)
    transfer(client, accepted)
    assert path_mtu(client) == 1300
    assert "icmp_unmatched" not in f.stats().dropped()
    for s in (client, accepted, server):
        s.close()


@BOTH
def test_too_big_behind_the_client_side_router_reaches_the_server(world, ip):
    """Path MTU discovery of a download, the other way through the translation."""
    host = world.add_router("client", mtu=1300)
    server = listen(world.server, SERVERS6[0] if ":" in ip else SERVERS4[0], PORT)
    f = world.fender(routed(forwarding([PORT], [SERVERS4[0], SERVERS6[0]]), 4, "clients"))
    client = connect(host, ip, PORT)
    client.settimeout(30)
    accepted, _ = server.accept()
    transfer(accepted, client)
    assert path_mtu(accepted) == 1300
    assert "icmp_unmatched" not in f.stats().dropped()
    for s in (client, accepted, server):
        s.close()


@BOTH
def test_packet_too_big_for_the_egress_interface_is_answered(world, ip):
    echo(world, 7)
    policy = forwarding([7], [SERVERS4[0], SERVERS6[0]], protocols=("udp",))
    for c in policy["clusters"]:
        c["timeouts"] = {"idle": "1s"}
    f = world.fender(interface(policy, "servers", mtu=1300))
    s = udp(world.client, CLIENT6 if ":" in ip else CLIENT4)
    s.connect((ip, 7))
    level = socket.IPPROTO_IPV6 if ":" in ip else socket.IPPROTO_IP
    option = IPV6_MTU_DISCOVER if ":" in ip else IP_MTU_DISCOVER
    s.setsockopt(level, option, PMTUDISC_DO)
    headers = 48 if ":" in ip else 28
    s.send(b"x" * (1300 - headers))
    assert len(s.recv(2000)) == 1300 - headers
    before = f.stats()
    s.send(b"x" * (1300 - headers + 1))

    def too_big_arrives():
        return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE

    wait_for(too_big_arrives)
    assert path_mtu(s) == 1300
    assert dropped_between(before, f.stats())["too_big"] == 1


@BOTH
def test_mss_is_clamped_to_the_smaller_interface(world, ip):
    server = listen(world.server, SERVERS6[0] if ":" in ip else SERVERS4[0], PORT)
    policy = forwarding([PORT], [SERVERS4[0], SERVERS6[0]])
    f = world.fender(interface(policy, "servers", mtu=1300))
    client = connect(world.client, ip, PORT)
    accepted, _ = server.accept()
    accepted.settimeout(30)
    transfer(client, accepted)
    client.settimeout(30)
    transfer(accepted, client)
    headers = 60 if ":" in ip else 40
    for s in (client, accepted):
        assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 1300 - headers
    assert "too_big" not in f.stats().dropped()
    for s in (client, accepted, server):
        s.close()


@BOTH
def test_last_hop_of_ttl_is_dropped_and_reported(world, ip):
    """What traceroute does: TTL 1 ends at Fender, which says so."""
    f = world.fender(forwarding([7], [SERVERS4[0], SERVERS6[0]], protocols=("udp",)))
    s = udp(world.client, CLIENT6 if ":" in ip else CLIENT4)
    if ":" in ip:
        s.setsockopt(socket.IPPROTO_IPV6, 25, 1)  # IPV6_RECVERR
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 1)
    else:
        s.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    before = f.stats()
    s.sendto(b"hop", (ip, 7))

    def time_exceeded_arrives():
        return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EHOSTUNREACH

    wait_for(time_exceeded_arrives)
    assert dropped_between(before, f.stats())["ttl"] == 1


@pytest.mark.parametrize("size", [0, 56, 1400])
@pytest.mark.parametrize(
    "side,ip", [("client", FENDER4), ("client", FENDER6), ("server", SNAT4), ("server", SNAT6)]
)
def test_ping_is_answered(world, side, ip, size):
    f = world.fender(base())
    ns = world.client if side == "client" else world.server
    for _ in range(3):  # one at a time: ping waits for a second answer only two round trips
        ns.run(["ping", "-c", 1, "-W", 20, "-s", size, ip])
    assert f.stats().packets("consumed") >= 3


def test_ping_of_a_strange_address_is_not_answered(world):
    world.fender(base())
    world.client.ip(f"route add 10.9.9.9 via {FENDER4}")
    done = world.client.run(["ping", "-c", 1, "-W", 1, "10.9.9.9"], check=False)
    assert done.returncode == 1
