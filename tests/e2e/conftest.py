# SPDX-License-Identifier: Apache-2.0
import json
import os
import resource
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import fender as fender_module  # noqa: E402
import laws  # noqa: E402
import netns  # noqa: E402
import servers  # noqa: E402
from world import World  # noqa: E402

PROGRAMS = ["ip", "curl", "wrk", "nginx", "iperf3", "dig", "dnsmasq", "ping"]


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: moves gigabytes or thousands of connections")
    config.addinivalue_line("markers", "restarts: the dataplane is expected to die")
    config.addinivalue_line("markers", "leaves_open: connections are open when the test ends")
    config.addinivalue_line("markers", "alone: needs both CPUs; `make test` runs it after all others")


def _why_not():
    """Why end-to-end tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root: network namespaces and AF_XDP"
    missing = [p for p in PROGRAMS if not shutil.which(p)]
    if missing:
        return "not installed: " + ", ".join(missing)
    for binary in (fender_module.BINARY, fender_module.DATAPLANE):
        if not binary.exists():
            return f"not built: {binary}"
    return None


def pytest_collection_modifyitems(items):
    why = _why_not()
    if why:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=why))


def pytest_sessionstart(session):
    # kill and timeout(1) end the run like Ctrl-C: through the finalizers.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if os.geteuid() == 0:
        netns.sweep_stale()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, "report_" + call.when, outcome.get_result())


@pytest.fixture
def make_world(request):
    """Worlds by call; afterwards every Fender in them must obey the laws, then all is removed."""
    worlds = []

    def make(of=World, **keys):
        worlds.append(of(**keys))
        return worlds[-1]

    try:
        yield make
        called = getattr(request.node, "report_call", None)
        for world in worlds:
            for f in world.fenders:
                if called and called.failed:
                    _show(f)
                elif f.process.poll() is None:
                    try:
                        _judge(f, request.node)
                    except BaseException:
                        _show(f)
                        raise
    finally:
        for world in worlds:
            world.destroy()


@pytest.fixture
def world(make_world):
    return make_world()


def _judge(f, node):
    if not node.get_closest_marker("restarts"):
        assert f.dataplane_pid() == f.first_dataplane, "the dataplane died"
    if node.get_closest_marker("leaves_open"):
        laws.assert_conserved(f.stats, closed=False)
    else:
        laws.assert_all_returned(f)


def _show(f):
    print(f"--- {f.log}\n{f.log_text()}")
    try:
        print(json.dumps(f.stats().raw, indent=1)[:8000])
    except Exception as e:
        print(f"no statistics: {e}")


@pytest.fixture(scope="session")
def big_file():
    """A directory with the file `big` of 1 GiB, and its checksum."""
    directory = tempfile.mkdtemp(prefix=netns.unique("big") + "-", dir="/tmp")
    os.chmod(directory, 0o755)
    try:
        _, checksum = servers.random_file(directory, 1024)
        yield directory, checksum
    finally:
        shutil.rmtree(directory, ignore_errors=True)
