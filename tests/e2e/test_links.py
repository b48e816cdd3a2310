# SPDX-License-Identifier: Apache-2.0
"""Links that go down, come back, or vanish."""

import time

import pytest
from policies import forwarding
from servers import connect, curl, echo, nginx
from world import FENDER4, SERVERS4, at, wait_for


@pytest.fixture
def serving(world):
    nginx(world)
    echo(world, 7)
    return world, world.fender(forwarding([7, 80], [SERVERS4[0]]))


def page(world):
    return curl(world, f"http://{at(FENDER4, 80)}/").strip()


def exchange(sock):
    sock.sendall(b"ping")
    assert sock.recv(10) == b"ping"


@pytest.mark.parametrize("whose", ["peer", "fender"])
def test_traffic_resumes_after_a_link_was_down(serving, whose):
    world, f = serving
    s = connect(world.client, FENDER4, 7)
    exchange(s)
    ns, device = (world.server, "eth0") if whose == "peer" else (world.gateway, "fb")
    ns.ip(f"link set {device} down")

    def link_is_reported_down():
        return not f.stats().interface("servers")["link"]

    wait_for(link_is_reported_down)
    time.sleep(0.3)
    ns.ip(f"link set {device} up")

    def link_is_reported_up():
        return f.stats().interface("servers")["link"]

    wait_for(link_is_reported_up)
    exchange(s)
    s.close()
    assert page(world) == SERVERS4[0]


def test_vanished_device_is_reported_and_harms_nobody_else(serving):
    world, f = serving
    assert page(world) == SERVERS4[0]

    def page_is_over():
        return f.stats().open_connections() == 0

    wait_for(page_is_over)  # its last segments would have nowhere to go
    world.gateway.ip("link del fb")

    def link_is_reported_down():
        return not f.stats().interface("servers")["link"]

    wait_for(link_is_reported_down)
    world.client.run(["ping", "-c", 1, "-W", 20, FENDER4])
    with pytest.raises((ConnectionRefusedError, TimeoutError)):
        connect(world.client, FENDER4, 80, timeout=3)
    assert f.dataplane_pid() == f.first_dataplane


def test_burst_into_a_dead_link_is_counted(serving):
    """Frames that cannot leave are dropped with a reason, not lost."""
    world, f = serving
    s = connect(world.client, FENDER4, 7)
    exchange(s)
    world.server.ip("link set eth0 down")
    s.settimeout(0.2)
    s.sendall(b"x" * 50000)
    time.sleep(0.5)
    world.server.ip("link set eth0 up")
    s.settimeout(30)
    got = b""
    while len(got) < 50000:
        got += s.recv(65536)
    s.close()
