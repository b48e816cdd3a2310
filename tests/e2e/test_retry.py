# SPDX-License-Identifier: Apache-2.0
"""Retries: an outage of some is not seen, an outage of all is not multiplied."""

import time

import pytest
from clients import PENDING, REFUSED, RESET, Clients
from policies import base, cluster, listener
from service import PORT, Service, backend, counts, know_neighbours
from world import BACKENDS4, BACKENDS6, FENDER4, FENDER6, at, wait_for

FAMILIES = pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])
QUICK = {"base": "1ms", "max": "2ms"}
AMPLE = {"ratio": "100%", "minimum_per_second": 100000, "max_concurrent": 1000}


@FAMILIES
def test_half_of_the_endpoints_blackholed_is_not_seen(world, ipv6):
    """2 of 4, three attempts, at most ten connections a second: all are served."""
    s = Service(
        world, 4, ipv6=ipv6, retry={"max_attempts": 3}, timeouts={"connect": "200ms"}
    )
    s.mode("blackhole", 1, 3)
    with s.clients() as c:
        for _ in range(30):
            c.open()
            c.drive(0.1)
        got = c.settle()
        assert got["b2"] + got["b4"] == 30, got
    row = s.cluster()
    assert (row["succeeded"], row["failed"], row["rejected"]) == (30, 0, 0)
    assert row["policy"]["retry_success"] >= 10
    assert row["policy"]["attempts"] == 30 + row["policy"]["retries"]
    assert sum(s.connections()) == 30


def test_without_retry_every_second_connect_fails(world):
    s = Service(world, 4, timeouts={"connect": "200ms"})
    s.mode("blackhole", 1, 3)
    got = counts(s.calls(8))
    assert got[REFUSED] == 4
    assert s.failed() == {"connect_timeout": 4}


@FAMILIES
def test_a_refused_connect_is_tried_elsewhere(world, ipv6):
    s = Service(world, 3, ipv6=ipv6, retry={"max_attempts": 2, "backoff": QUICK})
    s.mode("refuse", 2)
    assert set(s.calls(12)) == {"b1", "b3"}
    row = s.cluster()
    assert row["failed"] == 0
    retries = s.endpoint(2)["failed"]
    assert row["policy"]["retries"] == row["policy"]["retry_success"] == retries >= 4


@FAMILIES
@pytest.mark.parametrize("attempts", [1, 2])
def test_an_unreachable_endpoint_fails_the_attempt_at_once(world, ipv6, attempts):
    """The client's stack gives up at the ICMP error: it hears of it only without a retry."""
    good, ip = (BACKENDS6[0] if ipv6 else BACKENDS4[0]), (FENDER6 if ipv6 else FENDER4)
    gone = "fd77:3::9" if ipv6 else "10.77.3.9"
    backend(world, good, "b1")
    world.server.ip(f"route add unreachable {gone}")
    world.server.sysctl("net.ipv4.ip_forward", 1)
    world.server.sysctl("net.ipv6.conf.all.forwarding", 1)
    policy = cluster(
        base(), "api", [at(good, PORT), at(gone, PORT)], timeouts={"connect": "10s"},
        retry={"max_attempts": attempts, "backoff": QUICK, "budget": AMPLE},
    )
    listener(policy, "api", at(ip, PORT), "api")
    know_neighbours(world, policy)
    to = f"{gone}/{128 if ipv6 else 32}"
    policy["interfaces"][1]["routes"] = [{"to": to, "via": good}]
    fender = world.fender(policy)
    start = time.monotonic()
    with Clients(world.client, ip, PORT) as c:
        got = c.calls(3)  # the server's kernel sends few such errors a second
    assert time.monotonic() - start < 9, "before any connect timeout"
    row = fender.stats().cluster("api")
    assert row["in_flight"] == row["attempts_in_flight"] == 0
    if attempts == 1:
        assert [outcome == "b1" for outcome in got] == [True, False, True]
        assert row["failed_by_reason"] == {"upstream_unreachable": 1}
    else:
        assert got == ["b1"] * 3
        assert row["policy"]["retry_success"] == row["policy"]["retries"] == 2


def test_a_retry_prefers_who_was_not_tried(world):
    """Three of four refuse; four attempts always reach the fourth."""
    s = Service(world, 4, retry={"max_attempts": 4, "backoff": QUICK, "budget": AMPLE})
    s.mode("refuse", 1, 2, 4)
    assert s.calls(20) == ["b3"] * 20


def test_attempts_end_at_the_maximum(world):
    s = Service(
        world, 4, mode="refuse", retry={"max_attempts": 3, "backoff": QUICK, "budget": AMPLE}
    )
    before = s.resets_sent()
    assert counts(s.calls(10)) == {REFUSED: 10}
    assert s.resets_sent() - before == 30, "what the servers saw"
    policy = s.cluster()["policy"]
    assert (policy["attempts"], policy["retries"], policy["retry_limit"]) == (30, 20, 10)


def test_one_endpoint_alone_is_tried_again(world):
    s = Service(world, 1, retry={"max_attempts": 10, "budget": AMPLE,
                "backoff": {"base": "300ms", "max": "300ms", "jitter": "none"}})
    with s.clients() as c:
        for _ in range(2):
            s.mode("refuse")
            before = s.counter("attempts")
            calls = c.open(5)
            s.wait_back_off(5, before + 5)
            s.mode("accept")
            assert c.settle(which=calls) == {"b1": 5}
    assert s.counter("retry_success") == 10


def test_only_what_is_named_is_retried(world):
    s = Service(world, 2, retry={"max_attempts": 2, "retry_on": ["connect_timeout"]},
                timeouts={"connect": "200ms"})
    s.mode("refuse", 1)
    assert counts(s.calls(6)) == {REFUSED: 3, "b2": 3}
    s.mode("blackhole", 1)
    assert counts(s.calls(6)) == {"b2": 6}
    assert s.counter("retries") == s.counter("retry_success") >= 3


def test_a_reset_after_the_handshake_is_not_retried(world):
    """The client has the connection by then: it must hear of it."""
    s = Service(world, 2, retry={"max_attempts": 3, "backoff": QUICK})
    s.mode("reset", 1)
    assert counts(s.calls(6)) == {RESET: 3, "b2": 3}
    assert s.counter("retries") == 0


@pytest.mark.parametrize("queues", [1, 2])
def test_a_total_outage_is_amplified_within_the_exported_bound(make_world, queues):
    world = make_world(queues=queues)
    budget = {"ratio": "20%", "minimum_per_second": 1, "window": "1s"}
    s = Service(
        world, 4, mode="refuse", workers=queues,
        retry={"max_attempts": 4, "backoff": QUICK, "budget": budget},
    )
    before, bounds = s.resets_sent(), []
    with s.clients() as c:
        for _ in range(30):
            c.open(10)
            c.drive(0.1)
            bounds.append(s.cluster()["retry"])
        assert c.settle() == {REFUSED: 300}
    sent = s.resets_sent() - before
    retry, policy = s.cluster()["retry"], s.cluster()["policy"]
    print(f"{sent} SYNs for 300 calls, measured {retry['amplification']}, bounds", {
        b["amplification_bound"] for b in bounds})
    assert sent == policy["attempts"]
    # In a window max(20 %, 1/s) and one window's worth of slack where windows meet.
    assert sent <= 300 * 1.2 + 20
    assert sent > 300, "some retries there were"
    assert retry["amplification"] <= max(b["amplification_bound"] for b in bounds)
    # What is allowed is asked when a retry begins; the calls of then leave the window first.
    most = max(b["window_allowed"] for b in bounds)
    over = [b for b in bounds if b["window_retries"] > 1.3 * most + 1]
    assert not over, over
    assert policy["retry_no_budget"] > 200


def test_an_unbounded_budget_amplifies_to_the_maximum(world):
    """The bound of the test above is the budget's doing."""
    s = Service(
        world, 4, mode="refuse", retry={"max_attempts": 4, "backoff": QUICK, "budget": AMPLE}
    )
    before = s.resets_sent()
    with s.clients() as c:
        c.open(50)
        c.settle()
    assert s.resets_sent() - before == 200
    assert s.cluster()["retry"]["amplification"] == 4


def test_an_empty_budget_retries_nothing(world):
    s = Service(world, 2, retry={"max_attempts": 3,
                "budget": {"ratio": 0, "minimum_per_second": 0}})
    s.mode("refuse", 1)
    assert counts(s.calls(10)) == {REFUSED: 5, "b2": 5}
    assert s.counter("retry_no_budget") == 5


def test_the_minimum_lets_retries_of_rare_calls_through(world):
    s = Service(world, 2, retry={"max_attempts": 2, "backoff": QUICK,
                "budget": {"ratio": 0, "minimum_per_second": 1, "window": "5s"}})
    s.mode("refuse", 1)
    start = time.monotonic()
    got = counts(s.calls(30))
    windows = 1 + int((time.monotonic() - start) / 5)
    assert 5 <= s.counter("retries") == s.counter("retry_success") <= 5 * windows
    assert s.counter("retry_no_budget") == got[REFUSED] > 0


def test_no_attempt_begins_after_the_deadline(world):
    s = Service(
        world, 4, mode="blackhole",
        retry={"max_attempts": 10, "backoff": QUICK, "budget": AMPLE},
        timeouts={"connect": "300ms", "request": "1s"},
    )
    start = time.monotonic()
    assert s.calls(1) == [REFUSED]
    assert 0.9 < time.monotonic() - start
    assert 2 <= s.counter("attempts") <= 4, "each takes 300 ms, no fifth begins within 1 s"


def test_a_client_that_leaves_between_attempts_ends_its_call(world):
    s = Service(
        world, 2, mode="refuse",
        retry={"max_attempts": 2, "backoff": {"base": "3s", "max": "3s", "jitter": "none"}},
        timeouts={"request": "30s"},
    )
    with s.clients() as c:
        c.open(5)
        s.wait_back_off(5, 5)
        assert c.outcomes() == {PENDING: 5}
        s.mode("accept")
        c.hang_up(list(c.all))

    def calls_have_ended():
        return s.cluster()["in_flight"] == 0

    wait_for(calls_have_ended)
    assert s.cluster()["open"] == 0


def test_a_call_whose_service_changed_its_family_meanwhile_ends(world):
    """Its client cannot speak to the new endpoints."""
    s = Service(
        world, 2, mode="refuse",
        retry={"max_attempts": 2, "backoff": {"base": "4s", "max": "4s", "jitter": "none"}},
    )
    with s.clients() as c:
        c.open(1)
        s.wait_back_off(1, 1)
        assert c.outcomes() == {PENDING: 1}
        s.policy["clusters"][0]["endpoints"] = [{"address": at(ip, PORT)} for ip in BACKENDS6[:2]]
        s.policy["listeners"][0]["bind"] = at(FENDER6, PORT)
        s.fender.reload(s.policy)
        assert c.settle() == {REFUSED: 1}
    assert s.rejected() == {"draining": 1}


def test_a_permit_is_held_through_the_back_off(world):
    s = Service(
        world, 2, mode="refuse", bulkhead={"max_concurrent": 2},
        retry={"max_attempts": 2, "backoff": {"base": "2s", "max": "2s", "jitter": "none"}},
    )
    with s.clients() as c:
        c.open(2)
        s.wait_back_off(2, 2)
        assert s.calls(1) == [REFUSED]
        assert s.rejected() == {"bulkhead_full": 1}
        s.mode("accept")
        assert c.settle()[REFUSED] == 0
    assert s.counter("retry_success") == 2


def test_an_open_breaker_ends_the_retrying(world):
    s = Service(
        world, 4, mode="refuse",
        retry={"max_attempts": 4, "backoff": QUICK, "budget": AMPLE},
        circuit_breaker={"failure_rate": 0, "consecutive_failures": 3, "open_for": "30s"},
    )
    before = s.resets_sent()
    assert counts(s.calls(10)) == {REFUSED: 10}
    # Once a call the cluster's breaker is fed: three calls of four attempts.
    assert s.resets_sent() - before == 12
    assert s.rejected() == {"circuit_open": 7}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_storm_of_retries_leaks_nothing(make_world, workers):
    world = make_world(queues=workers)
    s = Service(
        world, 4, workers=workers,
        retry={"max_attempts": 4, "backoff": {"base": "10ms", "max": "50ms"},
               "budget": {"ratio": "50%", "max_concurrent": 10}},
        timeouts={"connect": "100ms", "request": "400ms"},
    )
    with s.clients() as c:
        for i, mode in enumerate(["refuse", "blackhole", "flap 50ms", "reset", "hang"] * 2):
            s.mode(mode, 1 + i % 4)
            c.open(30)
            c.drive(0.1)
            c.hang_up(c.all[::4], reset=i % 2 == 0)
        c.settle(2)
    policy = s.cluster()["policy"]
    assert policy["retries"] > 0
    assert policy["attempts"] <= 300 + policy["retries"]
