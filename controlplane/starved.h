/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a process that does not move has no CPU: its threads are ready and wait for one. To kill
 * it would help nobody, a successor would wait as long. A thread that was stopped, sleeps, or runs
 * and makes no progress is not starved.
 */
#ifndef FENDER_CONTROLPLANE_STARVED_H
#define FENDER_CONTROLPLANE_STARVED_H

#include <stdint.h>
#include <sys/types.h>

enum { STARVED_THREADS = 64 }; /* that are looked at */

/* What the scheduler has given the threads of a process so far, from /proc/PID/task. */
struct cpu_look {
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	uint32_t count;
	struct {
		pid_t thread;
		uint64_t run_ns; /* on a CPU so far */
		int ready;       /* it runs or waits for a CPU (state R) */
	} row[STARVED_THREADS];
};

/* Where the kernel keeps no schedstat (CONFIG_SCHED_INFO) it is empty, and nobody starves. */
void cpu_look(struct cpu_look *look, pid_t pid, uint64_t now_ns);

/* Is there a thread that was ready at both looks and ran for less than 1/10 of the time between? */
int cpu_starved(const struct cpu_look *before, const struct cpu_look *after);

#endif
