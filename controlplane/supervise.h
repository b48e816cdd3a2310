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
	SUPERVISE_LOST,    /* none, and none is started: supervisor_start_again() */
	SUPERVISE_STOPPING,
	SUPERVISE_STOPPED,
};

struct supervisor_config {
	uv_loop_t *loop;
	const char *binary;
	const char *named_binary; /* `fender run` names it; another than @binary after an upgrade */
	const char *instance;
	const struct paths *paths;
	struct region *region;
	const char *bpf_root;   /* the dataplane's --bpf-root; NULL: it needs none */
	const char *log_format; /* its --log-format and --log-level; NULL: its defaults */
	const char *log_level;
	void *ctx;
	void (*ready)(void *ctx);   /* every worker runs and has a policy; after each start */
	void (*died)(void *ctx);    /* and is started again after the back-off */
	void (*gave_up)(void *ctx); /* it never came up and says why itself */
	/*
	 * It died so often that the back-off is at its most; at each further death again. 1: give
	 * up; 0: go on trying.
	 */
	int (*lost)(void *ctx);
	/* One is about to be started. 0, or nonzero: it cannot be (@ctx stops us). */
	int (*before_start)(void *ctx);
	/* 1: nothing has to be put right before the next one, which may start beside a dying one */
	int (*may_prepare)(void *ctx);
};

struct supervise_status {
	enum supervise_state state;
	pid_t pid; /* 0: none */
	uint64_t restarts;
	uint64_t uptime_ms;
};

enum { UPGRADE_WHY_BYTES = 1200 };

/* How an upgrade ended. */
struct upgrade_report {
	int error; /* 0: the new program forwards */
	pid_t from;
	pid_t pid;           /* of the dataplane that runs now; 0: none */
	uint64_t prepare_ms; /* the new program's start beside the old one */
	uint64_t pause_ms;   /* from the old one's order to stop until every worker ran again */
	char why[UPGRADE_WHY_BYTES];
};
typedef void supervisor_upgraded(void *ctx, const struct upgrade_report *report);

const char *supervise_state_name(enum supervise_state state);

/* Return 0 or -ENOMEM. The structure stays until supervisor_free(). */
int supervisor_create(struct supervisor **out, const struct supervisor_config *config);

/* See now whether the dataplane is up, and not with the next tick. */
void supervisor_look(struct supervisor *s);

/* Start or adopt. */
void supervisor_start(struct supervisor *s);

/* One that was given up is started after all, one that waits for its back-off now. */
void supervisor_start_again(struct supervisor *s);

/* End the process by TERM; another one is started at once and carries its connections on. */
void supervisor_restart(struct supervisor *s);

/*
 * TERM, after 5 s KILL; @stopped runs when the process is gone. Called again: KILL at once.
 */
void supervisor_stop(struct supervisor *s, void (*stopped)(void *ctx));

/**
 * supervisor_upgrade() - let another program, or the same one anew, take over
 * @binary: its path; NULL: the one that runs. It is the one for later restarts, too
 * @done: once, maybe before the return. Errors: -EBUSY an upgrade is under way; -EAGAIN the
 *        dataplane is not up; -ENOENT cannot be run; -EIO the new one failed; -ECANCELED
 *
 * The new process prepares beside the old one (its region and ABI, DPDK); the old one then closes
 * its interfaces and ends, and the new one opens them and carries the connections on.
 */
void supervisor_upgrade(struct supervisor *s, const char *binary, supervisor_upgraded *done,
			void *ctx);

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
int supervise_end_stray(const struct paths *paths);

#endif
