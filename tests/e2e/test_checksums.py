# SPDX-License-Identifier: Apache-2.0
"""Checksums: partial ones of veth peers, wrong ones, absent ones, and their verification."""

import pytest
from frames import ETH_IPV4, ETH_IPV6, UDP, RawSocket, eth, ipv4, ipv6
from frames import udp as udp_bytes
from laws import dropped_between
from policies import forwarding
from servers import echo, nginx, udp, wrk
from world import CLIENT4, CLIENT6, FENDER4, FENDER6, SERVERS4, SERVERS6, at, wait_for

BOTH = pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])


def through(world, verify, port=7):
    echo(world, port)
    policy = forwarding(
        [port], [SERVERS4[0], SERVERS6[0]], protocols=("udp",), verify_checksums=verify
    )
    for c in policy["clusters"]:
        c["timeouts"] = {"idle": "1s"}
    return world.fender(policy)


def datagram(world, ip, sport, **fields):
    """A frame from the client to the echo port, its UDP checksum as the fields say."""
    fender = world.gateway.ip_json("link", "show", "fa")[0]["address"]
    me = world.client.ip_json("link", "show", "eth0")[0]["address"]
    if ":" in ip:
        body = udp_bytes(CLIENT6, ip, sport, 7, b"by hand", **fields)
        return eth(fender, me, ETH_IPV6, ipv6(CLIENT6, ip, UDP, body))
    body = udp_bytes(CLIENT4, ip, sport, 7, b"by hand", **fields)
    return eth(fender, me, ETH_IPV4, ipv4(CLIENT4, ip, UDP, body))


@BOTH
def test_wrong_checksum_stays_wrong_and_the_end_host_notices(world, ip):
    """An incremental update must not repair what came in broken."""
    f = through(world, verify=False)
    raw, s = RawSocket(world.client), udp(world.client, CLIENT6 if ":" in ip else CLIENT4)
    sport = s.getsockname()[1]
    raw.send(datagram(world, ip, sport))
    assert s.recv(100) == b"by hand"
    before = f.stats()
    raw.send(datagram(world, ip, sport, sum=1))
    s.settimeout(0.5)
    with pytest.raises(TimeoutError):
        s.recv(100)
    assert "checksum" not in dropped_between(before, f.stats())
    raw.close()


@BOTH
def test_verification_drops_a_wrong_checksum(world, ip):
    f = through(world, verify=True)
    raw, s = RawSocket(world.client), udp(world.client, CLIENT6 if ":" in ip else CLIENT4)
    sport = s.getsockname()[1]
    raw.send(datagram(world, ip, sport))
    assert s.recv(100) == b"by hand"
    before = f.stats()
    raw.send(datagram(world, ip, sport, sum=1), times=3)

    def dropped_for_their_checksum():
        return dropped_between(before, f.stats()).get("checksum") == 3

    wait_for(dropped_for_their_checksum)
    raw.close()


@BOTH
def test_verification_accepts_what_the_kernel_sends(world, ip):
    nginx(world)
    f = world.fender(forwarding([80], SERVERS4 + SERVERS6, verify_checksums=True))
    assert wrk(world, f"http://{at(ip, 80)}/", seconds=1, close=True).errors == {}
    assert "checksum" not in f.stats().dropped()


@pytest.mark.parametrize("verify", [False, True], ids=["unverified", "verified"])
def test_absent_udp_checksum_stays_absent(world, verify):
    through(world, verify)
    raw, s = RawSocket(world.client), udp(world.client, CLIENT4)
    server = RawSocket(world.server, receive=True)
    raw.send(datagram(world, FENDER4, s.getsockname()[1], sum=None))
    assert s.recv(100) == b"by hand"
    while True:
        frame = server.receive()
        if frame[12:14] == b"\x08\x00" and frame[23] == UDP:
            break
    assert frame[40:42] == b"\0\0"
    raw.close()
    server.close()
