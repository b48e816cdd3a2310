# SPDX-License-Identifier: Apache-2.0
"""iperf3 through Fender: bulk TCP and UDP, both directions, both families."""

import pytest
from policies import forwarding
from servers import iperf3
from world import FENDER4, FENDER6, SERVERS4, SERVERS6

BOTH = pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])
WAY = pytest.mark.parametrize("way", ["upload", "download"])


def through(world, **keys):
    policy = forwarding([5201], [SERVERS4[0], SERVERS6[0]], protocols=("tcp", "udp"), **keys)
    return world.fender(policy)


@BOTH
@WAY
def test_tcp_stream(world, ip, way):
    through(world)
    end = iperf3(world, ip, *(["-R"] if way == "download" else []))
    received = end["sum_received"]
    print(f"{received['bits_per_second'] / 1e9:.2f} Gbit/s")
    assert received["bytes"] > 1 << 20


@pytest.mark.leaves_open  # UDP flows end by idling
@BOTH
@WAY
def test_udp_stream(world, ip, way):
    f = through(world)
    end = iperf3(world, ip, "-u", "-b", "50M", *(["-R"] if way == "download" else []))
    total = end["sum"]
    print(f"{total['packets']} packets, {total['lost_percent']:.2f} % lost")
    assert total["packets"] > 1000
    arrived = total["packets"] - total["lost_packets"]
    assert arrived > 1000
    family = "v6" if ":" in ip else "v4"
    calls = f.stats().listener(f"p5201-{family}-udp")
    moved = calls["to_client_packets" if way == "download" else "to_endpoint_packets"]
    assert moved >= arrived


@pytest.mark.slow
def test_parallel_streams_in_both_directions_at_once(world):
    through(world)
    end = iperf3(world, FENDER4, "-P", 8, "--bidir")
    assert end["sum_received"]["bytes"] > 1 << 20
    assert end["sum_received_bidir_reverse"]["bytes"] > 1 << 20
