/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a policy file to a generation that every worker applies. One change at a time; a change
 * that is refused anywhere leaves the last good policy in force.
 */
#ifndef FENDER_CONTROLPLANE_RELOAD_H
#define FENDER_CONTROLPLANE_RELOAD_H

#include <stdint.h>
#include <uv.h>

#include "controlplane/generations.h"
#include "controlplane/policy_edition.h"
#include "controlplane/reload_report.h"
#include "shm/image.h"
#include "shm/region.h"

struct reloader;

/* That may wait for one change; more are answered RELOAD_BUSY. */
enum { RELOAD_ASKERS = 16 };

struct reloader_config {
	uv_loop_t *loop;
	struct region *region;
	const char *policy_path;
	const char *history_path; /* folder of the history, or NULL: it ends with the process */
	const char *wake_path;
	void *ctx;
	/* 1 when no dataplane can be reading the region. */
	int (*dataplane_is_dead)(void *ctx);
	/* The first policy was refused, or not published, and there is none to return to. */
	void (*first_refused)(void *ctx);
	/* What names are resolved to now; NULL: nothing is. */
	const struct endpoint_sets *(*sets)(void *ctx);
	/*
	 * Put what lies outside the region in line with @image (checked; its names have their
	 * registry slots), which becomes @generation when it returns 0. Nonzero with a sentence in
	 * @why (at least 160 bytes): nothing is published. Called once before each swap, also of a
	 * policy that returns, and with the image in force before when the swap then fails; at
	 * the start also for one that is in force already. May be NULL.
	 */
	int (*stage)(void *ctx, const struct image_header *image, uint64_t generation, char *why,
		     size_t why_size);
	/* reloader_policy() is another one from now on. May be NULL. */
	void (*published)(void *ctx);
};

/* Why a start does not go by the policy file. */
struct reload_refusal {
	enum reload_result result; /* RELOAD_INVALID, RELOAD_NEEDS_RESTART */
	/* As of struct reload_report; "": it does go by it. */
	char detail[GENERATION_REASON_BYTES];
};

/* Images are checked, and taken over as the edition is. */
struct reloader_images {
	struct policy_edition *wanted; /* of policy_path, or the one that was in force before */
	struct image_header *active;   /* what the region's active slot holds, or NULL */
	uint64_t file_hash;            /* of policy_path as it was looked at; 0: it was not there */
	const struct reload_refusal *refused; /* goes into the history; or NULL */
	int unproven; /* active is for reloader_note_upgrade() to put into the history */
};

/**
 * reloader_create() - publish the first policy, or keep the active one when both say the same
 *
 * An edition without a text (of the image in the region) keeps its endpoints until the file is put
 * in force.
 *
 * @why: at least 160 bytes; one sentence on failure
 * Return: 0, -ENOMEM, or publish()'s error. *out is set but with -ENOMEM.
 */
int reloader_create(struct reloader **out, const struct reloader_config *config,
		    const struct reloader_images *images, char *why, size_t why_size);

/**
 * reloader_request() - compile policy_path and put it in force
 * @done: called once, perhaps before this returns; NULL when the log is enough
 *
 * After the change that is under way, if there is one.
 */
void reloader_request(struct reloader *r, reload_done *done, void *ctx);

/* As reloader_request(). SIGHUP. */
void reloader_request_later(struct reloader *r, reload_done *done, void *ctx);

/* The policy file may be another one. Nothing happens when it says what it said the last time. */
void reloader_file_changed(struct reloader *r);

/**
 * reloader_rollback() - put an earlier policy in force, as a new generation
 * @to: generation whose text it is; 0: the one before the one in force
 * @done: as of reloader_request(); RELOAD_INVALID: that text is not kept
 *
 * The policy file stays as it is and is not put in force again until it changes, or somebody asks.
 */
void reloader_rollback(struct reloader *r, uint64_t to, reload_done *done, void *ctx);

/* How the last changes ended, a new object (docs/admin-api.md); NULL without memory. */
json_t *reloader_generations_json(const struct reloader *r);

/* The text in force, not NUL-terminated, as valid as reloader_policy(); NULL: not known. */
const char *reloader_text(const struct reloader *r, size_t *bytes);

/*
 * The endpoints of DNS or of files are others: put the text in force with them in force, after the
 * change that is under way, if there is one.
 */
void reloader_refresh(struct reloader *r);

/* The dataplane died: twice while it adopts a change means that the change is to blame. */
void reloader_dataplane_died(struct reloader *r);

/*
 * Now and then: names in the region that somebody wrote over are put back, and the policy in force
 * is published again when a dataplane that starts refuses what its slot holds.
 */
void reloader_look(struct reloader *r);

/* Why the policy file as tried last is not in force, a line; "": it is, or was rolled back. */
const char *reloader_file_fault(const struct reloader *r);

/* The policy of the active generation. Valid until the loop runs again. */
const struct image_header *reloader_policy(const struct reloader *r);

/* How the tables of its cluster number @cluster changed last; NULL: not measured. As valid. */
const struct table_report *reloader_table_report(const struct reloader *r, uint32_t cluster);
/* How long compiling it took; 0: it was found in the region. */
uint64_t reloader_build_us(const struct reloader *r);

/* An upgrade has put what is in force in its place; or it failed, as @error says. For the history.
 */
void reloader_note_upgrade(struct reloader *r, const char *error);

/* Answer whoever waits; no change happens any more. */
void reloader_stop(struct reloader *r);
/* When its loop has closed all handles. */
void reloader_free(struct reloader *r);

#endif
