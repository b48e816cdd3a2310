# SPDX-License-Identifier: Apache-2.0
"""The cluster's circuit breaker, as clients and backends see it."""

import re
import time

import pytest
from clients import CONNECTED, REFUSED, RESET
from service import Service, counts
from world import wait_for

FAMILIES = pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])
BREAKER = {
    "failure_rate": "50%",
    "minimum_calls": 10,
    "window": "20 calls",
    "open_for": "500ms",
    "half_open": {"probes": 2, "successes": 3, "timeout": "1m"},
}


def breaker(**keys):
    return {**BREAKER, **keys}


@FAMILIES
def test_opens_at_the_failure_rate_and_closes_by_probes(world, ipv6):
    s = Service(world, mode="reset", ipv6=ipv6, circuit_breaker=breaker(open_for="30s"))
    assert counts(s.calls(10)) == {RESET: 10}
    assert counts(s.calls(20)) == {REFUSED: 20}, "an open breaker sends nothing on"
    assert s.connections() == [10]
    assert s.cluster()["breaker"]["phase"] == "open"
    assert s.rejected() == {"circuit_open": 20}
    assert s.counter("breaker_opened") == 1
    s.fender.cli("breaker", "reset", "api")
    s.change(circuit_breaker=breaker())
    assert counts(s.calls(10)) == {RESET: 10}
    s.mode("accept")

    def three_probes_were_served():
        return s.calls(1) == ["b1"] and s.cluster()["breaker"]["phase"] == "closed"

    wait_for(three_probes_were_served)
    assert counts(s.calls(20)) == {"b1": 20}
    assert s.counter("probes") == 3


def test_one_failure_less_than_the_minimum_keeps_it_closed(world):
    s = Service(world, mode="reset", circuit_breaker=breaker())
    assert counts(s.calls(9)) == {RESET: 9}
    assert s.cluster()["breaker"]["phase"] == "closed"
    s.mode("accept")
    assert counts(s.calls(20)) == {"b1": 20}, "9 of 29 failed, and of the last 20 none"
    assert s.counter("breaker_opened") == 0


def test_failures_below_the_rate_keep_it_closed(world):
    s = Service(world, mode="one-in 2", circuit_breaker=breaker(failure_rate="60%"))
    assert counts(s.calls(60)) == {"b1": 30, RESET: 30}
    assert s.counter("breaker_opened") == 0


@pytest.mark.parametrize("mode, outcome, reason", [
    ("refuse", REFUSED, "connect_refused"),
    ("blackhole", REFUSED, "connect_timeout"),
    ("reset", RESET, "upstream_reset"),
])
def test_every_kind_of_failure_counts(world, mode, outcome, reason):
    s = Service(
        world,
        mode=mode,
        circuit_breaker=breaker(failure_rate=0, consecutive_failures=4, open_for="30s"),
        timeouts={"connect": "100ms"},
    )
    assert s.calls(4) == [outcome] * 4
    assert s.failed() == {reason: 4}
    assert s.calls(3) == [REFUSED] * 3
    assert s.rejected() == {"circuit_open": 3}


def test_a_success_ends_a_run_of_failures(world):
    s = Service(
        world,
        mode="one-in 4",
        circuit_breaker=breaker(failure_rate=0, consecutive_failures=4),
    )
    assert counts(s.calls(24)) == {"b1": 6, RESET: 18}
    assert s.counter("breaker_opened") == 0


def test_slow_calls_open_it(world):
    s = Service(
        world,
        mode="delay 150ms",
        circuit_breaker=breaker(
            failure_rate=0, slow_call={"threshold": "100ms", "rate": "100%"}, open_for="30s"
        ),
    )
    with s.clients() as c:
        c.open(10)
        assert c.settle() == {"b1": 10}
    assert s.counter("slow_calls") == 10
    assert s.calls(2) == [REFUSED] * 2


@pytest.mark.parametrize("workers", [1, 2])
def test_half_open_admits_its_probes_and_no_more(make_world, workers):
    world = make_world(queues=workers)
    s = Service(world, mode="reset", workers=workers, circuit_breaker=breaker())
    s.calls(10)
    s.mode("hang")
    s.wait_phase("open")
    with s.clients() as c:
        c.drive(0.9)  # 500 ms and up to half of it more
        c.open(40)
        c.until(**{CONNECTED: 2, REFUSED: 38})
        assert s.rejected().get("half_open_full") == 38
        assert s.cluster()["breaker"]["probes_active"] == 2
        assert s.connections(12) == [12]


def test_a_probe_whose_client_leaves_returns_its_slot(world):
    s = Service(
        world, mode="reset", circuit_breaker=breaker(), timeouts={"verdict_after": "30s"}
    )
    s.calls(10)
    s.mode("hang")
    with s.clients() as c:
        c.drive(0.9)
        for _ in range(5):
            c.open(2)
            c.until(**{CONNECTED: 2})
            assert s.calls(1) == [REFUSED]
            c.hang_up(c.select(CONNECTED), reset=True)

            def slots_are_back():
                return s.cluster()["breaker"]["probes_active"] == 0

            wait_for(slots_are_back)
    assert s.cluster()["breaker"]["phase"] == "half_open"
    assert s.counter("probes") == 10


def test_a_failed_probe_opens_it_again_for_longer(world):
    s = Service(world, mode="reset", circuit_breaker=breaker(max_open_for="1m", open_for="300ms"))
    s.calls(10)
    began = None
    with s.clients() as c:
        for trips in (1, 2, 3):

            def probed_and_open_again():
                nonlocal began
                began = time.monotonic()
                c.call()
                row = s.cluster()["breaker"]
                return row["trips"] >= trips and row["phase"] == "open"

            wait_for(probed_and_open_again)
        left = s.cluster()["breaker"]["until_ms"]
        gone = (time.monotonic() - began) * 1000
    assert 300 * 8 - gone - 10 <= left <= 300 * 8 * 1.5, "doubled thrice"
    assert s.counter("breaker_opened") == 4
    assert s.connections() == [13], "each recovery was tried with one connection"


def test_refusals_do_not_enter_the_window(world):
    """Were they failures, it would never close; were they successes, it would take longer to."""
    s = Service(world, mode="reset", circuit_breaker=breaker(open_for="5m"))
    s.calls(10)
    before = s.cluster()["breaker"]
    assert counts(s.calls(200)) == {REFUSED: 200}
    after = s.cluster()["breaker"]
    assert (after["epoch"], after["trips"], after["phase"]) == (
        before["epoch"], before["trips"], "open",
    )
    assert after["until_ms"] <= before["until_ms"]


def test_its_edges_are_told_in_order(world):
    s = Service(world, mode="reset", circuit_breaker=breaker(open_for="100ms"))
    s.calls(10)
    s.mode("accept")

    def closed_again():
        s.calls(1)
        return s.cluster()["breaker"]["phase"] == "closed"

    wait_for(closed_again)

    def the_log_tells_all_three():
        told = re.findall(r"event=(breaker_\w+) cluster=api", s.fender.log_text())
        return told == ["breaker_opened", "breaker_half_open", "breaker_closed"]

    wait_for(the_log_tells_all_three)


def test_an_operator_forces_it_open_closed_and_resets_it(world):
    s = Service(world, circuit_breaker=breaker(open_for="30s"))
    s.fender.cli("breaker", "open", "api")
    assert s.calls(2) == [REFUSED] * 2
    assert s.rejected() == {"circuit_open": 2}
    s.fender.cli("breaker", "close", "api")
    s.mode("reset")
    assert counts(s.calls(30)) == {RESET: 30}, "forced closed it does not trip"
    s.fender.cli("breaker", "reset", "api")
    s.calls(10)
    s.wait_phase("open")
    s.mode("accept")
    s.fender.cli("breaker", "reset", "api")
    assert counts(s.calls(5)) == {"b1": 5}
    assert s.cluster()["breaker"]["override"] == "none"


def test_an_operator_forces_an_endpoint_open(world):
    s = Service(world, 2)
    s.fender.cli("breaker", "open", "api", s.addresses[0])
    assert s.calls(6) == ["b2"] * 6
    s.fender.cli("breaker", "reset", "api", s.addresses[0])
    assert counts(s.calls(6)) == {"b1": 3, "b2": 3}


def test_what_does_not_exist_is_refused(world):
    s = Service(world)
    for words in (["breaker", "open", "nobody"], ["breaker", "burn", "api"], ["drain", "api", "x"]):
        done = s.fender.cli(*words, check=False)
        assert done.returncode != 0, words
        assert done.stderr, words
    assert s.calls(1) == ["b1"]


def test_without_a_breaker_everything_is_tried(world):
    s = Service(world, mode="reset")
    assert counts(s.calls(40)) == {RESET: 40}
    assert s.connections() == [40]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_storm_of_failures_leaks_nothing(make_world, workers):
    """Clients of all kinds against a backend of all kinds; afterwards nothing is lent."""
    world = make_world(queues=workers)
    s = Service(
        world,
        2,
        mode="reset",
        workers=workers,
        circuit_breaker=breaker(open_for="50ms"),
        outlier_detection={"consecutive_failures": 3, "open_for": "50ms"},
        timeouts={"connect": "300ms"},
    )
    with s.clients() as c:
        c.open(40)
        c.settle()
        assert s.counter("breaker_opened") >= 1
        c.hang_up(list(c.all))
        for i, mode in enumerate(["fail 40% reset", "hang", "refuse", "flap 50ms", "delay 20ms"]):
            s.mode(mode, 1 + i % 2)
            c.open(40)
            c.drive(0.1)
            c.hang_up(c.all[::3], reset=i % 2 == 0)
        c.settle(3)
    stats = s.cluster()
    assert stats["started"] == 240
    rejected = stats["rejected_by_reason"]
    # which phase refuses is a race
    assert rejected.get("circuit_open", 0) + rejected.get("half_open_full", 0) > 0
