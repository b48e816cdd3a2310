# SPDX-License-Identifier: Apache-2.0
"""ARP and neighbour discovery, next hops, gateways."""

import re
import time

import pytest
from fender import check, write_policy
from laws import dropped_between
from policies import base, cluster, forwarding, listener
from servers import curl, echo, nginx, udp
from world import CLIENT4, CLIENT6, FENDER4, FENDER6, SERVERS4, SERVERS6, SNAT4, SNAT6, at, wait_for

BOTH = pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])


def learnt_mac(ns, ip):
    """What the kernel there believes Fender's MAC to be."""
    for entry in ns.ip_json("neigh", "show"):
        if entry["dst"] == ip and "lladdr" in entry:
            return entry["lladdr"]
    return None


def fender_mac(world, device):
    return world.gateway.ip_json("link", "show", device)[0]["address"]


@BOTH
def test_address_is_resolved_to_the_interface_mac(world, ip):
    world.fender(base())
    world.client.run(["ping", "-c", 1, "-W", 20, ip])
    assert learnt_mac(world.client, ip) == fender_mac(world, "fa")


def test_start_announces_the_addresses(world):
    """Gratuitous ARP corrects a neighbour that remembers another MAC."""
    world.client.ip(f"neigh add {FENDER4} lladdr 02:00:00:00:00:99 dev eth0 nud stale")
    world.fender(base())

    def client_learns_the_new_mac():
        return learnt_mac(world.client, FENDER4) == fender_mac(world, "fa")

    wait_for(client_learns_the_new_mac)


@BOTH
def test_new_mac_of_a_server_is_learnt(world, ip):
    nginx(world)
    f = world.fender(forwarding([80], [SERVERS4[0], SERVERS6[0]]))
    url = f"http://{at(ip, 80)}/"
    curl(world, url)
    world.server.ip("link set eth0 address 02:00:00:00:77:02")
    # A server whose address moves asks for its peers anew, or announces itself.
    me, fender = (SERVERS6[0], SNAT6) if ":" in ip else (SERVERS4[0], SNAT4)
    world.server.ip("neigh flush dev eth0")
    world.server.run(["ping", "-c", 1, "-W", 20, "-I", me, fender])
    curl(world, url)
    assert "neighbour" not in f.stats().dropped()


@BOTH
def test_silent_next_hop_is_a_drop_with_its_reason(world, ip):
    """Nobody has the endpoint's address: packets wait, then go with reason neighbour."""
    gone = "fd77:2::77" if ":" in ip else "10.77.2.77"
    policy = cluster(base(), "gone", [at(gone, 7)], timeouts={"idle": "1s"})
    listener(policy, "gone", at(ip, 7), "gone", "udp")
    f = world.fender(policy)
    before = f.stats()
    s = udp(world.client, CLIENT6 if ":" in ip else CLIENT4)
    s.sendto(b"hello?", (ip, 7))

    def packet_is_given_up():
        return dropped_between(before, f.stats()).get("neighbour") == 1

    wait_for(packet_is_given_up)
    assert f.stats().packets("held") == 0


@BOTH
def test_packets_queued_while_resolving_are_not_lost(world, ip):
    echo(world, 7)
    policy = forwarding([7], [SERVERS4[0], SERVERS6[0]], protocols=("udp",))
    for c in policy["clusters"]:
        c["timeouts"] = {"idle": "1s"}
    f = world.fender(policy)
    s = udp(world.client, CLIENT6 if ":" in ip else CLIENT4)
    for i in range(3):
        s.sendto(b"%d" % i, (ip, 7))
    assert {s.recv(10) for _ in range(3)} == {b"0", b"1", b"2"}
    assert "neighbour_queue" not in f.stats().dropped()


@BOTH
def test_static_neighbour_needs_no_answer(world, ip):
    nginx(world)
    mac = world.server.ip_json("link", "show", "eth0")[0]["address"]
    world.server.ip("link set eth0 arp off")
    policy = forwarding([80], [SERVERS4[0], SERVERS6[0]])
    policy["interfaces"][1]["neighbours"] = [
        {"address": SERVERS4[0], "mac": mac},
        {"address": SERVERS6[0], "mac": mac},
    ]
    world.fender(policy)
    snat_mac = fender_mac(world, "fb")
    world.server.ip(
        f"neigh replace {SNAT4} lladdr {snat_mac} dev eth0 nud permanent",
        f"neigh replace {SNAT6} lladdr {snat_mac} dev eth0 nud permanent",
    )
    assert curl(world, f"http://{at(ip, 80)}/").strip()


@BOTH
@pytest.mark.parametrize("how", ["gateway", "route"])
def test_server_behind_a_router_is_reached(world, ip, how):
    host = world.add_router("server")
    remote = "fd77:3::2" if ":" in ip else "10.77.3.2"
    nginx(world, [remote], ns=host)
    policy = cluster(base(), "far", [at(remote, 80)])
    listener(policy, "far", at(ip, 80), "far")
    if how == "gateway":
        policy["interfaces"][1]["gateway"] = ["10.77.2.254", "fd77:2::fe"]
    else:
        to, via = ("fd77:3::/64", "fd77:2::fe") if ":" in ip else ("10.77.3.0/24", "10.77.2.254")
        policy["interfaces"][1]["routes"] = [{"to": to, "via": via}]
    world.fender(policy)
    assert curl(world, f"http://{at(ip, 80)}/").strip() == remote


@BOTH
def test_client_without_a_way_back_is_refused_with_its_reason(world, ip):
    """A source address that no route leads to: the answer could not be sent."""
    f = world.fender(forwarding([7], [SERVERS4[0], SERVERS6[0]], protocols=("udp",)))
    stranger = "2001:db8::5" if ":" in ip else "192.0.2.5"
    world.client.ip(f"addr add {stranger} dev lo" + (" nodad" if ":" in ip else ""))
    before = f.stats()
    udp(world.client, stranger).sendto(b"x", (ip, 7))

    def no_route_is_counted():
        return dropped_between(before, f.stats()).get("no_route") == 1

    wait_for(no_route_is_counted)


@BOTH
def test_endpoint_without_route_is_a_policy_error(world, ip):
    policy = cluster(base(), "far", [at("2001:db8::5" if ":" in ip else "192.0.2.5", 7)])
    listener(policy, "far", at(ip, 7), "far", "udp")
    path = write_policy(world.path("far.yaml"), policy)
    done = check(path)
    assert done.returncode != 0
    assert re.search(rf"{re.escape(path)}:\d+:\d+: .*route", done.stderr)


def test_neighbour_survives_aging(world):
    """Traffic keeps passing while the entry turns stale and is asked for again."""
    echo(world, 7)
    policy = forwarding([7], [SERVERS4[0]], protocols=("udp",))
    policy["clusters"][0]["timeouts"] = {"idle": "1s"}
    f = world.fender(policy)
    s = udp(world.client, CLIENT4)
    s.connect((FENDER4, 7))
    world.client.ip("neigh flush dev eth0")
    for _ in range(20):
        s.send(b"x")
        assert s.recv(10) == b"x"
        time.sleep(0.02)
    assert "neighbour" not in f.stats().dropped()
