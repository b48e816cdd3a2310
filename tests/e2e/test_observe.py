# SPDX-License-Identifier: Apache-2.0
"""mode: observe refuses nothing and counts what it would have done."""

import pytest
from clients import CONNECTED, PENDING, REFUSED, RESET
from service import Service, counts
from world import CLIENT4, wait_for

FAMILIES = pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])
BREAKER = {"failure_rate": "50%", "minimum_calls": 10, "window": "20 calls", "open_for": "30s"}


@FAMILIES
def test_an_observed_breaker_lets_all_pass(world, ipv6):
    s = Service(world, mode="reset", ipv6=ipv6, circuit_breaker={"mode": "observe", **BREAKER})
    assert counts(s.calls(40)) == {RESET: 40}
    row = s.cluster()
    assert row["breaker"]["mode"] == "observe"
    assert row["breaker"]["phase"] == "open", "its state goes on as if enforced"
    assert row["rejected"] == 0
    assert row["policy"]["would_circuit_open"] == 30
    assert s.connections() == [40]


def test_switching_to_enforce_begins_clean(world):
    s = Service(world, mode="reset", circuit_breaker={"mode": "observe", **BREAKER})
    s.calls(15)
    s.wait_phase("open")
    s.mode("accept")
    s.change(circuit_breaker=BREAKER)
    assert s.cluster()["breaker"]["phase"] == "closed"
    assert counts(s.calls(10)) == {"b1": 10}
    s.mode("reset")
    assert counts(s.calls(9)) == {RESET: 9}, "9 of 19: one more would open it"
    s.calls(2)
    s.wait_phase("open")


def test_an_observed_breaker_recovers_as_an_enforced_one(world):
    rules = {**BREAKER, "open_for": "200ms", "half_open": {"probes": 2, "successes": 3}}
    s = Service(world, mode="reset", circuit_breaker={"mode": "observe", **rules})
    s.calls(12)
    s.wait_phase("open")
    s.mode("accept")

    def closed_again():
        assert s.calls(1) == ["b1"]
        return s.cluster()["breaker"]["phase"] == "closed"

    wait_for(closed_again)
    assert s.cluster()["rejected"] == 0


@pytest.mark.parametrize("scope", ["cluster", "source"])
def test_an_observed_bulkhead_lets_all_pass(world, scope):
    s = Service(
        world, mode="hang", bulkhead={"mode": "observe", "max_concurrent": 5, "scope": scope}
    )
    with s.clients() as c:
        c.open(20, source=CLIENT4)
        c.until(**{CONNECTED: 20})
        assert s.counter("would_bulkhead") == 15
        assert s.cluster()["rejected"] == 0


def test_an_observed_queue_keeps_nobody_waiting(world):
    s = Service(
        world, mode="hang",
        bulkhead={"mode": "observe", "max_concurrent": 5, "max_queue": 5, "queue_timeout": "1s"},
    )
    with s.clients() as c:
        c.open(20)
        c.until(**{CONNECTED: 20, PENDING: 0})
        assert s.counter("would_bulkhead") == 15


def test_an_observed_listener_and_endpoint_bulkhead_let_all_pass(world):
    s = Service(
        world, 2, mode="hang",
        listener={"bulkhead": {"mode": "observe", "max_concurrent": 3}},
        endpoint_bulkhead={"mode": "observe", "max_concurrent": 2},
    )
    with s.clients() as c:
        c.open(12)
        c.until(**{CONNECTED: 12})
    assert s.connections(12) == [6, 6]
    assert s.counter("would_bulkhead") > 0


def test_a_bulkhead_taken_into_force_counts_who_is_there(world):
    s = Service(world, mode="hang", bulkhead={"mode": "observe", "max_concurrent": 5})
    with s.clients() as c:
        c.open(8)
        c.until(**{CONNECTED: 8})
        s.change(bulkhead={"max_concurrent": 5})
        c.open(10)
        new = c.until(**{PENDING: 0})[CONNECTED] - 8
        print(f"{new} let in beside 8")
        assert new <= 5
        assert c.outcomes()[REFUSED] == 10 - new
        c.hang_up(list(c.all))

        def all_are_gone():
            return s.cluster()["open"] == 0

        wait_for(all_are_gone)
        c.open(10)
        c.until(**{CONNECTED: 5, REFUSED: 5})


def test_an_observed_retry_tries_once(world):
    s = Service(world, 2, retry={"mode": "observe", "max_attempts": 3})
    s.mode("refuse", 1)
    assert counts(s.calls(10)) == {REFUSED: 5, "b2": 5}
    policy = s.cluster()["policy"]
    assert (policy["retries"], policy["would_retry"], policy["attempts"]) == (0, 5, 10)


def test_an_observed_ejection_sends_on(world):
    s = Service(
        world, 2,
        outlier_detection={
            "mode": "observe", "consecutive_failures": 3, "failure_rate": 0, "open_for": "30s"
        },
    )
    s.mode("reset", 1)
    assert counts(s.calls(20)) == {RESET: 10, "b2": 10}
    row = s.cluster()
    assert row["policy"]["would_eject"] == 7
    assert row["rejected"] == 0
    assert s.connections() == [10, 10]


def test_ejection_taken_into_force_begins_clean(world):
    rules = {"consecutive_failures": 3, "failure_rate": 0, "open_for": "30s"}
    s = Service(world, 2, outlier_detection={"mode": "observe", **rules})
    s.mode("reset", 1)
    s.calls(10)
    s.change(outlier_detection=rules)
    assert s.phases() == ["closed", "closed"]
    assert counts(s.calls(4)) == {RESET: 2, "b2": 2}
    s.calls(2)
    assert s.phases() == ["open", "closed"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_storm_under_observation_refuses_nobody_and_leaks_nothing(make_world, workers):
    world = make_world(queues=workers)
    s = Service(
        world, 3, workers=workers,
        circuit_breaker={"mode": "observe", **BREAKER, "open_for": "50ms"},
        bulkhead={"mode": "observe", "max_concurrent": 3},
        retry={"mode": "observe"},
        outlier_detection={"mode": "observe", "consecutive_failures": 2, "open_for": "50ms"},
        timeouts={"connect": "200ms"},
    )
    with s.clients() as c:
        for i, mode in enumerate(["reset", "refuse", "hang", "flap 50ms", "delay 50ms"]):
            s.mode(mode, 1 + i % 3)
            c.open(40)
            c.drive(0.1)
            c.hang_up(c.all[::3], reset=i % 2 == 0)
        c.settle(2)
    row = s.cluster()
    assert (row["started"], row["rejected"]) == (200, 0)
    assert row["policy"]["would_bulkhead"] > 0
