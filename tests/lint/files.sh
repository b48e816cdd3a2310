#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every source file names its licence in the first two lines (eBPF programs both of theirs) and
# has at most 600 lines; generated and vendored files there are none.
set -eu
cd "$(dirname "$0")/../.."
status=0

# shellcheck disable=SC2044 # no name in the tree has a blank
for file in $(find shm config controlplane dataplane ebpf tests deploy -type f \
	\( -name '*.[ch]' -o -name '*.py' -o -name '*.sh' \)); do
	case $file in
	ebpf/*.bpf.c) licence='GPL-2.0 OR BSD-2-Clause' ;;
	*) licence='Apache-2.0' ;;
	esac
	head -n 2 "$file" | grep -q "SPDX-License-Identifier: $licence" || {
		echo "$file: no line 'SPDX-License-Identifier: $licence' at its top" >&2
		status=1
	}
	[ "$(wc -l <"$file")" -le 600 ] || {
		echo "$file: more than 600 lines: it holds two things" >&2
		status=1
	}
done
exit $status
