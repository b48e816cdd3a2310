/* SPDX-License-Identifier: Apache-2.0 */
/* What one `fender run` holds, and the steps that build it (the table is in run.c). */
#ifndef FENDER_CONTROLPLANE_RUN_STATE_H
#define FENDER_CONTROLPLANE_RUN_STATE_H

#include <uv.h>

#include "controlplane/admin.h"
#include "controlplane/event_log.h"
#include "controlplane/health.h"
#include "controlplane/notify.h"
#include "controlplane/kernel_neighbours.h"
#include "controlplane/paths.h"
#include "controlplane/region_guard.h"
#include "controlplane/reload.h"
#include "controlplane/resolve.h"
#include "controlplane/run.h"
#include "controlplane/run_limits.h"
#include "controlplane/run_upgrade.h"
#include "controlplane/supervise.h"
#include "controlplane/watch.h"
#include "shm/image.h"
#include "shm/region.h"

enum { RUN_SIGNALS = 3, RUN_WHY_BYTES = 512 };

struct run {
	const struct run_options *options;
	struct run_carry *carry;
	struct policy_edition *wanted; /* compiled, until the reloader has it */
	struct image_header *active;   /* found in the region, until the reloader has it */
	uint64_t file_hash;            /* of the policy file; 0: it was not there */
	struct reload_refusal refusal; /* why wanted is not the policy file's */
	char instance[NAME_BYTES];
	char dataplane[PATH_BYTES];       /* the program to start */
	char named_dataplane[PATH_BYTES]; /* unless an upgrade has put another in its place */
	struct paths paths;
	int lock_fd;
	struct region region;
	int renumbered; /* interfaces or addresses may be others than those of the maps */
	int has_past;   /* the region was there, and a policy in it */
	int begun;      /* every step of the start was done */
	uv_loop_t loop;
	uv_signal_t signals[RUN_SIGNALS];
	struct admin *admin;
	struct reloader *reloader;
	struct supervisor *supervisor;
	struct run_limits *limits;
	struct health *health;
	struct resolver *resolver;
	struct watch *watch;
	struct neighbour_mirror *neighbours;
	uv_timer_t refresh; /* resolved sets have changed */
	uv_timer_t events;
	struct event_log event_log;
	struct region_guard region_guard;
	uv_timer_t region_look;
	uv_timer_t upgrade;      /* run_upgrade.c */
	uint64_t upgrade_end_ms; /* of the loop's time */
	int nameless_told, stuck_told;
	struct notify notify;
	uv_timer_t watchdog;
	uv_timer_t drain;
	uint64_t drain_end_ns;
	uint64_t drain_until_ns;                             /* what the region is to say */
	struct interface_control interfaces[MAX_INTERFACES]; /* likewise */
	int draining;
	uint64_t drain_open; /* when it was looked at last before the end */
	int drained;         /* none was left, or the time was over */
	int stopping;
	pid_t dataplane_pid; /* of the one that came up last; 0: it died */
	int lost;            /* the dataplane is given up and packets pass by us */
	int lost_told;       /* since one came up last */
	int again;           /* when everything has stopped: from the beginning */
	int capturing;       /* there is a reader of GET /capture */
	int exit_status;
	char why[RUN_WHY_BYTES]; /* why a step failed */
};

/* Each step: 0, or -errno with run->why set. */
int run_find_files(struct run *run);
/* Return 0, or -ENODEV with a sentence that names the key. */
int run_check_devices(const struct image_header *image, char *why, size_t why_size);
int run_take_lock(struct run *run);
void run_release_lock(struct run *run);
int run_take_region(struct run *run);
void run_remove_region(struct run *run);
/* Return 1 when this is a start that failed: what it found is for the next one. */
int run_leaves_state(const struct run *run);
int run_make_fifo(struct run *run);
void run_remove_fifo(struct run *run);

/* run_policy.c: compile the policy file, and find out whose it is. */
int run_read_policy(struct run *run);
void run_free_policy(struct run *run);
/*
 * Set run->wanted to what this start goes by; the region is open. @is_served: a dataplane works on
 * it. Return: 1 the region can be continued; 0 it is to be replaced; -errno.
 */
int run_choose_policy(struct run *run, int is_served);
/* Compile wanted again with the endpoints that the policy in the region has of names. */
void run_keep_resolved(struct run *run);
/* Say why there is no policy; return an error. */
int run_no_policy(struct run *run);

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

/* run_stop.c: what SIGTERM asks for, and the end at once. May be called again. */
void run_stop_asked(struct run *run);
void run_stop_now(struct run *run, int exit_status);
/* A control plane before us was draining. */
void run_forget_drain(struct run *run);

/* run_words.c: our words of the region again, should something have written over them. */
void run_say_words(struct run *run);

/* run_notify.c */
int run_start_notify(struct run *run);
void run_end_notify(struct run *run);
void run_notify_ready(struct run *run);
void run_notify_status(struct run *run);
void run_reload_by_signal(struct run *run);

/* run_region.c */
int run_start_region_guard(struct run *run);
void run_stop_region_guard(struct run *run);
int run_before_dataplane(void *ctx); /* of the supervisor */
int run_may_prepare_dataplane(void *ctx);

/* run_loss.c */
int run_dataplane_lost(void *ctx); /* of the supervisor */
void run_dataplane_starts(struct run *run);
void run_dataplane_found(struct run *run);
void run_restore_routes(struct run *run); /* withdrawn by us or by a control plane before */
void run_loss_policy(struct run *run);    /* the policy in force is another one */
void run_event(struct run *run, enum event_kind kind, uint64_t detail);

/* Set run->why to "@what: <error>"; return @error. */
int run_fail(struct run *run, const char *what, int error);

#endif
