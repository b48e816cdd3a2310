#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh TEST...: run unit tests, JOBS at a time, one line each; the whole output of those that
# fail or take longer than TEST_SECONDS.
jobs=${JOBS:-$(nproc)}
export TEST_SECONDS="${TEST_SECONDS:-300}"
[ $# -gt 0 ] || {
	echo 'no unit tests' >&2
	exit 1
}

# shellcheck disable=SC2016 # the inner shell expands
printf '%s\n' "$@" | xargs -P "$jobs" -I '{}' sh -c '
	start=$(date +%s)
	timeout "$TEST_SECONDS" "$1" >"$1.log" 2>&1
	status=$?
	took=$(($(date +%s) - start))
	asserts=$(sed -nE "s/^ *asserts +([0-9]+).*/\1 asserts/p" "$1.log")
	[ "$took" -lt 5 ] || asserts="$asserts, $took s"
	if [ "$status" -eq 0 ]; then
		echo "ok    $1 ($asserts)"
		exit 0
	fi
	[ "$status" -ne 124 ] || echo "not done after $TEST_SECONDS s" >>"$1.log"
	{ echo "FAIL  $1 (exit $status)"; cat "$1.log"; } 2>&1
	exit 1
' run '{}' || {
	echo "unit tests: failures among $# binaries" >&2
	exit 1
}
echo "unit tests: $# binaries passed"
