# SPDX-License-Identifier: Apache-2.0
"""A pod with Fender in it, the way sidecars are used:

    pod:  app -- fnd0 10.77.8.1 -- fnd1 (Fender, exclusive)
               eth0 10.77.2.1 (Fender and the kernel, shared) -- node: 10.77.2.11, .12, ...

Routes for service addresses lead out of fnd0. IPv6 alike: fd77:8::1, fd77:2::1, fd77:2::11, ...
"""

import os

from policies import cluster, listener
from world import BACKENDS4, BACKENDS6, SERVERS4, SERVERS6, SERVICE4, SERVICE6, SNAT4, SNAT6, World, at

POD4, POD6 = SNAT4, SNAT6
APP4, APP6 = "10.77.8.1", "fd77:8::1"
LINK4, LINK6 = "10.77.8.2", "fd77:8::2"
EGRESS_PORT, INGRESS_PORT, APP_PORT = 7, 8007, 7007


class PodWorld(World):
    def __init__(self, mtu=1500, queues=1):
        super().__init__(mtu=mtu, queues=queues)

    def _build(self, mtu):
        self.gateway = self.client = self.pod = self._namespace("pod")
        self.server = self.node = self._namespace("node")
        q = f"mtu {mtu} numtxqueues {self.queues} numrxqueues {self.queues}"
        self.pod.ip(
            f"link add eth0 {q} type veth peer name eth0 {q} netns {self.node.name}",
            f"link add fnd0 {q} type veth peer name fnd1 {q}",
        )
        self.pod.sysctl("net.ipv6.conf.fnd1.disable_ipv6", 1)
        self.pod.ip("link set eth0 up", "link set fnd0 up", "link set fnd1 up")
        self.node.ip("link set eth0 up")
        self.address(self.pod, [POD4], [POD6], dev="eth0")
        self.address(self.pod, [APP4], [APP6], dev="fnd0")
        self.address(self.node, BACKENDS4, BACKENDS6, dev="eth0")
        self._routes(self.pod, [SERVICE4, SERVICE6], LINK4, LINK6)


def pod_policy(servers=(SERVERS4[0], SERVERS6[0]), protocols=("tcp",), **sidecar):
    """Egress: the service addresses' port 7 to the servers' port 7. Ingress: the pod's port 8007
    to the app's port 7007. With UDP alone flows end soon."""
    policy = {
        "version": 1,
        "sidecar": {"name": f"e2e-{os.getpid()}", "workers": 1, **sidecar},
        "interfaces": [
            {
                "name": "app",
                "device": "af_xdp:fnd1",
                "addresses": [f"{LINK4}/24", f"{LINK6}/64"],
            },
            {
                "name": "net",
                "device": "af_xdp:eth0",
                "shared": True,
                "addresses": [f"{POD4}/24", f"{POD6}/64"],
            },
        ],
        "listeners": [],
        "clusters": [],
    }
    for family, service, pod, app in (("v4", SERVICE4, POD4, APP4), ("v6", SERVICE6, POD6, APP6)):
        same = [at(s, EGRESS_PORT) for s in servers if (":" in s) == (":" in pod)]
        cluster(policy, f"out-{family}", same)
        cluster(policy, f"in-{family}", [at(app, APP_PORT)])
        for protocol in protocols:
            where = at(service, EGRESS_PORT)
            listener(policy, f"out-{family}-{protocol}", where, f"out-{family}", protocol, "app")
            where = at(pod, INGRESS_PORT)
            listener(policy, f"in-{family}-{protocol}", where, f"in-{family}", protocol, "net")
    for c in policy["clusters"]:
        if protocols == ("udp",):
            c["timeouts"] = {"idle": "2s"}
    return policy
