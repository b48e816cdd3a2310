# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of one test run, and what runs in them.

A namespace's name carries the pid of the test run, so runs never meet and a later run can
tell what a killed one left behind.
"""

import atexit
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time

PREFIX = "fe2e-"
NETNS_DIR = "/run/netns"
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)
_live = []
_counter = 0


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def unique(role):
    """A name nobody else uses: fe2e-<pid>-<n>-<role>."""
    global _counter
    _counter += 1
    return f"{PREFIX}{os.getpid()}-{_counter}-{role}"


class Namespace:
    """A network namespace. As a context manager it moves the calling thread into it, so that
    sockets made inside the block belong to it (and stay there)."""

    def __init__(self, role):
        self.role = role
        self.name = unique(role)
        self._outer = []
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        _live.append(self)
        self.fd = os.open(f"{NETNS_DIR}/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        self.ip("link set lo up")

    def __enter__(self):
        self._outer.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        _setns(self.fd)
        return self

    def __exit__(self, *exc):
        outer = self._outer.pop()
        _setns(outer)
        os.close(outer)

    def ip(self, *commands):
        """Run ip(8) commands in one batch."""
        subprocess.run(
            ["ip", "-n", self.name, "-batch", "-"],
            input="\n".join(commands) + "\n",
            text=True,
            check=True,
        )

    def ip_json(self, *args):
        out = subprocess.run(
            ["ip", "-n", self.name, "-j", "-d", *args], capture_output=True, text=True, check=True
        )
        return json.loads(out.stdout or "[]")

    def sysctl(self, key, value):
        with self, open("/proc/sys/" + key.replace(".", "/"), "w") as f:
            f.write(str(value))

    def popen(self, argv, **kwargs):
        """Start a program here; it ends when the test run does."""
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, *map(str, argv)],
            preexec_fn=_die_with_parent,
            **kwargs,
        )

    def run(self, argv, timeout=60, check=True, **kwargs):
        """Run a program to its end and return it with its output as text."""
        p = self.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs)
        try:
            out, err = p.communicate(timeout=timeout)
        except BaseException:
            p.kill()
            p.wait()
            raise
        done = subprocess.CompletedProcess(argv, p.returncode, out, err)
        if check and p.returncode != 0:
            raise AssertionError(
                f"{' '.join(map(str, argv))}: exit {p.returncode}\n{out[-2000:]}\n{err[-2000:]}"
            )
        return done

    def pids(self):
        out = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True)
        return [int(p) for p in out.stdout.split() if int(p) != os.getpid()]

    def delete(self):
        if self in _live:
            _live.remove(self)
            end_processes(self.pids())
            os.close(self.fd)
            subprocess.run(["ip", "netns", "del", self.name], check=False)


def end_processes(pids, grace_s=2.0):
    """SIGTERM, then SIGKILL to whoever is still there; returns when all are gone."""
    for sig, patience in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 2.0)):
        for pid in pids:
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + patience
        while pids and time.monotonic() < deadline:
            pids = [p for p in pids if _alive(p)]
            time.sleep(0.01)
        if not pids:
            return


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            if f.read().rpartition(")")[2].split()[0] != "Z":
                return True
        os.waitpid(pid, os.WNOHANG)  # of our children nothing stays
    except (FileNotFoundError, ProcessLookupError, ChildProcessError):
        pass
    return False


def mount_bpf(directory):
    """A BPF file system of one's own below it: `ip netns exec` hides /sys/fs/bpf. Its path."""
    path = os.path.join(directory, "bpf")
    os.mkdir(path, 0o700)
    subprocess.run(["mount", "-t", "bpf", "bpf", path], check=True)
    return path


def unmount_bpf(directory):
    path = os.path.join(directory, "bpf")
    if os.path.ismount(path):
        subprocess.run(["umount", "--lazy", path], check=False)


def sweep_stale():
    """Remove what test runs left behind whose process is gone (kill -9)."""
    names = os.listdir(NETNS_DIR) if os.path.isdir(NETNS_DIR) else []
    for name in names:
        owner = _owner(name)
        if owner and not os.path.exists(f"/proc/{owner}"):
            pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
            end_processes([int(p) for p in pids.stdout.split()])
            subprocess.run(["ip", "netns", "del", name], check=False)
    for base in ("/tmp", "/dev/shm"):
        for name in os.listdir(base):
            owner = _owner(name)
            if owner and not os.path.exists(f"/proc/{owner}"):
                unmount_bpf(os.path.join(base, name))
                shutil.rmtree(os.path.join(base, name), ignore_errors=True)


def _owner(name):
    if not name.startswith(PREFIX):
        return None
    pid = name[len(PREFIX) :].split("-")[0]
    return int(pid) if pid.isdigit() else None


@atexit.register
def _delete_all():
    for ns in list(_live):
        ns.delete()
