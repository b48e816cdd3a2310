# SPDX-License-Identifier: Apache-2.0
"""A service of failing backends behind one Fender: what tests of the policies begin with."""

import collections

from clients import Clients
from faults import Fault
from policies import base, cluster, listener
from world import BACKENDS4, BACKENDS6, FENDER4, FENDER6, at, wait_for

PORT = 7


def backend(world, ip, name, mode="accept", port=PORT, args=()):
    def spawn(argv):
        return world.spawn(world.server, argv, f"{name}.log")

    return Fault(spawn, world.tmp, ip, port, name, mode, args)


def know_neighbours(world, policy):
    """Fixed MAC addresses: nothing waits for an answer to ARP, so that counts are exact."""
    mac = world.server.ip_json("link", "show", "eth0")[0]["address"]
    ips = BACKENDS4 + (BACKENDS6 if world.ipv6 else [])
    policy["interfaces"][1]["neighbours"] = [{"address": ip, "mac": mac} for ip in ips]


class Service:
    """Backends b1, b2, ... as cluster and listener "api". Further keys are the cluster's."""

    def __init__(
        self, world, backends=1, mode="accept", ipv6=False, protocol="tcp", workers=1, **keys
    ):
        run = {name: keys.pop(name) for name in ("args", "listener", "sidecar") if name in keys}
        if protocol == "tcp":  # a backend that is slow to reset has not served
            keys["timeouts"] = {"verdict_after": "20s", **keys.get("timeouts", {})}
        self.world = world
        self.ips = (BACKENDS6 if ipv6 else BACKENDS4)[:backends]
        self.ip, self.port, self.protocol = FENDER6 if ipv6 else FENDER4, PORT, protocol
        self.backends = [
            backend(world, ip, f"b{i}", mode) for i, ip in enumerate(self.ips, 1)
        ]
        self.addresses = [at(ip, PORT) for ip in self.ips]
        self.policy = cluster(
            base(workers, **run.get("sidecar", {})), "api", self.addresses, **keys
        )
        listener(self.policy, "api", at(self.ip, PORT), "api", protocol)
        self.policy["listeners"][0].update(run.get("listener", {}))
        know_neighbours(world, self.policy)
        self.fender = world.fender(self.policy, args=run.get("args", ()))

    # -- clients ----------------------------------------------------------

    def clients(self):
        return Clients(self.world.client, self.ip, self.port)

    def calls(self, n, **keys):
        with self.clients() as c:
            return c.calls(n, **keys)

    # -- servers ----------------------------------------------------------

    def mode(self, mode, *which):
        """Of the backends with these numbers (from 1), or of all."""
        for b in [self.backends[i - 1] for i in which] or self.backends:
            b.mode(mode)

    def connections(self, total=0):
        """How many TCP connections each backend has accepted. A client may be connected before
        the server has accepted it: waits until there are so many in all."""
        counted = []

        def all_are_accepted():
            counted[:] = [b.stats()["connections"] for b in self.backends]
            return sum(counted) >= total

        wait_for(all_are_accepted)
        return counted

    def resets_sent(self):
        """Of the servers' kernel: one for each SYN to a port where nobody listens."""
        with self.world.server, open("/proc/thread-self/net/snmp") as f:
            names, values = (line.split() for line in f if line.startswith("Tcp:"))
        return int(values[names.index("OutRsts")])

    # -- Fender -----------------------------------------------------------

    def cluster(self, name="api"):
        return self.fender.stats().cluster(name)

    def counter(self, name, cluster="api"):
        return self.cluster(cluster)["policy"][name]

    def rejected(self, cluster="api"):
        return self.cluster(cluster)["rejected_by_reason"]

    def failed(self, cluster="api"):
        return self.cluster(cluster)["failed_by_reason"]

    def endpoint(self, number):
        return self.fender.stats().endpoint("api", self.addresses[number - 1])

    def phases(self):
        """Of each endpoint's breaker."""
        stats = self.fender.stats()
        return [stats.endpoint("api", a)["breaker"]["phase"] for a in self.addresses]

    def wait_phase(self, phase, number=None):
        """Of the cluster's breaker, or of an endpoint's."""

        def breaker_has_the_phase():
            row = self.endpoint(number) if number else self.cluster()
            return row["breaker"]["phase"] == phase

        wait_for(breaker_has_the_phase)

    def wait_counter(self, name, value):
        def counter_has_come_so_far():
            return self.counter(name) >= value

        wait_for(counter_has_come_so_far)

    def wait_back_off(self, calls, attempts):
        """Until all of these calls wait for their next attempt."""

        def no_attempt_is_under_way():
            row = self.cluster()
            under_way = row["attempts_in_flight"] or row["retry"]["on_wire"]
            return (
                row["in_flight"] == calls
                and row["policy"]["attempts"] >= attempts
                and not under_way
            )

        wait_for(no_attempt_is_under_way)

    def change(self, **keys):
        """Reload with these keys of the cluster set; None removes one."""
        for key, value in keys.items():
            if value is None:
                self.policy["clusters"][0].pop(key, None)
            else:
                self.policy["clusters"][0][key] = value
        return self.fender.reload(self.policy)


def counts(outcomes):
    return collections.Counter(outcomes)
