# SPDX-License-Identifier: Apache-2.0
"""The end of a run, its faults, and what a service manager and the log hear of them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from fender import BINARY, DATAPLANE, ROOT, Fender
from policies import base, forwarding
from servers import connect, curl, echo, is_echoed, nginx
from world import FENDER4, SERVERS4, at, wait_for


def draining_for(seconds, **sidecar):
    policy = forwarding([7], [SERVERS4[0]], addresses=(FENDER4,), **sidecar)
    policy["clusters"][0]["timeouts"] = {"drain": f"{seconds}s"}
    return policy


def ask(f, path="/readyz"):
    status, body = f.http("GET", path)
    return status, json.loads(body)


def is_refused(world):
    try:
        connect(world.client, FENDER4, 7).close()
        return False
    except ConnectionRefusedError:
        return True


def another_dataplane(f, before):
    def another_dataplane_is_ready():
        return f.ready() and f.dataplane_pid() not in (0, before)

    wait_for(another_dataplane_is_ready)
    return f.dataplane_pid()


def begin_to_drain(f, sig=signal.SIGTERM):
    f.process.send_signal(sig)
    wait_for(lambda: ask(f)[0] == 503)


# -- the end ------------------------------------------------------------------


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_stop_waits_for_open_connections(world, sig):
    """New ones are reset at once; the last one that ends, ends the run."""
    echo(world, 7)
    f = world.fender(draining_for(600))
    old = connect(world.client, FENDER4, 7)
    assert is_echoed(old)
    assert f.cli("ready").stdout == "ready\n"
    begin_to_drain(f, sig)
    assert ask(f)[1]["status"] == "draining"
    probe = f.cli("ready", check=False)
    assert probe.returncode == 1 and probe.stderr.startswith("draining: ")
    assert f.cli("ready", "--live").stdout == "ok\n"
    wait_for(lambda: is_refused(world))
    assert f.stats().listener("p7-v4-tcp")["rejected_by_reason"] == {"draining": 1}
    assert is_echoed(old)
    assert f.process.poll() is None
    old.close()
    assert f.process.wait(60) == 0
    assert os.listdir(f.run_dir) == []


def test_stop_ends_with_the_drain_time(world):
    echo(world, 7)
    f = world.fender(draining_for(1))
    old = connect(world.client, FENDER4, 7)
    assert is_echoed(old)
    f.process.terminate()
    assert f.process.wait(60) == 0
    assert "event=drained open=1" in f.log_text()
    with pytest.raises(ConnectionResetError):
        old.recv(1)
    old.close()


def test_second_signal_does_not_wait(world):
    echo(world, 7)
    f = world.fender(draining_for(600))
    old = connect(world.client, FENDER4, 7)
    begin_to_drain(f)
    f.process.terminate()
    assert f.process.wait(60) == 0
    old.close()


@pytest.mark.leaves_open
def test_drain_of_a_dead_control_plane_is_forgotten(world):
    """The next one takes the dataplane over, which serves again."""
    echo(world, 7)
    f = world.fender(draining_for(600))
    old = connect(world.client, FENDER4, 7)
    begin_to_drain(f)
    f.process.kill()
    f.process.wait()
    f.start()

    wait_for(lambda: not is_refused(world))
    assert is_echoed(old)


# -- a dataplane that does not come back --------------------------------------


def breakable_dataplane(world):
    """A program in the dataplane's place, and the file whose presence makes it fail."""
    path, broken = world.path("dataplane.sh"), world.path("broken")
    with open(path, "w") as script:
        script.write(f'#!/bin/sh\n[ -e {broken} ] && exit 1\nexec {DATAPLANE} "$@"\n')
    os.chmod(path, 0o755)
    return path, broken


@pytest.mark.restarts
def test_lost_dataplane_is_tried_for_ever_with_drop(world):
    echo(world, 7)
    path, broken = breakable_dataplane(world)
    f = world.fender(draining_for(1), args=["--dataplane", path])
    first = f.dataplane_pid()
    open(broken, "w").close()
    os.kill(first, signal.SIGKILL)

    def loss_is_told():
        return "event=lost on_dataplane_loss=drop" in f.log_text()

    wait_for(loss_is_told, 60)
    assert ask(f)[0] == 503
    os.unlink(broken)
    f.process.send_signal(signal.SIGHUP)  # not in 5 s but at once
    another_dataplane(f, first)
    s = connect(world.client, FENDER4, 7)
    assert is_echoed(s)
    s.close()


# -- hung processes -----------------------------------------------------------


@pytest.mark.restarts
def test_stopped_dataplane_is_replaced(world):
    echo(world, 7)
    f = world.fender(draining_for(1))
    s = connect(world.client, FENDER4, 7)
    assert is_echoed(s)
    first = f.dataplane_pid()
    os.kill(first, signal.SIGSTOP)
    another_dataplane(f, first)
    assert "event=hung" in f.log_text()
    assert is_echoed(s)
    s.close()


@pytest.mark.restarts
def test_hung_main_thread_is_noticed(world):
    """Its workers go on meanwhile: only its own heartbeat tells."""
    echo(world, 7)
    f = world.fender(draining_for(1))
    first = f.dataplane_pid()
    helper = world.path("hold.py")
    with open(helper, "w") as out:
        out.write(HOLD_ONE_THREAD)
    holder = world.spawn(world.gateway, ["/usr/bin/python3", helper, first])
    another_dataplane(f, first)
    assert "thread=main" in f.log_text()
    holder.wait(30)


# A tracer stops one thread and lets the others run.
HOLD_ONE_THREAD = """
import ctypes, os, sys, time
PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
pid = int(sys.argv[1])
assert libc.ptrace(PTRACE_SEIZE, pid, None, None) == 0, os.strerror(ctypes.get_errno())
assert libc.ptrace(PTRACE_INTERRUPT, pid, None, None) == 0, os.strerror(ctypes.get_errno())
for _ in range(600):
    if not os.path.exists(f"/proc/{pid}"):
        break
    try:
        os.waitpid(pid, 0x40000000 | os.WNOHANG)
    except ChildProcessError:
        break
    time.sleep(0.05)
"""


def test_control_plane_that_was_stopped_kills_nobody(world):
    echo(world, 7)
    f = world.fender(draining_for(1))
    first = f.dataplane_pid()
    f.process.send_signal(signal.SIGSTOP)
    time.sleep(2.5)  # longer than what counts as hung
    s = connect(world.client, FENDER4, 7)
    assert is_echoed(s)
    f.process.send_signal(signal.SIGCONT)
    wait_for(f.ready)
    assert f.dataplane_pid() == first
    assert is_echoed(s)
    s.close()


# -- the region's file --------------------------------------------------------


def region_path(world):
    (name,) = os.listdir(world.shm)
    return os.path.join(world.shm, name)


@pytest.mark.restarts
@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_region_without_its_name_is_moved_and_connections_stay(world, how):
    echo(world, 7)
    f = world.fender(draining_for(1))
    s = connect(world.client, FENDER4, 7)
    assert is_echoed(s)
    path, first = region_path(world), f.dataplane_pid()
    whole = os.path.getsize(path)
    if how == "replaced":
        with open(path + ".other", "wb") as other:
            other.write(b"x" * 5000)
        os.rename(path + ".other", path)
    else:
        os.unlink(path)
    another_dataplane(f, first)
    assert os.path.getsize(path) == whole
    assert is_echoed(s)
    # A control plane that starts now finds it.
    f.process.kill()
    f.process.wait()
    f.start()
    assert f.stats().listener("p7-v4-tcp")["open"] == 1
    s.close()


@pytest.mark.leaves_open
def test_renamed_region_gets_its_name_back(world):
    echo(world, 7)
    f = world.fender(draining_for(1))
    s = connect(world.client, FENDER4, 7)
    path = region_path(world)
    inode = os.stat(path).st_ino
    os.rename(path, path + ".moved")

    def name_is_back():
        return os.path.exists(path) and os.stat(path).st_ino == inode

    wait_for(name_is_back)
    os.unlink(path + ".moved")
    assert is_echoed(s)


@pytest.mark.leaves_open
def test_overwritten_region_header_is_repaired(world):
    echo(world, 7)
    f = world.fender(draining_for(600))
    s = connect(world.client, FENDER4, 7)
    with open(region_path(world), "r+b") as region:
        region.write(bytes(range(1, 251)) * 6)
    wait_for(lambda: "event=region_repaired" in f.log_text())
    assert is_echoed(s)
    f.reload()
    wait_for(f.ready)


@pytest.mark.leaves_open
def test_overwritten_names_are_put_back(world):
    echo(world, 7)
    policy = draining_for(600)
    f = world.fender(policy)
    s = connect(world.client, FENDER4, 7)
    with open(region_path(world), "r+b") as region:
        name = f"{policy['clusters'][0]['name']}/{at(SERVERS4[0], 7)}".encode()
        region.seek(region.read().index(name))
        region.write(bytes([255]) * len(name))
    wait_for(lambda: "event=names_repaired" in f.log_text())
    f.reload(draining_for(601))
    assert is_echoed(s)


@pytest.mark.restarts
@pytest.mark.parametrize("size", [0, 100_000], ids=["empty", "short"])
def test_truncated_region_is_made_anew(world, size):
    nginx(world)
    f = world.fender(forwarding([80], [SERVERS4[0]]))
    first, path = f.dataplane_pid(), region_path(world)
    whole = os.path.getsize(path)
    os.truncate(path, size)

    def another_instance_is_ready():
        try:
            return f.ready() and f.dataplane_pid() not in (0, first)
        except (OSError, AssertionError):
            return False

    wait_for(another_instance_is_ready)
    assert f.process.poll() is None
    assert os.path.getsize(region_path(world)) == whole
    assert "event=region_truncated" in f.log_text()
    assert curl(world, f"http://{at(FENDER4, 80)}/").strip() == SERVERS4[0]


def test_full_tmpfs_is_a_clear_error(world):
    small = world.path("small")
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        f = Fender(world, forwarding([7], [SERVERS4[0]]), args=["--shm-dir", small]).spawn()
        world.fenders.append(f)
        assert f.process.wait(60) == 1
        assert "cannot allocate" in f.log_text()
        assert "No space left on device" in f.log_text()
        assert os.listdir(small) == []
    finally:
        subprocess.run(["umount", small], check=True)


# -- service manager and log --------------------------------------------------


class Manager:
    """systemd's end of the notify socket."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(30)
        self.heard = []

    def wait_for(self, text):
        while not any(text in message for message in self.heard):
            self.heard.append(self.socket.recv(4096).decode())


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_service_manager_is_told(world, monkeypatch, abstract):
    echo(world, 7)
    name = f"@{world.tmp}/notify" if abstract else world.path("notify")
    if abstract:
        # Abstract names belong to a network namespace.
        with world.gateway:
            manager = Manager("\0" + name[1:])
    else:
        manager = Manager(name)
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    f = world.fender(draining_for(600))
    manager.wait_for("READY=1")
    manager.wait_for("WATCHDOG=1")
    manager.heard.clear()
    f.write(draining_for(500))
    f.process.send_signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1\nMONOTONIC_USEC=")
    manager.wait_for("READY=1\nSTATUS=reload: applied, generation 2 in force")
    s = connect(world.client, FENDER4, 7)
    f.process.terminate()
    manager.wait_for("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=510000000")
    s.close()
    assert f.process.wait(60) == 0
    manager.socket.close()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_unit_file_is_what_systemd_takes(tmp_path):
    text = (ROOT / "deploy/systemd/fender@.service").read_text()
    unit = tmp_path / "fender@.service"
    unit.write_text(text.replace("/usr/local/bin/fender ", f"{BINARY.absolute()} "))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True
    )
    about_it = [line for line in done.stderr.splitlines() if "fender@" in line]
    assert (done.returncode, about_it) == (0, []), done.stderr


def test_log_is_json_on_demand(world):
    f = Fender(world, draining_for(1), args=["--log-format", "json", "--log-level", "debug"])
    world.fenders.append(f)
    f.start()
    f.write("version: 1\nnonsense\n")
    f.reload(check=False)
    assert f.stop(60) == 0
    with open(f.log) as log:
        lines = [json.loads(line) for line in log]
    assert {"control", "dataplane", "policy"} <= {line["subject"] for line in lines}
    assert {"info", "debug", "error"} <= {line["level"] for line in lines}
    started = [line for line in lines if line.get("event") == "started" and "workers" in line]
    assert started[0]["workers"] == 1


def test_log_says_its_priority_to_the_journal(world, monkeypatch):
    f = Fender(world, base())
    world.fenders.append(f)
    open(f.log, "w").close()
    st = os.stat(f.log)
    monkeypatch.setenv("JOURNAL_STREAM", f"{st.st_dev}:{st.st_ino}")
    f.start()
    assert f.stop(60) == 0
    with open(f.log) as log:
        assert all(line.startswith(("<6>info ", "<4>warn ")) for line in log)


def test_log_level_error_is_silent(world):
    f = Fender(world, base(), args=["--log-level", "error"])
    world.fenders.append(f)
    f.start()
    assert f.stop(60) == 0
    assert f.log_text() == ""
