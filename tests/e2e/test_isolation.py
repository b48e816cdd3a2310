# SPDX-License-Identifier: Apache-2.0
"""A cluster that hangs, full of connections, takes nothing from another."""

import statistics

import pytest
from clients import CONNECTED, PENDING, REFUSED, Clients
from policies import cluster, listener
from service import Service, backend, counts
from world import FENDER4, at

OTHER = 8


class Neighbours(Service):
    """ "api" on port 7, and a cluster "other" of two backends on port 8."""

    def __init__(self, world, backends=2, **keys):
        super().__init__(world, backends, **keys)
        self.others = [backend(world, ip, f"bo{i}", port=OTHER) for i, ip in enumerate(self.ips)]
        addresses = [at(ip, OTHER) for ip in self.ips]
        cluster(self.policy, "other", addresses, bulkhead={"max_concurrent": 50})
        listener(self.policy, "other", at(self.ip, OTHER), "other")
        self.fender.reload(self.policy)

    def other_calls(self, n):
        """Outcomes and connect times of n calls to the other cluster."""
        with Clients(self.world.client, self.ip, OTHER) as c:
            times, got = [], []
            for _ in range(n):
                (call,) = c.open()
                c.settle(which=[call])
                got.append(call.state)
                times.append(call.connected_s)
                c.hang_up([call])
        return counts(got), [t for t in times if t is not None]


def report(what, times):
    quantiles = statistics.quantiles(times, n=100)
    print(f"{what}: connect p50 {quantiles[49] * 1e6:.0f} us, p99 {quantiles[98] * 1e6:.0f} us")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("fault", ["hang", "blackhole"])
def test_a_hung_and_full_cluster_leaves_the_other_alone(make_world, fault, workers):
    world = make_world(queues=workers)
    s = Neighbours(
        world, workers=workers, mode=fault,
        bulkhead={"max_concurrent": 20, "max_queue": 50, "queue_timeout": "1m"},
        retry={"max_attempts": 3}, timeouts={"connect": "3s"},
    )
    quiet, times = s.other_calls(100)
    report("alone", times)
    with s.clients() as c:
        c.open(200)
        c.until(**{REFUSED: 130})
        assert s.cluster()["bulkhead"]["in_flight"] == 20
        loaded, times = s.other_calls(100)
        report(f"beside {fault}", times)
        assert s.cluster()["bulkhead"]["in_flight"] == 20
        assert s.cluster()["bulkhead"]["queued"] > 0, "the queue was full meanwhile"
        s.mode("accept")
    assert quiet == loaded == {"bo0": 50, "bo1": 50}
    other = s.cluster("other")
    assert (other["started"], other["succeeded"]) == (200, 200)
    assert sum(other["rejected_by_reason"].values()) == 0


def test_a_share_bounds_the_entries_a_cluster_takes(world):
    s = Neighbours(
        world, mode="hang", bulkhead={"share": "25%"}, sidecar={"connections": 400}
    )
    with s.clients() as c:
        c.open(350)
        got = c.until(**{PENDING: 0})
        assert got[CONNECTED] + got[REFUSED] == 350
        assert got[CONNECTED] <= 100, got
        assert set(s.rejected()) == {"overload"}
        assert s.other_calls(60)[0] == {"bo0": 30, "bo1": 30}


def test_without_a_share_it_takes_them_all(world):
    """What the share is for: the table is full for everyone."""
    s = Neighbours(world, mode="hang", sidecar={"connections": 400})
    with s.clients() as c:
        c.open(500)
        assert c.until(**{PENDING: 0})[CONNECTED] >= 390
        assert s.other_calls(5)[0][REFUSED] == 5


@pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])
def test_an_open_breaker_is_its_own_cluster_s(world, ipv6):
    s = Neighbours(
        world, mode="refuse", ipv6=ipv6,
        circuit_breaker={"failure_rate": 0, "consecutive_failures": 3, "open_for": "30s"},
    )
    s.calls(10)
    assert s.cluster()["breaker"]["phase"] == "open"
    assert s.other_calls(10)[0] == {"bo0": 5, "bo1": 5}
    assert s.cluster("other")["breaker"]["phase"] == "closed"


def test_a_shared_backend_is_judged_by_each_cluster_for_itself(world):
    """The same address in two clusters: ejected from the one that saw it fail."""
    s = Service(
        world, 2, outlier_detection={"consecutive_failures": 2, "open_for": "30s"},
    )
    cluster(s.policy, "twin", s.addresses, outlier_detection={"consecutive_failures": 2})
    listener(s.policy, "twin", at(FENDER4, OTHER), "twin")
    s.fender.reload(s.policy)
    s.mode("reset", 1)
    s.calls(6)
    s.mode("accept", 1)
    assert s.phases() == ["open", "closed"]
    with Clients(world.client, FENDER4, OTHER) as c:
        assert counts(c.calls(10)) == {"b1": 5, "b2": 5}


def test_a_storm_on_one_does_not_refuse_the_other(world):
    s = Neighbours(
        world, mode="flap 50ms", bulkhead={"max_concurrent": 5, "max_queue": 20},
        retry={"max_attempts": 4}, circuit_breaker={"open_for": "50ms"},
        outlier_detection={"open_for": "50ms"}, timeouts={"connect": "200ms"},
    )
    with s.clients() as c:
        got = counts([])
        for _ in range(10):
            c.open(40)
            c.drive(0.05)
            got += s.other_calls(10)[0]
            c.hang_up(c.all[::2])
        c.settle(3)
    assert sum(got.values()) == got["bo0"] + got["bo1"] == 100
