#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what Fender needs on Debian 12. Nothing happens when all is there. Fails with the
# names of the packages that could not be had. No service is left running or enabled by it.
#
# deploy/install-deps.sh          all: to build, check, test and measure
# deploy/install-deps.sh build    what `make all` needs
set -euo pipefail

# The programs: compilers (clang's and bpftool's share are the eBPF programs), DPDK with its static
# libraries, the control plane's libraries.
build=(
	gcc libc6-dev linux-libc-dev make pkg-config clang bpftool
	libdpdk-dev libbpf-dev libxdp-dev libpcap-dev libnuma-dev libelf-dev zlib1g-dev libbsd-dev
	libyaml-dev libuv1-dev libmicrohttpd-dev libjansson-dev libcurl4-openssl-dev libc-ares-dev
	libncurses-dev libxxhash-dev libmnl-dev
)
# Checks and tests: static analysis, sanitizers, fuzzing, and the programs end-to-end tests use.
test=(
	clang-format clang-tidy cppcheck libclang-rt-14-dev lcov libcunit1-dev spin
	python3 python3-pytest python3-scapy python3-yaml python3-jsonschema python3-pytest-xdist
	iproute2 iputils-ping ethtool procps tcpdump
	nginx-light curl wrk iperf3 prometheus dnsmasq-base bind9-dnsutils netcat-openbsd socat jq
	tmux groff-base
)
# Benchmarks: the peers and their load generator.
bench=(dpdk-dev haproxy libnginx-mod-stream nghttp2-client)

# missing PACKAGE...: those that are not installed
missing() {
	comm -23 <(printf '%s\n' "$@" | sort -u) \
		<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
			sed -n 's/^installed //p' | sort -u)
}

case ${1:-all} in
all) wanted=("${build[@]}" "${test[@]}" "${bench[@]}") ;;
build) wanted=("${build[@]}") ;;
*)
	echo "usage: deploy/install-deps.sh [all|build]" >&2
	exit 2
	;;
esac
mapfile -t needed < <(missing "${wanted[@]}")
[ ${#needed[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "install-deps: missing packages: ${needed[*]}" >&2
	echo "install-deps: run as root: deploy/install-deps.sh ${1:-}" >&2
	exit 1
fi
echo "install-deps: installing ${needed[*]}"

# Services of nginx, haproxy and prometheus stay off: policy-rc.d refuses their start while apt runs.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q </dev/null
if ! apt-get install -q -y --no-install-recommends "${needed[@]}" </dev/null; then
	for package in "${needed[@]}"; do
		apt-cache show "$package" >/dev/null 2>&1 ||
			echo "install-deps: no such package in the configured sources: $package" >&2
	done
fi

mapfile -t failed < <(missing "${needed[@]}")
if [ ${#failed[@]} -gt 0 ]; then
	echo "install-deps: could not install: ${failed[*]}" >&2
	exit 1
fi

# Not at the next boot either; a service that was here before is not ours to touch.
if command -v systemctl >/dev/null; then
	for package in "${needed[@]}"; do
		case $package in
		nginx-light) systemctl disable --quiet nginx || true ;;
		haproxy) systemctl disable --quiet haproxy || true ;;
		prometheus) systemctl disable --quiet prometheus || true ;;
		esac
	done
fi
