# SPDX-License-Identifier: Apache-2.0
"""Policies of UDP flows: expect_reply, ejection, bulkheads that never queue."""

import errno
import time

import pytest
from service import Service
from servers import udp
from world import CLIENT4, CLIENT6, wait_for

FAMILIES = pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])
QUICK = {"idle": "1s", "expect_reply": "700ms"}
next_port = 20000


def service(world, backends=1, **keys):
    keys.setdefault("timeouts", QUICK)
    return Service(world, backends, protocol="udp", **keys)


def ask_all(s, n, source=None):
    """n flows of one question at once; returns the sockets. No port twice: an old flow may still
    be open."""
    global next_port
    source = source or (CLIENT6 if ":" in s.ip else CLIENT4)
    sockets = [udp(s.world.client, source, next_port + i) for i in range(n)]
    next_port += n
    for sock in sockets:
        sock.connect((s.ip, s.port))
        sock.send(b"?")
        sock.setblocking(False)
    return sockets


def answer(sock):
    """Who answered, "silent" so far or "unreachable"."""
    try:
        return sock.recv(100).split(b"\n")[0].decode()
    except BlockingIOError:
        return "silent"
    except OSError as e:
        if e.errno == errno.ECONNREFUSED:
            return "unreachable"
        raise


def answers(sockets, served):
    """Of all, once so many are answered by a backend. Ask when what silences the others is done."""
    got = {sock: "silent" for sock in sockets}

    def so_many_are_served():
        for sock, name in got.items():
            got[sock] = answer(sock) if name == "silent" else name
        return sum(name.startswith("b") for name in got.values()) >= served

    wait_for(so_many_are_served)
    for sock in sockets:
        sock.close()
    return list(got.values())


def ask(s):
    """One flow that is not met by silence; returns its answer."""
    (sock,) = ask_all(s, 1)
    got = "silent"

    def there_is_an_answer():
        nonlocal got
        got = answer(sock)
        return got != "silent"

    wait_for(there_is_an_answer)
    sock.close()
    return got


@FAMILIES
def test_a_silent_endpoint_is_ejected_and_comes_back(world, ipv6):
    s = service(
        world, 2, ipv6=ipv6,
        outlier_detection={
            "consecutive_failures": 3, "failure_rate": 0, "open_for": "2s",
            "half_open": {"probes": 1, "successes": 1},
        },
    )
    s.mode("hang", 1)
    sockets = ask_all(s, 6)
    s.wait_phase("open", 1)
    assert sorted(answers(sockets, 3)) == ["b2"] * 3 + ["silent"] * 3
    assert [ask(s) for _ in range(5)] == ["b2"] * 5
    assert s.failed() == {"expect_reply": 3}
    assert s.backends[0].stats()["datagrams"] == 3
    s.mode("accept", 1)

    def both_answer_again():
        ask(s)
        return s.phases() == ["closed", "closed"]

    wait_for(both_answer_again)
    assert {ask(s) for _ in range(4)} == {"b1", "b2"}


def test_without_expect_reply_silence_says_nothing(world):
    s = service(
        world, 2, timeouts={"idle": "500ms"}, outlier_detection={"consecutive_failures": 1}
    )
    s.mode("hang", 1)
    sockets = ask_all(s, 6)

    def flows_have_ended_without_a_verdict():
        return s.endpoint(1)["cancelled"] == 3

    wait_for(flows_have_ended_without_a_verdict)
    assert sorted(answers(sockets, 3)) == ["b2"] * 3 + ["silent"] * 3
    assert s.phases() == ["closed", "closed"]
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
    sockets = ask_all(s, 3)
    s.wait_phase("open")
    assert answers(sockets, 0) == ["silent"] * 3
    sockets = ask_all(s, 5)

    def all_are_refused():
        return s.rejected() == {"circuit_open": 5}

    wait_for(all_are_refused)
    assert set(answers(sockets, 0)) <= {"silent", "unreachable"}
    assert s.backends[0].stats()["datagrams"] == 3


def test_a_bulkhead_of_flows_refuses_and_never_queues(world):
    s = service(
        world, 1, bulkhead={"max_concurrent": 5, "max_queue": 10, "queue_timeout": "5s"},
        timeouts={"idle": "2s"},
    )
    sockets = ask_all(s, 12)

    def seven_are_refused():
        return sum(s.rejected().values()) == 7

    wait_for(seven_are_refused)
    row = s.cluster()
    assert (row["bulkhead"]["queued"], row["policy"]["queued"]) == (0, 0)
    print(row["rejected_by_reason"])
    got = [name for name in answers(sockets, 5) if name not in ("silent", "unreachable")]
    assert got == ["b1"] * 5

    def flows_have_idled_out():
        return s.cluster()["bulkhead"]["in_flight"] == 0

    wait_for(flows_have_idled_out)
    assert ask(s) == "b1"


def test_scope_source_for_flows(world):
    others = ["10.77.1.31", "10.77.1.32"]
    world.address(world.client, others)
    s = service(
        world, 1, bulkhead={"max_concurrent": 2, "scope": "source"}, timeouts={"idle": "2s"}
    )
    for rejected, ip in enumerate([CLIENT4, *others]):
        sockets = ask_all(s, 4, ip)

        def two_are_refused(rejected=rejected):
            return sum(s.rejected().values()) == 2 * (rejected + 1)

        wait_for(two_are_refused)
        assert answers(sockets, 2).count("b1") == 2, ip


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
