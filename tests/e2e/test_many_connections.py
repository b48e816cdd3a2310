# SPDX-License-Identifier: Apache-2.0
"""Ten thousand connections open at once, each carrying its own data."""

import socket
import struct
import subprocess

import pytest
from policies import forwarding, interface
from servers import connect, echo
from world import FENDER4, FENDER6, SERVERS4, SERVERS6, TOOLS


@pytest.mark.slow
@pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])
def test_ten_thousand_connections_echo(world, ip):
    count = 10000
    world.client.sysctl("net.ipv4.ip_local_port_range", "10000 60000")
    echo(world, 7)
    f = world.fender(forwarding([7], SERVERS4 + SERVERS6))
    argv = ["/usr/bin/python3", TOOLS / "hold_connections.py", ip, 7, count]
    with world.client.popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        said = holder.stdout.readline()
        print(said)
        assert said.startswith(f"held {count},"), said
        stats = f.stats()
        assert stats.open_connections() == count
        assert stats.dropped().get("table_full", 0) == 0
        holder.stdin.write("go\n")
        holder.stdin.close()
    assert holder.returncode == 0
    name = f"p7-{'v6' if ':' in ip else 'v4'}-tcp"
    calls = f.stats().listener(name)
    assert calls["started"] == calls["succeeded"] == count


def test_ports_of_resting_connections_serve_new_ones(world):
    """64 ports, two endpoints: 128 connections within the rest take every use of every port; the
    next ones inherit those of the connections that rest longest."""
    count = 900
    echo(world, 7)
    policy = forwarding([7], SERVERS4[:2])
    interface(policy, "servers", snat={"ports": "40000-40063"})
    policy["clusters"][0]["load_balancing"] = {"algorithm": "maglev", "hash_on": ["source_port"]}
    f = world.fender(policy)
    for _ in range(count):
        s = connect(world.client, FENDER4, 7)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    stats = f.stats()
    assert stats.listener("p7-v4-tcp")["rejected"] == 0
    recycled = sum(w["resting_recycled"] for w in stats.workers)
    assert 0 < recycled < 2 * count
