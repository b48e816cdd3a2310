# SPDX-License-Identifier: Apache-2.0
"""Bulkheads: exactly so many at once, exactly so many waiting, in order."""

import pytest
from clients import CONNECTED, PENDING, REFUSED
from fender import check, write_policy
from frames import ETH_IPV4, RST, SYN, RawSocket, eth, ipv4, tcp
from policies import base, cluster, listener
from service import PORT, Service
from world import CLIENT4, FENDER4, SERVERS4, at, wait_for

FAMILIES = pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])
WORKERS = pytest.mark.parametrize("workers", [1, 2])


def bulkhead(concurrent, queue=0, timeout="1s", **keys):
    keys = {"max_concurrent": concurrent, **keys}
    return {**keys, "max_queue": queue, "queue_timeout": timeout} if queue else keys


@FAMILIES
def test_five_and_ten_take_fifteen_and_refuse_the_sixteenth(world, ipv6):
    s = Service(world, mode="hang", ipv6=ipv6, bulkhead=bulkhead(5, 10, "30s"))
    with s.clients() as c:
        c.open(15)
        c.until(**{CONNECTED: 5, PENDING: 10})
        assert s.calls(1) == [REFUSED]
        assert s.rejected() == {"queue_full": 1}
        row = s.cluster()["bulkhead"]
        assert (row["in_flight"], row["queued"], row["overshoot_max"]) == (5, 10, 0)
        assert s.connections(5) == [5]
        c.hang_up(c.select(CONNECTED))
        c.until(**{CONNECTED: 5, PENDING: 5})
        c.hang_up(c.select(CONNECTED))
        c.until(**{CONNECTED: 5, PENDING: 0})
    assert s.counter("queue_granted") == 10


def test_without_a_bulkhead_all_are_let_in(world):
    s = Service(world, mode="hang")
    with s.clients() as c:
        c.open(60)
        c.until(**{CONNECTED: 60})


@WORKERS
def test_fifteen_calls_against_three_and_five(make_world, workers):
    """Eight succeed, in three rounds, seven are refused at once."""
    world = make_world(queues=workers)
    s = Service(world, mode="delay 400ms", workers=workers, bulkhead=bulkhead(3, 5, "1m"))
    with s.clients() as c:
        calls = c.open(15)
        while not all(k.settled for k in calls):
            c.drive(0.01)
            c.hang_up([k for k in c.all if k.served])
        assert c.outcomes(calls) == {"b1": 8, REFUSED: 7}
    served = sorted(k.settled_s for k in calls if k.served)
    print("served after", [round(x, 2) for x in served])
    assert served[0] >= 0.4 and served[3] >= 0.8 and served[6] >= 1.2, "three at once"
    assert s.rejected() == {"queue_full": 7}, "nobody waited for it"


def test_the_queue_is_first_in_first_out(world):
    s = Service(world, mode="hang", bulkhead=bulkhead(1, 8, "30s"))
    with s.clients() as c:
        (running,) = c.open()
        c.until(**{CONNECTED: 1})
        waiting = []
        for _ in range(8):
            waiting += c.open()
            c.drive(0.02)
        while waiting:
            c.hang_up([running])
            c.until(**{CONNECTED: 1, PENDING: len(waiting) - 1})
            running = waiting.pop(0)
            assert running.state == CONNECTED, "the oldest comes first"


def test_who_waits_too_long_is_refused(world):
    s = Service(world, mode="hang", bulkhead=bulkhead(2, 4, "300ms"))
    with s.clients() as c:
        c.open(6)
        c.until(**{CONNECTED: 2, REFUSED: 4})
        assert min(k.settled_s for k in c.select(REFUSED)) >= 0.28
        assert s.rejected() == {"queue_timeout": 4}


def test_the_request_timeout_ends_the_waiting_too(world):
    s = Service(
        world,
        mode="hang",
        bulkhead=bulkhead(1, 4, "30s"),
        timeouts={"connect": "500ms", "request": "500ms"},
    )
    with s.clients() as c:
        c.open(3)
        c.until(**{CONNECTED: 1, REFUSED: 2})
    assert s.rejected() == {"request_timeout": 2}


def test_who_vanishes_in_the_queue_does_not_keep_the_permit(world):
    """A kernel that gives up a connect says nothing: the permit goes to it and comes back."""
    s = Service(world, mode="hang", bulkhead=bulkhead(2, 8, "30s"))
    with s.clients() as c:
        c.open(2)
        c.until(**{CONNECTED: 2})
        gone = c.open(4)
        c.drive(0.1)
        stay = c.open(2)
        c.drive(0.1)
        c.hang_up(gone)
        c.hang_up(c.select(CONNECTED))
        c.until(**{CONNECTED: 2})
        assert [k.state for k in stay] == [CONNECTED] * 2


def test_who_leaves_the_queue_by_a_reset_makes_room(world):
    s = Service(world, mode="hang", bulkhead=bulkhead(1, 2, "30s"))
    me = world.client.ip_json("link", "show", "eth0")[0]["address"]
    mac = world.gateway.ip_json("link", "show", "fa")[0]["address"]
    # The kernel must not answer for connections it does not know.
    raw = RawSocket(world.client)
    world.address(world.client, ["10.77.1.77"])

    def send(port, flags, seq):
        segment = tcp("10.77.1.77", FENDER4, port, PORT, flags, seq=seq)
        raw.send(eth(mac, me, ETH_IPV4, ipv4("10.77.1.77", FENDER4, 6, segment)))

    def queue_is(n):
        def queue_has_the_length():
            return s.cluster()["bulkhead"]["queued"] == n

        wait_for(queue_has_the_length)

    with s.clients() as c:
        c.open()
        c.until(**{CONNECTED: 1})
        send(1111, SYN, 1000)
        send(1112, SYN, 1000)
        queue_is(2)
        assert s.calls(1) == [REFUSED]
        send(1111, RST, 1001)
        send(1112, RST, 1001)
        queue_is(0)
        assert s.counter("queue_left") == 2
        c.open(2)
        queue_is(2)
    raw.close()


@WORKERS
def test_no_overshoot_over_workers(make_world, workers):
    """Many ports, so many owners, against 7 permits and 6 places."""
    world = make_world(queues=workers)
    s = Service(world, 4, mode="hang", workers=workers, bulkhead=bulkhead(7, 6, "30s"))
    with s.clients() as c:
        for _ in range(3):
            c.open(60)
            c.until(**{CONNECTED: 7, PENDING: 6, REFUSED: 47})
            assert s.cluster()["bulkhead"]["overshoot_max"] == 0
            c.hang_up(c.select(CONNECTED) + c.select(REFUSED))
            c.until(**{CONNECTED: 6, PENDING: 0})
            c.hang_up(list(c.all))

            def nothing_is_left():
                row = s.cluster()
                return row["open"] == 0 and row["bulkhead"]["in_flight"] == 0

            wait_for(nothing_is_left)


@WORKERS
def test_a_storm_through_a_full_queue_loses_no_permit(make_world, workers):
    world = make_world(queues=workers)
    s = Service(
        world,
        3,
        mode="delay 20ms",
        workers=workers,
        bulkhead=bulkhead(4, 30, "400ms"),
        retry={"max_attempts": 2},
        timeouts={"connect": "200ms"},
    )
    with s.clients() as c:
        for i in range(8):
            s.mode(["delay 20ms", "refuse", "reset", "hang"][i % 4], 1 + i % 3)
            c.open(40)
            c.drive(0.15)
            c.hang_up([k for k in c.all if k.settled])
            c.hang_up(c.all[::3], reset=i % 2 == 1)
        s.mode("accept")
        c.hang_up(c.select(CONNECTED))
        c.settle(3)
    row = s.cluster()
    assert row["started"] == 320
    assert row["bulkhead"]["overshoot_max"] == 0
    with s.clients() as c:
        c.open(4)
        c.settle()
        assert sum(k.served for k in c.all) == 4, "all four permits are there"


def test_one_permit_serves_one_after_the_other(world):
    s = Service(world, mode="accept", bulkhead=bulkhead(1))
    for _ in range(20):
        assert s.calls(1) == ["b1"]

        def its_permit_is_back():
            return s.cluster()["bulkhead"]["in_flight"] == 0

        wait_for(its_permit_is_back)


def test_the_largest_limits_are_taken(world):
    s = Service(world, mode="hang", bulkhead=bulkhead(16777215, 2048, "1h"))
    with s.clients() as c:
        c.open(50)
        c.until(**{CONNECTED: 50})
        assert s.cluster()["bulkhead"]["in_flight"] == 50


@pytest.mark.parametrize("keys", [
    {"max_concurrent": 0},
    {"max_concurrent": 16777216},
    {"max_concurrent": 1, "max_queue": 2049},
    {"max_queue": 5},
    {},
])
def test_limits_without_sense_are_refused(tmp_path, keys):
    policy = cluster(base(), "api", [at(SERVERS4[0], PORT)], bulkhead=keys)
    listener(policy, "api", at(FENDER4, PORT), "api")
    done = check(write_policy(tmp_path / "policy.yaml", policy))
    print(done.stderr)
    assert done.returncode != 0
    assert "clusters[0].bulkhead" in done.stdout + done.stderr


def test_scope_source_bounds_each_client(world):
    others = [f"10.77.1.{i}" for i in (21, 22, 23)]
    world.address(world.client, others)
    s = Service(world, mode="hang", bulkhead=bulkhead(2, scope="source"))
    with s.clients() as c:
        for ip in [CLIENT4, *others]:
            c.until(c.open(5, source=ip), **{CONNECTED: 2, REFUSED: 3})
        c.hang_up(c.select(CONNECTED)[:2])  # the first client's

        def they_are_gone():
            return s.cluster()["open"] == 6

        wait_for(they_are_gone)
        c.until(c.open(3, source=CLIENT4), **{CONNECTED: 2, REFUSED: 1})
        c.until(c.open(3, source=others[0]), **{REFUSED: 3})
    assert set(s.rejected()) == {"bulkhead_full"}


def test_the_bulkhead_of_a_listener(world):
    s = Service(world, mode="hang", listener={"bulkhead": bulkhead(3, 2)})
    with s.clients() as c:
        c.open(8)
        c.until(**{CONNECTED: 3, REFUSED: 5})
        rejected = s.fender.stats().listener("api")["rejected_by_reason"]
        assert rejected == {"queue_full": 3, "queue_timeout": 2}
        c.hang_up(c.select(CONNECTED)[:1])

        def it_is_gone():
            return s.fender.stats().listener("api")["bulkhead"]["in_flight"] == 2

        wait_for(it_is_gone)
        c.open()
        c.until(**{CONNECTED: 3})


def test_the_listener_and_its_cluster_both_hold(world):
    """Two listeners share a cluster: each has 3 places, the cluster 4."""
    s = Service(world, mode="hang", listener={"bulkhead": bulkhead(3)}, bulkhead=bulkhead(4))
    listener(s.policy, "second", at(FENDER4, 8), "api")
    s.policy["listeners"][1]["bulkhead"] = bulkhead(3)
    s.fender.reload(s.policy)
    with s.clients() as c:
        c.open(5)
        c.until(**{CONNECTED: 3, REFUSED: 2})
        c.at = (FENDER4, 8)
        c.open(5)
        c.until(**{CONNECTED: 4, REFUSED: 6})
    stats = s.fender.stats()
    assert stats.listener("api")["rejected_by_reason"] == {"bulkhead_full": 2}
    assert stats.listener("second")["rejected_by_reason"] == {"bulkhead_full": 4}


def test_a_full_endpoint_means_the_next(world):
    s = Service(world, 3, mode="hang", endpoint_bulkhead=bulkhead(2))
    with s.clients() as c:
        c.open(4)
        c.until(**{CONNECTED: 4})
        c.open(2)
        c.until(**{CONNECTED: 6})
        assert s.connections(6) == [2, 2, 2]
        assert s.calls(1) == [REFUSED]
        assert s.rejected() == {"bulkhead_full": 1}


def test_when_all_endpoints_are_full_the_clusters_queue_is_next(world):
    s = Service(
        world, 2, mode="hang", endpoint_bulkhead=bulkhead(2), bulkhead=bulkhead(100, 3, "30s")
    )
    with s.clients() as c:
        c.open(8)
        c.until(**{CONNECTED: 4, PENDING: 3, REFUSED: 1})
        assert s.rejected() == {"queue_full": 1}
        c.hang_up(c.select(CONNECTED)[:3])
        c.until(**{CONNECTED: 4, PENDING: 0})
        assert sum(s.connections(7)) == 7


def test_an_open_breaker_refuses_who_waits(world):
    s = Service(
        world,
        mode="hang",
        bulkhead=bulkhead(5, 10, "30s"),
        circuit_breaker={"consecutive_failures": 3, "failure_rate": 0, "open_for": "30s"},
        timeouts={"verdict_after": "30s"},
    )
    with s.clients() as c:
        c.open(15)
        c.until(**{CONNECTED: 5, PENDING: 10})
        assert s.connections(5) == [5]
        s.backends[0].tell("drop")  # resets all five before their first byte
        c.until(**{"reset": 5, PENDING: 0})
        # The first two resets pass their permits on before the third opens the breaker.
        outcomes = c.outcomes()
        assert outcomes[CONNECTED] <= 2 and outcomes[CONNECTED] + outcomes[REFUSED] == 10
    assert s.rejected() == {"circuit_open": outcomes[REFUSED]}


def test_a_waiter_whose_permit_comes_is_sent_to_who_is_well_by_then(world):
    s = Service(world, 2, mode="hang", bulkhead=bulkhead(2, 4, "30s"))
    with s.clients() as c:
        c.open(2)
        c.until(**{CONNECTED: 2})
        c.open(4)
        c.drive(0.1)
        s.fender.cli("drain", "api", s.addresses[0])
        c.hang_up(c.select(CONNECTED))
        c.until(**{CONNECTED: 2})
        c.hang_up(c.select(CONNECTED))
        c.until(**{CONNECTED: 2})
        assert s.connections(6) == [1, 5]
