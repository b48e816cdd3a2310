# SPDX-License-Identifier: Apache-2.0
"""Policies of UDP flows: expect_reply, ejection, bulkheads that never queue."""

import errno
import time

import pytest
from service import Service
from servers import udp
from world import CLIENT4, CLIENT6, wait_for

FAMILIES = pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])
QUICK = {"idle": "300ms", "expect_reply": "200ms"}


def service(world, backends=1, **keys):
    keys.setdefault("timeouts", QUICK)
    return Service(world, backends, protocol="udp", **keys)


def ask(s, patience_s=0.5):
    """One flow of one question; returns who answered, "silent" or "unreachable"."""
    with udp(s.world.client, CLIENT6 if ":" in s.ip else CLIENT4) as sock:
        sock.settimeout(patience_s)
        sock.connect((s.ip, s.port))
        sock.send(b"?")
        try:
            return sock.recv(100).split(b"\n")[0].decode()
        except TimeoutError:
            return "silent"
        except OSError as e:
            if e.errno == errno.ECONNREFUSED:
                return "unreachable"
            raise


def ask_all(s, n):
    """n flows at once; returns the sockets."""
    sockets = [udp(s.world.client, CLIENT4) for _ in range(n)]
    for sock in sockets:
        sock.sendto(b"?", (s.ip, s.port))
        sock.settimeout(0.2)
    return sockets


def answers(sockets):
    out = []
    for sock in sockets:
        try:
            out.append(sock.recv(100).split(b"\n")[0].decode())
        except TimeoutError:
            out.append("silent")
        sock.close()
    return out


@FAMILIES
def test_a_silent_endpoint_is_ejected_and_comes_back(world, ipv6):
    s = service(
        world, 2, ipv6=ipv6,
        outlier_detection={
            "consecutive_failures": 3, "failure_rate": 0, "open_for": "1s",
            "half_open": {"probes": 1, "successes": 1},
        },
    )
    s.mode("hang", 1)
    got = [ask(s) for _ in range(6)]
    assert got.count("silent") == 3
    s.wait_phase("open", 1)
    assert [ask(s) for _ in range(5)] == ["b2"] * 5
    assert s.failed() == {"expect_reply": 3}
    assert s.backends[0].stats()["datagrams"] == 3
    s.mode("accept", 1)

    def both_answer_again():
        ask(s)
        return s.phases() == ["closed", "closed"]

    wait_for(both_answer_again, 6)
    assert {ask(s) for _ in range(4)} == {"b1", "b2"}


def test_without_expect_reply_silence_says_nothing(world):
    s = service(
        world, 2, timeouts={"idle": "300ms"}, outlier_detection={"consecutive_failures": 1}
    )
    s.mode("hang", 1)
    assert [ask(s, 0.3) for _ in range(6)].count("silent") == 3
    assert s.phases() == ["closed", "closed"]

    def flows_have_ended_without_a_verdict():
        return s.endpoint(1)["cancelled"] == 3

    wait_for(flows_have_ended_without_a_verdict)
    assert s.cluster()["failed"] == 0


def test_port_unreachable_is_a_failure(world):
    s = service(
        world, 2,
        outlier_detection={"consecutive_failures": 3, "failure_rate": 0, "open_for": "30s"},
    )
    s.mode("refuse", 1)
    got = [ask(s) for _ in range(6)]
    assert got.count("unreachable") == 3
    assert s.phases() == ["open", "closed"]
    assert [ask(s) for _ in range(5)] == ["b2"] * 5
    assert s.failed() == {"upstream_unreachable": 3}


def test_silence_opens_the_breaker_of_the_cluster(world):
    s = service(
        world, 1, mode="hang",
        circuit_breaker={"failure_rate": 0, "consecutive_failures": 3, "open_for": "30s"},
    )
    for _ in range(3):
        assert ask(s) == "silent"
    s.wait_phase("open")
    before = s.backends[0].stats()["datagrams"]
    for _ in range(5):
        assert ask(s, 0.2) in ("silent", "unreachable")
    assert s.backends[0].stats()["datagrams"] == before
    assert s.rejected() == {"circuit_open": 5}


def test_a_bulkhead_of_flows_refuses_and_never_queues(world):
    s = service(
        world, 1, bulkhead={"max_concurrent": 5, "max_queue": 10, "queue_timeout": "5s"},
        timeouts={"idle": "1s"},
    )
    sockets = ask_all(s, 12)
    got = answers(sockets)
    assert got.count("b1") == 5
    row = s.cluster()
    assert (row["bulkhead"]["queued"], row["policy"]["queued"]) == (0, 0)
    assert sum(row["rejected_by_reason"].values()) == 7
    print(row["rejected_by_reason"])

    def flows_have_idled_out():
        return s.cluster()["bulkhead"]["in_flight"] == 0

    wait_for(flows_have_idled_out)
    assert ask(s) == "b1"


def test_scope_source_for_flows(world):
    others = ["10.77.1.31", "10.77.1.32"]
    world.address(world.client, others)
    s = service(
        world, 1, bulkhead={"max_concurrent": 2, "scope": "source"}, timeouts={"idle": "1s"}
    )
    for ip in [CLIENT4, *others]:
        sockets = [udp(world.client, ip) for _ in range(4)]
        for sock in sockets:
            sock.settimeout(0.3)
            sock.sendto(b"?", (s.ip, s.port))
        assert answers(sockets).count("b1") == 2, ip
    assert sum(s.rejected().values()) == 6


@pytest.mark.parametrize("algorithm", ["maglev", "ring_hash", "rendezvous"])
def test_flows_of_a_client_keep_their_backend(world, algorithm):
    ips = [f"10.77.1.{i}" for i in range(40, 70)]
    world.address(world.client, ips)
    s = service(
        world, 4, load_balancing={"algorithm": algorithm}, timeouts={"idle": "500ms"}
    )

    def homes():
        out = {}
        for ip in ips:
            with udp(world.client, ip) as sock:
                sock.sendto(b"?", (s.ip, s.port))
                out[ip] = sock.recv(100).split(b"\n")[0]
        return out

    first = homes()
    assert len(set(first.values())) == 4
    assert homes() == first


@pytest.mark.parametrize("workers", [1, 2])
def test_a_storm_of_flows_leaks_nothing(make_world, workers):
    world = make_world(queues=workers)
    s = service(
        world, 3, workers=workers, bulkhead={"max_concurrent": 20},
        circuit_breaker={"failure_rate": "90%", "open_for": "100ms", "window": "1s"},
        outlier_detection={"consecutive_failures": 2, "open_for": "100ms"},
    )
    for i, mode in enumerate(["hang", "refuse", "flap 50ms", "delay 100ms", "accept"]):
        s.mode(mode, 1 + i % 3)
        for sock in ask_all(s, 40):
            sock.close()
        time.sleep(0.15)

    def all_flows_are_over():
        row = s.cluster()
        return row["open"] == 0 and row["in_flight"] == 0

    wait_for(all_flows_are_over)
    assert s.cluster()["started"] == 200
