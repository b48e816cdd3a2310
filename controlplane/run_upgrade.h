/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An upgrade to a policy that needs another region: other interfaces, workers, table sizes. The
 * dataplane is stopped and the control plane begins anew in its process, where the region is
 * carried over (reshape.h) before a dataplane is started on it. If that one does not come up, the
 * region and the policy of before are put back by beginning anew once more.
 */
#ifndef FENDER_CONTROLPLANE_RUN_UPGRADE_H
#define FENDER_CONTROLPLANE_RUN_UPGRADE_H

#include <jansson.h>
#include <stdint.h>

#include "controlplane/paths.h"
#include "shm/migrate.h"

enum upgrade_phase_of_run {
	CARRY_NOTHING,
	CARRY_OVER,     /* the next start does it */
	CARRY_PROVES,   /* it is done; its dataplane has not come up yet */
	CARRY_RETURN,   /* it failed: the next start puts back what was there */
	CARRY_RETURNED, /* and that one's dataplane has not come up yet */
};

enum upgrade_result { UPGRADE_NEVER, UPGRADE_BEGUN, UPGRADE_DONE, UPGRADE_FAILED };

enum { UPGRADE_KEY_BYTES = 64, UPGRADE_REASON_BYTES = 512 };

/* How the last one ended: GET /upgrade. */
struct upgrade_outcome {
	uint64_t id; /* of this process's upgrades, from 1 */
	enum upgrade_result result;
	char changed[UPGRADE_KEY_BYTES]; /* a key that needed it */
	char error[UPGRADE_REASON_BYTES];
	uint64_t pause_ms; /* from the order to stop until every worker ran again */
	struct migrated moved;
};

/* What outlives beginning anew. */
struct run_carry {
	enum upgrade_phase_of_run phase;
	uint64_t stop_ns;           /* the dataplane was told to stop */
	char dataplane[PATH_BYTES]; /* the program to start; "": the one as ever */
	struct upgrade_outcome outcome;
};

struct run;
struct policy_edition;

/**
 * run_upgrade_check() - can the instance be carried over to @wanted?
 * @why: at least 160 bytes; one sentence when it cannot
 * Everything that can be seen before anything is stopped. Return: 0 or -errno.
 */
int run_upgrade_check(struct run *run, const struct policy_edition *wanted, char *why,
		      size_t why_size);

/* Begin: @changed is a key that needs it, @program the dataplane's or NULL. Nothing is stopped
 * before the caller's answer is on its way. */
void run_upgrade_begin(struct run *run, const char *changed, const char *program);

/* Return 1 while the region must stay as it is for the next start. */
int run_upgrade_keeps(const struct run *run);
/* Return 1 when this start goes on with what was in force, whatever the policy file says. */
int run_upgrade_returns(const struct run *run);
/* Open regions: none. Puts the region of before in its place, or removes what is left of one. */
void run_upgrade_files(struct run *run);
/* The start has carried the region over. */
void run_upgrade_moved(struct run *run, const struct migrated *moved);
/* The loop is there. */
void run_upgrade_watch(struct run *run);
/* A dataplane has come up. */
void run_upgrade_ready(struct run *run);
/* Something failed. Return 1 when the run begins anew because of that. */
int run_upgrade_failed(struct run *run, const char *why);
/* The run is told to end: it does. */
void run_upgrade_cancel(struct run *run);

/* New object, NULL without memory. */
json_t *run_upgrade_json(const struct run *run);

#endif
