#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The models, checked exhaustively by spin, and that each of their mutations (BROKEN) is found.
# One line each; the trail of what fails unexpectedly. Fails if one of them does, or if spin is not
# there.
set -eu
models=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

# check MODEL ok|found DEFINITION...: verify; ok: no error, found: at least one
check() {
	model=$1
	expected=$2
	shift 2
	dir=$work/$model
	rm -rf "$dir"
	mkdir "$dir"
	(
		cd "$dir"
		cp "$models/$model.pml" .
		spin -a "$@" "$model.pml" >spin.log 2>&1
		${CC:-cc} -O1 -w -DSAFETY -DNOFAIR -DCOLLAPSE -DMEMLIM=1000 -o pan pan.c
		./pan -m1000000 >pan.log 2>&1
	) || {
		echo "FAIL  $model $*: spin or its verifier did not run"
		cat "$dir"/*.log
		status=1
		return
	}
	errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$dir/pan.log")
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$dir/pan.log")
	if [ "$errors" = 0 ] && grep -qE 'not completed|too small|out of memory|MEMLIM bound' "$dir/pan.log"; then
		errors='none, but not exhaustive'
	fi
	case $expected:$errors in
	ok:0) echo "ok    $model $* ($states states)" ;;
	found:[1-9]*) echo "ok    $model $*: the mutation is found" ;;
	*)
		echo "FAIL  $model $*: errors: $errors, expected: $expected"
		cat "$dir/pan.log"
		(cd "$dir" && spin -t -p -g "$@" "$model.pml" 2>/dev/null | tail -n 80) || true
		status=1
		;;
	esac
}

check breaker ok -DWORKERS=2 -DCALLS=2 -DPROBES=1
check breaker ok -DWORKERS=3 -DCALLS=1 -DPROBES=2
for n in 1 2 3 4 5; do
	check breaker found -DWORKERS=2 -DCALLS=3 -DBROKEN=$n
done
check publish ok
check publish ok -DZOMBIE
for n in 1 2 3 4 5; do
	check publish found -DBROKEN=$n
done
check bulkhead ok -DWORKERS=2 -DCALLS=2 -DLEAVERS=2
check bulkhead ok -DWORKERS=3 -DCALLS=1 -DLEAVERS=2
check bulkhead ok -DWORKERS=2 -DCALLS=2 -DLEAVERS=2 -DLIMIT=2
for n in 1 2 3 4 6 7; do
	check bulkhead found -DBROKEN=$n
done
check bulkhead found -DWORKERS=2 -DCALLS=2 -DLIMIT=2 -DBROKEN=5
exit $status
