# SPDX-License-Identifier: Apache-2.0
"""A control plane that is started again beside what the one before has left."""

import copy
import json
import os
import signal

import pytest
from fender import DATAPLANE
from policies import forwarding
from servers import connect, echo, is_echoed
from world import FENDER4, SERVERS4, wait_for

pytestmark = pytest.mark.leaves_open


def one_listener(**sidecar):
    return forwarding([7], [SERVERS4[0]], addresses=(FENDER4,), **sidecar)


def heavier(policy, weight=5):
    """A policy that differs in what a reload puts in force."""
    policy = copy.deepcopy(policy)
    policy["clusters"][0]["endpoints"][0]["weight"] = weight
    return policy


def larger(policy):
    """A policy that differs in what needs a restart."""
    policy = copy.deepcopy(policy)
    policy["sidecar"]["connections"] = 2 * policy["sidecar"].get("connections", 16384)
    return policy


def begin(world, policy, **keys):
    """Fender with a policy of two generations, and a connection through it."""
    echo(world, 7)
    f = world.fender(policy, **keys)
    f.reload(heavier(policy))
    s = connect(world.client, FENDER4, 7, timeout=30)
    assert is_echoed(s)
    return f, s


def kill_control(f):
    f.process.kill()
    f.process.wait()


def generations(f):
    return json.loads(f.http("GET", "/generations")[1])


def ready(f):
    return json.loads(f.http("GET", "/readyz")[1])


def broken(f):
    f.write("version: 1\nlisteners: [\n")


def missing(f):
    os.unlink(f.file)


def assert_goes_on(f, s, before, result):
    """The dataplane, its policy and its connections are those from before; the file is told of."""
    assert f.stats().dataplane_pid == before.dataplane_pid
    assert f.stats().generation == before.generation
    assert is_echoed(s)
    last = generations(f)["attempts"][-1]
    assert (last["source"], last["result"], last["generation"]) == ("start", result, None)
    assert last["reason"].splitlines()[0] in f.cli("generations", "--json").stdout
    assert "the policy file is not in force: " in ready(f)["detail"]
    assert f"event=file_not_used file={f.file} result={result}" in f.log_text()
    return last["reason"]


# -- the policy file cannot be used ------------------------------------------------


@pytest.mark.parametrize("spoil", [broken, missing])
def test_a_file_with_errors_leaves_the_applied_policy_in_force(world, spoil):
    policy = one_listener()
    f, s = begin(world, policy, watch=True)
    before = f.stats()
    kill_control(f)
    spoil(f)
    f.start()
    assert f.file in assert_goes_on(f, s, before, "invalid")
    assert "goes_on_with=history" in f.log_text()
    # It is looked after again, and follows the file as always.
    f.write(heavier(policy, 7))

    def the_file_is_in_force():
        return f.stats().generation == before.generation + 1 and "detail" not in ready(f)

    wait_for(the_file_is_in_force)
    assert generations(f)["attempts"][-1]["source"] == "file"
    assert is_echoed(s)
    s.close()


def test_a_file_that_needs_a_restart_waits_for_one(world):
    policy = one_listener()
    f, s = begin(world, policy)
    before = f.stats()
    kill_control(f)
    f.write(larger(policy))
    f.start()
    reason = assert_goes_on(f, s, before, "needs_restart")
    assert reason == "needs a restart: sidecar.connections"
    done = f.cli("reload", check=False)
    assert done.returncode == 1 and "sidecar.connections" in done.stderr
    # Nor is it forgotten by the next one.
    kill_control(f)
    f.start()
    assert_goes_on(f, s, before, "needs_restart")
    s.close()
    assert f.stop() == 0
    f.start()
    assert f.stats().generation == 1 and "detail" not in ready(f)
    with open(f.file) as text:
        assert f.http("GET", "/policy?format=yaml")[1] == text.read()


def test_without_the_text_the_image_in_the_region_serves(world):
    policy = one_listener()
    f, s = begin(world, policy)
    before = f.stats()
    kill_control(f)
    folder = os.path.join(f.run_dir, f.instance + ".generations")
    for name in os.listdir(folder):
        if name.endswith(".yaml"):
            os.unlink(os.path.join(folder, name))
    broken(f)
    f.start()
    assert_goes_on(f, s, before, "invalid")
    assert "goes_on_with=region" in f.log_text()
    assert f.http("GET", "/policy?format=yaml")[0] == 404
    assert f.reload(check=False).returncode == 1
    f.reload(heavier(policy, 7))
    assert is_echoed(s)
    s.close()


@pytest.mark.restarts
def test_both_killed_and_a_broken_file(world):
    f, s = begin(world, one_listener())
    before = f.stats()
    kill_control(f)
    os.kill(before.dataplane_pid, signal.SIGKILL)
    broken(f)
    f.start()
    assert f.stats().generation == before.generation
    assert is_echoed(s)
    s.close()


def test_a_name_is_not_changed_by_a_restart(world):
    policy = one_listener()
    f, s = begin(world, policy)
    before = f.stats()
    kill_control(f)
    renamed = copy.deepcopy(policy)
    renamed["sidecar"]["name"] = f.instance + "2"
    f.write(renamed)
    f.start()
    reason = assert_goes_on(f, s, before, "needs_restart")
    assert reason == "needs a restart: sidecar.name"
    done = f.cli("reload", check=False)
    assert done.returncode == 1 and "keeps its name" in done.stderr
    assert "fender upgrade" not in done.stderr
    s.close()


def test_a_first_start_needs_a_file_without_errors(world):
    """Also beside the history of an instance whose region is gone."""
    policy = one_listener()
    echo(world, 7)
    f = world.fender(policy)
    pid = f.dataplane_pid()
    kill_control(f)
    os.kill(pid, signal.SIGKILL)
    os.unlink(os.path.join(world.shm, "fender-" + f.instance))
    broken(f)
    f.spawn()
    assert f.process.wait(60) == 1
    assert 'error="the policy has errors"' in f.log_text()
    f.write(policy)
    f.start()


# -- the guard ----------------------------------------------------------------------


def test_the_watch_of_a_policy_outlives_the_control_plane(world):
    policy = one_listener()
    policy["reload"] = {
        "watch": "10m",
        "minimum_calls": 5,
        "rollback_if": {"error_rate": "50%"},
    }
    f, s = begin(world, policy)
    good = f.stats().generation
    bad = heavier(policy)
    bad["clusters"][0]["endpoints"] = [{"address": f"{SERVERS4[0]}:9"}]
    f.reload(bad)
    kill_control(f)
    f.start()
    assert "event=guard_resumed" in f.log_text()
    for _ in range(5):
        with pytest.raises(ConnectionRefusedError):
            connect(world.client, FENDER4, 7)

    def the_guard_took_it_back():
        last = generations(f)["attempts"][-1]
        return (last["source"], last["result"], last["restores"]) == ("guard", "applied", good)

    wait_for(the_guard_took_it_back)
    # What it took back is not what one returns to.
    kill_control(f)
    f.start()
    f.cli("rollback")
    assert generations(f)["attempts"][-1]["restores"] == 1
    connect(world.client, FENDER4, 7).close()
    s.close()


# -- the program ----------------------------------------------------------------------


@pytest.mark.restarts
def test_an_upgraded_program_is_the_one_that_is_restarted(world):
    """Also by a control plane that did not see the upgrade; a clean stop forgets it."""
    upgraded, other = programs = [world.path(name) for name in ("upgraded", "other")]
    for program in programs:
        with open(program, "w") as script:
            script.write(f'#!/bin/sh\necho >>{program}.starts\nexec {DATAPLANE} "$@"\n')
        os.chmod(program, 0o755)

    def starts(program):
        with open(program + ".starts") as lines:
            return len(lines.readlines())

    f, s = begin(world, one_listener())
    f.cli("upgrade", "--dataplane", upgraded)
    assert starts(upgraded) == 1
    kill_control(f)
    f.start()
    pid = f.dataplane_pid()
    os.kill(pid, signal.SIGKILL)

    def another_is_ready():
        return f.ready() and f.dataplane_pid() not in (0, pid)

    wait_for(another_is_ready)
    assert starts(upgraded) == 2
    # Another one that `fender run` is told is newer.
    kill_control(f)
    f.args += ["--dataplane", other]
    f.start()
    f.cli("upgrade")
    assert starts(other) == 1
    assert is_echoed(s)
    s.close()
    f.cli("upgrade", "--dataplane", upgraded)
    assert f.stop() == 0
    assert os.listdir(f.run_dir) == []
    f.start()
    assert (starts(upgraded), starts(other)) == (3, 2)
