# SPDX-License-Identifier: Apache-2.0
"""Reload as a transaction: who may start one, what is remembered, how one is taken back."""

import copy
import json
import os
import signal

import pytest
from fender import BINARY, write_policy
from policies import base, cluster, listener
from servers import connect, echo
from world import BACKENDS4, FENDER4, SERVERS4, at, wait_for

DEAD = at(SERVERS4[0], 9)  # where nobody listens


def one_cluster(server=SERVERS4[0], **keys):
    policy = cluster(base(), "echo", [at(server, 7)], **keys)
    return listener(policy, "echo", at(FENDER4, 7), "echo")


def with_connect(policy, timeout):
    """A policy that differs in one key."""
    policy = copy.deepcopy(policy)
    policy["clusters"][0]["timeouts"] = {"connect": timeout}
    return policy


def generations(f):
    status, body = f.http("GET", "/generations")
    assert status == 200
    return json.loads(body)


def attempts(f, **like):
    return [
        a
        for a in generations(f)["attempts"]
        if all(a[key] == value for key, value in like.items())
    ]


def wait_attempts(f, n=1, **like):
    def attempts_are_in_the_history():
        return len(attempts(f, **like)) >= n

    wait_for(attempts_are_in_the_history)
    return attempts(f, **like)[-1]


def start(world, policy=None, **keys):
    echo(world, 7)
    return world.fender(policy or one_cluster(), **keys)


# -- the policy file is watched ------------------------------------------------


def test_the_policy_file_is_followed_however_it_changes(world):
    policy = one_cluster()
    f = start(world, policy, watch=True)
    f.write(with_connect(policy, "2s"))  # renamed over
    assert wait_attempts(f, source="file", result="applied")["changed"]["clusters"] == {
        "added": 0,
        "removed": 0,
        "changed": 1,
    }
    write_policy(f.file, with_connect(policy, "3s"))  # in place
    wait_attempts(f, 2, source="file", result="applied")
    # As the kubelet does it: policy.yaml -> ..data/policy.yaml, ..data -> a folder of each version
    folder = os.path.dirname(f.file)
    for version, timeout in (("v1", "3s"), ("v2", "4s")):
        os.mkdir(os.path.join(folder, version))
        write_policy(
            os.path.join(folder, version, "policy.yaml"), with_connect(policy, timeout)
        )
    os.symlink("v1", os.path.join(folder, "..data"))
    os.symlink("..data/policy.yaml", f.file + ".link")
    os.rename(f.file + ".link", f.file)
    os.symlink("v2", os.path.join(folder, "..new"))
    os.rename(os.path.join(folder, "..new"), os.path.join(folder, "..data"))
    wait_attempts(f, 3, source="file", result="applied")
    assert json.loads(f.http("GET", "/generations")[1])["in_force"] == f.stats().generation


def test_a_broken_file_is_told_once_and_the_old_policy_stays(world):
    policy = one_cluster()
    f = start(world, policy, watch=True)
    before = f.stats().generation
    f.write("version: 1\nlisteners: [\n")
    invalid = wait_attempts(f, source="file", result="invalid")
    assert invalid["generation"] is None
    assert f"{f.file}:" in invalid["reason"]
    assert f"last refusal, by file:\n  {f.file}:" in f.cli("generations").stdout
    os.utime(f.file)  # the same content: nothing is said again
    f.write(with_connect(policy, "2s"))
    wait_attempts(f, source="file", result="applied")
    assert len(attempts(f, source="file", result="invalid")) == 1
    assert f.stats().generation == before + 1


def test_the_file_waits_when_told_to(world):
    policy = one_cluster()
    f = start(world, policy)
    f.write(with_connect(policy, "2s"))
    assert f.reload().returncode == 0
    assert [a["source"] for a in attempts(f)] == ["start", "command"]


# -- history and rollback ------------------------------------------------------


def test_rollback_puts_an_earlier_policy_in_force_and_the_file_waits(world):
    policy = one_cluster()
    f = start(world, policy, watch=True)
    first = f.stats().generation
    f.write(with_connect(policy, "2s"))
    second = wait_attempts(f, source="file", result="applied")["generation"]
    done = f.cli("rollback")
    assert f"applied: generation {second + 1} is in force" in done.stdout
    assert attempts(f)[-1]["restores"] == first
    os.utime(f.file)  # says what it said: stays out of force
    assert f.cli("rollback", str(second)).returncode == 0
    assert f.stats().generation == second + 2
    f.write(with_connect(policy, "3s"))
    wait_attempts(f, 2, source="file", result="applied")
    done = f.cli("rollback", "99", check=False)
    assert done.returncode == 1
    assert "generation 99 is not kept; these are:" in done.stderr
    for bad in ("0", "x", "1x"):
        done = f.cli("rollback", bad, check=False)
        assert done.returncode == 2 and "expected the number of a generation" in done.stderr
    shown = f.cli("generations").stdout
    assert f"that of {first}" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert json.loads(f.cli("generations", "--json").stdout) == generations(f)


def test_history_and_a_rollback_outlive_the_control_plane(world):
    policy = one_cluster()
    f = start(world, policy)
    f.reload(with_connect(policy, "2s"))
    f.cli("rollback")
    before, in_force = attempts(f), f.stats().generation
    s = connect(world.client, FENDER4, 7)
    f.process.send_signal(signal.SIGKILL)
    f.process.wait()
    f.start()
    # The file still says what was taken back.
    assert f.stats().generation == in_force
    assert attempts(f) == before
    f.write(with_connect(policy, "4s"))
    assert f.cli("reload").returncode == 0
    assert f.cli("rollback", str(before[0]["generation"])).returncode == 0
    s.sendall(b"still served")
    assert s.recv(100) == b"still served"
    s.close()
    folder = os.path.join(f.run_dir, f.instance + ".generations")
    assert os.path.exists(folder)
    f.stop()
    assert not os.path.exists(folder)


def test_reload_tells_how_long_each_stage_took(world):
    policy = one_cluster()
    f = start(world, policy)
    done = f.reload(with_connect(policy, "2s"))
    assert "validated in" in done.stdout and "adopt" not in done.stderr
    assert "clusters: 1 changed" in done.stdout
    timings = attempts(f)[-1]["timings_us"]
    assert timings["validate"] > 0
    assert set(timings) == {"validate", "stage", "publish", "adopt"}


# -- guard ---------------------------------------------------------------------


def test_the_guard_takes_a_policy_back_whose_calls_fail(world):
    policy = one_cluster()
    policy["reload"] = {
        "watch": "60s",
        "minimum_calls": 5,
        "rollback_if": {"error_rate": "50%"},
    }
    f = start(world, policy)
    first = f.stats().generation
    bad = copy.deepcopy(policy)
    bad["clusters"][0]["endpoints"] = [{"address": DEAD}]
    f.reload(bad)
    for _ in range(5):
        with pytest.raises(ConnectionRefusedError):
            connect(world.client, FENDER4, 7)
    taken_back = wait_attempts(f, source="guard", result="applied")
    assert taken_back["restores"] == first
    events = f.http("GET", "/events")[1]
    assert f'"event":"policy_rolled_back","generation":{taken_back["generation"]}' in events
    assert "cluster echo: 5 of 5 calls failed" in taken_back["reason"]
    connect(world.client, FENDER4, 7).close()
    # Not the one that was taken back, and there is no other.
    done = f.cli("rollback", check=False)
    assert done.returncode == 1 and "was not taken back" in done.stderr
    assert f.stats().generation == taken_back["generation"]


def test_the_guard_leaves_alone_what_works(world):
    policy = one_cluster()
    policy["reload"] = {
        "watch": "1s",
        "minimum_calls": 1,
        "rollback_if": {"error_rate": "50%", "p99": "30s"},
    }
    f = start(world, policy)
    f.reload(with_connect(policy, "2s"))
    for _ in range(3):
        s = connect(world.client, FENDER4, 7)
        s.sendall(b"x")
        assert s.recv(1) == b"x"
        s.close()

    def the_watch_is_over():
        return "event=guard_passed" in f.log_text()

    wait_for(the_watch_is_over)
    assert attempts(f, source="guard") == []


# -- diff ----------------------------------------------------------------------


def test_diff_says_what_a_reload_would_do(world):
    policy = one_cluster()
    f = start(world, policy)
    assert f.cli("diff", f.file).stdout == "no difference\n"
    changed = with_connect(policy, "2s")
    changed["clusters"][0]["endpoints"] = [{"address": at(SERVERS4[1], 7)}]
    path = write_policy(world.path("changed.yaml"), changed)
    said = f.cli("diff", path).stdout
    assert "clusters[echo].timeouts.connect: 1s -> 2s\n" in said
    assert f"clusters[echo].endpoints[{at(SERVERS4[0], 7)}]: removed\n" in said
    assert "spread over up to 30s" in said
    assert "3 differences; a reload puts all of it in force at once" in said
    changed["sidecar"]["workers"] = 2
    write_policy(path, changed)
    told = json.loads(f.cli("diff", "--json", path).stdout)
    assert told["reload"] == "needs_restart" and told["restart_key"] == "sidecar.workers"
    assert f.reload(changed, check=False).returncode == 1
    # Of two files, without an instance
    done = world.gateway.run([BINARY, "diff", path, path])
    assert done.stdout == "no difference\n"
    write_policy(path, "version: 2\n")
    assert world.gateway.run([BINARY, "diff", path, path], check=False).returncode == 1


def test_diff_counts_the_keys_that_move(world):
    hashed = {"load_balancing": {"algorithm": "maglev"}}
    policies = [
        cluster(base(), "echo", [at(ip, 7) for ip in BACKENDS4[:n]], **hashed) for n in (4, 3)
    ]
    a, b = (write_policy(world.path(f"{i}.yaml"), p) for i, p in enumerate(policies))
    told = json.loads(world.gateway.run([BINARY, "diff", "--json", a, b]).stdout)
    assert 25 <= told["moved_keys_percent"]["echo"] < 35


# -- bad input, and much of it -------------------------------------------------


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [*{old},*{old},*{old},*{old},*{old},*{old},*{old},*{old}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_hostile_files_are_refused_in_one_piece(world):
    policy = one_cluster()
    f = start(world, policy)
    before = f.stats().generation
    rows = {
        "bomb": BOMB.encode(),
        "10 MB of one list": b"version: 1\nlisteners: [" + b"{}," * 3_400_000,
        "20 MB": b"#" * 20_000_000,
        "10 MB of nesting": b"[" * 10_000_000,
        "invalid UTF-8": b"version: 1\nsidecar: {name: \xff\xfe}\n",
        "UTF-16": "version: 1\n".encode("utf-16"),
        "NUL": b"version: 1\n\0\n",
        "empty": b"",
    }
    for name, text in rows.items():
        with open(f.file, "wb") as out:
            out.write(text)
        done = f.cli("reload", check=False)
        assert done.returncode == 1, name
        assert f"{f.file}:" in done.stderr, name
    assert f.stats().generation == before
    f.write(with_connect(policy, "2s"))
    assert f.cli("reload").returncode == 0
    assert len(attempts(f, result="invalid")) == len(rows)


def memory_and_descriptors(pid):
    with open(f"/proc/{pid}/statm") as m:
        return int(m.read().split()[1]) * 4, len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.leaves_open
def test_two_hundred_files_half_of_them_bad(world):
    """Nothing is lost on connections that are there; nothing is left behind."""
    policy = one_cluster()
    f = start(world, policy)
    s = connect(world.client, FENDER4, 7)
    first = f.stats()
    pids = (f.process.pid, first.dataplane_pid)
    settled = None
    for i in range(200):
        if i % 2:
            f.write("version: 1\nlisteners: [\n")
        else:
            f.write(with_connect(policy, f"{2000 + i}ms"))
        status, _ = f.http("POST", "/reload")
        assert status == (422 if i % 2 else 200)
        s.sendall(b"%d" % i)
        assert s.recv(10) == b"%d" % i
        if i == 100:
            settled = [memory_and_descriptors(pid) for pid in pids]
    assert f.stats().generation == first.generation + 100
    assert f.stats().dataplane_pid == first.dataplane_pid
    for pid, (kib, descriptors) in zip(pids, settled, strict=True):
        now_kib, now_descriptors = memory_and_descriptors(pid)
        assert now_kib < kib + 2048, "memory grows with reloads"
        assert now_descriptors <= descriptors + 2
    history = generations(f)["attempts"]
    assert len(history) == 32
    assert [a["result"] for a in history] == ["applied", "invalid"] * 16


def test_a_broken_endpoint_file_holds_back_no_other(world):
    echo(world, 7)
    policy = base()
    for name, ip in (("a", SERVERS4[0]), ("b", SERVERS4[1])):
        write_policy(world.path(f"{name}.yaml"), f"- {{address: '{at(ip, 7)}'}}\n")
        policy["clusters"].append({"name": name, "endpoints": {"file": f"{name}.yaml"}})
        listener(policy, name, at(FENDER4, 7 if name == "a" else 8), name)
    f = world.fender(policy)
    write_policy(world.path("a.yaml"), "- {address: nonsense}\n")

    def log_names_the_place():
        return f"{world.path('a.yaml')}:1:" in f.log_text()

    wait_for(log_names_the_place)
    write_policy(world.path("b.yaml"), f"- {{address: '{at(SERVERS4[2], 7)}'}}\n")

    def the_other_file_is_in_force():
        return [e["address"] for e in f.stats().raw["endpoints"]] == [
            at(SERVERS4[0], 7),
            at(SERVERS4[2], 7),
        ]

    wait_for(the_other_file_is_in_force)
    # Nor does it hold back the policy.
    f.reload(with_connect(policy, "2s"))
    write_policy(world.path("a.yaml"), f"- {{address: '{at(SERVERS4[1], 7)}'}}\n")

    def it_is_followed_again():
        return at(SERVERS4[1], 7) in [e["address"] for e in f.stats().raw["endpoints"]]

    wait_for(it_is_followed_again)
