# SPDX-License-Identifier: Apache-2.0
"""Policies change while calls run, wait and fail: nothing is lost, nothing learned is forgotten."""

import copy
import os
import signal

import pytest
from clients import CONNECTED, PENDING, REFUSED, RESET
from service import Service, counts
from world import wait_for

WORKERS = pytest.mark.parametrize("workers", [1, 2])
BREAKER = {"failure_rate": 0, "consecutive_failures": 3, "open_for": "30s"}


def permits(s):
    row = s.cluster()["bulkhead"]
    return row["in_flight"], row["queued"]


def wait_permits(s, in_flight, queued):
    def permits_are_as_wanted():
        return permits(s) == (in_flight, queued)

    wait_for(permits_are_as_wanted)


@WORKERS
@pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])
def test_a_limit_halved_while_full_admits_nobody_until_below(make_world, workers, ipv6):
    world = make_world(queues=workers)
    s = Service(
        world, mode="hang", workers=workers, ipv6=ipv6,
        bulkhead={"max_concurrent": 10, "max_queue": 10, "queue_timeout": "30s"},
    )
    with s.clients() as c:
        c.open(15)
        c.until(**{CONNECTED: 10, PENDING: 5})
        s.change(bulkhead={"max_concurrent": 5, "max_queue": 10, "queue_timeout": "30s"})
        assert permits(s) == (10, 5), "who is in stays in"
        c.hang_up(c.select(CONNECTED)[:5])
        wait_permits(s, 5, 5)
        c.drive(0.2)
        assert c.outcomes() == {CONNECTED: 5, PENDING: 5}, "five left, nobody came in"
        c.hang_up(c.select(CONNECTED)[:3])
        c.until(**{CONNECTED: 5, PENDING: 2})
        assert s.cluster()["bulkhead"]["overshoot_max"] == 0


def test_a_limit_raised_while_full_admits_who_waits(world):
    s = Service(world, mode="hang",
                bulkhead={"max_concurrent": 3, "max_queue": 10, "queue_timeout": "30s"})
    with s.clients() as c:
        c.open(9)
        c.until(**{CONNECTED: 3, PENDING: 6})
        s.change(bulkhead={"max_concurrent": 6, "max_queue": 10, "queue_timeout": "30s"})
        c.until(**{CONNECTED: 6, PENDING: 3})
        s.change(bulkhead=None)
        c.until(**{CONNECTED: 9})


def test_a_bulkhead_given_to_a_running_cluster_bounds_who_comes(world):
    s = Service(world, mode="hang")
    with s.clients() as c:
        c.open(4)
        c.until(**{CONNECTED: 4})
        s.change(bulkhead={"max_concurrent": 3})
        c.open(5)
        new = c.until(**{PENDING: 0})[CONNECTED] - 4
        assert new <= 3
        c.hang_up(list(c.all))

        def all_are_gone():
            return s.cluster()["open"] == 0

        wait_for(all_are_gone)
        c.open(5)
        c.until(**{CONNECTED: 3, REFUSED: 2})


def test_a_queue_taken_away_does_not_strand_who_waits(world):
    s = Service(world, mode="hang",
                bulkhead={"max_concurrent": 2, "max_queue": 10, "queue_timeout": "30s"})
    with s.clients() as c:
        c.open(6)
        c.until(**{CONNECTED: 2, PENDING: 4})
        s.change(bulkhead={"max_concurrent": 2})
        c.open(1)
        c.until(**{CONNECTED: 2, PENDING: 4, REFUSED: 1})
        for waiting in (2, 0):
            c.hang_up(c.select(CONNECTED))
            c.until(**{CONNECTED: 2, PENDING: waiting})


def test_an_endpoint_removed_while_it_is_probed(world):
    s = Service(
        world, 2,
        outlier_detection={
            "consecutive_failures": 2, "failure_rate": 0, "open_for": "200ms",
            "half_open": {"probes": 1, "successes": 1, "timeout": "30s"},
        },
        timeouts={"verdict_after": "30s"},
    )
    s.mode("reset", 1)
    s.calls(4)
    s.wait_phase("open", 1)
    s.mode("hang", 1)
    with s.clients() as c:
        c.drive(0.4)
        c.open(2)
        c.until(**{CONNECTED: 1, "b2": 1})
        assert s.endpoint(1)["breaker"]["probes_active"] == 1
        policy = copy.deepcopy(s.policy)
        del policy["clusters"][0]["endpoints"][0]
        s.fender.reload(policy)
        assert s.calls(4) == ["b2"] * 4
        assert s.cluster()["ejected"] == 0, "who leaves the policy is not ejected any more"
        assert c.outcomes()[CONNECTED] == 1, "the probe itself goes on"
    s.mode("accept", 1)
    s.fender.reload(s.policy)

    def both_serve():
        return set(s.calls(4)) == {"b1", "b2"}

    wait_for(both_serve)


def test_a_cluster_removed_while_calls_wait_in_its_queue(world):
    s = Service(world, mode="hang",
                bulkhead={"max_concurrent": 2, "max_queue": 10, "queue_timeout": "30s"})
    with s.clients() as c:
        c.open(6)
        c.until(**{CONNECTED: 2, PENDING: 4})
        policy = copy.deepcopy(s.policy)
        policy["clusters"], policy["listeners"] = [], []
        s.fender.reload(policy)
        c.until(**{CONNECTED: 2, REFUSED: 4})
        s.fender.reload(s.policy)
        c.hang_up(list(c.all))


def test_a_renamed_cluster_begins_anew_and_strands_nobody(world):
    s = Service(
        world, mode="hang",
        bulkhead={"max_concurrent": 2, "max_queue": 10, "queue_timeout": "30s"},
        circuit_breaker=BREAKER, timeouts={"verdict_after": "100ms"},
    )
    with s.clients() as c:
        c.open(5)
        c.until(**{CONNECTED: 2, PENDING: 3})
        policy = copy.deepcopy(s.policy)
        policy["clusters"][0]["name"] = policy["listeners"][0]["cluster"] = "renamed"
        s.fender.reload(policy)
        new = c.open(2)
        c.until(new, **{CONNECTED: 2})  # the new cluster has permits of its own
        assert s.cluster("renamed")["bulkhead"]["in_flight"] == 2
        c.hang_up([k for k in c.select(CONNECTED) if k not in new])
        c.until([k for k in c.all if k not in new], **{PENDING: 0})
        print(c.outcomes())


def test_an_open_breaker_stays_open_over_a_reload(world):
    s = Service(world, mode="reset", circuit_breaker=BREAKER)
    s.calls(3)
    s.wait_phase("open")
    s.mode("accept")
    s.change(timeouts={"idle": "1m"}, bulkhead={"max_concurrent": 10})
    assert s.calls(3) == [REFUSED] * 3
    s.change(circuit_breaker=None)
    assert s.calls(3) == ["b1"] * 3, "without the block nothing is refused"


def test_failures_are_remembered_over_a_reload(world):
    s = Service(world, mode="reset", circuit_breaker=BREAKER)
    s.calls(2)
    s.change(timeouts={"idle": "1m"})
    assert s.calls(2) == [RESET, REFUSED], "the third in a row opened it"


def test_thresholds_changed_take_effect_at_once(world):
    s = Service(world, mode="reset", circuit_breaker=BREAKER)
    s.calls(2)
    s.change(circuit_breaker={**BREAKER, "consecutive_failures": 20})
    assert counts(s.calls(17)) == {RESET: 17}
    assert s.calls(2) == [RESET, REFUSED]


def test_weights_changed_keep_ejection(world):
    s = Service(world, 3, outlier_detection={"consecutive_failures": 2, "open_for": "30s"})
    s.mode("reset", 1)
    s.calls(8)
    s.wait_phase("open", 1)
    for e in s.policy["clusters"][0]["endpoints"]:
        e["weight"] = 3
    s.fender.reload(s.policy)
    assert s.phases() == ["open", "closed", "closed"]
    assert set(s.calls(9)) == {"b2", "b3"}


def test_retry_changed_while_calls_back_off(world):
    s = Service(
        world, 2, mode="refuse",
        retry={"max_attempts": 2, "backoff": {"base": "4s", "max": "4s", "jitter": "none"}},
    )
    with s.clients() as c:
        c.open(6)
        s.wait_back_off(6, 6)
        s.change(retry=None)
        assert c.settle() == {REFUSED: 6}
    assert s.counter("retries") == 0


@WORKERS
def test_reloads_under_a_storm_lose_no_permit(make_world, workers):
    """Limits, policies and endpoints change while everything fails and waits."""
    world = make_world(queues=workers)
    s = Service(
        world, 3, workers=workers, mode="delay 20ms",
        bulkhead={"max_concurrent": 8, "max_queue": 20, "queue_timeout": "300ms"},
        retry={"max_attempts": 3}, circuit_breaker={"open_for": "50ms"},
        outlier_detection={"consecutive_failures": 2, "open_for": "50ms"},
        timeouts={"connect": "200ms"},
    )
    endpoints = s.policy["clusters"][0]["endpoints"]
    with s.clients() as c:
        for i in range(10):
            s.mode(["flap 50ms", "delay 20ms", "refuse", "hang"][i % 4], 1 + i % 3)
            c.open(30)
            c.drive(0.05)
            limit = {"max_concurrent": [8, 2, 20, 1, 5][i % 5], "max_queue": [20, 0, 5][i % 3]}
            keep = [e for k, e in enumerate(endpoints) if k != i % 4]
            s.change(
                bulkhead=limit if i % 7 else None,
                retry={"max_attempts": 1 + i % 3} if i % 3 else None,
                circuit_breaker={"open_for": "50ms"} if i % 4 else None,
                endpoints=keep,
            )
            c.drive(0.05)
            c.hang_up(c.all[::3], reset=i % 2 == 1)
        s.mode("accept")
        s.change(endpoints=endpoints, bulkhead={"max_concurrent": 8}, circuit_breaker=None)
        c.settle(3)
    assert s.cluster()["bulkhead"]["overshoot_max"] == 0

    def all_permits_are_back():
        return permits(s) == (0, 0)

    wait_for(all_permits_are_back)
    s.mode("hang")
    with s.clients() as c:
        c.open(12)
        c.until(**{CONNECTED: 8, REFUSED: 4})


@pytest.mark.restarts
@WORKERS
def test_a_killed_dataplane_counts_its_permits_anew(make_world, workers):
    """The connections that are carried on hold their permits, and nothing else does."""
    world = make_world(queues=workers)
    s = Service(
        world, 2, mode="hang", workers=workers, circuit_breaker=BREAKER,
        bulkhead={"max_concurrent": 6, "max_queue": 4, "queue_timeout": "30s"},
    )
    with s.clients() as c:
        c.open(10)
        c.until(**{CONNECTED: 6, PENDING: 4})
        first = s.fender.dataplane_pid()
        os.kill(first, signal.SIGKILL)

        def another_is_ready():
            return s.fender.ready() and s.fender.dataplane_pid() not in (0, first)

        wait_for(another_is_ready)
        row = s.cluster()
        assert row["bulkhead"]["in_flight"] == 6 <= row["open"]
    with s.clients() as c:

        def the_old_ones_are_gone():
            return s.cluster()["open"] == 0

        wait_for(the_old_ones_are_gone)
        c.open(12)
        c.until(**{CONNECTED: 6, PENDING: 4, REFUSED: 2})
        assert s.cluster()["bulkhead"]["overshoot_max"] == 0


def test_a_bad_reload_changes_no_policy(world):
    s = Service(world, mode="hang", bulkhead={"max_concurrent": 2})
    good = copy.deepcopy(s.policy)
    for keys in (
        {"bulkhead": {"max_concurrent": 0}},
        {"circuit_breaker": {"minimum_calls": 200, "window": "100 calls"}},
        {"retry": {"max_attempts": 0}},
        {"load_balancing": {"algorithm": "best"}},
        {"outlier_detection": {"max_ejected": "101%"}},
        {"timeouts": {"connect": "20s", "request": "1s"}},
        {"bulkheads": {}},
    ):
        bad = copy.deepcopy(good)
        bad["clusters"][0].update(keys)
        done = s.fender.reload(bad, check=False)
        assert done.returncode != 0, keys
        assert "clusters[0]" in done.stderr + done.stdout, done.stderr
    with s.clients() as c:
        c.open(4)
        c.until(**{CONNECTED: 2, REFUSED: 2})
