#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BINARY SECONDS: run one fuzz target over its seeds, then for SECONDS on new inputs
# (0: seeds only). Seeds are in tests/fuzz/seeds/<target>, what is found goes to
# build/fuzz/corpus/<target>, an input that fails to build/fuzz/<target>-*.
set -eu
binary=$1
seconds=$2
target=$(basename "$binary")
target=${target#fuzz_}
seeds=tests/fuzz/seeds/$target
[ -d "$seeds" ] || {
	echo "fuzz: $seeds does not exist" >&2
	exit 1
}
out=${FUZZ_OUT:-build/fuzz}
mkdir -p "$out/corpus/$target"
log=$out/$target.log
bound="-runs=0"
[ "$seconds" -eq 0 ] || bound="-max_total_time=$seconds"
if "$binary" "$bound" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	-artifact_prefix="$out/$target-" "$out/corpus/$target" "$seeds" >"$log" 2>&1; then
	echo "ok    fuzz $target: $(find "$seeds" -type f | wc -l) seeds, $(
		sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs, $(
		grep -oE 'cov: [0-9]+' "$log" | tail -1)"
else
	tail -n 60 "$log"
	echo "FAIL  fuzz $target: the input is $out/$target-*, rerun with $binary <file>"
	exit 1
fi
