# SPDX-License-Identifier: Apache-2.0
"""curl and wrk through Fender to nginx."""

import hashlib
import subprocess

import pytest
from policies import base, cluster, forwarding, listener
from servers import curl, nginx, random_file, wrk
from world import FENDER4, FENDER6, SERVERS4, SERVERS6, SERVICE4, SERVICE6, at

BOTH = pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])


@BOTH
def test_curl_gets_the_page(world, ip):
    nginx(world)
    world.fender(forwarding([80], [SERVERS4[0], SERVERS6[0]]))
    assert curl(world, f"http://{at(ip, 80)}/").strip() in (SERVERS4[0], SERVERS6[0])


@pytest.mark.parametrize("ip", [SERVICE4, SERVICE6], ids=["v4", "v6"])
def test_service_address_outside_every_subnet_is_served(world, ip):
    nginx(world)
    world.fender(forwarding([80], [SERVERS4[0], SERVERS6[0]], addresses=(SERVICE4, SERVICE6)))
    assert curl(world, f"http://{at(ip, 80)}/").strip() in (SERVERS4[0], SERVERS6[0])


@BOTH
def test_wildcard_listener_serves_the_interface_address(world, ip):
    nginx(world, port=8080)
    policy = cluster(base(), "v4", [at(SERVERS4[0], 8080)])
    cluster(policy, "v6", [at(SERVERS6[0], 8080)])
    listener(policy, "all4", "0.0.0.0:80", "v4")
    listener(policy, "all6", "[::]:80", "v6")
    world.fender(policy)
    assert curl(world, f"http://{at(ip, 80)}/").strip() in (SERVERS4[0], SERVERS6[0])


@pytest.mark.slow
@BOTH
def test_a_gibibyte_arrives_with_the_same_checksum(world, big_file, ip):
    directory, checksum = big_file
    nginx(world, files=directory)
    f = world.fender(forwarding([80], [SERVERS4[0], SERVERS6[0]]))
    argv = ["curl", "-sS", "-g", "--max-time", "300", f"http://{at(ip, 80)}/files/big"]
    got, size = hashlib.blake2b(), 0
    with world.client.popen(argv, stdout=subprocess.PIPE) as p:
        while piece := p.stdout.read(1 << 20):
            got.update(piece)
            size += len(piece)
    assert p.returncode == 0
    assert (size, got.hexdigest()) == (1 << 30, checksum)
    family = "v6" if ":" in ip else "v4"
    calls = f.stats().listener(f"p80-{family}-tcp")
    assert calls["to_client_bytes"] > 1 << 30


@BOTH
@pytest.mark.parametrize("mtu", [1280, 2000, 3386])
def test_other_mtus_carry_a_download(make_world, mtu, ip):
    world = make_world(mtu=mtu)
    _, checksum = random_file(world.tmp, 16)
    nginx(world, files=world.tmp)
    f = world.fender(forwarding([80], [SERVERS4[0], SERVERS6[0]]))
    curl(world, f"http://{at(ip, 80)}/files/big", "-o", world.path("got"), timeout=30)
    with open(world.path("got"), "rb") as got:
        assert hashlib.blake2b(got.read()).hexdigest() == checksum
    assert f.stats().interface("clients")["mtu"] == mtu
    assert "too_big" not in f.stats().dropped()


@BOTH
@pytest.mark.parametrize("close", [False, True], ids=["keep-alive", "close"])
def test_wrk_sees_no_error(world, ip, close):
    nginx(world)
    f = world.fender(forwarding([80], SERVERS4 + SERVERS6))
    result = wrk(world, f"http://{at(ip, 80)}/", seconds=2, connections=20, close=close)
    print(result.text)
    assert result.errors == {}
    assert result.requests > 0
    family = "v6" if ":" in ip else "v4"
    calls = f.stats().listener(f"p80-{family}-tcp")
    # wrk abandons up to one connection per slot at its end.
    assert calls["started"] >= (result.requests if close else 20)
    assert calls["failed"] == calls["rejected"] == 0
