/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a policy file to a generation that every worker applies. One change at a time; a change
 * that is refused anywhere leaves the last good policy in force.
 */
#ifndef FENDER_CONTROLPLANE_RELOAD_H
#define FENDER_CONTROLPLANE_RELOAD_H

#include <stdint.h>
#include <uv.h>

#include "controlplane/policy_edition.h"
#include "controlplane/reload_report.h"
#include "shm/image.h"
#include "shm/region.h"

struct reloader;

struct reloader_config {
	uv_loop_t *loop;
	struct region *region;
	const char *policy_path;
	const char *wake_path;
	void *ctx;
	/* 1 when no dataplane can be reading the region. */
	int (*dataplane_is_dead)(void *ctx);
	/* The first policy was refused, or not published, and there is none to return to. */
	void (*first_refused)(void *ctx);
	/* What names are resolved to now; NULL: nothing is. */
	const struct endpoint_sets *(*sets)(void *ctx);
	/* reloader_policy() is another one from now on. May be NULL. */
	void (*published)(void *ctx);
};

/* Both checked; taken over. */
struct reloader_images {
	struct policy_edition *wanted; /* compiled from policy_path */
	struct image_header *active;   /* what the region's active slot holds, or NULL */
};

/**
 * reloader_create() - publish the first policy, or keep the active one when both say the same
 * @why: at least 160 bytes; one sentence on failure
 * Return: 0, -ENOMEM, or publish()'s error. *out is set but with -ENOMEM.
 */
int reloader_create(struct reloader **out, const struct reloader_config *config,
		    const struct reloader_images *images, char *why, size_t why_size);

/**
 * reloader_request() - compile policy_path and put it in force
 * @done: called once, perhaps before this returns; NULL when the log is enough
 */
void reloader_request(struct reloader *r, reload_done *done, void *ctx);

/* As reloader_request(), after the change that is under way, if there is one. SIGHUP. */
void reloader_request_later(struct reloader *r);

/*
 * The endpoints of DNS or of files are others: put the text in force with them in force, after the
 * change that is under way, if there is one.
 */
void reloader_refresh(struct reloader *r);

/* The dataplane died: twice while it adopts a change means that the change is to blame. */
void reloader_dataplane_died(struct reloader *r);

/* The policy of the active generation. Valid until the loop runs again. */
const struct image_header *reloader_policy(const struct reloader *r);

/* How the tables of its cluster number @cluster changed last; NULL: not measured. As valid. */
const struct table_report *reloader_table_report(const struct reloader *r, uint32_t cluster);
/* How long compiling it took; 0: it was found in the region. */
uint64_t reloader_build_us(const struct reloader *r);

/* Answer whoever waits; no change happens any more. */
void reloader_stop(struct reloader *r);
/* When its loop has closed all handles. */
void reloader_free(struct reloader *r);

#endif
