# SPDX-License-Identifier: Apache-2.0
"""VLANs: the interface's own tag passes, every other one is dropped with a reason."""

import pytest
from frames import ETH_IPV4, SYN, TCP, RawSocket, eth, ipv4, tcp
from laws import dropped_between
from policies import forwarding, interface
from servers import curl, nginx, wrk
from world import CLIENT4, FENDER4, FENDER6, SERVERS4, SERVERS6, at, wait_for

VLAN = 42


@pytest.fixture
def tagged(make_world):
    world = make_world(vlan=VLAN)
    nginx(world)
    policy = forwarding([80], [SERVERS4[0], SERVERS6[0]])
    f = world.fender(interface(policy, "clients", vlan=VLAN))
    return world, f


@pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])
def test_tagged_interface_carries_traffic(tagged, ip):
    world, _ = tagged
    assert curl(world, f"http://{at(ip, 80)}/").strip() in (SERVERS4[0], SERVERS6[0])
    assert wrk(world, f"http://{at(ip, 80)}/", seconds=1).errors == {}


@pytest.mark.parametrize("tag", [None, 0, 41, 4095], ids=["untagged", "priority", "other", "last"])
def test_frame_of_another_vlan_is_dropped(tagged, tag):
    world, f = tagged
    mac = world.gateway.ip_json("link", "show", "fa")[0]["address"]
    raw = RawSocket(world.client)
    syn = ipv4(CLIENT4, FENDER4, TCP, tcp(CLIENT4, FENDER4, 5555, 80, SYN))
    before = f.stats().dropped().get("vlan", 0)
    raw.send(eth(mac, "02:00:00:00:00:05", ETH_IPV4, syn, vlan=tag), times=3)

    def frames_are_dropped_for_their_vlan():
        return f.stats().dropped().get("vlan", 0) == before + 3

    wait_for(frames_are_dropped_for_their_vlan)
    assert f.stats().listener("p80-v4-tcp")["started"] == 0
    raw.close()


def test_tagged_frame_on_an_untagged_interface_is_dropped(world):
    f = world.fender(forwarding([80], [SERVERS4[0]]))
    mac = world.gateway.ip_json("link", "show", "fa")[0]["address"]
    raw = RawSocket(world.client)
    syn = ipv4(CLIENT4, FENDER4, TCP, tcp(CLIENT4, FENDER4, 5555, 80, SYN))
    before = f.stats()
    raw.send(eth(mac, "02:00:00:00:00:05", ETH_IPV4, syn, vlan=VLAN))

    def frame_is_dropped_for_its_vlan():
        return dropped_between(before, f.stats()).get("vlan") == 1

    wait_for(frame_is_dropped_for_its_vlan)
    raw.close()
