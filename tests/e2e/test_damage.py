# SPDX-License-Identifier: Apache-2.0
"""Something writes over the shared region while Fender works on it.

Nothing that lies there may kill or hang a process, or keep new connections from working. What was
open may be lost. Fatal, and not tried here, is a file that is cut (test_lifecycle.py).
"""

import json
import os
import random
import struct

import pytest
from fender import DATAPLANE
from policies import forwarding
from servers import connect, is_echoed
from storm import Storm, kill_dataplane, processes, serve
from world import FENDER4, SERVERS4, wait_for

HEADER = (0, 192, 320)  # what is written after the creation; the rest is read once
SLOTS, REGISTRIES, CONNECTIONS = 1, (2, 3, 4), 11
USED = 250 * 320  # bytes of connections in use: the lowest entries are taken first
ROUNDS, WRITES = 5, 1000
ROUTES = (
    "/ /schema /healthz /readyz /metrics /stats /listeners /clusters /endpoints /breakers "
    "/connections?limit=300 /events /limits /policy /generations "
    "/explain?protocol=tcp&client=10.1.0.2:1&destination=10.1.0.1:7"
).split()


def sections(path):
    """(kind, offset, bytes) of what a running Fender writes and reads."""
    with open(path, "rb") as region:
        region.seek(512)
        rows = [struct.unpack("<IIQQQ", region.read(32)) for _ in range(32)]
    return [HEADER, *((kind, off, size) for kind, _, off, size, _ in rows if size)]


def write_over(path, rng, where):
    with open(path, "r+b", buffering=0) as region:
        for _ in range(WRITES):
            kind, off, size = rng.choice(where)
            n = rng.choice((1, 2, 4, 8, 64))
            room = min(size, USED) if kind == CONNECTIONS else size
            region.seek(off + rng.randrange(room - n))
            region.write(rng.choice((rng.randbytes(n), b"\xff" * n, b"\0" * n)))


def region_of(world):
    (name,) = [n for n in os.listdir(world.shm) if not n.endswith(".new")]
    return os.path.join(world.shm, name)


def whole_log(f):
    with open(f.log) as log:
        return log.read()


def answers(f):
    """Every route, with whole JSON where it says so."""
    for route in ROUTES:
        status, body = f.http("GET", route)
        assert status in (200, 503) if route == "/readyz" else status == 200, (route, status, body)
        if body.startswith("{") and route != "/events":
            json.loads(body)


@pytest.mark.parametrize("what", ["connections", "everything"])
def test_region_written_over_kills_nobody(world, what):
    serve(world)
    policy = forwarding([7], SERVERS4[:3], addresses=(FENDER4,))
    # What TCP is tracked by cannot be told from the truth: such a connection ends by these.
    policy["clusters"][0]["timeouts"] = {"idle": "3s", "half_closed": "1s"}
    f = world.fender(policy)
    pid = f.dataplane_pid()
    region = region_of(world)
    where = [s for s in sections(region) if what == "everything" or s[0] == CONNECTIONS]
    rng = random.Random(what)
    with Storm(world, FENDER4, 100, 10) as old:
        for _ in range(ROUNDS):
            write_over(region, rng, where)
            before = old.report()["turns"]
            answers(f)
            # Traffic has met the damage, or there is none left to meet it.
            wait_for(lambda: (r := old.report())["turns"] > before + 50 or r["open"] == 0)
        assert processes(f, DATAPLANE) == [pid]
        assert f.process.poll() is None

    def new_connections_work():
        with Storm(world, FENDER4, 20, 10) as new:
            return new.assert_whole()

    new_connections_work()
    wait_for(f.ready)
    assert f.reload(policy).returncode == 0
    new_connections_work()
    assert processes(f, DATAPLANE) == [pid]
    text = whole_log(f)
    assert "event=died" not in text and "event=hung" not in text
    if what == "everything":
        f.kill()  # the counters were written over, too: they obey no law


def scribble(path, rng, off, size):
    with open(path, "r+b", buffering=0) as region:
        region.seek(off)
        region.write(rng.randbytes(size))


def one_connection_works(world):
    with connect(world.client, FENDER4, 7) as s:
        assert is_echoed(s)


@pytest.mark.restarts
def test_region_written_over_while_both_were_dead_holds_no_start_up(world):
    serve(world)
    f = world.fender(forwarding([7], SERVERS4[:3], addresses=(FENDER4,)))
    region = region_of(world)
    by_kind = {kind: (off, size) for kind, off, size in sections(region)[1:]}
    rng = random.Random(5)
    half = os.path.getsize(region) // 2
    for where in (
        [by_kind[kind] for kind in REGISTRIES],
        [by_kind[SLOTS]],
        [HEADER[1:]],
        [(256, 256)],  # what the dataplane says of itself
        [(0, 64)],
        [(half, min(4 << 20, half))],
    ):
        f.process.kill()
        f.process.wait()
        kill_dataplane(f)
        for off, size in where:
            scribble(region, rng, off, size)
        f.start()
        one_connection_works(world)
    assert 'event=damaged why="something has written over its names of listeners"' in whole_log(f)
    f.kill()  # the counters were written over, too: they obey no law


@pytest.mark.restarts
def test_names_written_over_without_a_control_plane_are_made_again(world):
    serve(world)
    policy = forwarding([7], SERVERS4[:3], addresses=(FENDER4,))
    f = world.fender(policy)
    pid = f.dataplane_pid()
    f.process.kill()
    f.process.wait()
    region = region_of(world)
    for kind, off, size in sections(region)[1:]:
        if kind in REGISTRIES:
            scribble(region, random.Random(kind), off, size)
    f.start()
    assert processes(f, DATAPLANE) == [pid]
    one_connection_works(world)
    assert f.reload(policy).returncode == 0
    f.kill()  # the counters of the names that are lost obey no law
