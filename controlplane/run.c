/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/run.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/log.h"
#include "controlplane/run_state.h"
#include "shm/version.h"

/* The order of the start; the stop runs it backwards. */
static const struct step {
	const char *name;
	int (*start)(struct run *run);
	void (*stop)(struct run *run);
} steps[] = {
	{"policy", run_read_policy, run_free_policy},
	{"files", run_find_files, NULL},
	{"lock", run_take_lock, run_release_lock},
	{"region", run_take_region, run_remove_region},
	{"wake", run_make_fifo, run_remove_fifo},
	{"loop", run_start_loop, run_end_loop},
	{"notify", run_start_notify, run_end_notify},
	{"region guard", run_start_region_guard, run_stop_region_guard},
	{"limits", run_open_limits, run_close_limits},
	{"supervisor", run_make_supervisor, NULL},
	{"publish", run_publish_policy, NULL},
	{"checks", run_start_following, run_stop_following},
	{"admin", run_start_admin, run_stop_admin},
	/* Stops before admin: requests that wait for a change get their answer. */
	{"reloader", NULL, run_stop_reloader},
	{"dataplane", run_start_dataplane, NULL},
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]), RUN_AGAIN = -1, AGAIN_PAUSE_MS = 200 };

/* Return the exit status, or RUN_AGAIN. */
static int run_once(const struct run_options *options, struct run_carry *carry)
{
	struct run *run = calloc(1, sizeof(*run));
	int exit_status;
	size_t done = 0;

	if (!run)
		return 1;
	run->options = options;
	run->carry = carry;
	log_info("control", "event=start version=%s policy=%s", FENDER_VERSION,
		 options->policy_path);
	for (; done < STEPS; done++) {
		int rc = steps[done].start ? steps[done].start(run) : 0;

		if (rc == 0)
			continue;
		log_error("control", "event=start_failed step=%s error=\"%s\"", steps[done].name,
			  run->why[0] ? run->why : strerror(-rc));
		if (!run_upgrade_failed(run, run->why[0] ? run->why : strerror(-rc)))
			run->exit_status = 1;
		break;
	}
	if (done == STEPS) {
		run->begun = 1;
		uv_run(&run->loop, UV_RUN_DEFAULT);
	}
	while (done-- > 0)
		if (steps[done].stop)
			steps[done].stop(run);
	exit_status = run->again && !run->exit_status ? RUN_AGAIN : run->exit_status;
	log_info("control", "event=%s status=%d",
		 exit_status == RUN_AGAIN ? "begins_anew" : "stopped", run->exit_status);
	free(run);
	return exit_status;
}

int run_instance(const struct run_options *options)
{
	/* Whoever cuts the region again and again shall not have all of the CPU. */
	const struct timespec pause = {.tv_nsec = AGAIN_PAUSE_MS * 1000000};
	struct run_carry carry = {0};
	int rc;

	/* Large answers and policies go back to the system: 22 MB stay instead of 99. */
	(void)mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
	while ((rc = run_once(options, &carry)) == RUN_AGAIN)
		if (carry.phase == CARRY_NOTHING)
			nanosleep(&pause, NULL);
	return rc;
}
