# SPDX-License-Identifier: Apache-2.0
"""Fender under test: its policy file, its processes, its statistics."""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import time

import yaml
from laws import Stats
from netns import end_processes

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FENDER_BUILD", ROOT / "build" / "release"))
BINARY = BUILD / "fender"
DATAPLANE = BUILD / "fender-dataplane"


class _Plain(yaml.SafeDumper):
    """Writes a value that occurs twice out twice: policies know no anchors."""

    def ignore_aliases(self, data):
        return True


def write_policy(path, policy):
    """Write a policy, a dict or text, to a file; returns the path."""
    if not isinstance(policy, str):
        policy = yaml.dump(policy, Dumper=_Plain, sort_keys=False)
    with open(path, "w") as f:
        f.write(policy)
    return path


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Fender:
    def __init__(self, world, policy, name=None, args=(), bpf_dir=None, watch=False):
        self.world = world
        # Further ones of `fender run`. A file that is written is put in force by the test.
        self.args = [*([] if watch else ["--no-watch"]), *args]
        self.policy = policy
        self.instance = policy["sidecar"]["name"]
        self.file = world.path(f"{name or 'policy'}.yaml")
        self.log = world.path(f"{name or 'fender'}.log")
        self.run_dir = world.path("run")
        self.bpf_dir = bpf_dir or world.bpf
        self.process = None
        self.restarts_expected = False
        os.makedirs(self.run_dir, exist_ok=True)
        self.write(policy)

    def write(self, policy):
        """Replace the policy file by a dict or by text."""
        write_policy(self.file + ".new", policy)
        os.rename(self.file + ".new", self.file)

    # -- processes --------------------------------------------------------

    def options(self):
        dirs = {"run": self.run_dir, "shm": self.world.shm, "bpf": self.bpf_dir}
        return [word for name, path in dirs.items() for word in (f"--{name}-dir", path)]

    def spawn(self):
        out = open(self.log, "ab")
        with out:
            self.process = self.world.gateway.popen(
                [BINARY, "run", "-c", self.file, *self.options(), *self.args],
                stdout=out,
                stderr=out,
            )
        return self

    def start(self, timeout_s=60):
        self.spawn()
        deadline = time.monotonic() + timeout_s
        while not self.ready():
            code = self.process.poll()
            assert code is None, f"fender run: exit {code}\n{self.log_text()}"
            assert time.monotonic() < deadline, f"not ready in {timeout_s} s\n{self.log_text()}"
            time.sleep(0.02)
        self.first_dataplane = self.dataplane_pid()
        return self

    def stop(self, timeout_s=30):
        """Clean stop; returns the exit status."""
        self.process.terminate()
        return self.process.wait(timeout_s)

    def kill(self):
        """End both processes whatever state they are in."""
        if self.process and self.process.poll() is None:
            # The first asks to drain, the second not to wait for that.
            for patience_s in (0.3, 3):
                self.process.terminate()
                try:
                    self.process.wait(patience_s)
                    break
                except subprocess.TimeoutExpired:
                    pass
            else:
                self.process.kill()
                self.process.wait()
        end_processes(self.world.gateway.pids())

    def log_text(self):
        with open(self.log, errors="replace") as f:
            return f.read()[-6000:]

    # -- admin socket and CLI ---------------------------------------------

    @property
    def socket(self):
        return os.path.join(self.run_dir, self.instance + ".sock")

    def http(self, method, path, timeout_s=30):
        """One request; returns (status, body text)."""
        c = _UnixConnection(self.socket, timeout_s)
        try:
            c.request(method, path)
            r = c.getresponse()
            return r.status, r.read().decode()
        finally:
            c.close()

    def ready(self):
        try:
            return self.http("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def stats(self):
        status, body = self.http("GET", "/stats")
        assert status == 200, f"GET /stats: {status} {body}"
        return Stats(json.loads(body))

    def dataplane_pid(self):
        return self.stats().dataplane_pid

    def cli(self, *args, check=True):
        return self.world.gateway.run(
            [BINARY, *args, "-i", self.instance, "--run-dir", self.run_dir], check=check
        )

    def reload(self, policy=None, check=True):
        """Write the policy, if one is given, and reload through the CLI."""
        if policy is not None:
            self.write(policy)
        return self.cli("reload", check=check)


def check(path):
    """`fender check`."""
    return subprocess.run([BINARY, "check", path], capture_output=True, text=True, timeout=60)
