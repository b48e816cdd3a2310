# SPDX-License-Identifier: Apache-2.0
"""`fender upgrade` applies what a reload refuses, and connections go on: workers, table sizes,
interfaces."""

import json
import os
import signal
import subprocess
import time

import pytest
from fender import BINARY
from laws import assert_conserved, call_faults, table_faults
from pod import EGRESS_PORT, PodWorld, pod_policy
from policies import forwarding
from servers import connect, echo
from test_restart_connections import Talker, open_all, talk
from world import FENDER4, SERVERS4, SERVERS6, SERVICE4, wait_for

pytestmark = pytest.mark.restarts


def policy(**sidecar):
    return forwarding([7], [SERVERS4[0], SERVERS6[0]], protocols=("tcp", "udp"), **sidecar)


def reshape(f, wanted):
    f.write(wanted)
    said = f.cli("upgrade", "--json").stdout
    print(said)
    answer = json.loads(said)
    assert answer["result"] == "reshaped", said
    return answer


def upgrade_command(f):
    return [BINARY, "upgrade", "-i", f.instance, "--run-dir", f.run_dir]


def sums(stats):
    """What must never go down: counters over all workers."""
    out = {f"packets {k}": stats.packets(k) for k in ("received", "transmitted", "originated")}
    out["dropped"] = sum(stats.dropped().values())
    for kind in ("listeners", "clusters", "endpoints"):
        for row in stats.raw[kind]:
            who = f"{kind} {row.get('name') or row['cluster'] + '/' + row['address']}"
            for key in ("started", "succeeded", "failed", "opened", "closed"):
                out[f"{who} {key}"] = row[key]
    return out


def went_down(before, after):
    return {k: (before[k], after.get(k)) for k in before if after.get(k, 0) < before[k]}


STEPS = [
    {"connections": 4096},
    {"connections": 4096, "workers": 2},
    {"connections": 1024, "workers": 2, "max_clusters": 1000, "max_endpoints": 8000},
    {"connections": 1024, "workers": 1, "policy_slot": "1MiB"},
    {"connections": 1024, "workers": 2, "policy_slot": "1MiB"},
]


@pytest.mark.leaves_open  # UDP flows end by silence
def test_connections_go_on_through_every_shape(world):
    echo(world)
    f = world.fender(policy(connections=1024))
    sockets = open_all(world, 8)
    talkers = [Talker(world.client, FENDER4) for _ in range(2)]
    before = sums(f.stats())
    for generation, step in enumerate(STEPS, 2):
        answer = reshape(f, policy(**step))
        assert answer["ended"] == 0 and answer["generation"] == generation
        assert answer["carried"] == len(sockets) + len(talkers)
        for i, s in enumerate(sockets):
            assert talk(s, b"%d after %d" % (i, generation)) == b"%d after %d" % (i, generation)
        # New ones come in beside them, and go.
        for i in range(16):
            with connect(world.client, FENDER4, 7, timeout=30) as s:
                assert talk(s, b"new %d" % i) == b"new %d" % i
        after = sums(f.stats())
        assert not went_down(before, after)
        before = after
    for t in talkers:
        t.end()
    stats = assert_conserved(f.stats, closed=False)
    for family in ("v4", "v6"):
        assert stats.listener(f"p7-{family}-tcp")["failed"] == 0
    for s in sockets:
        s.close()

    def no_connection_is_open():
        rows = f.stats().raw["listeners"]
        return not any(row["open"] for row in rows if row["name"].endswith("tcp"))

    wait_for(no_connection_is_open)
    history = json.loads(f.http("GET", "/generations")[1])["attempts"]
    assert [a["result"] for a in history if a["source"] == "upgrade"] == ["applied"] * len(STEPS)


# -- interfaces ---------------------------------------------------------------------------------


def add_network(world):
    """A further client, 10.77.5.2, on a further device of Fender's, fc."""
    ns = world._namespace("further")
    world._link(ns, "fc", 1500, 0)
    world.address(ns, ["10.77.5.2"])
    return ns


def with_further(first):
    wanted = policy()
    row = {"name": "further", "device": "af_xdp:fc", "addresses": ["10.77.5.1/24"]}
    wanted["interfaces"].insert(0 if first else 2, row)
    wanted["listeners"].append(
        {
            "name": "further",
            "bind": "10.77.5.1:7",
            "interface": "further",
            "protocol": "tcp",
            "cluster": "p7-v4",
        }
    )
    return wanted


def has_program(world, device):
    return any(
        d["ifname"] == device and d.get("xdp") for d in world.gateway.ip_json("link", "show")
    )


def test_interface_comes_and_goes(world):
    """Numbers of the others change, their connections do not; those of one that goes end."""
    echo(world)
    further = add_network(world)
    f = world.fender(policy())
    s = connect(world.client, FENDER4, 7, timeout=30)
    assert talk(s, b"one") == b"one"
    assert reshape(f, with_further(first=True))["carried"] == 1
    assert talk(s, b"two") == b"two"
    other = connect(further, "10.77.5.1", 7, timeout=30)
    assert talk(other, b"hello") == b"hello"
    before = sums(f.stats())
    assert has_program(world, "fc")
    answer = reshape(f, policy())
    assert (answer["carried"], answer["ended_by_reason"]) == (1, {"interface_gone": 1})
    assert talk(s, b"three") == b"three"
    assert not has_program(world, "fc")
    stats = f.stats()
    assert not {k: v for k, v in went_down(before, sums(stats)).items() if "further" not in k}
    assert stats.cluster("p7-v4")["open"] == 1
    # What the one that went had carried is in the workers' sums and in no row any more.
    assert not [*call_faults(stats), *table_faults(stats)]
    s.close()
    other.close()
    assert f.stop() == 0


def test_shared_interface_keeps_its_connections(make_world):
    """At no moment the kernel gets a packet of theirs: it would reset them. Also when the limiter's
    maps are made anew, and with the interfaces in another order."""
    world = make_world(of=PodWorld)
    echo(world, EGRESS_PORT)
    f = world.fender(pod_policy())
    talkers = [Talker(world.pod, SERVICE4) for _ in range(4)]
    turned = pod_policy(connections=4096)
    turned["interfaces"].reverse()
    for wanted in (pod_policy(connections=4096), turned, pod_policy(workers=2)):
        answer = reshape(f, wanted)
        assert (answer["carried"], answer["ended"]) == (len(talkers), 0)
    for t in talkers:
        before = t.turns

        def talks():
            return t.turns > before or t.failure

        wait_for(talks)
        t.end()


# -- what does not fit --------------------------------------------------------------------------


def test_smaller_table_ends_what_does_not_fit(world):
    echo(world)
    f = world.fender(policy(connections=1024))
    sockets = [connect(world.client, FENDER4, 7, timeout=30) for _ in range(80)]
    for s in sockets:
        assert talk(s, b"x") == b"x"
    answer = reshape(f, policy(connections=64))
    assert (answer["carried"], answer["ended_by_reason"]) == (64, {"table_full": 16})
    stats = assert_conserved(f.stats, closed=False)
    row = stats.listener("p7-v4-tcp")
    assert (row["opened"], row["open"]) == (80, 64)
    for s in sockets:
        s.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p["interfaces"][0].update(device="af_xdp:nosuch"), "interfaces[0].device"),
        (lambda p: p["sidecar"].update(name="other"), "sidecar.name"),
        (lambda p: p["sidecar"].update(workers="many"), "errors"),
    ],
    ids=["no device", "another name", "errors"],
)
def test_what_cannot_be_is_refused_before_anything_stops(world, change, said):
    echo(world)
    f = world.fender(policy())
    s = connect(world.client, FENDER4, 7, timeout=30)
    pid = f.dataplane_pid()
    wanted = policy(connections=4096)
    change(wanted)
    f.write(wanted)
    done = f.cli("upgrade", check=False)
    print(done.stderr)
    assert done.returncode == 1 and said in done.stderr
    assert f.dataplane_pid() == pid
    assert talk(s, b"still") == b"still"
    assert not [name for name in os.listdir(world.shm) if "." in name]
    s.close()


def test_two_at_once_are_told_what_became_of_theirs(world):
    echo(world)
    f = world.fender(policy())
    assert f.http("POST", "/upgrade?dataplane=fender-dataplane")[0] == 400  # not absolute
    f.write(policy(connections=4096))
    command = [*upgrade_command(f), "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with f.world.gateway.popen(command, **pipes) as a, f.world.gateway.popen(command, **pipes) as b:
        ends = [(*p.communicate(timeout=120), p.returncode) for p in (a, b)]
    print(ends)
    # The other one is refused, finds nobody for a moment, or comes later and upgrades the program.
    assert [json.loads(said)["result"] for said, _, rc in ends if rc == 0].count("reshaped") == 1
    assert not any("not known" in why for _, why, _ in ends)
    wait_for(f.ready)


def test_dataplane_that_cannot_start_leaves_what_was(world):
    echo(world)
    f = world.fender(policy())
    s = connect(world.client, FENDER4, 7, timeout=30)
    assert talk(s, b"one") == b"one"
    weak = world.path("weak")
    with open(weak, "w") as script:
        script.write("#!/bin/sh\nexit 9\n")
    os.chmod(weak, 0o755)
    f.write(policy(connections=4096, workers=2))
    done = f.cli("upgrade", "--dataplane", weak, check=False)
    print(done.stderr)
    assert done.returncode == 1 and "what ran before runs again" in done.stderr
    assert talk(s, b"two") == b"two"
    stats = f.stats()
    assert len(stats.workers) == 1 and stats.listener("p7-v4-tcp")["failed"] == 0
    attempts = json.loads(f.http("GET", "/generations")[1])["attempts"]
    assert ("upgrade", "failed") in [(a["source"], a["result"]) for a in attempts]
    assert not [name for name in os.listdir(world.shm) if "." in name]
    # With the program as ever it can.
    assert reshape(f, policy(connections=4096, workers=2))["carried"] == 1
    assert talk(s, b"three") == b"three"
    s.close()


# -- deaths -------------------------------------------------------------------------------------


def test_start_with_another_shape_carries_over(world):
    """Both were killed, the file was changed: nobody forwards, and nothing is lost."""
    echo(world)
    f = world.fender(policy())
    s = connect(world.client, FENDER4, 7, timeout=30)
    assert talk(s, b"one") == b"one"
    pid = f.dataplane_pid()
    f.process.kill()
    f.process.wait()
    os.kill(pid, signal.SIGKILL)
    f.write(policy(connections=4096, workers=2))
    f.start()
    assert len(f.stats().workers) == 2
    assert talk(s, b"two") == b"two"
    s.close()


def test_control_plane_killed_at_any_moment(world):
    """Whatever was reached, the next one goes on with one of the two shapes, connections and all."""
    echo(world)
    f = world.fender(policy(connections=1024))
    sockets = [connect(world.client, FENDER4, 7, timeout=30) for _ in range(4)]
    for i in range(10):
        f.write(policy(connections=4096 if i % 2 == 0 else 1024, workers=1 + i % 3 % 2))
        with f.world.gateway.popen(
            upgrade_command(f), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as p:
            time.sleep(0.1 * i)
            f.process.kill()
            f.process.wait()
            f.start()
            p.wait(120)
        for k, s in enumerate(sockets):
            assert talk(s, b"%d in %d" % (k, i)) == b"%d in %d" % (k, i)
    assert_conserved(f.stats, closed=False)
    for s in sockets:
        s.close()
