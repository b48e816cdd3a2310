# SPDX-License-Identifier: Apache-2.0
"""Start, stop, death and rest of the processes."""

import os
import signal
import subprocess
import time

import pytest
from fender import BINARY, Fender
from laws import assert_conserved
from netns import end_processes
from policies import forwarding
from servers import Wrk, connect, curl, echo, nginx, wrk, wrk_argv
from world import FENDER4, FENDER6, SERVERS4, SERVERS6, at, wait_for


def page(world, ip=FENDER4):
    return curl(world, f"http://{at(ip, 80)}/").strip()


@pytest.fixture
def serving(world):
    nginx(world)
    return world, world.fender(forwarding([80], [SERVERS4[0], SERVERS6[0]]))


def xdp_programs(world):
    return [d["ifname"] for d in world.gateway.ip_json("link", "show") if d.get("xdp")]


def left_over(world, f):
    return os.listdir(f.run_dir) + os.listdir(world.shm)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_clean_stop_leaves_nothing(serving, sig):
    world, f = serving
    assert page(world) == SERVERS4[0]
    assert sorted(xdp_programs(world)) == ["fa", "fb"]
    dataplane = f.dataplane_pid()
    f.process.send_signal(sig)
    assert f.process.wait(30) == 0
    assert not os.path.exists(f"/proc/{dataplane}")
    assert left_over(world, f) == []
    assert xdp_programs(world) == []
    assert world.gateway.pids() == []


def test_starts_again_after_a_clean_stop(serving):
    world, f = serving
    assert f.stop() == 0
    f.start()
    assert page(world) == SERVERS4[0]
    assert page(world, FENDER6) == SERVERS6[0]


@pytest.mark.restarts
def test_killed_dataplane_is_restarted_and_serves(serving):
    world, f = serving
    assert page(world) == SERVERS4[0]
    first = f.dataplane_pid()
    os.kill(first, signal.SIGKILL)

    def another_dataplane_is_ready():
        return f.ready() and f.dataplane_pid() not in (0, first)

    wait_for(another_dataplane_is_ready)
    assert page(world) == SERVERS4[0]
    assert page(world, FENDER6) == SERVERS6[0]
    assert f.stats().raw["dataplane"]["restarts"] == 1


@pytest.mark.restarts
def test_repeated_kills_are_survived(serving):
    world, f = serving
    for _ in range(3):
        pid = f.dataplane_pid()
        os.kill(pid, signal.SIGKILL)

        def another_dataplane_is_ready(pid=pid):
            return f.ready() and f.dataplane_pid() not in (0, pid)

        wait_for(another_dataplane_is_ready)
        assert page(world) == SERVERS4[0]


@pytest.mark.restarts
def test_connections_of_a_killed_dataplane_are_accounted_for(world):
    """They are carried on (test_restart_connections.py), closed by their clients, and counted
    once."""
    echo(world, 7)
    f = world.fender(forwarding([7], [SERVERS4[0]]))
    sockets = [connect(world.client, FENDER4, 7) for _ in range(5)]
    first = f.dataplane_pid()
    os.kill(first, signal.SIGKILL)

    def another_dataplane_is_ready():
        return f.ready() and f.dataplane_pid() not in (0, first)

    wait_for(another_dataplane_is_ready)
    assert f.stats().listener("p7-v4-tcp")["open"] == 5
    for s in sockets:
        s.close()
    row = assert_conserved(f.stats).listener("p7-v4-tcp")
    assert (row["opened"], row["closed"], row["failed"]) == (5, 5, 0)


@pytest.mark.restarts
def test_load_survives_a_killed_dataplane(serving):
    """Requests in flight wait, later ones are served, and every packet is accounted for."""
    world, f = serving
    argv = wrk_argv(f"http://{at(FENDER4, 80)}/", seconds=3, connections=10, close=True)
    with world.client.popen(argv, stdout=subprocess.PIPE, text=True) as load:
        time.sleep(1)
        os.kill(f.dataplane_pid(), signal.SIGKILL)
        result = Wrk(load.stdout.read())
    print(result.text)
    wait_for(f.ready)
    assert page(world) == SERVERS4[0]


def test_forwarding_goes_on_without_the_control_plane(serving):
    """Fail static; a new control plane adopts the running dataplane."""
    world, f = serving
    dataplane = f.dataplane_pid()
    f.process.kill()
    f.process.wait()
    time.sleep(0.3)
    for _ in range(5):
        assert page(world) == SERVERS4[0]
    started = f.start().stats()
    assert f.dataplane_pid() == dataplane
    assert started.listener("p80-v4-tcp")["started"] >= 5
    assert page(world) == SERVERS4[0]


def refused_start(world, policy):
    """Run, which must fail by itself; returns what it said."""
    f = Fender(world, policy).spawn()
    world.fenders.append(f)
    assert f.process.wait(30) != 0
    assert world.gateway.pids() == []
    assert xdp_programs(world) == []
    said = f.log_text()
    print(said)
    return said


def test_missing_netdev_is_a_clear_error(world):
    policy = forwarding([80], [SERVERS4[0]])
    policy["interfaces"][1]["device"] = "af_xdp:nosuch0"
    said = refused_start(world, policy)
    assert "interfaces[1].device" in said
    assert "nosuch0" in said


def test_mtu_beyond_xdp_is_a_clear_error(make_world):
    world = make_world(mtu=9000)
    said = refused_start(world, forwarding([80], [SERVERS4[0]]))
    assert "9000" in said or "MTU" in said.upper()


def test_second_instance_of_a_name_is_refused(serving):
    world, f = serving
    done = world.gateway.run([BINARY, "run", "-c", f.file, *f.options()], check=False)
    print(done.stderr)
    assert done.returncode != 0
    assert f.instance in done.stdout + done.stderr
    assert page(world) == SERVERS4[0]


@pytest.mark.leaves_open
def test_two_instances_share_a_machine(make_world):
    """Two worlds, two Fenders with one name but directories of their own."""
    worlds = [make_world(), make_world()]
    for world in worlds:
        nginx(world)
        world.fender(forwarding([80], [SERVERS4[0]]))
    for world in worlds:
        assert page(world) == SERVERS4[0]


def test_connections_survive_idle_and_wake(serving):
    """A worker that sleeps wakes for the first packet."""
    world, f = serving
    echo(world, 7)
    for _ in range(5):
        time.sleep(0.3)
        assert page(world) == SERVERS4[0]
    assert sum(w["sleeps"] for w in f.stats().workers) > 0


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_idle_costs_almost_nothing(serving):
    world, f = serving
    page(world)
    time.sleep(1)
    pids = [f.process.pid, f.dataplane_pid()]
    before = [cpu_seconds(p) for p in pids]
    time.sleep(3)
    used = [(cpu_seconds(p) - b) / 3 * 100 for p, b in zip(pids, before)]
    print(f"idle CPU: control plane {used[0]:.1f} %, dataplane {used[1]:.1f} %")
    assert max(used) < 5


@pytest.mark.parametrize("idle", ["adaptive", "poll"])
@pytest.mark.parametrize("hugepages", ["auto", "never"])
def test_modes_of_idling_and_memory_carry_traffic(world, idle, hugepages):
    nginx(world)
    policy = forwarding([80], [SERVERS4[0]], idle=idle, hugepages=hugepages)
    world.fender(policy)
    assert wrk(world, f"http://{at(FENDER4, 80)}/", seconds=1).errors == {}


def test_region_and_socket_are_private(serving):
    world, f = serving
    for path in [f.socket, *(os.path.join(world.shm, n) for n in os.listdir(world.shm))]:
        assert os.stat(path).st_mode & 0o007 == 0, path


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty"])
def test_damaged_region_file_is_replaced_at_start(serving, damage):
    world, f = serving
    f.process.kill()
    f.process.wait()
    end_processes([f.first_dataplane])
    (name,) = os.listdir(world.shm)
    path = os.path.join(world.shm, name)
    size = os.path.getsize(path)
    with open(path, "r+b") as region:
        if damage == "garbage":
            region.write(os.urandom(4096))
        else:
            region.truncate(size // 2 if damage == "truncated" else 0)
    f.start()
    assert page(world) == SERVERS4[0]
    assert os.path.getsize(path) == size


def test_connection_is_carried_over_a_control_plane_restart(world):
    echo(world, 7)
    f = world.fender(forwarding([7], [SERVERS4[0]]))
    s = connect(world.client, FENDER4, 7)
    s.sendall(b"one")
    assert s.recv(10) == b"one"
    f.process.kill()
    f.process.wait()
    f.start()
    s.sendall(b"two")
    assert s.recv(10) == b"two"
    s.close()


def test_start_that_fails_leaves_what_it_found(world):
    echo(world, 7)
    f = world.fender(forwarding([7], [SERVERS4[0]]))
    s = connect(world.client, FENDER4, 7)
    s.sendall(b"one")
    assert s.recv(10) == b"one"
    dataplane = f.dataplane_pid()
    f.process.kill()
    f.process.wait()
    end_processes([dataplane])
    f.args += ["--read-group", "no-such-group"]
    assert f.spawn().process.wait(60) == 1
    del f.args[-2:]
    f.start()
    s.sendall(b"two")
    assert s.recv(10) == b"two"
    s.close()
