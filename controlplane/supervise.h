/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps one dataplane running. It starts one, or adopts one that runs already (the process lock
 * is held); restarts it when it dies or a worker hangs; never ties its life to ours.
 */
#ifndef FENDER_CONTROLPLANE_SUPERVISE_H
#define FENDER_CONTROLPLANE_SUPERVISE_H

#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "controlplane/paths.h"
#include "shm/region.h"

struct supervisor;

enum supervise_state {
	SUPERVISE_IDLE,     /* nothing started yet */
	SUPERVISE_STARTING, /* a process, not all of its workers */
	SUPERVISE_UP,
	SUPERVISE_WAITING, /* none; the next one starts after the back-off */
	SUPERVISE_STOPPING,
	SUPERVISE_STOPPED,
};

struct supervisor_config {
	uv_loop_t *loop;
	const char *binary;
	const char *instance;
	const struct paths *paths;
	struct region *region;
	void *ctx;
	void (*ready)(void *ctx);   /* every worker runs and has a policy; after each start */
	void (*died)(void *ctx);    /* and is started again after the back-off */
	void (*gave_up)(void *ctx); /* it never came up and says why itself */
};

struct supervise_status {
	enum supervise_state state;
	pid_t pid; /* 0: none */
	uint64_t restarts;
	uint64_t uptime_ms;
};

const char *supervise_state_name(enum supervise_state state);

/* Return 0 or -ENOMEM. The structure stays until supervisor_free(). */
int supervisor_create(struct supervisor **out, const struct supervisor_config *config);

/* Start or adopt. */
void supervisor_start(struct supervisor *s);

/*
 * TERM, after 5 s KILL; @stopped runs when the process is gone. Called again: KILL at once.
 */
void supervisor_stop(struct supervisor *s, void (*stopped)(void *ctx));

void supervisor_status(const struct supervisor *s, struct supervise_status *out);

/* 1 when the process lock proves that no dataplane can be reading the region. */
int supervisor_dataplane_is_dead(const struct supervisor *s);

/* When its loop has closed all handles. */
void supervisor_free(struct supervisor *s);

/**
 * supervise_end_stray() - stop a dataplane that an earlier control plane left and that runs
 *                         by a policy we cannot continue
 *
 * Blocks up to 10 s; only before the loop runs. Return 0 when none is left, -EBUSY.
 */
int supervise_end_stray(const struct paths *paths, const struct region *region);

#endif
