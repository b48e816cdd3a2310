/* SPDX-License-Identifier: Apache-2.0 */
/* What one `fender run` holds, and the steps that build it (the table is in run.c). */
#ifndef FENDER_CONTROLPLANE_RUN_STATE_H
#define FENDER_CONTROLPLANE_RUN_STATE_H

#include <uv.h>

#include "controlplane/admin.h"
#include "controlplane/event_log.h"
#include "controlplane/health.h"
#include "controlplane/paths.h"
#include "controlplane/reload.h"
#include "controlplane/resolve.h"
#include "controlplane/run.h"
#include "controlplane/supervise.h"
#include "controlplane/watch.h"
#include "shm/image.h"
#include "shm/region.h"

enum { RUN_SIGNALS = 3, RUN_WHY_BYTES = 512 };

struct run {
	const struct run_options *options;
	struct policy_edition *wanted; /* compiled, until the reloader has it */
	struct image_header *active;   /* found in the region, until the reloader has it */
	char instance[NAME_BYTES];
	char dataplane[PATH_BYTES];
	struct paths paths;
	int lock_fd;
	struct region region;
	uv_loop_t loop;
	uv_signal_t signals[RUN_SIGNALS];
	struct admin *admin;
	struct reloader *reloader;
	struct supervisor *supervisor;
	struct health *health;
	struct resolver *resolver;
	struct watch *watch;
	uv_timer_t refresh; /* resolved sets have changed */
	uv_timer_t events;
	struct event_log event_log;
	int exit_status;
	char why[RUN_WHY_BYTES]; /* why a step failed */
};

/* Each step: 0, or -errno with run->why set. */
int run_compile_policy(struct run *run);
void run_free_policy(struct run *run);
int run_check_devices(struct run *run);
int run_find_files(struct run *run);
int run_take_lock(struct run *run);
void run_release_lock(struct run *run);
int run_take_region(struct run *run);
void run_remove_region(struct run *run);
int run_make_fifo(struct run *run);
void run_remove_fifo(struct run *run);

int run_start_loop(struct run *run);
void run_end_loop(struct run *run);
int run_make_supervisor(struct run *run);
int run_publish_policy(struct run *run);
int run_start_admin(struct run *run);
void run_stop_admin(struct run *run);
void run_stop_reloader(struct run *run);
/* run_follow.c: what follows the policy in force. */
int run_start_following(struct run *run);
void run_stop_following(struct run *run);
/* The policy in force is another one. Nothing before run_start_following(). */
void run_follow_policy(struct run *run);
/* For the reloader; NULL before run_start_following(). */
const struct endpoint_sets *run_resolved_sets(struct run *run);
void run_end_following(struct run *run); /* when the loop has closed all handles */
int run_start_dataplane(struct run *run);

/* Set run->why to "@what: <error>"; return @error. */
int run_fail(struct run *run, const char *what, int error);

#endif
