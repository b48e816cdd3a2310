# SPDX-License-Identifier: Apache-2.0
"""Outlier detection: who fails alone is left alone, and comes back."""

import os
import signal
import time

import pytest
from clients import CONNECTED, REFUSED, RESET
from service import Service, counts
from world import PATIENCE_S, wait_for

FAMILIES = pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])
WORKERS = pytest.mark.parametrize("workers", [1, 2])


def outlier(**keys):
    return {
        "consecutive_failures": 5,
        "failure_rate": 0,
        "open_for": "500ms",
        "half_open": {"probes": 1, "successes": 2, "timeout": "1m"},
        **keys,
    }


@FAMILIES
def test_a_dead_backend_gets_nothing(world, ipv6):
    s = Service(world, 3, ipv6=ipv6, outlier_detection=outlier(open_for="1m"))
    s.mode("reset", 2)
    s.calls(15)
    assert s.phases() == ["closed", "open", "closed"]
    assert s.connections()[1] == 5
    assert counts(s.calls(30)) == {"b1": 15, "b3": 15}
    assert s.connections()[1] == 5, "nothing was sent to it"
    assert s.cluster()["ejected"] == 1


@FAMILIES
def test_probes_readmit_a_backend_that_is_well_again(world, ipv6):
    s = Service(world, 3, ipv6=ipv6, outlier_detection=outlier())
    s.mode("reset", 2)

    def ejected():
        return s.calls(1) and s.phases()[1] == "open"

    wait_for(ejected)
    s.mode("accept", 2)

    def readmitted():
        return s.calls(1) and s.phases()[1] == "closed"

    wait_for(readmitted)
    assert s.counter("endpoint_probes") == 2
    assert s.cluster()["ejected"] == 0
    assert counts(s.calls(9)) == {"b1": 3, "b2": 3, "b3": 3}


def test_without_it_the_dead_backend_goes_on_failing(world):
    s = Service(world, 3)
    s.mode("reset", 2)
    assert counts(s.calls(30))[RESET] == 10


def test_with_retry_its_death_is_not_seen_at_all(world):
    s = Service(
        world, 3, outlier_detection=outlier(), retry={"max_attempts": 2},
        timeouts={"connect": "200ms"},
    )
    for mode in ("refuse", "blackhole"):
        s.mode(mode, 2)
        assert RESET not in (got := counts(s.calls(30))) and got[REFUSED] == 0
    assert s.counter("ejections") >= 1


def test_a_failed_probe_ejects_it_again_for_longer(world):
    s = Service(world, 2, outlier_detection=outlier(open_for="200ms"))
    s.mode("reset", 1)

    def ejected_three_times():
        s.calls(1)
        return s.counter("ejections") >= 3

    wait_for(ejected_three_times)
    assert s.connections()[0] == 5 + 2, "one connection a recovery"
    assert s.endpoint(1)["breaker"]["trips"] == 2


def test_no_more_than_half_is_ejected(world):
    s = Service(world, 4, outlier_detection=outlier(open_for="30s", max_ejected="50%"))
    s.mode("reset", 1, 2, 3)
    s.calls(60)
    assert sorted(s.phases()) == ["closed", "closed", "open", "open"]
    row = s.cluster()
    assert row["ejected"] == 2
    assert row["policy"]["ejections_overflow"] > 0


def test_the_last_usable_endpoint_stays(world):
    s = Service(world, 2, outlier_detection=outlier(open_for="30s", max_ejected="100%"),
                load_balancing={"panic_threshold": 0})
    s.mode("reset")
    s.calls(40)
    assert sorted(s.phases()) == ["closed", "open"]
    assert s.counter("ejections_overflow") > 0
    with s.clients() as c:
        assert c.call() == RESET


def test_one_endpoint_alone_is_never_ejected(world):
    s = Service(world, 1, mode="reset", outlier_detection=outlier())
    assert counts(s.calls(20)) == {RESET: 20}


def test_a_rate_over_a_window_ejects_too(world):
    s = Service(world, 2, outlier_detection=outlier(
        consecutive_failures=0, failure_rate="50%", minimum_calls=10, window="20 calls",
        open_for="30s"))
    s.mode("one-in 2", 1)
    s.calls(60)
    assert s.phases() == ["open", "closed"]
    assert s.connections()[0] == 11, "the tenth succeeded: only a failure trips it"


def test_one_answer_in_ten_is_ejected(world):
    s = Service(world, 3, outlier_detection=outlier(open_for="30s"))
    s.mode("one-in 10", 1)
    got = counts(s.calls(60))
    assert s.phases()[0] == "open"
    assert got[RESET] <= 10


def test_an_endpoint_that_flaps_is_left_alone_most_of_the_time(world):
    s = Service(world, 3, outlier_detection=outlier(open_for="300ms"), retry={"max_attempts": 3})

    def goes_down(c):
        """Not between a client's SYN and the server's accept: that reset nobody can hide."""
        c.settle()
        s.mode("refuse", 1)
        ejections = s.counter("ejections")

        def ejected():
            c.open(2)
            c.drive(0.1)
            return s.counter("ejections") > ejections

        wait_for(ejected)

    def comes_up(c):
        c.settle()
        s.mode("accept", 1)
        served = c.outcomes()["b1"]

        def used_when_it_is_up():
            c.open(2)
            c.drive(0.1)
            return c.outcomes()["b1"] > served + 3

        wait_for(used_when_it_is_up)

    with s.clients() as c:
        for _ in range(2):
            goes_down(c)
            comes_up(c)
        got = c.settle()
    assert got[REFUSED] == got[RESET] == 0, got
    assert s.endpoint(1)["failed"] <= 2 * (5 + 2), "it was left alone while it was down"


def test_a_hanging_endpoint_is_no_failure_of_tcp(world):
    """It accepts: after verdict_after the connection has succeeded."""
    s = Service(world, 2, outlier_detection=outlier(consecutive_failures=1),
                timeouts={"verdict_after": "100ms"})
    s.mode("hang", 1)
    with s.clients() as c:
        c.open(10)
        c.until(**{CONNECTED: 5, "b2": 5})

        def verdicts_are_taken():
            return s.cluster()["succeeded"] == 10

        wait_for(verdicts_are_taken)
    assert s.phases() == ["closed", "closed"]


def test_a_neutral_end_says_nothing(world):
    s = Service(world, 2, outlier_detection=outlier(consecutive_failures=3),
                timeouts={"verdict_after": "30s"})
    s.mode("hang", 1)
    with s.clients() as c:
        c.open(12)
        c.until(**{"b2": 6, CONNECTED: 6})
        c.hang_up(c.select(CONNECTED), reset=True)

    def all_have_left():
        return s.cluster()["cancelled"] == 6

    wait_for(all_have_left)
    assert s.phases() == ["closed", "closed"]


def test_half_open_sends_its_probes_and_no_more(world):
    s = Service(world, 2, outlier_detection=outlier(open_for="300ms"))
    s.mode("reset", 1)
    s.calls(10)
    s.wait_phase("open", 1)
    s.mode("hang", 1)
    with s.clients() as c:
        c.drive(0.6)
        c.open(40)
        c.until(**{"b2": 39, CONNECTED: 1})
        assert s.connections(6 + 5 + 39)[0] == 6
        assert s.endpoint(1)["breaker"]["probes_active"] == 1


@WORKERS
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_it_returns_without_the_control_plane(make_world, how, workers):
    world = make_world(queues=workers)
    s = Service(world, 2, workers=workers, outlier_detection=outlier())
    s.mode("reset", 1)
    s.calls(10)
    s.wait_phase("open", 1)
    if how == "stopped":
        pid = control_pid(s.fender)
        os.kill(pid, signal.SIGSTOP)
    else:
        s.fender.process.kill()
        s.fender.process.wait()
    s.mode("accept", 1)
    try:

        def both_serve_again():
            return counts(s.calls(6))["b1"] == 3

        wait_for(both_serve_again)
    finally:
        if how == "stopped":
            os.kill(pid, signal.SIGCONT)
        else:
            s.fender.start()
    assert s.phases() == ["closed", "closed"]
    assert s.counter("ejections") == 1, "what was counted is still there"


def control_pid(f):
    """Of `fender run`."""
    (pid,) = set(f.world.gateway.pids()) - {f.dataplane_pid()}
    return pid


def test_ejection_survives_a_restart_of_the_control_plane(world):
    s = Service(world, 2, outlier_detection=outlier(open_for="30s"))
    s.mode("reset", 1)
    s.calls(10)
    s.wait_phase("open", 1)
    s.fender.process.kill()
    s.fender.process.wait()
    s.fender.start()
    assert s.phases() == ["open", "closed"]
    assert s.calls(6) == ["b2"] * 6


@pytest.mark.restarts
def test_ejection_survives_a_restart_of_the_dataplane(world):
    s = Service(world, 2, outlier_detection=outlier(open_for="30s"))
    s.mode("reset", 1)
    s.calls(10)
    s.wait_phase("open", 1)
    first = s.fender.dataplane_pid()
    os.kill(first, signal.SIGKILL)

    def another_is_ready():
        return s.fender.ready() and s.fender.dataplane_pid() not in (0, first)

    wait_for(another_is_ready)
    assert s.phases() == ["open", "closed"]
    assert s.calls(6) == ["b2"] * 6


@pytest.mark.parametrize("mode, usual, fault", [
    ("success_rate", "accept", "fail 60% reset"),
    ("latency", "delay 100ms", "delay 400ms"),  # far more than a busy machine adds
])
def test_statistics_eject_who_is_not_like_the_others(world, mode, usual, fault):
    s = Service(
        world, 6, mode=usual,
        outlier_detection=outlier(
            consecutive_failures=0,
            open_for="30s",
            statistics={
                "modes": [mode], "interval": "4s", "minimum_hosts": 5,
                "minimum_calls": 20,
            },
        ),
    )
    s.mode(fault, 4)
    with s.clients() as c:
        end = time.monotonic() + PATIENCE_S
        while s.phases()[3] != "open" and time.monotonic() < end:
            c.open(30)
            c.settle()
            c.hang_up(list(c.all))
            c.drive(0.1)
    assert s.phases() == ["closed"] * 3 + ["open"] + ["closed"] * 2


@WORKERS
def test_a_storm_of_ejections_leaks_nothing(make_world, workers):
    world = make_world(queues=workers)
    s = Service(
        world, 4, workers=workers, retry={"max_attempts": 3},
        outlier_detection=outlier(consecutive_failures=2, open_for="50ms", max_ejected="75%"),
        timeouts={"connect": "100ms"},
    )
    with s.clients() as c:
        for i, mode in enumerate(["flap 50ms", "reset", "refuse", "hang", "blackhole"] * 2):
            s.mode(mode, 1 + i % 4)
            c.open(30)
            c.drive(0.15)
            c.hang_up(c.all[::4], reset=i % 2 == 0)
        s.mode("accept")
        c.settle(2)
    assert s.counter("ejections") > 0

    def all_are_readmitted():
        s.calls(4)
        return s.phases() == ["closed"] * 4 and s.cluster()["ejected"] == 0

    wait_for(all_are_readmitted)
