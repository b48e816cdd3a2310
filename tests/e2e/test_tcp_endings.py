# SPDX-License-Identifier: Apache-2.0
"""How connections end: FIN in every order, resets, refusals, silence."""

import socket
import struct
import time

import pytest
from policies import base, cluster, forwarding, listener
from servers import connect, listen, transfer
from world import CLIENT4, FENDER4, FENDER6, PATIENCE_S, SERVERS4, SERVERS6, at, wait_for

BOTH = pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])
PORT = 9000


@pytest.fixture
def pair(world, request):
    """Fender, a client's connection through it and the server's end of it."""
    ip = request.param
    server = listen(world.server, SERVERS6[0] if ":" in ip else SERVERS4[0], PORT)
    policy = forwarding([PORT], [SERVERS4[0], SERVERS6[0]])
    for c in policy["clusters"]:
        c["timeouts"] = {"verdict_after": "1m"}  # however long the test takes to act
    f = world.fender(policy)
    client = connect(world.client, ip, PORT)
    accepted, _ = server.accept()
    accepted.settimeout(PATIENCE_S)
    yield f, client, accepted
    for s in (client, accepted, server):
        s.close()


PAIR = pytest.mark.parametrize("pair", [FENDER4, FENDER6], ids=["v4", "v6"], indirect=True)


def reset(sock):
    """Close with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def calls(f):
    stats = f.stats()
    total = {}
    for listener_ in stats.raw["listeners"]:
        for key in ("started", "succeeded", "failed", "cancelled", "rejected", "open"):
            total[key] = total.get(key, 0) + listener_[key]
    return total


def wait_closed(f):
    def connection_leaves_the_table():
        return calls(f)["open"] == 0

    wait_for(connection_leaves_the_table)


@PAIR
def test_client_closes_first(pair):
    f, client, server = pair
    client.sendall(b"question")
    assert server.recv(100) == b"question"
    server.sendall(b"answer")
    assert client.recv(100) == b"answer"
    client.close()
    assert server.recv(100) == b""
    server.close()
    wait_closed(f)
    assert calls(f)["succeeded"] == 1


@PAIR
def test_server_closes_first(pair):
    f, client, server = pair
    server.close()
    assert client.recv(100) == b""
    client.close()
    wait_closed(f)
    assert calls(f)["succeeded"] == 1


@PAIR
def test_both_close_at_once(pair):
    f, client, server = pair
    client.close()
    server.close()
    wait_closed(f)


@PAIR
def test_data_flows_from_server_after_the_client_half_closed(pair):
    f, client, server = pair
    client.sendall(b"all I have")
    client.shutdown(socket.SHUT_WR)
    assert server.recv(100) == b"all I have"
    assert server.recv(100) == b""
    time.sleep(0.2)
    transfer(server, client)
    server.close()
    client.close()
    wait_closed(f)


@PAIR
def test_data_flows_from_client_after_the_server_half_closed(pair):
    f, client, server = pair
    server.shutdown(socket.SHUT_WR)
    assert client.recv(100) == b""
    time.sleep(0.2)
    transfer(client, server)
    client.close()
    server.close()
    wait_closed(f)


@PAIR
def test_client_reset_reaches_the_server(pair):
    f, client, server = pair
    client.sendall(b"x")
    assert server.recv(10) == b"x"
    reset(client)
    with pytest.raises(ConnectionResetError):
        server.recv(10)
    wait_closed(f)


@PAIR
def test_server_reset_before_its_first_byte_is_a_failure(pair):
    f, client, server = pair
    reset(server)
    with pytest.raises(ConnectionResetError):
        client.recv(10)
    wait_closed(f)
    assert calls(f)["failed"] == 1
    failed = sum(
        (dict(c["failed_by_reason"]).get("upstream_reset", 0) for c in f.stats().raw["listeners"])
    )
    assert failed == 1


@PAIR
def test_server_reset_after_its_first_byte_is_no_failure(pair):
    f, client, server = pair
    server.sendall(b"x")
    assert client.recv(10) == b"x"
    reset(server)
    with pytest.raises(ConnectionResetError):
        client.recv(10)
    wait_closed(f)
    assert calls(f)["succeeded"] == 1


@BOTH
def test_refused_connect_is_refused_quickly(world, ip):
    policy = forwarding([PORT], [SERVERS4[0], SERVERS6[0]])
    for c in policy["clusters"]:
        c["timeouts"] = {"connect": "20s"}
    f = world.fender(policy)
    start = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        connect(world.client, ip, PORT)
    assert time.monotonic() - start < 10, "not by a timeout"
    wait_closed(f)
    name = f"p{PORT}-{'v6' if ':' in ip else 'v4'}-tcp"
    assert f.stats().listener(name)["failed_by_reason"]["connect_refused"] == 1


def test_port_without_listener_is_refused(world):
    f = world.fender(forwarding([PORT], [SERVERS4[0]]))
    with pytest.raises(ConnectionRefusedError):
        connect(world.client, FENDER4, PORT + 1)
    assert f.stats().dropped()["no_listener"] == 1


def black_hole(world, hole=f"{SERVERS4[0][:-2]}99", timeouts=None, **keys):
    """A listener whose endpoint swallows everything: its MAC is the server's, its address
    nobody's."""
    mac = world.server.ip_json("link", "show", "eth0")[0]["address"]
    policy = base(**keys)
    policy["interfaces"][1]["neighbours"] = [{"address": hole, "mac": mac}]
    cluster(policy, "hole", [at(hole, PORT)], timeouts=timeouts or {"connect": "500ms"})
    return listener(policy, "hole", at(FENDER4, PORT), "hole")


def test_silent_endpoint_is_a_connect_timeout(world):
    f = world.fender(black_hole(world))
    start = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        connect(world.client, FENDER4, PORT)
    assert 0.4 < time.monotonic() - start
    wait_closed(f)
    hole = f.stats().listener("hole")
    assert hole["failed_by_reason"] == {"connect_timeout": hole["started"]}
    assert sum(w["syn_repeated"] for w in f.stats().workers) >= 1


def test_established_connection_ends_when_idle(world):
    server = listen(world.server, SERVERS4[0], PORT)
    policy = forwarding([PORT], [SERVERS4[0]])
    policy["clusters"][0]["timeouts"] = {"idle": "1s"}
    f = world.fender(policy)
    client = connect(world.client, FENDER4, PORT)
    accepted, _ = server.accept()
    assert calls(f)["started"] == 1
    wait_closed(f)
    # Both ends are told, without having to speak.
    for end in (client, accepted):
        end.settimeout(PATIENCE_S)
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    for s in (client, accepted, server):
        s.close()


def test_half_closed_connection_ends_by_its_timeout(world):
    server = listen(world.server, SERVERS4[0], PORT)
    policy = forwarding([PORT], [SERVERS4[0]])
    policy["clusters"][0]["timeouts"] = {"half_closed": "1s"}
    f = world.fender(policy)
    client = connect(world.client, FENDER4, PORT)
    accepted, _ = server.accept()
    client.shutdown(socket.SHUT_WR)
    wait_closed(f)
    for s in (client, accepted, server):
        s.close()


def test_client_port_is_used_again_at_once(world):
    """A client may reuse its port right after the connection is over (RFC 6191)."""
    server = listen(world.server, SERVERS4[0], PORT)
    f = world.fender(forwarding([PORT], [SERVERS4[0]]))
    for round_ in range(5):
        client = bound_client(world)
        client.connect((FENDER4, PORT))
        accepted, _ = server.accept()
        client.sendall(b"%d" % round_)
        assert accepted.recv(10) == b"%d" % round_
        accepted.close()
        assert client.recv(10) == b""
        reset(client)
    server.close()
    wait_closed(f)
    assert calls(f)["started"] == 5


@BOTH
def test_ports_that_the_server_remembers_are_used_again(world, ip):
    """The server closes first and keeps TIME-WAIT for a minute; ten SNAT ports must do for
    many connections in a row (challenge ACKs are answered)."""
    server = listen(world.server, SERVERS6[0] if ":" in ip else SERVERS4[0], PORT)
    policy = forwarding([PORT], [SERVERS4[0], SERVERS6[0]])
    policy["interfaces"][1]["snat"] = {"ports": "40000-40009"}
    f = world.fender(policy)
    for i in range(100):
        client = connect(world.client, ip, PORT)
        accepted, _ = server.accept()
        accepted.sendall(b"%d" % i)
        accepted.close()
        assert client.recv(10) == b"%d" % i
        assert client.recv(10) == b""
        client.close()
    server.close()
    wait_closed(f)
    total = calls(f)
    assert total["started"] == total["succeeded"] == 100
    print(f"challenges answered: {sum(w['challenges_answered'] for w in f.stats().workers)}")


def test_client_that_forgot_its_connection_comes_back(world):
    """Its reset never arrived; a SYN from the same port finds the old connection. The server's
    challenge ACK makes the client reset that one, its next SYN opens a new one (RFC 5961)."""
    server = listen(world.server, SERVERS4[0], PORT)
    f = world.fender(forwarding([PORT], [SERVERS4[0]]))
    client = bound_client(world)
    client.connect((FENDER4, PORT))
    forgotten, _ = server.accept()
    world.client.ip("link set eth0 down")
    reset(client)
    world.client.ip("link set eth0 up")
    client = bound_client(world)
    client.connect((FENDER4, PORT))
    accepted, _ = server.accept()
    client.sendall(b"again")
    assert accepted.recv(10) == b"again"
    for s in (client, accepted, forgotten, server):
        s.close()
    wait_closed(f)


def bound_client(world, port=40000):
    with world.client:
        s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(PATIENCE_S)
    s.bind((CLIENT4, port))
    return s
