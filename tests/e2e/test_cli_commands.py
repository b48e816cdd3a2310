# SPDX-License-Identifier: Apache-2.0
"""Every command of `fender`: help, errors and exit statuses, tables, JSON, completion."""

import json
import os
import shutil
import signal
import subprocess

import pytest
from fender import BINARY
from policies import forwarding
from servers import connect, echo
from world import FENDER4, SERVERS4, SERVERS6, at, wait_for

OK, FAILED, USAGE, NO_INSTANCE = 0, 1, 2, 3
PORT = 7
CLUSTER, ENDPOINT = "p7-v4", at(SERVERS4[0], 7)
# What asks an instance, with operands that are right.
CLIENTS = [
    ["stats"],
    ["ready"],
    ["ready", "--live"],
    ["reload"],
    ["generations"],
    ["rollback"],
    ["diff", "/dev/null"],
    ["upgrade"],
    ["endpoints"],
    ["breakers"],
    ["connections"],
    ["events"],
    ["events", "--follow"],
    ["limits"],
    ["breaker", "open", CLUSTER],
    ["drain", CLUSTER, ENDPOINT],
    ["undrain", CLUSTER, ENDPOINT],
]


def run(*args, **kwargs):
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([BINARY, *args], text=True, timeout=60, **kwargs)


def names():
    return run("help", "--names").stdout.split()


# -- without an instance ------------------------------------------------------


def test_every_command_explains_itself():
    assert len(names()) == len(set(names())) >= 20
    listed = run("help").stdout
    for name in names():
        done = run(name, "--help")
        assert done.returncode == OK and done.stderr == ""
        assert f"Usage: fender {name} " in done.stdout and "Exit status:" in done.stdout
        assert done.stdout == run("help", name).stdout
        assert f"  {name} " in listed


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_manual_pages_format_without_a_warning():
    pages = run("help", "--man").stdout + "".join(run("help", "--man", n).stdout for n in names())
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-P-cbou"], input=pages, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "fender-connections" in done.stdout


def test_wrong_usage_says_what_would_be_right():
    for args, word in [
        ([], "Usage: fender COMMAND"),
        (["statz"], "did you mean stats?"),
        (["help", "conections"], "did you mean connections?"),
        (["teapot"], "unknown command teapot (fender help)"),
        (["stats", "--jsn"], "--jsn (fender stats --help)"),
        (["drain", CLUSTER], "missing ENDPOINT"),
        (["breaker", "melt", CLUSTER], "expected open, close or reset"),
        (["connections", "lisener=web"], "listener=…"),
        (["connections", "state="], "expected state=…"),
        (["connections", "web"], "a filter like listener=…"),
        (["connections", "-n", "0"], "-n takes 1 to"),
        (["limits", "-n", "x"], "-n takes 1 to"),
        (["events", "--since", "-1"], "--since takes"),
        (["stats", "--watch=0"], "--watch takes"),
        (["drain", "a/../b", ENDPOINT], "has such a name"),
        (["breaker", "open", "a b"], "has such a name"),
        (["rollback", "0"], "the number of a generation"),
        (["completion", "zsh"], "expected bash"),
    ]:
        done = run(*args)
        assert done.returncode == USAGE, (args, done)
        assert word in done.stderr, (args, done.stderr)
        assert done.stdout == ""


def test_without_an_instance_the_status_is_3(tmp_path):
    dirs = {name: tmp_path / name for name in ("none", "dead", "two")}
    for path in dirs.values():
        path.mkdir()
    (dirs["dead"] / "a.sock").touch()
    for name in ("a.sock", "b.sock", "b.sock.ro"):
        (dirs["two"] / name).touch()
    for command in CLIENTS:
        for case, words in [
            ("none", "no instance runs here"),
            ("dead", "no instance answers at"),
            ("two", "several instances in"),
        ]:
            done = run(*command, "--run-dir", str(dirs[case]))
            assert done.returncode == NO_INSTANCE, (command, case, done)
            assert words in done.stderr, (command, case, done.stderr)
            assert done.stdout == ""
    assert done.stderr.splitlines()[1:] in (["  a", "  b"], ["  b", "  a"])


def test_stdout_that_cannot_be_written_is_an_error():
    with open("/dev/full", "w") as full:
        done = run("schema", stdout=full)
    assert done.returncode == FAILED and "No space left" in done.stderr
    done = subprocess.run(
        ["sh", "-c", f"{BINARY} version >&-"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == FAILED and "stdout cannot be written" in done.stderr
    # A reader that has had enough: quiet, whether the signal is ignored or not.
    for trap in ("", "trap '' PIPE; "):
        done = subprocess.run(
            ["sh", "-c", f"{trap}{BINARY} schema | true"], capture_output=True, text=True
        )
        assert done.stderr == ""


def test_version_and_check_as_json(tmp_path):
    assert set(json.loads(run("version", "--json").stdout)) == {
        "version",
        "region_abi",
        "image_abi",
    }
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nsidecar: {nam: x}\n")
    done = run("check", "--json", str(bad))
    said = json.loads(done.stdout)
    assert done.returncode == FAILED
    assert said["result"] == "invalid"
    assert any(m.startswith(f"{bad}:2:") for m in said["messages"])


# -- with one -----------------------------------------------------------------


@pytest.fixture
def serving(world):
    echo(world)
    return world, world.fender(forwarding([PORT], SERVERS4 + SERVERS6))


def columns(text):
    return max(map(len, text.splitlines()))


def test_tables_and_json_of_an_instance(serving):
    world, f = serving
    sock = connect(world.client, FENDER4, PORT)
    sock.sendall(b"x")
    assert sock.recv(1) == b"x"
    client = "%s:%d" % sock.getsockname()[:2]

    def row(*args, key):
        out = f.cli(*args).stdout
        assert columns(out) <= 80 and "…" not in out
        return next(line for line in out.splitlines() if key in line)

    assert "estab" in row("connections", key=client)
    assert "p7-v4-tcp" in row("connections", "listener=p7-v4-tcp", "state=all", key=client)
    assert " ok " in row("endpoints", CLUSTER, key=ENDPOINT)
    assert " - " in row("breakers", key=CLUSTER)
    assert "no such connection" in f.cli("connections", "client=10.9.9.9").stdout
    rows = json.loads(f.cli("connections", f"client={client}", "--json").stdout)["connections"]
    assert [r["client"] for r in rows] == [client]
    for command in ("endpoints", "breakers", "stats", "generations"):
        by_cli = json.loads(f.cli(command, "--json").stdout)
        assert set(by_cli) == set(json.loads(f.http("GET", f"/{command}")[1]))
    sock.close()

    # What is done to an endpoint and a breaker shows in all of them.
    assert json.loads(f.cli("drain", CLUSTER, ENDPOINT, "--json").stdout) == {"result": "ok"}
    assert "drained" in row("endpoints", key=ENDPOINT)
    assert "drained" in row("breakers", key=ENDPOINT)
    f.cli("undrain", CLUSTER, ENDPOINT)
    assert " ok " in row("endpoints", key=ENDPOINT)
    f.cli("breaker", "open", CLUSTER)
    assert "forced open" in row("breakers", key=CLUSTER)
    f.cli("breaker", "reset", CLUSTER)
    assert json.loads(f.cli("reload", "--json").stdout)["result"] == "unchanged"


def test_names_that_are_not_there_are_named(serving):
    _, f = serving
    for args, word in [
        (["endpoints", "p7-v5"], "p7-v5"),
        (["connections", "cluster=p7-v5"], "p7-v5"),
        (["connections", "client=nobody"], "'client' must be"),
        (["connections", "state=tired"], "'state' must be"),
        (["drain", CLUSTER, "10.9.9.9:1"], "10.9.9.9:1"),
        (["breaker", "open", "p7-v5"], "there is no cluster p7-v5"),
    ]:
        done = f.cli(*args, check=False)
        assert done.returncode == FAILED, (args, done)
        assert word in done.stderr and done.stderr.startswith("fender: "), (args, done.stderr)
    # With --json the reason is in the answer as well.
    done = f.cli("endpoints", "p7-v5", "--json", check=False)
    assert done.returncode == FAILED and "error" in json.loads(done.stdout)


def test_a_control_plane_that_hangs_is_no_instance_to_a_probe(serving):
    _, f = serving
    f.process.send_signal(signal.SIGSTOP)
    try:
        for args in ([], ["--live"], ["--json"]):
            done = f.cli("ready", *args, check=False)
            assert done.returncode == NO_INSTANCE and "does not answer" in done.stderr, done
    finally:
        f.process.send_signal(signal.SIGCONT)
    wait_for(f.ready)


def test_who_may_only_look_is_served_by_the_other_socket(serving):
    world, f = serving
    os.chmod(f.socket, 0o600)
    # The build may stand where nobody else may look.
    binary = shutil.copy(BINARY, world.path("fender"))
    nobody = ["setpriv", "--reuid", "65534", "--regid", "0", "--clear-groups", binary]

    def as_nobody(*args):
        where = ["-i", f.instance, "--run-dir", f.run_dir]
        return world.gateway.run([*nobody, *args, *where], check=False)

    done = as_nobody("endpoints")
    assert done.returncode == OK and ENDPOINT in done.stdout, done
    done = as_nobody("drain", CLUSTER, ENDPOINT)
    assert done.returncode == FAILED and "for reading only" in done.stderr, done


def complete(line, setup=""):
    """What bash would offer for a line, by the function that the program prints."""
    script = f"""
        source <({BINARY} completion bash)
        {setup}
        compopt() {{ :; }}
        COMP_LINE=$1 COMP_POINT=${{#1}} COMP_WORDS=({BINARY}) COMP_CWORD=0
        _fender
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script, "bash", line], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_names_of_the_instance(serving):
    _, f = serving
    where = f"--run-dir {f.run_dir} -i {f.instance}"
    assert complete(f"fender stats --run-dir {f.run_dir} -i ") == [f.instance]
    assert CLUSTER in complete(f"fender drain {where} ")
    assert complete(f"fender breaker {where} open p7-v4") == [CLUSTER]
    assert ENDPOINT in complete(f"fender drain {where} {CLUSTER} ")
    # Behind a colon or "=", only what stands after it is replaced.
    assert complete(f"fender drain {where} {CLUSTER} {SERVERS4[0]}:") == ["7"]
    assert complete(f"fender connections {where} listener=p7-v4-t") == ["p7-v4-tcp"]
    assert complete("fender sta") == ["stats"]
    assert complete("fender stats --wat") == ["--watch"]
    assert complete("fender check ") == []
    assert complete("fender drain --run-dir /nowhere ") == []


def test_events_are_followed_over_a_restart(serving):
    world, f = serving
    log = world.path("events.txt")
    follower = world.spawn(
        world.gateway,
        [BINARY, "events", "-f", "--since", "0", "-i", f.instance, "--run-dir", f.run_dir],
        log="events.txt",
    )

    def shown(word):
        def it_is_shown():
            with open(log) as text:
                return word in text.read()

        wait_for(it_is_shown)

    def reload_with(ports):
        f.reload(forwarding(ports, SERVERS4 + SERVERS6))

    shown("policy applied, generation 1")
    reload_with([PORT, 8])
    shown("policy applied, generation 2")
    f.process.kill()
    f.process.wait()
    shown("the instance has gone")
    f.start()
    shown("the instance is back")
    reload_with([PORT, 9])
    shown("policy applied, generation 3")
    assert follower.poll() is None
    # Each once, and in order.
    kept = [json.loads(line) for line in f.cli("events", "--json").stdout.splitlines()]
    assert [e["seq"] for e in kept] == list(range(1, len(kept) + 1))
    with open(log) as text:
        seqs = [line.split()[0] for line in text if line[:5].strip().isdigit()]
    assert seqs == [str(e["seq"]) for e in kept]
    after = f.cli("events", "--since", str(kept[-2]["seq"])).stdout
    assert len(after.splitlines()) == 1


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
def test_watch_fits_a_terminal_and_survives_a_restart(serving):
    world, f = serving
    tmux = ["tmux", "-L", f"{f.instance}-cli", "-f", "/dev/null"]
    command = f"{BINARY} stats --watch=0.2 -i {f.instance} --run-dir {f.run_dir}"

    def screen():
        # Wrapped lines are joined: one that is wider than the terminal would show.
        done = subprocess.run([*tmux, "capture-pane", "-pJ"], capture_output=True, text=True)
        lines = done.stdout.splitlines()
        assert all(len(line.rstrip()) <= 80 for line in lines), done.stdout
        return done.stdout

    def shows(word):
        def the_screen_has_it():
            return word in screen()

        wait_for(the_screen_has_it)

    env = {k: v for k, v in os.environ.items() if k not in ("TMUX", "COLUMNS", "LINES")}
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", "80", "-y", "24", command], check=True, env=env
    )
    try:
        shows(f"{f.instance}: ready")
        shows("packets/s")
        shows("more lines")
        assert screen().startswith(f"{f.instance}: ready")
        f.process.kill()
        f.process.wait()
        shows("waiting for the instance")
        f.start()
        shows(f"{f.instance}: ready")
    finally:
        subprocess.run([*tmux, "kill-server"], stderr=subprocess.DEVNULL)
