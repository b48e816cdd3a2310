# SPDX-License-Identifier: Apache-2.0
"""Processes die, policies storm, memory runs out, all under connections that never rest.

`make chaos` runs the long versions (FENDER_CHAOS=full, and FENDER_CHAOS_CONNECTIONS of them
beside an iperf3 stream) and prints what it measured.
"""

import collections
import copy
import json
import os
import random
import signal
import statistics
import subprocess
import time

import pytest
from beat import Beat
from fender import BINARY, DATAPLANE
from laws import assert_conserved, dropped_between
from policies import forwarding
from servers import echo, wait_listening
from storm import Storm, kill_control, kill_dataplane, kill_in_upgrade, pause, processes, serve
from test_reload_history import BOMB
from world import FENDER4, SERVERS4, wait_for

FULL = os.environ.get("FENDER_CHAOS") == "full"
CONNECTIONS = int(os.environ.get("FENDER_CHAOS_CONNECTIONS", 10000)) if FULL else 200
PAUSE_MS = 2000 if FULL else 100
# What a frame of a living connection must never be dropped for.
LOST = {"no_listener", "no_connection", "no_route", "not_ready", "no_endpoint", "table_full"}


def many(short, full):
    return full if FULL else short


def tell(**numbers):
    print("\nchaos:", json.dumps(numbers), flush=True)


def spread(values):
    """Of milliseconds."""
    rows = sorted(round(v, 1) for v in values)
    middle, far = round(statistics.median(rows), 1), rows[int(len(rows) * 0.95)]
    return {"n": len(rows), "min": rows[0], "median": middle, "p95": far, "max": rows[-1]}


def service_policy():
    policy = forwarding([7, 5201], SERVERS4[:3], addresses=(FENDER4,))
    del policy["clusters"][1]["endpoints"][1:]  # both connections of an iperf3 go to one server
    return policy


def weighted(policy, i):
    policy = copy.deepcopy(policy)
    for k, e in enumerate(policy["clusters"][0]["endpoints"]):
        e["weight"] = 1 + (i + k) % 5
    return policy


def beating(policy):
    """With a UDP listener beside; its flow ends soon after the beat."""
    more = forwarding([9], SERVERS4[:1], ("udp",), addresses=(FENDER4,))
    for key in ("listeners", "clusters"):
        policy[key] += more[key]
    more["clusters"][0]["timeouts"] = {"idle": "2s"}
    return policy


def begin(world, policy=None, **keys):
    serve(world)
    return world.fender(policy or service_policy(), **keys)


def load(world):
    """The connections, and in the long version a stream beside them."""
    if FULL:
        world.spawn(world.server, ["iperf3", "-s", "-p", 5201])
        wait_listening(world.server, 5201)
        world.spawn(world.client, ["iperf3", "-c", FENDER4, "-p", 5201, "-t", 7200, "-b", "100M"])
    return Storm(world, FENDER4, CONNECTIONS, PAUSE_MS)


def is_ready(f):
    def fender_is_ready():
        return f.ready() and f.dataplane_pid() in processes(f, DATAPLANE)

    wait_for(fender_is_ready, 60)


def end_streams(world):
    """So that nothing is open when the laws are checked."""
    for p in [p for p in world.processes if b"iperf3" in _words(p.pid)]:
        world.stop(p)


def _words(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().split(b"\0")
    except FileNotFoundError:
        return []


# -- policies -----------------------------------------------------------------


def test_reloads_under_load_lose_nothing(world):
    f = begin(world)
    timings = collections.defaultdict(list)
    with load(world) as storm:
        before = f.stats()
        for i in range(many(20, 200)):
            f.write(weighted(f.policy, i + 1))
            status, body = f.http("POST", "/reload")
            assert status == 200, body
            for stage, us in json.loads(body)["timings_us"].items():
                timings[stage].append(us / 1000)
        storm.all_move()
        after = f.stats()
        assert after.generation == before.generation + many(20, 200)
        lost = dropped_between(before, after)
        assert not LOST & set(lost), lost
        tell(test="reloads", dropped=lost, **{s: spread(ms) for s, ms in timings.items()})
        assert_conserved(f.stats, closed=False)
    end_streams(world)


def bad_files(policy):
    unknown = copy.deepcopy(policy)
    unknown["listeners"][0]["cluster"] = "nobody"
    restart = copy.deepcopy(policy)
    restart["sidecar"]["workers"] = 2
    return [
        b"version: 1\nlisteners: [\n",
        BOMB.encode(),
        b"version: 1\nsidecar: {name: \xff\xfe}\n",
        b"version: 1\nlisteners: [" + b"{}," * many(100_000, 3_400_000),
        b"",
        json.dumps(unknown).encode(),
        json.dumps(restart).encode(),
    ]


def test_files_that_come_faster_than_they_are_read(world):
    """By the watched file, SIGHUP and POST at once; every second one is bad. Nobody waits for an
    answer; the last good one is in force in the end."""
    f = begin(world, watch=True)
    bad = bad_files(f.policy)
    first = f.stats().generation
    with load(world) as storm:
        count = many(60, 1000)
        for i in range(count):
            if i % 2:
                with open(f.file + ".new", "wb") as out:
                    out.write(bad[i // 2 % len(bad)])
                os.rename(f.file + ".new", f.file)
            else:
                f.write(weighted(f.policy, i // 2 + 1))
            if i % 3 == 0:
                f.process.send_signal(signal.SIGHUP)
            if i % 10 == 0:
                f.http("POST", "/reload")
        last = weighted(f.policy, 0)
        last["clusters"][0]["endpoints"][0]["weight"] = 77
        f.write(last)
        status, body = f.http("POST", "/reload", 120)
        assert status == 200, body
        assert first < f.stats().generation <= first + count // 2 + 1
        row = f.stats().endpoint("p7-v4", f.stats().raw["endpoints"][0]["address"])
        assert row["weight"] == 77
        storm.all_move()
        tell(test="storm of files", files=count, generations=f.stats().generation - first)
    end_streams(world)


# -- deaths -------------------------------------------------------------------


def test_control_plane_killed_under_load(world):
    """Nobody notices: no connection ends, and all go on without one."""
    f = begin(world)
    first, rng = f.first_dataplane, random.Random(5)
    ready, longest = [], []
    with load(world) as storm:
        for _ in range(many(4, 100)):
            time.sleep(rng.uniform(0, 0.3))
            storm.mark()
            kill_control(f)
            if not FULL or rng.random() < 0.1:
                storm.all_move()
            began = time.monotonic()
            f.start()
            ready.append((time.monotonic() - began) * 1000)
            longest.append(storm.assert_whole()["longest_ms"])
            assert f.dataplane_pid() == first
        storm.all_move()
        tell(test="kill control plane", ready_ms=spread(ready), longest_turn_ms=spread(longest))
        assert_conserved(f.stats, closed=False)
    end_streams(world)


@pytest.mark.restarts
def test_dataplane_killed_under_load(world):
    """The pause is told by datagrams: a connection whose segment was lost waits for its own time."""
    f = begin(world, beating(service_policy()))
    echo(world, 9)
    forwards, all_on = [], []
    with load(world) as storm, Beat(world, FENDER4, 9) as beat:
        for _ in range(many(3, 50)):
            began = time.monotonic()
            kill_dataplane(f)
            beat.settle(60)
            forwards.append(beat.longest_ms(began))
            storm.all_move()
            all_on.append((time.monotonic() - began) * 1000)
            is_ready(f)
            assert_conserved(f.stats, closed=False)
            # Three deaths within 10 s of life are answered by a back-off.
            time.sleep(many(0, 5))
        assert f.stats().listener("p7-v4-tcp")["closed"] == 0
        tell(test="kill dataplane", forwards_ms=spread(forwards), all_on_ms=spread(all_on))
    end_streams(world)


FAULTS = {
    "control plane dies": lambda f, rng: kill_control(f),
    "dataplane dies": lambda f, rng: kill_dataplane(f),
    "both die": lambda f, rng: (kill_dataplane(f), kill_control(f)),
    "both die, the other first": lambda f, rng: (kill_control(f), kill_dataplane(f)),
    "dataplane stops": lambda f, rng: pause(f, DATAPLANE, rng.uniform(0.01, 0.5)),
    "control plane stops": lambda f, rng: pause(f, BINARY, rng.uniform(0.01, 0.5)),
    "one dies in an upgrade": lambda f, rng: kill_in_upgrade(f, rng.uniform(0, 0.6), rng),
    "reload": lambda f, rng: (
        f.write(weighted(f.policy, rng.randrange(99))),
        f.cli("reload", check=False),
    ),
}


@pytest.mark.restarts
def test_faults_at_random_moments(world):
    """The next one comes whether Fender has got over the last or not."""
    seed = int(os.environ.get("FENDER_CHAOS_SEED", 7))
    f = begin(world)
    rng, done = random.Random(seed), collections.Counter()
    with load(world) as storm:
        for i in range(many(12, 300)):
            time.sleep(rng.choice([0, 0.05, 0.3, many(0.5, 1)]) * rng.random())
            # Each once, then as it comes.
            name = list(FAULTS)[i] if i < len(FAULTS) else rng.choice(list(FAULTS))
            print(f"{i}: {name}", flush=True)
            FAULTS[name](f, rng)
            done[name] += 1
            if f.process.poll() is not None:
                f.spawn()
            if i % 20 == 19:
                is_ready(f)
                storm.all_move()
        is_ready(f)
        seconds = storm.all_move()
        tell(test="random faults", seed=seed, faults=done, all_on_s=round(seconds, 2))
        f.reload(weighted(f.policy, 1))
        stats = assert_conserved(f.stats, closed=False)
        assert stats.listener("p7-v4-tcp")["open"] == CONNECTIONS
    end_streams(world)


# -- memory -------------------------------------------------------------------


@pytest.fixture
def small_tmpfs(world):
    """A tmpfs of 40 MiB: room for one region and no second; and how to fill and free it."""
    path = world.path("small")
    os.mkdir(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", path], check=True)
    yield path
    for f in world.fenders:
        f.kill()
    subprocess.run(["umount", "--lazy", path], check=True)


def fill(path):
    with open(os.path.join(path, "filler"), "wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(4096))
        except OSError:
            pass


@pytest.mark.restarts
def test_region_deleted_while_the_tmpfs_is_full(world, small_tmpfs):
    """There is no room for another file: what runs goes on; what dies comes back once there is."""
    f = begin(world, args=["--shm-dir", small_tmpfs])
    with load(world) as storm:
        fill(small_tmpfs)
        f.reload(weighted(f.policy, 1))  # needs no memory
        storm.all_move()
        (region,) = [n for n in os.listdir(small_tmpfs) if n != "filler"]
        os.unlink(os.path.join(small_tmpfs, region))

        def logged(text):
            wait_for(lambda: text in f.log_text())

        logged("action=wait")
        storm.all_move()
        assert f.dataplane_pid() == f.first_dataplane
        kill_dataplane(f)
        logged("event=region_not_moved")
        subprocess.run(["mount", "-o", "remount,size=200m", small_tmpfs], check=True)
        wait_for(lambda: region in os.listdir(small_tmpfs))
        is_ready(f)
        storm.all_move()
        assert_conserved(f.stats, closed=False)
    end_streams(world)


def test_full_run_directory_stops_no_reload(world):
    """The history is kept there; where it cannot be, a policy is put in force nonetheless."""
    run_dir = world.path("run")
    os.makedirs(run_dir)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", run_dir], check=True)
    try:
        f = begin(world)
        with load(world) as storm:
            fill(run_dir)
            before = f.stats().generation
            for i in range(3):
                f.reload(weighted(f.policy, i + 1))
            assert f.stats().generation == before + 3
            storm.all_move()
        end_streams(world)
        assert_conserved(f.stats)
        f.kill()
    finally:
        subprocess.run(["umount", "--lazy", run_dir], check=True)


@pytest.mark.restarts
def test_policy_overwritten_in_the_region(world):
    """The dataplane that runs has its own copy; the next one gets another."""
    f = begin(world)
    (region,) = [os.path.join(world.shm, n) for n in os.listdir(world.shm)]
    with load(world) as storm:
        with open(region, "r+b") as file:
            image = file.read().index(b"p5201-v4-tcp")  # slots come before names
            file.seek(image)
            file.write(b"nonsense")
        storm.all_move()
        kill_dataplane(f)
        storm.all_move()
        is_ready(f)
        assert f.stats().generation == 2
        assert_conserved(f.stats, closed=False)
    end_streams(world)


@pytest.mark.restarts
@pytest.mark.parametrize("how", ["deleted", "cut"])
def test_region_lost_while_both_die(world, how):
    """Whatever is left of it, an instance that serves comes back."""
    f = begin(world)
    with Storm(world, FENDER4, 20):
        (region,) = [os.path.join(world.shm, n) for n in os.listdir(world.shm)]
        kill_control(f)
        kill_dataplane(f)
        os.unlink(region) if how == "deleted" else os.truncate(region, 8192)
        f.start()
        with Storm(world, FENDER4, 20) as anew:
            anew.all_move()

