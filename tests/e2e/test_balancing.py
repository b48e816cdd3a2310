# SPDX-License-Identifier: Apache-2.0
"""Which endpoint a connection goes to."""

from collections import Counter

import pytest
from fender import check, write_policy
from policies import base, cluster, forwarding, listener
from servers import connect, curl, dnsmasq, echo, nginx
from world import FENDER4, FENDER6, SERVERS4, SERVERS6, at

BOTH = pytest.mark.parametrize("ip", [FENDER4, FENDER6], ids=["v4", "v6"])
CLIENTS = [f"10.77.1.{n}" for n in range(100, 120)]


def ask(world, ip, port=80, times=1, source=None):
    """Counts of the servers that answered."""
    options = ["--interface", source] if source else []
    return Counter(
        curl(world, f"http://{at(ip, port)}/", *options).strip() for _ in range(times)
    )


@BOTH
@pytest.mark.parametrize("weights", [[1, 1, 1], [1, 2, 3], [5, 1, 1]], ids=str)
def test_round_robin_is_exact(world, ip, weights):
    nginx(world)
    servers = SERVERS6 if ":" in ip else SERVERS4
    policy = cluster(base(), "web", [at(s, 80) for s in servers], weights)
    listener(policy, "web", at(ip, 80), "web")
    f = world.fender(policy)
    rounds = 42 // sum(weights)
    answers = ask(world, ip, times=rounds * sum(weights))
    expected = {s: rounds * w for s, w in zip(servers, weights)}
    assert answers == expected
    stats = f.stats()
    for s, n in expected.items():
        assert stats.endpoint("web", at(s, 80))["started"] == n
    assert stats.cluster("web")["started"] == sum(expected.values())


def maglev(world, hash_on, servers=SERVERS4):
    nginx(world)
    world.address(world.client, CLIENTS)
    policy = base()
    balancing = {"algorithm": "maglev", "hash_on": hash_on}
    cluster(policy, "web", [at(s, 80) for s in servers], load_balancing=balancing)
    return world.fender(listener(policy, "web", at(FENDER4, 80), "web"))


def test_maglev_keeps_a_source_with_its_endpoint(world):
    maglev(world, ["source_ip"])
    chosen = {c: ask(world, FENDER4, times=4, source=c) for c in CLIENTS}
    assert all(len(answers) == 1 for answers in chosen.values()), chosen
    assert len({next(iter(a)) for a in chosen.values()}) == len(SERVERS4)


def test_maglev_by_port_spreads_one_source(world):
    maglev(world, ["source_ip", "source_port"])
    answers = ask(world, FENDER4, times=30)
    assert len(answers) == len(SERVERS4), answers


def test_maglev_moves_few_sources_when_an_endpoint_leaves(world):
    f = maglev(world, ["source_ip"])
    before = {c: next(iter(ask(world, FENDER4, source=c))) for c in CLIENTS}
    policy = f.policy
    policy["clusters"][0]["endpoints"].pop()
    f.reload(policy)
    after = {c: next(iter(ask(world, FENDER4, source=c))) for c in CLIENTS}
    gone = SERVERS4[-1]
    stayed = [c for c in CLIENTS if before[c] != gone]
    moved = [c for c in stayed if after[c] != before[c]]
    assert gone not in after.values()
    assert len(moved) <= len(stayed) // 3, moved


def test_listeners_and_clusters_are_kept_apart(world):
    """Two listeners on one cluster, two clusters, TCP and UDP on one port, both families."""
    nginx(world, [SERVERS4[0], SERVERS6[0]], 8080, name="one")
    nginx(world, [SERVERS4[1]], 8081, name="two")
    echo(world, 7)
    dnsmasq(world)
    policy = cluster(base(), "one", [at(SERVERS4[0], 8080)])
    cluster(policy, "one-v6", [at(SERVERS6[0], 8080)])
    cluster(policy, "two", [at(SERVERS4[1], 8081)])
    cluster(policy, "dns", [at(SERVERS4[0], 53)], timeouts={"idle": "1s"})
    listener(policy, "a", at(FENDER4, 80), "one")
    listener(policy, "b", at("10.96.0.21", 80), "one")
    listener(policy, "c", at(FENDER4, 81), "two")
    listener(policy, "d", at(FENDER6, 80), "one-v6")
    listener(policy, "dns-udp", at(FENDER4, 53), "dns", "udp")
    listener(policy, "dns-tcp", at(FENDER4, 53), "dns")
    world.client.ip(f"route add 10.96.0.21 via {FENDER4}")
    f = world.fender(policy)
    assert ask(world, FENDER4) == ask(world, "10.96.0.21") == {SERVERS4[0]: 1}
    assert ask(world, FENDER4, 81) == {SERVERS4[1]: 1}
    assert ask(world, FENDER6) == {SERVERS6[0]: 1}
    dig = ["dig", f"@{FENDER4}", "+short", "+tries=1", "+time=20", "x.fender.test"]
    assert world.client.run(dig).stdout.strip() == "192.0.2.7"
    assert world.client.run([*dig, "+tcp"]).stdout.strip() == "192.0.2.7"
    stats = f.stats()
    started = {r["name"]: r["started"] for r in stats.raw["listeners"]}
    assert started == {"a": 1, "b": 1, "c": 1, "d": 1, "dns-udp": 1, "dns-tcp": 1}
    started = {r["name"]: r["started"] for r in stats.raw["clusters"]}
    assert started == {"one": 2, "one-v6": 1, "two": 1, "dns": 2}


def test_endpoint_of_the_other_family_is_a_policy_error(world):
    """Full NAT rewrites addresses within a family; a mixed cluster must be refused, not
    dropped at run time."""
    policy = cluster(base(), "mixed", [at(SERVERS6[0], 80)])
    listener(policy, "web", at(FENDER4, 80), "mixed")
    path = write_policy(world.path("mixed.yaml"), policy)
    done = check(path)
    assert done.returncode != 0
    assert path in done.stderr


def test_more_connections_than_snat_ports(world):
    """A port serves several endpoints at once; what is left over is refused as no_port."""
    echo(world, 7)
    policy = forwarding([7], SERVERS4)
    policy["interfaces"][1]["snat"] = {"ports": "40000-40009"}
    f = world.fender(policy)
    sockets = [connect(world.client, FENDER4, 7) for _ in range(30)]
    for s in sockets:
        s.sendall(b"x")
        assert s.recv(10) == b"x"
    with pytest.raises(OSError):
        connect(world.client, FENDER4, 7, timeout=2)
    refused = f.stats().listener("p7-v4-tcp")["rejected_by_reason"]
    assert set(refused) == {"no_port"}
    for s in sockets:
        s.close()
