# SPDX-License-Identifier: Apache-2.0
"""Policies as dicts: a base every test changes to its needs."""

import os

from world import FENDER4, FENDER6, SNAT4, SNAT6, at


def base(workers=1, **sidecar):
    """Two interfaces, no listener."""
    return {
        "version": 1,
        "sidecar": {"name": f"e2e-{os.getpid()}", "workers": workers, **sidecar},
        "interfaces": [
            {
                "name": "clients",
                "device": "af_xdp:fa",
                "addresses": [f"{FENDER4}/24", f"{FENDER6}/64"],
            },
            {
                "name": "servers",
                "device": "af_xdp:fb",
                "addresses": [f"{SNAT4}/24", f"{SNAT6}/64"],
            },
        ],
        "listeners": [],
        "clusters": [],
    }


def interface(policy, name, **keys):
    """Set keys of an interface."""
    next(i for i in policy["interfaces"] if i["name"] == name).update(keys)
    return policy


def cluster(policy, name, endpoints, weights=None, **keys):
    """endpoints: "ip:port" each."""
    weights = weights or [1] * len(endpoints)
    rows = [{"address": a, "weight": w} for a, w in zip(endpoints, weights, strict=True)]
    policy["clusters"].append({"name": name, "endpoints": rows, **keys})
    return policy


def listener(policy, name, bind, cluster, protocol="tcp", interface="clients"):
    policy["listeners"].append(
        {
            "name": name,
            "bind": bind,
            "interface": interface,
            "protocol": protocol,
            "cluster": cluster,
        }
    )
    return policy


def forwarding(ports, servers, protocols=("tcp",), addresses=(FENDER4, FENDER6), **keys):
    """Listeners on every address, port and protocol to the same ports of the servers of the
    same family; the cluster of port 80 and IPv4 is "p80-v4", its TCP listener "p80-v4-tcp"."""
    policy = base(**keys)
    for port in ports:
        for ip in addresses:
            family = "v6" if ":" in ip else "v4"
            same = [at(s, port) for s in servers if (":" in s) == (":" in ip)]
            if not same:
                continue
            cluster(policy, f"p{port}-{family}", same)
            for protocol in protocols:
                name = f"p{port}-{family}"
                listener(policy, f"{name}-{protocol}", at(ip, port), name, protocol)
    return policy
