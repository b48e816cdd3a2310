# SPDX-License-Identifier: Apache-2.0
"""Policy changes while traffic runs: nothing is lost, a bad file changes nothing."""

import copy
import os
import re
import signal
import subprocess
import time

import pytest
from fender import BINARY, write_policy
from policies import base, cluster, forwarding, listener
from servers import Wrk, connect, curl, echo, nginx, udp, wrk_argv
from world import CLIENT4, FENDER4, FENDER6, PATIENCE_S, SERVERS4, SERVERS6, at, wait_for


@pytest.fixture
def serving(world):
    nginx(world)
    policy = cluster(base(), "web", [at(s, 80) for s in SERVERS4])
    f = world.fender(listener(policy, "web", at(FENDER4, 80), "web"))
    return world, f


def answers(world, n):
    return [curl(world, f"http://{at(FENDER4, 80)}/").strip() for _ in range(n)]


def weighted(policy, *weights):
    policy = copy.deepcopy(policy)
    for e, w in zip(policy["clusters"][0]["endpoints"], weights, strict=True):
        e["weight"] = w
    return policy


def wait_generation(f, above):
    def new_generation_is_applied():
        dataplane = f.stats().raw["dataplane"]
        return dataplane["applied_generation"] > above

    wait_for(new_generation_is_applied)


def test_reload_by_cli_changes_weights(serving):
    world, f = serving
    assert sorted(answers(world, 3)) == SERVERS4
    f.reload(weighted(f.policy, 4, 1, 1))
    got = answers(world, 12)
    assert sorted(got.count(s) for s in SERVERS4) == [2, 2, 8]


def test_reload_by_sighup_changes_weights(serving):
    world, f = serving
    before = f.stats().generation
    f.write(weighted(f.policy, 1, 1, 4))
    f.process.send_signal(signal.SIGHUP)
    wait_generation(f, before)
    assert answers(world, 12).count(SERVERS4[2]) == 8


def test_reload_by_post_changes_weights(serving):
    world, f = serving
    f.write(weighted(f.policy, 1, 4, 1))
    status, _ = f.http("POST", "/reload")
    assert status == 200
    assert answers(world, 12).count(SERVERS4[1]) == 8


@pytest.mark.parametrize("close", [False, True], ids=["keep-alive", "close"])
def test_no_request_fails_while_weights_change(serving, close):
    world, f = serving
    argv = wrk_argv(f"http://{at(FENDER4, 80)}/", seconds=4, connections=20, close=close)
    with world.client.popen(argv, stdout=subprocess.PIPE, text=True) as load:
        generations = f.stats().generation
        for i in range(10):
            f.reload(weighted(f.policy, 1 + i % 3, 1 + (i + 1) % 3, 1 + (i + 2) % 3))
            time.sleep(0.15)
        assert f.stats().generation >= generations + 10
        result = Wrk(load.stdout.read())
    print(result.text)
    assert result.errors == {}


def test_endpoint_that_leaves_keeps_its_connections(world):
    echo(world, 7)
    policy = forwarding([7], [SERVERS4[0]])
    f = world.fender(policy)
    old = connect(world.client, FENDER4, 7)
    changed = copy.deepcopy(policy)
    changed["clusters"][0]["endpoints"][0]["address"] = at(SERVERS4[1], 7)
    f.reload(changed)
    new = connect(world.client, FENDER4, 7)
    for s in (old, new):
        s.sendall(b"still served")
        assert s.recv(100) == b"still served"
    assert f.stats().endpoint("p7-v4", at(SERVERS4[1], 7))["open"] == 1
    draining = f.stats().raw["draining"]
    assert [d["open"] for d in draining if d["kind"] == "endpoint"] == [1]
    old.close()
    new.close()


@pytest.mark.parametrize("leaves", ["endpoint", "listener"])
def test_connections_end_within_the_drain(world, leaves):
    """Not in its first half. TCP hears of it by a reset, however busy it is; a UDP flow starts
    anew where it may."""
    echo(world, 7)
    policy = forwarding([7], [SERVERS4[0]], protocols=("tcp", "udp"))
    policy["clusters"][0]["timeouts"] = {"drain": "1s"}
    f = world.fender(policy)
    busy, flow = connect(world.client, FENDER4, 7), udp(world.client, CLIENT4)
    flow.sendto(b"x", (FENDER4, 7))
    assert flow.recv(10) == b"x"
    changed = copy.deepcopy(policy)
    if leaves == "endpoint":
        changed["clusters"][0]["endpoints"][0]["address"] = at(SERVERS4[1], 7)
    else:
        changed["listeners"] = []
    start = time.monotonic()
    f.reload(changed)
    with pytest.raises(ConnectionResetError):
        while time.monotonic() < start + PATIENCE_S:
            busy.sendall(b"still served")
            assert busy.recv(100) == b"still served"
            time.sleep(0.02)
    assert 0.45 < time.monotonic() - start
    wait_for(lambda: sum(d["open"] for d in f.stats().raw["draining"]) == 0)
    flow.close()


def test_listener_and_cluster_that_leave_keep_their_connections(world):
    echo(world, 7)
    echo(world, 8)
    policy = forwarding([7, 8], [SERVERS4[0]])
    f = world.fender(policy)
    old = connect(world.client, FENDER4, 8)
    f.reload(forwarding([7], [SERVERS4[0]]))
    old.sendall(b"still served")
    assert old.recv(100) == b"still served"
    with pytest.raises(ConnectionRefusedError):
        connect(world.client, FENDER4, 8)
    f.reload(policy)
    new = connect(world.client, FENDER4, 8)
    for s in (old, new):
        s.sendall(b"again")
        assert s.recv(100) == b"again"
        s.close()
    assert f.stats().listener("p8-v4-tcp")["opened"] == 2


def test_new_listeners_of_both_families_appear(world):
    nginx(world)
    f = world.fender(base())
    f.reload(forwarding([80], [SERVERS4[0], SERVERS6[0]]))
    for ip in (FENDER4, FENDER6):
        assert curl(world, f"http://{at(ip, 80)}/").strip() in (SERVERS4[0], SERVERS6[0])


def test_identical_file_changes_nothing(serving):
    world, f = serving
    before = f.stats()
    f.reload(f.policy)
    after = f.stats()
    assert after.generation == before.generation
    assert after.raw["policy_hash"] == before.raw["policy_hash"]


def test_cluster_without_endpoints_rejects_with_its_reason(serving):
    world, f = serving
    policy = copy.deepcopy(f.policy)
    policy["clusters"][0]["endpoints"] = []
    f.reload(policy)
    with pytest.raises(ConnectionRefusedError):
        connect(world.client, FENDER4, 80)
    assert f.stats().listener("web")["rejected_by_reason"] == {"no_endpoint": 1}


def broken(policy, how):
    """(changed policy, what the message must name)"""
    p = copy.deepcopy(policy)
    if how == "unknown-cluster":
        p["listeners"][0]["cluster"] = "wep"
        return p, "wep"
    if how == "unknown-interface":
        p["listeners"][0]["interface"] = "nowhere"
        return p, "nowhere"
    if how == "listener-twice":
        p["listeners"].append({**p["listeners"][0], "name": "other"})
        return p, at(FENDER4, 80)
    if how == "name-twice":
        p["clusters"].append(p["clusters"][0])
        return p, "web"
    if how == "address-twice":
        p["interfaces"][1]["addresses"].append(p["interfaces"][0]["addresses"][0])
        return p, FENDER4
    if how == "endpoint-twice":
        p["clusters"][0]["endpoints"].append(p["clusters"][0]["endpoints"][0])
        return p, "endpoints[3]"
    if how == "misspelt-key":
        p["clusters"][0]["load_balancin"] = {}
        return p, "load_balancing"
    if how == "weight-0":
        p["clusters"][0]["endpoints"][0]["weight"] = 0
        return p, "weight"
    if how == "anchors":
        return "version: &v 1\n", "anchors"
    if how == "needs-restart":
        p["sidecar"]["workers"] = 2
        return p, "workers"
    if how == "interface-needs-restart":
        p["interfaces"][1]["device"] = "af_xdp:other"
        return p, "interfaces"
    raise KeyError(how)


@pytest.mark.parametrize(
    "how",
    [
        "unknown-cluster",
        "unknown-interface",
        "listener-twice",
        "name-twice",
        "address-twice",
        "endpoint-twice",
        "misspelt-key",
        "weight-0",
        "anchors",
        "needs-restart",
        "interface-needs-restart",
    ],
)
def test_bad_policy_is_refused_and_changes_nothing(serving, how):
    world, f = serving
    before = f.stats()
    policy, named = broken(f.policy, how)
    done = f.reload(policy, check=False)
    said = done.stdout + done.stderr
    print(said)
    assert done.returncode != 0
    assert named in said
    if "restart" not in how:
        assert re.search(rf"{re.escape(f.file)}:\d+:\d+: ", said)
    after = f.stats()
    assert after.generation == before.generation
    assert sorted(answers(world, 3)) == SERVERS4
    f.write(f.policy)
    assert f.cli("reload").returncode == 0


def test_bad_yaml_by_sighup_is_logged_with_its_place(serving):
    world, f = serving
    f.write("version: 1\nlisteners: [\n")
    f.process.send_signal(signal.SIGHUP)

    def log_names_the_place():
        return re.search(rf"{re.escape(f.file)}:\d+:\d+: ", f.log_text())

    wait_for(log_names_the_place)
    assert sorted(answers(world, 3)) == SERVERS4


def test_all_errors_come_at_once(serving):
    _, f = serving
    policy = copy.deepcopy(f.policy)
    policy["clusters"][0]["endpoints"][0]["weight"] = 1000
    policy["listeners"][0]["cluster"] = "wep"
    policy["listeners"][0]["colour"] = "red"
    done = f.reload(policy, check=False)
    said = done.stdout + done.stderr
    for named in ("weight", "wep", "colour"):
        assert named in said


def test_missing_file_is_refused(serving):
    world, f = serving
    os.rename(f.file, f.file + ".away")
    done = f.cli("reload", check=False)
    assert done.returncode != 0
    assert f.file in done.stdout + done.stderr
    assert sorted(answers(world, 3)) == SERVERS4


def test_a_pipe_in_the_files_place_is_refused_and_waited_for_by_nobody(serving):
    world, f = serving
    os.unlink(f.file)
    os.mkfifo(f.file)
    r = f.reload(check=False)
    assert r.returncode == 1
    assert "cannot be read: it is no regular file" in r.stdout + r.stderr
    assert f.ready()
    assert curl(world, f"http://{at(FENDER4, 80)}/")


def test_check_and_run_agree_on_a_bad_file(world):
    """`fender run` refuses to start with what `fender check` refuses."""
    policy = cluster(base(), "web", [at(SERVERS4[0], 80)])
    listener(policy, "web", at(FENDER4, 80), "wep")
    path = write_policy(world.path("bad.yaml"), policy)
    run = ["run", "-c", path, "--run-dir", world.tmp, "--shm-dir", world.shm]
    for verb in (["check", path], run):
        done = world.gateway.run([BINARY, *verb], check=False)
        assert done.returncode != 0
        assert re.search(rf"{re.escape(path)}:\d+:\d+: .*wep", done.stdout + done.stderr)
