/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/generations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/generations_private.h"

struct generations *generations_create(const char *folder, uint64_t region_id)
{
	struct generations *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->region_id = region_id;
	if (!folder)
		return g;
	g->folder = strdup(folder);
	if (!g->folder) {
		free(g);
		return NULL;
	}
	generations_load(g);
	return g;
}

void generations_free(struct generations *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->text_count; i++)
		free(g->texts[i].text);
	free(g->folder);
	free(g->file);
	free(g);
}

void generations_set_file(struct generations *g, const char *path)
{
	/* JSON takes no other: such a file is not found again. */
	json_t *valid = json_string(path);

	free(g->file);
	g->file = valid ? strdup(path) : NULL;
	json_decref(valid);
}

void generations_push(struct generations *g, const struct generation *entry)
{
	if (g->count == GENERATIONS_KEPT) {
		memmove(&g->entries[0], &g->entries[1],
			(GENERATIONS_KEPT - 1) * sizeof(g->entries[0]));
		g->count--;
	}
	g->entries[g->count++] = *entry;
}

static struct generation *late_one(struct generations *g, uint64_t number)
{
	for (uint32_t i = 0; number && i < g->count; i++)
		if (g->entries[i].number == number && g->entries[i].result == RELOAD_LATE)
			return &g->entries[i];
	return NULL;
}

void generations_add(struct generations *g, const struct generation *entry)
{
	struct generation *late = late_one(g, entry->number);

	if (late)
		*late = *entry;
	else
		generations_push(g, entry);
	generations_save(g);
}

static void drop_oldest_text(struct generations *g)
{
	generations_remove_text(g, &g->texts[0]);
	free(g->texts[0].text);
	memmove(&g->texts[0], &g->texts[1], (GENERATION_TEXTS - 1) * sizeof(g->texts[0]));
	g->text_count--;
}

static size_t text_bytes(const struct generations *g)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < g->text_count; i++)
		bytes += g->texts[i].bytes;
	return bytes;
}

void generations_push_text(struct generations *g, const struct generation_text *text)
{
	while (g->text_count == GENERATION_TEXTS ||
	       (g->text_count > 0 && text_bytes(g) + text->bytes > GENERATION_TEXTS_BYTES))
		drop_oldest_text(g);
	g->texts[g->text_count++] = *text;
}

void generations_add_text(struct generations *g, uint64_t number, const char *text, size_t bytes)
{
	struct generation_text *newest = g->text_count ? &g->texts[g->text_count - 1] : NULL;
	struct generation_text one = {.first = number, .last = number, .bytes = bytes};

	if (newest && newest->bytes == bytes && memcmp(newest->text, text, bytes) == 0) {
		newest->last = number;
		generations_save(g);
		return;
	}
	one.text = malloc(bytes + 1);
	if (!one.text)
		return;
	memcpy(one.text, text, bytes);
	if (newest && newest->last == number) {
		one.first = newest->first;
		free(newest->text);
		g->text_count--;
	}
	generations_push_text(g, &one);
	generations_save_text(g, &one);
	generations_save(g);
}

const char *generations_text(const struct generations *g, uint64_t number, size_t *bytes)
{
	for (uint32_t i = g->text_count; i-- > 0;) {
		if (g->texts[i].first > number || number > g->texts[i].last)
			continue;
		*bytes = g->texts[i].bytes;
		return g->texts[i].text;
	}
	return NULL;
}

char *generations_copy(const struct generations *g, uint64_t number, size_t *bytes)
{
	const char *text = generations_text(g, number, bytes);
	char *copy = text ? malloc(*bytes + 1) : NULL;

	if (!copy)
		return NULL;
	memcpy(copy, text, *bytes);
	copy[*bytes] = '\0';
	return copy;
}

static int say_the_same(const struct generation_text *a, const struct generation_text *b)
{
	return a->bytes == b->bytes && memcmp(a->text, b->text, a->bytes) == 0;
}

void generations_take_back(struct generations *g)
{
	if (g->text_count == 0)
		return;
	for (uint32_t i = 0; i < g->text_count; i++)
		if (say_the_same(&g->texts[i], &g->texts[g->text_count - 1]))
			g->texts[i].taken_back = 1;
	generations_save(g);
}

uint64_t generations_before(const struct generations *g)
{
	const uint32_t newest = g->text_count ? g->text_count - 1 : 0;

	for (uint32_t i = newest; i-- > 0;)
		if (!g->texts[i].taken_back && !say_the_same(&g->texts[i], &g->texts[newest]))
			return g->texts[i].first;
	return 0;
}

uint64_t generations_newest(const struct generations *g)
{
	return g->text_count > 0 ? g->texts[g->text_count - 1].last : 0;
}

void generations_list(const struct generations *g, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i + 1 < g->text_count && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%lu", i ? ", " : "",
					 g->texts[i].first);
}

void generations_hold(struct generations *g, uint64_t file_hash)
{
	if (g->held == file_hash)
		return;
	g->held = file_hash;
	generations_save(g);
}

uint64_t generations_held(const struct generations *g)
{
	return g->held;
}

void generations_watch(struct generations *g, uint64_t until_ns)
{
	if (g->watch_ns == until_ns)
		return;
	g->watch_ns = until_ns;
	generations_save(g);
}

uint64_t generations_watched(const struct generations *g)
{
	return g->watch_ns;
}

/* "2024-05-01T12:00:00.123Z" */
static void time_text(uint64_t at_ms, char *out, size_t size)
{
	const time_t seconds = (time_t)(at_ms / 1000);
	struct tm tm;
	size_t used;

	gmtime_r(&seconds, &tm);
	used = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + used, size - used, ".%03uZ", (unsigned int)(at_ms % 1000));
}

static json_t *entry_json(const struct generations *g, const struct generation *e)
{
	char at[40], hash[24];
	size_t bytes;

	time_text(e->at_ms, at, sizeof(at));
	snprintf(hash, sizeof(hash), "%016lx", e->policy_hash);
	return json_pack("{s:o,s:s,s:s,s:s,s:s,s:o,s:s,s:o,s:o,s:b}", "generation",
			 e->number ? json_integer((json_int_t)e->number) : json_null(), "at", at,
			 "source", reload_source_name(e->source), "result",
			 reload_result_name(e->result), "reason", e->reason, "restores",
			 e->restores ? json_integer((json_int_t)e->restores) : json_null(),
			 "policy_hash", hash, "timings_us", reload_timings_json(&e->timings),
			 "changed", reload_changed_json(&e->changed), "text_kept",
			 e->number && generations_text(g, e->number, &bytes) != NULL);
}

json_t *generations_json(const struct generations *g)
{
	json_t *out = json_array();

	for (uint32_t i = 0; i < g->count; i++)
		json_array_append_new(out, entry_json(g, &g->entries[i]));
	return out;
}
