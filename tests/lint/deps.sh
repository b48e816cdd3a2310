#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The direction of dependencies, by the #include lines:
#   shm           nothing of ours; no DPDK, libbpf, YAML
#   config        shm
#   controlplane  shm, config; ctl/simulate.c alone also the simulator, dataplane/simulate/simulate.h,
#                 and explain_json.c, api_explain.c dataplane/explain/explain.h
#   dataplane     shm; its pure folders no DPDK, libbpf or I/O header
#   ebpf          itself
# Prints every breach as file:line and fails if there is one.
set -eu
cd "$(dirname "$0")/../.."
found=$(mktemp)
trap 'rm -f "$found"' EXIT

# includes FOLDER...: "file:line:header" of every #include in these folders
includes() {
	find "$@" -name '*.[ch]' -exec grep -HnE '^[[:space:]]*#[[:space:]]*include' {} + |
		sed -E 's/^([^:]+:[0-9]+):[^"<]*["<]([^">]+)[">].*/\1:\2/'
}

# breach PATTERN RULE: what of standard input includes a header that matches PATTERN
breach() {
	awk -F: -v pattern="$1" -v rule="$2" \
		'$3 ~ pattern { printf "%s:%s: includes %s: %s\n", $1, $2, $3, rule }' >>"$found"
}

ours='(shm|config|controlplane|dataplane|ebpf|tests)/'
foreign='rte_|bpf/|xdp/|linux/bpf|yaml'
io='sys/(socket|epoll|eventfd|timerfd|signalfd|inotify|ioctl|un|uio|file|wait)\.h|(netdb|net)/|netinet/|poll\.h|unistd\.h|fcntl\.h|stdio\.h|pthread\.h|time\.h|uv\.h|microhttpd|curl/|jansson|linux/if_|linux/netlink|linux/rtnetlink'

includes shm | breach '^(config|controlplane|dataplane|ebpf|tests)/' 'shm depends on nothing of ours'
includes shm | breach "^($foreign)" 'shm knows no DPDK, libbpf or YAML'
includes config | breach '^(controlplane|dataplane|ebpf|tests)/' 'config depends on shm alone'
includes config | breach '^(rte_|bpf/|xdp/)' 'config knows no DPDK or libbpf'
includes controlplane | grep -v '^controlplane/ctl/simulate[a-z_]*\.[ch]:[0-9]*:dataplane/simulate/simulate\.h$' |
	grep -v '^controlplane/[a-z_]*explain[a-z_]*\.[ch]:[0-9]*:dataplane/explain/explain\.h$' |
	breach '^(dataplane|tests)/' 'the planes meet only in shm'
includes controlplane | breach '^rte_' 'only the dataplane uses DPDK'
includes dataplane | breach '^(controlplane|config|tests)/' 'the planes meet only in shm'
includes dataplane | breach '^yaml' 'the dataplane never parses YAML'
includes ebpf 2>/dev/null | breach '^(controlplane|config|dataplane|tests)/' 'ebpf depends on nothing of ours but shm'

for folder in dataplane/conn dataplane/lb dataplane/net dataplane/pkt dataplane/policy dataplane/simulate dataplane/explain; do
	[ -d "$folder" ] || continue
	includes "$folder" | breach "^($foreign|$io)" "$folder is pure: no DPDK, no libbpf, no I/O, no clock"
	includes "$folder" | awk -F: -v ours="^$ours" \
		'$3 ~ ours && $3 !~ /^(shm|dataplane\/(conn|lb|net|pkt|policy|simulate|explain))\// && $3 != "dataplane/packet.h" {
			printf "%s:%s: includes %s: a pure folder knows shm, the other pure folders and packet.h\n", $1, $2, $3 }' >>"$found"
done
includes dataplane/packet.h 2>/dev/null | breach "^($foreign|$io)" 'dataplane/packet.h is pure'

if [ -s "$found" ]; then
	sort -u "$found" >&2
	echo "deps: $(sort -u "$found" | wc -l) breaches of the dependency direction" >&2
	exit 1
fi
