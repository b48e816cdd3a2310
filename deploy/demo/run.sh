#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A small world in network namespaces, with Fender in the middle:
#
#   client --- fa [ Fender ] fb --- switch --- web1, web2, web3 (nginx), dns (dnsmasq)
#
# make run                        the whole show, under a minute, leaves nothing behind
# KEEP=1 make run                 leaves the world up and says what to try
# deploy/demo/run.sh stop NAME    takes a kept world down
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
build=${B:-$here/../../build/release}
hosts="client fender switch web1 web2 web3 dns"

die() {
	echo "demo: $*" >&2
	exit 1
}

# Names carry the process number, so that two demonstrations never meet.
names() {
	world=$1
	tmp=/tmp/$world
	shm=/dev/shm/$world
	sock=$tmp/run/demo.sock
}

in_ns() {
	local host=$1
	shift
	ip netns exec "$world-$host" "$@"
}

pids() {
	local host
	for host in $hosts; do
		ip netns pids "$world-$host" 2>/dev/null || true
	done
}

take_down() {
	local host
	jobs -p | xargs -r kill 2>/dev/null || true
	pids | xargs -r kill 2>/dev/null || true
	for _ in $(seq 40); do
		[ -n "$(pids)" ] || break
		sleep 0.1
	done
	pids | xargs -r kill -9 2>/dev/null || true
	for host in $hosts; do
		ip netns del "$world-$host" 2>/dev/null || true
	done
	umount "$tmp/bpf" 2>/dev/null || true
	rm -rf "$tmp" "$shm"
}

requirements() {
	local program missing=''
	[ "$(id -u)" = 0 ] ||
		die "needs root: it makes network namespaces and AF_XDP sockets. Try: sudo make run"
	for program in ip nginx wrk curl dig dnsmasq python3; do
		command -v $program >/dev/null || missing+=" $program"
	done
	[ -z "$missing" ] || die "not installed:$missing. deploy/install-deps.sh installs what is missing"
	for program in fender fender-dataplane; do
		[ -x "$build/$program" ] || die "$build/$program is not built: run make first"
	done
}

# -- the world ----------------------------------------------------------------

add_host() {
	ip netns add "$world-$1"
	ip -n "$world-$1" link set lo up
	in_ns "$1" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'
}

# A host on the servers' switch: name, last part of its addresses.
plug_in() {
	ip -n "$world-switch" link add "$1" type veth peer name eth0 netns "$world-$1"
	ip -n "$world-switch" link set "$1" master br0 up
	ip -n "$world-$1" link set eth0 up
	ip -n "$world-$1" addr add "10.77.2.$2/24" dev eth0
	ip -n "$world-$1" addr add "fd77:2::$2/64" dev eth0 nodad
}

build_world() {
	local host
	for host in $hosts; do
		add_host "$host"
	done
	# Fender owns its two devices whole: the kernel has no address there.
	in_ns fender sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	ip -n "$world-fender" link add fa type veth peer name eth0 netns "$world-client"
	ip -n "$world-fender" link add fb type veth peer name uplink netns "$world-switch"
	ip -n "$world-fender" link set fa up
	ip -n "$world-fender" link set fb up
	ip -n "$world-client" link set eth0 up
	ip -n "$world-client" addr add 10.77.1.2/24 dev eth0
	ip -n "$world-client" addr add fd77:1::2/64 dev eth0 nodad
	ip -n "$world-switch" link add br0 type bridge
	ip -n "$world-switch" link set br0 up
	ip -n "$world-switch" link set uplink master br0 up
	plug_in web1 11
	plug_in web2 12
	plug_in web3 13
	plug_in dns 53
}

spawn() { # host, program...: runs until the world is taken down
	local host=$1
	shift
	setsid ip netns exec "$world-$host" "$@" >>"$tmp/$host.log" 2>&1 </dev/null &
}

start_web() {
	cat >"$tmp/$1.conf" <<-END
		daemon off; worker_processes 1; pid $tmp/$1.pid; error_log $tmp/$1.log;
		events { worker_connections 4096; }
		http {
		    access_log off;
		    client_body_temp_path $tmp/$1-1; proxy_temp_path $tmp/$1-2; fastcgi_temp_path $tmp/$1-3;
		    uwsgi_temp_path $tmp/$1-4; scgi_temp_path $tmp/$1-5;
		    server { listen 80; listen [::]:80; location / { return 200 "$1\n"; } }
		}
	END
	spawn "$1" nginx -c "$tmp/$1.conf"
}

start_servers() {
	start_web web1
	start_web web2
	start_web web3
	spawn dns dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user=root \
		--pid-file= --bind-interfaces --listen-address=10.77.2.53 \
		--address=/fender.test/192.0.2.7
}

start_fender() {
	cp "$here/policy.yaml" "$tmp/policy.yaml"
	# `ip netns exec` hides /sys/fs/bpf: the limiter's maps get a file system of their own.
	mkdir -p "$tmp/bpf"
	mount -t bpf bpf "$tmp/bpf" || echo "    no bpffs: limits are the worker's, not XDP's"
	spawn fender "$build/fender" run -c "$tmp/policy.yaml" --no-watch --run-dir "$tmp/run" \
		--shm-dir "$shm" --bpf-dir "$tmp/bpf"
	for _ in $(seq 100); do
		curl -sf --unix-socket "$sock" http://fender/readyz >/dev/null 2>&1 && return
		sleep 0.1
	done
	cat "$tmp/fender.log" >&2
	die "Fender did not become ready in 10 s"
}

fender() {
	"$build/fender" "$@" -i demo --run-dir "$tmp/run"
}

# What the log says of endpoints, the last few lines.
fender_log() {
	grep -E 'event=(ejected|probing|readmitted)' "$tmp/fender.log" | tail -6 |
		sed -E 's/^[^T]*T([^.]*)\..* (event=)/    \1 \2/'
}

# Load on connections that stay open, 16 of them; what became of it.
keep_alive() { # seconds
	in_ns client wrk -t1 -c16 -d"$1s" http://10.77.1.1/ >"$tmp/wrk-keep.txt" 2>&1 &
	wrk_pid=$!
}

keep_alive_ends() {
	wait $wrk_pid || true
	grep -E 'requests in|Socket errors|Non-2xx' "$tmp/wrk-keep.txt" | sed 's/^ */    /'
	grep -q 'Socket errors' "$tmp/wrk-keep.txt" || echo "    no connection was lost"
}

# -- the show -----------------------------------------------------------------

say() {
	printf '\n\033[1m%s\033[0m\n' "$*"
}

reload() { # sed expression: edit the policy and load it
	sed -i.before "$1" "$tmp/policy.yaml"
	diff "$tmp/policy.yaml.before" "$tmp/policy.yaml" | sed -n 's/^[<>]/    &/p' || true
	fender reload | sed 's/^/    /'
}

# Load for so many seconds; one line of live statistics a second. wrk opens a new connection for
# every request here, so that every request is balanced anew.
load() { # phase, seconds
	for _ in 1 2 3 4 5; do # wrk gives up when its very first connection is refused
		in_ns client wrk -t1 -c16 -d"$2s" --latency -H 'Connection: close' \
			http://10.77.1.1/ >"$tmp/wrk-$1.txt" 2>&1 && break
	done &
	wrk_pid=$!
	in_ns client bash -c "
		end=\$((SECONDS + $2)); n=0
		while [ \$SECONDS -lt \$end ]; do
			dig @10.77.1.1 +short +tries=1 +time=1 host\$((n += 1)).fender.test >>$tmp/dig-$1.txt || true
			sleep 0.05
		done" &
	dig_pid=$!
	python3 "$here/figures.py" live "$sock" "$2" "$tmp/$1.json" &
	live_pid=$!
}

load_ends() {
	wait $live_pid $wrk_pid $dig_pid || true
}

show() {
	say "1. A client asks http://10.77.1.1/ nine times, then over IPv6, then for a name"
	for _ in $(seq 9); do
		in_ns client curl -s --max-time 5 http://10.77.1.1/
	done | sort | uniq -c | sed 's/^/    /'
	in_ns client curl -s --max-time 5 -g 'http://[fd77:1::1]/' | sed 's/^/    over IPv6: /'
	in_ns client dig @10.77.1.1 +short +tries=1 www.fender.test | sed 's/^/    www.fender.test is /'

	say "2. Load over all three servers, a new connection for each request"
	load even 4
	load_ends

	say "3. While the load runs: web1 becomes four times as heavy"
	load weights 6
	sleep 2.5
	reload 's/\(10.77.2.11:80", weight: \)1/\14/'
	load_ends

	say "4. While the load runs: web3 dies (nginx stops; nobody tells Fender)"
	load dead 6
	sleep 1.5
	kill "$(cat "$tmp/web3.pid")"
	load_ends

	say "5. While the load runs: web3 comes back (nobody tells Fender that either)"
	load back 7
	sleep 1.5
	start_web web3
	load_ends
	fender_log

	say "6. While the load runs: web3 is taken out of the policy"
	load removed 4
	sleep 1.5
	reload '/10.77.2.13:80/d'
	load_ends

	say "7. While 16 connections are busy: the fast path is killed (kill -9)"
	keep_alive 5
	sleep 2
	kill -9 "$(fender stats --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["dataplane"]["pid"])')"
	keep_alive_ends

	say "8. While 16 connections are busy: each gets a limit of 100 packets a second"
	keep_alive 5
	sleep 1.5
	reload '/name: web,/s/cluster: web}/cluster: web, rate_limit: {per_connection: {packets_per_second: 100, burst: 100}}}/'
	sleep 1.5
	fender limits -n 3 | sed 's/^/    /'
	keep_alive_ends

	say "What 'fender stats' says now"
	fender stats | sed 's/^/  /'
	say "What happened"
	python3 "$here/figures.py" report "$sock" "$tmp"
}

explore() {
	cat <<-END

		The world is still up. Things to try:

		  ip netns exec $world-client curl http://10.77.1.1/
		  ip netns exec $world-client wrk -t1 -c50 -d5s http://10.77.1.1/
		  ip netns exec $world-client dig @10.77.1.1 +short www.fender.test
		  $build/fender stats -i demo --run-dir $tmp/run
		  curl -s --unix-socket $sock http://fender/stats
		  \$EDITOR $tmp/policy.yaml && $build/fender reload -i demo --run-dir $tmp/run
		  $build/fender check $tmp/policy.yaml
		  less $tmp/fender.log

		Stop it and remove everything:

		  $here/run.sh stop $world
	END
}

if [ "${1:-}" = stop ]; then
	[[ "${2:-}" =~ ^fender-demo-[0-9]+$ ]] || die "usage: run.sh stop fender-demo-NUMBER"
	names "$2"
	take_down
	exit 0
fi

requirements
names "fender-demo-$$"
trap take_down EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$tmp/run" "$shm"
echo "Building a client, a switch, three web servers and a DNS server in network namespaces."
build_world
start_servers
echo "Starting Fender between them: $here/policy.yaml"
start_fender
show
if [ -n "${KEEP:-}" ]; then
	trap - EXIT
	explore
fi
