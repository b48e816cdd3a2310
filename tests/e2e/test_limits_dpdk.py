# SPDX-License-Identifier: Apache-2.0
"""`limiter: dpdk`: the same limits inside the worker. Rates are 1/s where a burst is counted, so
that what comes back in the time that goes by can be allowed for."""

import time

import pytest
from policies import forwarding, interface
from servers import connect, echo, udp
from world import CLIENT4, CLIENT6, FENDER4, FENDER6, SERVERS4, SERVERS6, wait_for

BOTH = pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])
PLENTY = {"connections_per_second": "1M"}
REFUSED = "rate_limited_connection"


def limited(limits, protocol="udp", idle="1s", **keys):
    """Echo on port 7, each listener with these limits."""
    policy = forwarding([7], [SERVERS4[0], SERVERS6[0]], protocols=(protocol,), **keys)
    for name in ("clients", "servers"):
        interface(policy, name, limiter="dpdk")
    return with_limits(policy, limits, idle)


def with_limits(policy, limits, idle="1s"):
    for c in policy["clusters"]:
        c["timeouts"] = {"idle": idle}
    for one in policy["listeners"] if limits else []:
        one["rate_limit"] = limits
        if one["protocol"] == "udp" and "per_connection" in limits:
            one["rate_limit"] = {"per_source": PLENTY, "listener": PLENTY, **limits}
    return policy


def name_of(ip, protocol="udp"):
    return f"p7-{'v6' if ':' in ip else 'v4'}-{protocol}"


def verdicts(f, ip=FENDER4, protocol="udp"):
    return f.stats().listener(name_of(ip, protocol))["limits"]["packets"]


def judged(f, ip=FENDER4, protocol="udp"):
    return sum(verdicts(f, ip, protocol).values())


def refused(f, ip=FENDER4):
    return verdicts(f, ip).get(REFUSED, 0)


def wait_judged(f, total, ip=FENDER4):
    """Until so many packets have a verdict; returns how many have which."""

    def all_are_judged():
        return judged(f, ip) >= total

    wait_for(all_are_judged)
    return verdicts(f, ip)


def send(f, s, n, payload=b"x", ip=FENDER4):
    """n datagrams, and their answers; returns how many were refused on their way there."""
    before, refused_before = judged(f, ip), refused(f, ip)
    for _ in range(n):
        s.send(payload)

    def all_are_judged_and_answered():
        return judged(f, ip) - before == 2 * n - (refused(f, ip) - refused_before)

    wait_for(all_are_judged_and_answered)
    return refused(f, ip) - refused_before


def client(world, ip):
    s = udp(world.client, CLIENT6 if ":" in ip else CLIENT4)
    s.connect((ip, 7))
    return s


def warm(world, f, ip=FENDER4):
    """Resolve the next hops: only a few packets may wait for them."""
    s = client(world, ip)
    s.send(b"resolve")
    assert s.recv(100) == b"resolve"
    wait_judged(f, 2, ip)


def replies(s, n):
    """Of what was sent, n answers and then none."""
    for _ in range(n):
        s.recv(2000)
    s.setblocking(False)
    with pytest.raises(BlockingIOError):
        s.recv(2000)
    s.settimeout(30)


def once_per_second(passed, burst, began):
    """What a limit of 1/s lets pass, whatever time it took."""
    assert burst <= passed <= burst + (time.monotonic() - began) + 1


@BOTH
def test_a_flow_is_held_to_its_burst_and_another_is_not(world, ip):
    echo(world)
    rules = {"packets_per_second": 1, "burst": 10, "direction": "to_endpoint"}
    f = world.fender(limited({"per_connection": rules}))
    assert f.stats().interface("clients")["limiter"] == "dpdk"
    warm(world, f, ip)
    began = time.monotonic()
    one, other = client(world, ip), client(world, ip)
    lost = send(f, one, 40, b"x" * 100, ip)
    once_per_second(40 - lost, 10, began)
    assert f.stats().dropped()[REFUSED] == lost
    replies(one, 40 - lost)
    assert send(f, other, 10, b"y", ip) == 0
    replies(other, 10)


def test_answers_have_a_bucket_of_their_own(world):
    echo(world)
    rules = {"packets_per_second": 1, "burst": 10, "direction": "to_client"}
    f = world.fender(limited({"per_connection": rules}))
    warm(world, f)
    s = client(world, FENDER4)
    began = time.monotonic()
    for _ in range(30):
        s.send(b"x")
    lost = wait_judged(f, 2 + 60)[REFUSED]  # the questions pass, and are counted
    once_per_second(30 - lost, 10, began)
    replies(s, 30 - lost)


def test_bytes_are_those_of_ip(world):
    echo(world)
    rules = {"bytes_per_second": "1B", "burst": "5000B", "direction": "to_endpoint"}
    f = world.fender(limited({"per_connection": rules}))
    warm(world, f)
    s = client(world, FENDER4)
    assert send(f, s, 10, b"x" * 972) == 5  # 1000 with the headers
    replies(s, 5)


@pytest.mark.leaves_open
def test_a_change_acts_on_the_flow_at_once(world):
    echo(world)
    rules = {"packets_per_second": 1, "burst": 5, "direction": "to_endpoint"}
    f = world.fender(limited({"per_connection": rules}, idle="30s"))
    warm(world, f)
    s = client(world, FENDER4)
    lost = send(f, s, 20)
    assert lost > 0
    replies(s, 20 - lost)

    rules.update(packets_per_second="1M", burst="1M")
    f.reload(limited({"per_connection": rules}, idle="30s"))
    assert send(f, s, 20) == 0

    rules.update(packets_per_second=1, burst=5, action="observe")
    f.reload(limited({"per_connection": rules}, idle="30s"))
    assert send(f, s, 20) == 0
    assert verdicts(f)["would_rate_limit_connection"] > 0

    f.reload(limited(None))
    replies(s, 40)
    s.send(b"z")
    assert s.recv(10) == b"z"
    assert refused(f) == lost


@BOTH
def test_tcp_goes_on_under_a_limit(world, ip):
    """What is dropped is sent again; another connection does not notice."""
    echo(world)
    rules = {"packets_per_second": 200, "burst": 30}
    f = world.fender(limited({"per_connection": rules}, "tcp", idle="1m"))
    data = bytes(range(256)) * 800  # many times the burst
    with connect(world.client, ip, 7, timeout=60) as s:
        s.sendall(data)
        with connect(world.client, ip, 7) as other:
            other.sendall(b"hello")
            assert other.recv(10) == b"hello"
        got = b""
        while len(got) < len(data):
            got += s.recv(65536)
        assert got == data
    assert verdicts(f, ip, "tcp")[REFUSED] > 0


def test_marks_instead_of_drops(world):
    echo(world)
    for ns in (world.client, world.server):
        ns.sysctl("net.ipv4.tcp_ecn", 1)
    rules = {"packets_per_second": 50, "burst": 40, "action": "mark"}
    f = world.fender(limited({"per_connection": rules}, "tcp", idle="1m"))
    with connect(world.client, FENDER4, 7, timeout=60) as s:
        for _ in range(4):
            s.sendall(b"x" * 40000)
            got = 0
            while got < 40000:
                got += len(s.recv(65536))
    assert verdicts(f, protocol="tcp")["marked"] > 0


@pytest.mark.parametrize("queues", [1, 2])
def test_two_workers_share_the_limits_of_sources_and_listeners(make_world, queues):
    world = make_world(queues=queues)
    echo(world)
    starts = {
        "per_source": {"connections_per_second": 1, "burst": 30},
        "listener": {"connections_per_second": 1, "burst": 40},
    }
    f = world.fender(limited(starts, workers=2))
    began = time.monotonic()
    warm(world, f)  # one start
    flows = [client(world, FENDER4) for _ in range(60)]
    for s in flows:
        s.send(b"x")

    def all_are_judged_and_answered():
        lost = verdicts(f).get("rate_limited_source", 0)
        return judged(f) - 2 == 2 * 60 - lost

    wait_for(all_are_judged_and_answered)
    lost = verdicts(f)["rate_limited_source"]
    once_per_second(1 + 60 - lost, 30, began)
    assert f.stats().dropped()["rate_limited_source"] == lost
    # the whole listener is limited, also for other sources
    world.client.ip("addr add 10.77.1.3/24 dev eth0")
    for s in [udp(world.client, "10.77.1.3") for _ in range(40)]:
        s.sendto(b"x", (FENDER4, 7))

    def started():
        return f.stats().listener(name_of(FENDER4))["started"]

    def the_listener_is_at_its_limit():
        return verdicts(f).get("rate_limited_listener", 0) > 0 and started() >= 40

    wait_for(the_listener_is_at_its_limit)
    once_per_second(started(), 40, began)


def test_on_a_device_that_bypasses_af_xdp(world):
    """A tap of DPDK's own; the client is the kernel at its other end."""
    echo(world)
    rules = {"packets_per_second": 1, "burst": 10, "direction": "to_endpoint"}
    policy = limited({"per_connection": rules})
    interface(policy, "clients", device="vdev:net_tap0,iface=ftap", addresses=["10.77.4.1/24"])
    interface(policy, "servers", limiter="none")
    policy["listeners"] = [one for one in policy["listeners"] if "v4" in one["name"]]
    policy["listeners"][0]["bind"] = "10.77.4.1:7"
    policy["interfaces"][0].pop("limiter")  # dpdk is what it comes to
    f = world.fender(policy)
    assert f.stats().interface("clients")["limiter"] == "dpdk"
    world.gateway.ip("addr add 10.77.4.2/24 dev ftap", "link set ftap up")
    s = udp(world.gateway, "10.77.4.2")
    s.connect(("10.77.4.1", 7))
    began = time.monotonic()
    s.send(b"resolve")
    assert s.recv(100) == b"resolve"
    wait_judged(f, 1)
    for _ in range(30):
        s.send(b"x")
    now = wait_judged(f, 31)
    once_per_second(now["passed"], 10, began)
