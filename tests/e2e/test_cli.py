# SPDX-License-Identifier: Apache-2.0
"""The operator's commands and the admin socket."""

import json

import pytest
import yaml
from fender import BINARY, check
from policies import forwarding
from servers import curl, nginx
from world import FENDER4, SERVERS4, SERVERS6, at, wait_for


@pytest.fixture
def serving(world):
    nginx(world)
    f = world.fender(forwarding([80], SERVERS4 + SERVERS6))
    for _ in range(3):
        curl(world, f"http://{at(FENDER4, 80)}/")
    return world, f


def test_stats_table_names_everything(serving):
    world, f = serving
    table = f.cli("stats").stdout
    print(table)
    for word in ("clients", "servers", "p80-v4-tcp", "p80-v4", at(SERVERS4[0], 80)):
        assert word in table


def test_stats_json_is_what_the_socket_serves(serving):
    world, f = serving

    def both_say_the_same():
        """Once the last segments of the connections have passed."""
        by_cli = json.loads(f.cli("stats", "--json").stdout)
        by_socket = f.stats().raw
        assert set(by_cli) == set(by_socket)
        return by_cli["listeners"] == by_socket["listeners"]

    wait_for(both_say_the_same)
    assert f.stats().listener("p80-v4-tcp")["succeeded"] == 3


def test_curl_over_the_unix_socket(serving):
    world, f = serving
    out = world.gateway.run(["curl", "-sS", "--unix-socket", f.socket, "http://fender/stats"])
    assert json.loads(out.stdout)["instance"] == f.instance


@pytest.mark.parametrize(
    "method,path,status",
    [
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/nothing", 404),
        ("POST", "/stats", 405),
        ("GET", "/reload", 405),
        ("POST", "/reload", 200),
    ],
)
def test_admin_paths(serving, method, path, status):
    _, f = serving
    assert f.http(method, path)[0] == status


def test_admin_socket_survives_garbage(serving):
    import socket

    world, f = serving
    for garbage in (b"\0" * 1000, b"GET " + b"/" * 100000, b"GET / HTTP/1.1\r\nA: b", b""):
        s = socket.socket(socket.AF_UNIX)
        s.connect(f.socket)
        try:
            s.sendall(garbage)
        except OSError:
            pass
        s.close()
    assert f.ready()
    assert curl(world, f"http://{at(FENDER4, 80)}/").strip() in SERVERS4


def test_stats_of_an_instance_that_does_not_run(world):
    done = world.gateway.run(
        [BINARY, "stats", "-i", "nobody", "--run-dir", world.tmp], check=False
    )
    assert done.returncode != 0
    assert "nobody" in done.stderr


def test_check_accepts_the_policy_in_use(serving):
    _, f = serving
    done = check(f.file)
    assert done.returncode == 0, done.stderr


def test_sample_policy_is_accepted_by_check(world):
    sample = world.gateway.run([BINARY, "schema", "--sample"]).stdout
    assert yaml.safe_load(sample)["version"] == 1
    path = world.path("sample.yaml")
    with open(path, "w") as f:
        f.write(sample)
    done = check(path)
    assert done.returncode == 0, done.stderr


def test_json_schema_knows_every_key_of_a_policy(world):
    schema = json.loads(world.gateway.run([BINARY, "schema", "--json"]).stdout)
    assert set(forwarding([80], SERVERS4)) <= set(schema["properties"])


def test_version_and_usage(world):
    assert world.gateway.run([BINARY, "version"]).stdout.strip()
    done = world.gateway.run([BINARY, "nonsense"], check=False)
    assert done.returncode != 0
    assert "nonsense" in done.stderr or "usage" in (done.stderr + done.stdout).lower()
