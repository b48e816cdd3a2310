/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history of policy changes: how the last attempts ended and the texts a rollback can return
 * to. Kept in a folder too, so that a control plane that is started again on the same region
 * knows it; what cannot be written there is lost with the process, and said once.
 */
#ifndef FENDER_CONTROLPLANE_GENERATIONS_H
#define FENDER_CONTROLPLANE_GENERATIONS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/reload_report.h"

enum {
	GENERATIONS_KEPT = 32,                     /* attempts */
	GENERATION_TEXTS = 8,                      /* texts of applied ones ... */
	GENERATION_TEXTS_BYTES = 32 * 1024 * 1024, /* ... within this; the newest stays anyhow */
	GENERATION_REASON_BYTES = 512,
};

struct generation {
	uint64_t number; /* 0: it came to none */
	uint64_t at_ms;  /* CLOCK_REALTIME */
	enum reload_source source;
	enum reload_result result;
	uint64_t restores; /* rollback: the generation whose text it put back; else 0 */
	uint64_t policy_hash;
	struct reload_timings timings;
	struct policy_counts changed;
	char reason[GENERATION_REASON_BYTES]; /* "" when applied, but for the guard's */
};

struct generations;

/**
 * generations_create() - the history of one region
 * @folder: made when something is first written; NULL: nothing is
 * @region_id: a history of another region is not taken over
 * Return: NULL without memory.
 */
struct generations *generations_create(const char *folder, uint64_t region_id);
void generations_free(struct generations *g);

/* Remove the files of a folder and the folder. */
void generations_remove(const char *folder);

/* The policy file, by its absolute path, that texts come from; saved with the next change. */
void generations_set_file(struct generations *g, const char *path);
/*
 * Fill @path with that of the history in @folder, which may be another instance's or hostile.
 * Return: 0; -ENOENT there is none that fits into @size.
 */
int generations_file(const char *folder, char *path, size_t size);

/* Append; one of the same number that was late is replaced. */
void generations_add(struct generations *g, const struct generation *entry);

/*
 * @number is in force with this text (copied): a new text, or, where it equals the one in force,
 * one more generation of it. Told again of a generation with another text, of the same meaning,
 * that one is kept. Without memory it cannot be returned to.
 */
void generations_add_text(struct generations *g, uint64_t number, const char *text, size_t bytes);

/* The text of generation @number, or NULL. Valid until the next call of generations_add_text(). */
const char *generations_text(const struct generations *g, uint64_t number, size_t *bytes);
/* The same, NUL-terminated, for the caller to free; NULL also without memory. */
char *generations_copy(const struct generations *g, uint64_t number, size_t *bytes);

/* The newest text is not one to return to, nor is it where it was in force before: calls failed. */
void generations_take_back(struct generations *g);

/*
 * First generation of the newest text that says something else than the one in force and was not
 * taken back; 0: there is none.
 */
uint64_t generations_before(const struct generations *g);

/* "3, 5, 8": the generations whose texts are kept, the one in force left out. */
void generations_list(const struct generations *g, char *out, size_t size);

/*
 * After a rollback: the hash of the policy file that is not to be put in force again before it
 * changes, or 0. With it the text of generations_newest().
 */
void generations_hold(struct generations *g, uint64_t file_hash);
uint64_t generations_held(const struct generations *g);
/* Number of the newest text; 0: none. */
uint64_t generations_newest(const struct generations *g);

/* The guard watches what is in force until then (CLOCK_MONOTONIC); 0: it does not. */
void generations_watch(struct generations *g, uint64_t until_ns);
uint64_t generations_watched(const struct generations *g);

/* New array, oldest first (docs/admin-api.md); NULL without memory. */
json_t *generations_json(const struct generations *g);

#endif
