# SPDX-License-Identifier: Apache-2.0
"""The XDP program before the sockets: whose it is, what it outlives, and what it does with what
is Fender's while nobody listens."""

import contextlib
import ctypes
import os
import signal
import socket
import struct

import pytest
from fender import BINARY, Fender
from netns import end_processes
from policies import forwarding, interface
from servers import connect, curl, echo, listen, nginx
from world import FENDER4, SERVERS4, SNAT4, at, wait_for

XDP = 6  # BPF_PROG_TYPE_XDP
PASS = struct.pack("<BBhi", 0xB7, 0, 0, 2) + struct.pack("<BBhi", 0x95, 0, 0, 0)
DEVICES = ["fa", "fb"]


def programs(world):
    """Program id by device, of those that have one."""
    links = world.gateway.ip_json("link", "show")
    return {d["ifname"]: d["xdp"]["prog"]["id"] for d in links if d.get("xdp")}


def pins(world, f):
    root = os.path.join(world.bpf, f"fender-{f.instance}")
    return sorted(os.listdir(root)) if os.path.isdir(root) else []


def index(world, device):
    return world.gateway.ip_json("link", "show", "dev", device)[0]["ifindex"]


def page(world):
    return curl(world, f"http://{at(FENDER4, 80)}/").strip()


def kill_both(f):
    f.process.kill()
    f.process.wait()
    end_processes_now([f.dataplane])


def end_processes_now(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    end_processes(pids)


def start(world, policy):
    f = world.fender(policy)
    f.dataplane = f.dataplane_pid()
    return f


@contextlib.contextmanager
def foreign_program(world, device):
    """Somebody else's program, "firewall", on a device; its id."""
    bpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    fd = bpf.bpf_prog_load(XDP, b"firewall", b"GPL", ctypes.c_char_p(PASS), ctypes.c_size_t(2), None)
    assert fd >= 0
    at_index = index(world, device)
    try:
        with world.gateway:
            assert bpf.bpf_xdp_attach(at_index, fd, 0, None) == 0
        yield programs(world)[device]
    finally:
        os.close(fd)
        with world.gateway:
            bpf.bpf_xdp_detach(at_index, 0, None)


@pytest.fixture
def serving(world):
    nginx(world)
    return world, start(world, forwarding([80], [SERVERS4[0]]))


def test_program_is_ours_and_goes_with_a_clean_stop(serving):
    world, f = serving
    assert page(world) == SERVERS4[0]
    assert sorted(programs(world)) == DEVICES
    assert len(set(programs(world).values())) == 1  # loaded once
    there = pins(world, f)
    for device in DEVICES:
        assert f"program-{index(world, device)}" in there
    assert not [name for name in there if name.endswith("-next")]
    assert f.stop() == 0
    assert programs(world) == {}
    assert pins(world, f) == []


def test_two_of_one_name_do_not_share_pins(serving):
    """Their other directories are different ones, so only the BPF file system tells."""
    world, f = serving
    before = pins(world, f)
    dirs = {"run": world.path("other"), "shm": os.path.join(world.shm, "other"), "bpf": world.bpf}
    argv = [BINARY, "run", "-c", f.file]
    for name, path in dirs.items():
        os.makedirs(path, exist_ok=True)
        argv += [f"--{name}-dir", path]
    done = world.gateway.run(argv, check=False)
    assert done.returncode != 0
    assert "another `fender run` has its maps in" in done.stderr
    assert pins(world, f) == before
    assert page(world) == SERVERS4[0]
    assert f.stop() == 0
    assert not [name for name in os.listdir(world.bpf) if f.instance in name]


def test_two_queues_share_one_program(make_world):
    world = make_world(queues=2)
    nginx(world)
    f = start(world, forwarding([80], [SERVERS4[0]], workers=2))
    for _ in range(8):
        assert page(world) == SERVERS4[0]
    assert sorted(programs(world)) == DEVICES
    assert len([name for name in pins(world, f) if name.startswith("sockets-")]) == len(DEVICES)


@pytest.mark.restarts
def test_a_restarted_dataplane_goes_on_with_the_program(serving):
    world, f = serving
    before = programs(world)
    for _ in range(5):
        pid = f.dataplane_pid()
        os.kill(pid, signal.SIGKILL)

        def another_dataplane_is_ready(pid=pid):
            return f.ready() and f.dataplane_pid() not in (0, pid)

        wait_for(another_dataplane_is_ready)
        assert page(world) == SERVERS4[0]
        assert programs(world) == before


def quiet(sock):
    """Neither data nor a reset comes for a while."""
    sock.settimeout(0.5)
    try:
        sock.recv(1)
    except socket.timeout:
        return True
    return False


@pytest.mark.restarts
@pytest.mark.leaves_open
def test_without_a_dataplane_connections_wait(world):
    """Nobody answers for them, and a later start finds its program."""
    echo(world, 7)
    f = start(world, forwarding([7], [SERVERS4[0]]))
    s = connect(world.client, FENDER4, 7)
    s.sendall(b"one")
    assert s.recv(10) == b"one"
    kill_both(f)
    assert sorted(programs(world)) == DEVICES
    s.sendall(b"two")
    assert quiet(s)
    f.start()
    with connect(world.client, FENDER4, 7) as other:
        other.sendall(b"three")
        assert other.recv(10) == b"three"
    s.close()
    assert f.stop() == 0
    assert programs(world) == {}


def test_another_program_is_a_clear_error(world):
    with foreign_program(world, "fb") as other:
        f = Fender(world, forwarding([80], [SERVERS4[0]])).spawn()
        world.fenders.append(f)
        assert f.process.wait(60) != 0
        said = f.log_text()
        assert programs(world) == {"fb": other}
    print(said)
    assert "fb carries an XDP program that is not Fender's: firewall" in said
    assert f"id {other}" in said
    assert "xdp off" in said
    assert pins(world, f) == []


@pytest.mark.restarts
@pytest.mark.parametrize("first, then", [("dpdk", "auto"), ("auto", "dpdk")])
def test_what_a_killed_run_left_is_no_hindrance(world, first, then):
    """libxdp's program in place of ours, ours in place of libxdp's."""
    nginx(world)
    policy = forwarding([80], [SERVERS4[0]])
    for name in ("clients", "servers"):
        interface(policy, name, limiter=first)
    f = start(world, policy)
    kill_both(f)
    assert sorted(programs(world)) == DEVICES
    for name in ("clients", "servers"):
        interface(policy, name, limiter=then)
    f.write(policy)
    f.start()
    assert page(world) == SERVERS4[0]
    assert f.stop() == 0
    assert programs(world) == {}
    assert pins(world, f) == []


# -- interfaces that the kernel shares ----------------------------------------


def mac(ns, device="eth0"):
    return ns.ip_json("link", "show", "dev", device)[0]["address"]


@pytest.fixture
def shared(world):
    """The servers' side is a shared interface: the kernel has its address."""
    world.gateway.ip(f"addr add {SNAT4}/24 dev fb")
    policy = forwarding([7, 80], [SERVERS4[0]], addresses=(FENDER4,))
    station = {"address": SERVERS4[0], "mac": mac(world.server)}
    interface(policy, "servers", shared=True, addresses=[f"{SNAT4}/24"], neighbours=[station])
    return world, policy


@pytest.mark.leaves_open
def test_kernel_keeps_its_part_of_a_shared_interface(shared):
    world, policy = shared
    nginx(world)
    start(world, policy)
    assert page(world) == SERVERS4[0]
    own = world.gateway.run(["curl", "-s", "-m", "30", f"http://{at(SERVERS4[0], 80)}/"])
    assert own.stdout.strip() == SERVERS4[0]
    world.server.run(["ping", "-c", "1", "-W", "20", SNAT4])
    assert page(world) == SERVERS4[0]


@pytest.mark.restarts
@pytest.mark.leaves_open
def test_kernel_does_not_reset_what_is_fenders(shared):
    """Its address, and no socket of its own: it would answer every segment with RST."""
    world, policy = shared
    f = start(world, policy)
    with listen(world.server, SERVERS4[0], 7) as listening:
        client = connect(world.client, FENDER4, 7)
        server, (address, _) = listening.accept()
        assert address == SNAT4
        kill_both(f)
        server.sendall(b"are you there?")
        assert quiet(server)
        client.close()
        server.close()
