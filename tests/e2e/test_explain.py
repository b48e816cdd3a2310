# SPDX-License-Identifier: Apache-2.0
"""`fender explain` beside what packets really did."""

import concurrent.futures
import json

import pytest
from service import PORT, Service
from world import FENDER4, at, wait_for

CLIENTS = [f"10.77.1.{n}" for n in range(20, 70)]


def explain(s, *args, check=True):
    r = s.fender.cli("explain", *args, "--json", check=check)
    return json.loads(r.stdout)


def packet(s, client, port=40000, **keys):
    return explain(s, s.protocol, at(client, port), at(s.ip, s.port), **keys)


def served(s, clients):
    """Client -> name of the backend that answered."""
    with s.clients() as c:
        calls = {ip: c.open(source=ip)[0] for ip in clients}
        c.settle()
        return {ip: call.state for ip, call in calls.items()}


@pytest.mark.parametrize("algorithm", ["maglev", "ring_hash", "rendezvous"])
def test_the_endpoint_foretold_is_the_one_that_answers(world, algorithm):
    world.address(world.client, CLIENTS)
    s = Service(world, 4, load_balancing={"algorithm": algorithm, "hash_on": ["source_ip"]})
    names = {a: f"b{i}" for i, a in enumerate(s.addresses, 1)}
    s.fender.cli("drain", "api", s.addresses[1])
    told = {}
    for ip in CLIENTS:
        status, text = s.fender.http(
            "GET", f"/explain?protocol=tcp&client={ip}:40000&destination={FENDER4}:{PORT}"
        )
        assert status == 200, text
        body = json.loads(text)
        decision = body["decision"]
        assert decision["result"] == "send" and decision["sure"] is True
        told[ip] = names[decision["endpoint"]]
        by_key = json.loads(s.fender.http("GET", f"/explain?cluster=api&key={ip}")[1])
        assert by_key["decision"]["endpoint"] == decision["endpoint"]
        assert by_key["balance"]["hash"] == body["balance"]["hash"]
    assert served(s, CLIENTS) == told
    assert set(told.values()) == {"b1", "b3", "b4"}
    # Whoever would have gone to the drained one sees it first, with what speaks against it.
    first = packet(s, CLIENTS[0])["candidates"]
    assert len(first) == 4
    against = {c["endpoint"]: c["against"] for c in first}
    assert against.pop(s.addresses[1]) == ["drained"]
    assert all(a == [] for a in against.values())


def test_a_connection_is_found_from_both_sides(world):
    s = Service(world, 2)
    with s.clients() as c:
        c.open(1)
        c.settle()
        row = json.loads(s.fender.http("GET", "/connections")[1])["connections"][0]
        got = explain(s, "tcp", row["client"], row["destination"])
        assert got["connection"]["entry"] == row["entry"]
        assert got["connection"]["state"] == "established"
        assert got["worker"] == row["worker"] == 0
        assert (got["interface"]["name"], got["listener"], got["cluster"]) == ("clients", "api", "api")
        back = explain(s, "tcp", row["endpoint"], row["snat"], "--interface", "servers")
        assert back["connection"]["entry"] == row["entry"]
        assert back["decision"] == {"result": "nothing", "reason": "no_connection"}
    assert packet(s, "10.77.1.99")["connection"] is None


def test_what_refuses_is_told(world):
    s = Service(
        world, 1, bulkhead={"max_concurrent": 1, "max_queue": 1, "queue_timeout": "20s"},
        listener={"rate_limit": {"per_source": {"connections_per_second": 200, "burst": 50}}},
    )
    got = packet(s, "10.77.1.99")
    assert got["decision"]["result"] == "send"
    assert got["decision"]["endpoint"] == s.addresses[0]
    assert got["rate_limits"]["connections of the client"]["rate"] == 200
    assert got["generation"] == got["applied_generation"] == 1
    with s.clients() as c:
        c.open(1)
        c.settle()
        got = packet(s, "10.77.1.99")
        assert got["decision"]["result"] == "wait"
        c.open(1)
        wait_for(lambda: s.cluster()["bulkhead"]["queued"] == 1)
        got = packet(s, "10.77.1.99")
        assert got["decision"] == {"result": "reject", "reason": "queue_full"}
        assert got["bulkhead"]["queued"] == 1  # nothing was taken by asking
        text = s.fender.cli("explain", "tcp", "10.77.1.99:1", at(s.ip, s.port)).stdout
        assert "rejected, queue_full" in text and "1 of 1 permits taken" in text
        assert max(map(len, text.splitlines())) <= 160
    s.fender.cli("breaker", "open", "api")
    assert packet(s, "10.77.1.99")["decision"]["reason"] == "circuit_open"
    nowhere = explain(s, "udp", "10.77.1.99:1", "10.96.0.99:5")
    assert nowhere["decision"]["reason"] in ("not_ours", "no_listener")


def test_many_who_ask_at_once_keep_nobody_else_waiting(world):
    s = Service(world, 1)
    path = f"/explain?protocol=tcp&client=10.77.1.99:1&destination={at(s.ip, s.port)}"
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        asked = [pool.submit(s.fender.http, "GET", path) for _ in range(100)]
        assert s.fender.http("GET", "/healthz")[0] == 200
        assert s.fender.http("GET", "/stats")[0] == 200
        assert s.fender.http("POST", "/reload")[0] == 200
        answers = [a.result() for a in asked]
    statuses = [status for status, _ in answers]
    assert set(statuses) <= {200, 503} and statuses.count(200) >= 64
    for status, text in answers:
        assert status == 200 or "wait already" in text
    assert s.fender.http("GET", path)[0] == 200


def test_wrong_questions(world):
    s = Service(world, 1)
    for words in (
        ["tcp"],
        ["icmp", "10.0.0.1:1", "10.0.0.2:2"],
        ["tcp", "10.0.0.1", "10.0.0.2:2"],
        ["tcp", "10.0.0.1:1", "[fd00::1]:2"],
        ["tcp", "10.0.0.1:1", "10.0.0.2:65536"],
        ["tcp", "%s%n\"{}", "10.0.0.2:2"],
        ["--cluster", "api"],
        ["--cluster", "api", "--key", "x" * 100],
    ):
        assert s.fender.cli("explain", *words, check=False).returncode == 2, words
    assert s.fender.cli("explain", "--cluster", "none", "--key", "10.0.0.1", check=False).returncode == 1
