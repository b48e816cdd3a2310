/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_CONTROLPLANE_RELOAD_PRIVATE_H
#define FENDER_CONTROLPLANE_RELOAD_PRIVATE_H

#include "controlplane/generations.h"
#include "controlplane/guard.h"
#include "controlplane/registry_copy.h"
#include "controlplane/reload.h"

enum { RELOAD_DETAIL_BYTES = 512, FAULT_BYTES = 160 };

enum reload_phase {
	RELOAD_IDLE,       /* good is active and applied by all */
	RELOAD_PUBLISHING, /* waiting for a free slot */
	RELOAD_APPLYING,   /* published, waiting for the workers */
	RELOAD_WATCHING,   /* the same, after the time for it */
};

enum reload_again {
	AGAIN_FILE = 1,
	AGAIN_ENDPOINTS = 2,
	AGAIN_GUARD = 4, /* guard_why says why */
};

struct reload_askers {
	struct {
		reload_done *done;
		void *ctx;
	} all[RELOAD_ASKERS];
	uint32_t count;
};

struct reloader {
	struct reloader_config config;
	uv_timer_t timer;
	enum reload_phase phase;
	int returning;                     /* good is put back in force */
	char refusal[RELOAD_DETAIL_BYTES]; /* why it is */
	int again;                         /* waits for the end of the change: enum reload_again */
	enum reload_source again_by;       /* AGAIN_FILE: who wants it */
	char guard_why[RELOAD_DETAIL_BYTES];
	int told; /* that there is no room; it is tried again in silence */
	uint32_t deaths;
	uint64_t begun_ns;
	struct policy_edition *good; /* last one applied by all; NULL before the first */
	uint64_t good_generation;
	uint64_t repaired; /* the last one that was published again: once is enough or in vain */
	struct policy_edition *pending; /* of the change; good itself when returning */
	uint64_t pending_generation;
	struct generation attempt;    /* the change under way, as the history will have it */
	struct generation late;       /* the attempt that is RELOAD_WATCHING */
	uint64_t file_hash;           /* of the policy file when it was last looked at */
	int is_unproven;              /* what is in force is not in the history yet */
	int is_frozen;                /* while what is in force has no text: its endpoints stay */
	char file_fault[FAULT_BYTES]; /* reloader_file_fault() */
	struct reload_askers askers;  /* of the change under way */
	struct reload_askers waiting; /* for the next one of the file */
	struct generations *history;
	struct registry_copy *names;
	struct guard *guard;
};

/* reload_steps.c: from an edition to its generation. */

/* A change begins: whatever comes of it is its attempt. @restores: see struct generation. */
void reload_open(struct reloader *r, enum reload_source source, uint64_t restores);

/* The change comes to its end: log, history, answers. */
void reload_close(struct reloader *r, enum reload_result result, uint64_t generation,
		  const char *detail);

/* The start was refused the policy file before there was a reloader; the log has it. */
void reload_note_refusal(struct reloader *r, const struct reload_refusal *refusal);

/* Publish @edition (taken over) and see it through. */
void reload_begin(struct reloader *r, struct policy_edition *edition);
/* The very first; an error in @why. Return: 0 or publish()'s error. */
int reload_begin_first(struct reloader *r, struct policy_edition *edition, char *why,
		       size_t why_size);

/* The dataplane will not have what is pending. */
void reload_refused(struct reloader *r, const char *why);

void reload_drop_pending(struct reloader *r);

/* reload.c: what has waited for the end of a change. */
void reload_next(struct reloader *r);

#endif
