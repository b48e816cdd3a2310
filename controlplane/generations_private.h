/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_CONTROLPLANE_GENERATIONS_PRIVATE_H
#define FENDER_CONTROLPLANE_GENERATIONS_PRIVATE_H

#include "controlplane/generations.h"

struct generation_text {
	uint64_t first; /* generations that had it, one after the other */
	uint64_t last;
	int taken_back;
	size_t bytes;
	char *text;
};

struct generations {
	char *folder; /* NULL: in memory only */
	uint64_t region_id;
	char *file;        /* generations_set_file(); or NULL */
	uint64_t held;     /* generations_held() */
	uint64_t watch_ns; /* generations_watched() */
	int told;          /* that it could not be written */
	uint32_t count;
	struct generation entries[GENERATIONS_KEPT]; /* oldest first */
	uint32_t text_count;
	struct generation_text texts[GENERATION_TEXTS]; /* oldest first */
};

/* Take over the entry, dropping the oldest beyond the bounds. */
void generations_push(struct generations *g, const struct generation *entry);
/* Takes @text over. */
void generations_push_text(struct generations *g, const struct generation_text *text);

/* generations_file.c. Errors are logged, once each run. */
void generations_save(struct generations *g);
void generations_save_text(struct generations *g, const struct generation_text *text);
void generations_remove_text(const struct generations *g, const struct generation_text *text);
void generations_load(struct generations *g);

#endif
