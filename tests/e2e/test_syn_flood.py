# SPDX-License-Identifier: Apache-2.0
"""More connections than the table holds: full + 1 has a reason, who is in stays in."""

import pytest
from frames import ETH_IPV4, SYN, TCP, UDP, RawSocket, eth, ipv4, tcp, udp
from laws import dropped_between
from policies import base, cluster, listener
from servers import connect, curl, echo, nginx
from world import CLIENT4, FENDER4, SERVERS4, at, wait_for

TABLE = 64
HOLE = "10.77.2.99"


@pytest.fixture
def small(make_world):
    """A table of 64, an echo server, a black hole to flood, and ten connections that live."""
    world = make_world(ipv6=False)
    echo(world, 7)
    nginx(world, SERVERS4)
    mac = world.server.ip_json("link", "show", "eth0")[0]["address"]
    policy = base(connections=TABLE)
    policy["interfaces"][1]["neighbours"] = [{"address": HOLE, "mac": mac}]
    cluster(policy, "echo", [at(SERVERS4[0], 7)])
    cluster(policy, "web", [at(SERVERS4[0], 80)])
    cluster(policy, "hole", [at(HOLE, 9)], timeouts={"connect": "4s", "idle": "4s"})
    listener(policy, "echo", at(FENDER4, 7), "echo")
    listener(policy, "web", at(FENDER4, 80), "web")
    listener(policy, "hole", at(FENDER4, 9), "hole")
    listener(policy, "hole-udp", at(FENDER4, 9), "hole", "udp")
    f = world.fender(policy)
    living = [connect(world.client, FENDER4, 7) for _ in range(10)]
    yield world, f, living
    for s in living:
        s.close()


def all_echo(sockets, word):
    for s in sockets:
        s.sendall(word)
    for s in sockets:
        assert s.recv(100) == word


def flood(world, f, name, count, proto):
    """No more at once than the receive ring holds while its worker has no CPU."""
    raw = RawSocket(world.client)
    mac = world.gateway.ip_json("link", "show", "fa")[0]["address"]
    for i in range(count):
        sport = 1024 + i
        body = (
            tcp(CLIENT4, FENDER4, sport, 9, SYN, seq=i)
            if proto == TCP
            else udp(CLIENT4, FENDER4, sport, 9, b"flood")
        )
        raw.send(eth(mac, "02:00:00:00:00:05", ETH_IPV4, ipv4(CLIENT4, FENDER4, proto, body)))
        if i % 500 == 499:

            def so_many_are_taken(sent=i + 1):
                return f.stats().listener(name)["started"] >= sent

            wait_for(so_many_are_taken)
    raw.close()


@pytest.mark.parametrize("proto", [TCP, UDP], ids=["tcp", "udp"])
def test_flood_beyond_the_table(small, proto):
    world, f, living = small
    name = "hole" if proto == TCP else "hole-udp"
    all_echo(living, b"before")
    before = f.stats()
    count = 2000
    flood(world, f, name, count, proto)
    all_echo(living, b"during")
    hole = f.stats().listener(name)
    free = TABLE - len(living)
    assert hole["opened"] >= free
    refused = hole["rejected_by_reason"]
    assert set(refused) == {"table_full"}
    assert hole["opened"] + refused["table_full"] == hole["started"] == count
    assert dropped_between(before, f.stats())["table_full"] == refused["table_full"]
    with pytest.raises(ConnectionRefusedError):
        connect(world.client, FENDER4, 7)

    def flood_is_forgotten():
        return f.stats().listener(name)["open"] == 0

    wait_for(flood_is_forgotten)
    all_echo(living, b"after")
    assert curl(world, f"http://{at(FENDER4, 80)}/").strip() == SERVERS4[0]


def test_full_table_reuses_what_is_over(small):
    """Connections at rest give way to new ones: 400 short ones pass a table of 64."""
    world, f, living = small
    for _ in range(400):
        s = connect(world.client, FENDER4, 7)
        s.sendall(b"x")
        assert s.recv(10) == b"x"
        s.close()
    stats = f.stats()
    assert "table_full" not in stats.dropped()
    assert sum(w["resting_recycled"] for w in stats.workers) > 0
    all_echo(living, b"after")
