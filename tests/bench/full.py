# SPDX-License-Identifier: Apache-2.0
"""Fender with a policy of full size, or a small one, and one service that is really there.

    client 10.77.1.2 -- 10.77.1.1 [fender] 10.77.2.1 -- 10.77.2.11 nginx, echo
                                               routes -- 10.80.0.0/16 nobody
"""

import itertools
import os
import shutil

import measure
from paths import BACKEND, FENDER4, SERVERS4, World, wait_for  # and the way to those below

import policies  # noqa: I001
import servers
from fender import write_policy

CLUSTERS, ENDPOINTS_EACH = 1000, 16
# Of each hundred clusters; each has outlier detection, retries and a bulkhead.
MIX = {"round_robin": 45, "least_requests": 45, "maglev": 4, "ring_hash": 3, "peak_ewma": 3}
NOBODY = "10.80.0.0/16"
ECHO = 7


def algorithm(cluster):
    """Any hundred clusters in a row have the whole mix, and none of it in blocks."""
    place = cluster * 37 % 100
    for name, share in MIX.items():
        if place < share:
            return name
        place -= share
    raise AssertionError("MIX does not add up to 100")


def small(tag=0):
    """The service alone. `tag` changes one number: another policy of the same size."""
    p = policies.base(workers=1, cpus=[measure.proxy_cpu()])
    timeouts = {"connect": f"{1000 + tag}ms"}
    policies.cluster(p, "web", [f"{SERVERS4[0]}:80"], timeouts=timeouts)
    policies.cluster(p, "echo", [f"{SERVERS4[0]}:{ECHO}"])
    policies.listener(p, "web", f"{FENDER4}:80", "web")
    return policies.listener(p, "echo", f"{FENDER4}:{ECHO}", "echo", "udp")


def full(tag=0):
    """A thousand clusters and listeners, 16 endpoints each, but for those of small()."""
    p = small(tag)
    sizes = {"max_listeners": 1024, "max_clusters": 1024, "max_endpoints": 16384}
    p["sidecar"].update(policy_slot="16MiB", **sizes)
    policies.interface(p, "servers", routes=[{"to": NOBODY, "via": SERVERS4[1]}])
    for c in range(len(p["clusters"]), CLUSTERS):
        first = c * ENDPOINTS_EACH
        addresses = [f"10.80.{n >> 8}.{n & 255}:80" for n in range(first, first + ENDPOINTS_EACH)]
        keys = {"outlier_detection": {}, "retry": {}, "bulkhead": {"max_concurrent": 100 + tag}}
        keys["load_balancing"] = {"algorithm": algorithm(c)}
        policies.cluster(p, f"service-{c:04}", addresses, **keys)
        policies.listener(p, f"service-{c:04}", f"{FENDER4}:{10000 + c}", f"service-{c:04}")
    return p


class Site:
    """Fender with one of these policies (a function of `tag`). A context manager; it is one of
    the ways of proxies.Load."""

    url = f"http://{FENDER4}/"

    def __init__(self, make):
        self.make = make

    def __enter__(self):
        self.world = World(ipv6=False)
        try:
            self._serve()
            self.fender = self.world.fender(self.make())
            self.files = itertools.cycle([self._file(tag) for tag in (1, 0)])
            wait_for(self._answers)
        except BaseException:
            self.world.destroy()
            raise
        return self

    def __exit__(self, *exc):
        self.world.destroy()

    def change(self):
        """Fender's policy file says something else now."""
        shutil.copy(next(self.files), self.fender.file + ".new")
        os.rename(self.fender.file + ".new", self.fender.file)

    def _file(self, tag):
        return write_policy(self.world.path(f"tag-{tag}.yaml"), self.make(tag))

    def _serve(self):
        conf = self.world.path("backend.conf")
        with open(conf, "w") as f:
            f.write(BACKEND.format(dir=self.world.tmp))
        argv = measure.pinned(measure.load_cpu(), ["nginx", "-c", conf])
        self.world.spawn(self.world.server, argv)
        servers.echo(self.world, ECHO)

    def _answers(self):
        argv = ["curl", "-s", "-o", "/dev/null", "-m", "1", self.url]
        return self.world.client.run(argv, check=False).returncode == 0
