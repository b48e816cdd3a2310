# SPDX-License-Identifier: Apache-2.0
"""The pod of deploy/kubernetes: its scripts, its policy and its volumes, without Kubernetes."""

import os

import pytest
import yaml
from fender import ROOT, check
from netns import unique
from pod import POD4, PodWorld
from servers import connect, echo
from world import BACKENDS4, SERVERS4, SERVICE4, wait_for

MANIFEST = ROOT / "deploy" / "kubernetes" / "orders.yaml"
DNS = "{dns: \"payments.default.svc.cluster.local:8080\"}"


def documents():
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def config():
    return documents()[0]["data"]


def pod():
    return documents()[1]["spec"]["template"]["spec"]


class KubernetesWorld(PodWorld):
    """What a CNI plugin leaves: eth0 with an address, a default route. The rest is prepare.sh."""

    def _build(self, mtu):
        self.gateway = self.client = self.pod = self._namespace("pod")
        self.server = self.node = self._namespace("node")
        self.pod.ip(f"link add eth0 type veth peer name eth0 netns {self.node.name}")
        self.pod.ip("link set eth0 up")
        self.node.ip("link set eth0 up")
        self.address(self.pod, [POD4], dev="eth0")
        self.address(self.node, BACKENDS4, dev="eth0")
        self.pod.ip(f"route add default via {BACKENDS4[-1]}")


class ConfigMap:
    """A mounted one: files are links through ..data, which is swapped when it changes."""

    def __init__(self, directory):
        self.directory, self.versions = directory, 0
        os.mkdir(directory)

    def put(self, files):
        self.versions += 1
        version = f"..{self.versions}"
        os.mkdir(f"{self.directory}/{version}")
        for name, text in files.items():
            with open(f"{self.directory}/{version}/{name}", "w") as f:
                f.write(text)
            if not os.path.lexists(f"{self.directory}/{name}"):
                os.symlink(f"..data/{name}", f"{self.directory}/{name}")
        os.symlink(version, f"{self.directory}/..new")
        os.rename(f"{self.directory}/..new", f"{self.directory}/..data")


def says_hello(ns, ip, port):
    try:
        with connect(ns, ip, port) as s:
            s.sendall(b"hello")
            return s.recv(100) == b"hello"
    except ConnectionRefusedError:
        return False


def test_volumes_and_containers_agree():
    volumes = {v["name"] for v in pod()["volumes"]}
    containers = pod()["initContainers"] + pod()["containers"]
    mounts = [m for c in containers for m in c.get("volumeMounts", [])]
    assert {m["name"] for m in mounts} == volumes
    assert len({c["name"] for c in containers}) == len(containers)
    for c in pod()["initContainers"]:
        script = c.get("command", [None, "/config/"])[1]
        assert script == "/config/" or os.path.basename(script) in config()


@pytest.mark.parametrize("of", ["config", "pod"])
def test_no_key_is_said_twice(of):
    """YAML lets the last one win without a word; Kubernetes refuses it."""

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node, deep=False):
            keys = [self.construct_object(k) for k, _ in node.value]
            assert len(keys) == len(set(keys)), node.start_mark
            return super().construct_mapping(node, deep)

    list(yaml.load_all(MANIFEST.read_text(), Strict))
    yaml.load(config()["policy.yaml"], Strict)


def test_pod_serves_and_follows_its_config_map(make_world):
    world = make_world(of=KubernetesWorld)
    name = unique("pod")
    files = config()
    assert DNS in files["policy.yaml"]
    here = f'[{{address: "{SERVERS4[0]}:8080"}}]'
    files["policy.yaml"] = files["policy.yaml"].replace(DNS, here)
    volume = ConfigMap(world.path("config"))
    volume.put(files)
    env = {
        "PATH": os.environ["PATH"],
        "SERVICES": f"{SERVICE4}/32",
        "POD_NAME": name,
        "CONFIG": volume.directory,
        "POLICY": world.path("policy.yaml"),
        "EVERY": "0.2",
    }
    for _ in range(2):  # an init container may run again
        world.pod.run(["sh", f"{volume.directory}/prepare.sh"], env=env)
    world.processes.append(world.pod.popen(["sh", f"{volume.directory}/policy.sh"], env=env))
    wait_for(lambda: os.path.exists(env["POLICY"]))
    assert check(env["POLICY"]).returncode == 0

    with open(env["POLICY"]) as f:
        policy = yaml.safe_load(f)
    assert policy["sidecar"]["name"] == name
    echo(world, 8080, ns=world.pod)
    echo(world, 8080, ns=world.node)
    f = world.fender(policy, watch=True)
    assert says_hello(world.pod, SERVICE4, 80)
    assert says_hello(world.node, POD4, 8080)
    wait_for(lambda: f.stats().listener("payments")["succeeded"] == 1)
    wait_for(lambda: f.stats().listener("orders")["succeeded"] == 1)

    files["policy.yaml"] = files["policy.yaml"].replace(":80\"", ":81\"")
    volume.put(files)
    wait_for(lambda: says_hello(world.pod, SERVICE4, 81))
