/* SPDX-License-Identifier: Apache-2.0 */
#include "config/difference.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "config/checks.h"
#include "config/schema.h"
#include "config/value_text.h"

/* The generic view of every list. */
struct items {
	uint8_t *items;
	size_t count;
};

/* An element by its first key's text. */
struct item {
	const char *id;
	const uint8_t *at;
};

struct walk {
	struct arena *arena;
	difference_visit *visit;
	void *ctx;
	char path[DIFFERENCE_PATH_BYTES];
	int rc; /* -ENOMEM */
};

static void visit(const struct walk *w, enum difference_kind kind, const struct schema_key *key,
		  const char *before, const char *after)
{
	const struct difference d = {
		.kind = kind,
		.path = w->path,
		.before = before,
		.after = after,
		.needs_restart = (key->flags & SCHEMA_RESTART) != 0,
	};

	w->visit(w->ctx, &d);
}

/* Append to the path; returns what to cut it back to. */
static size_t enter(struct walk *w, const char *separator, const char *name, const char *end)
{
	const size_t before = strlen(w->path);

	snprintf(w->path + before, sizeof(w->path) - before, "%s%s%s", before != 0 ? separator : "",
		 name, end);
	return before;
}

static void leave(struct walk *w, size_t before)
{
	w->path[before] = '\0';
}

static void compare_maps(struct walk *w, const struct schema_map *map, const uint8_t *before,
			 const uint8_t *after);

static int compare_items(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->id, ((const struct item *)b)->id);
}

static struct item *sorted(struct walk *w, const struct schema_key *list, const struct items *items)
{
	struct item *out = arena_array(w->arena, items->count + 1, sizeof(*out));
	const struct schema_key *id = &list->map->keys[0];
	char text[VALUE_TEXT_MOST];

	for (size_t i = 0; out != NULL && i < items->count; i++) {
		out[i].at = items->items + i * list->map->bytes;
		value_text(id, out[i].at, text);
		out[i].id = arena_copy(w->arena, text, strlen(text));
		if (out[i].id == NULL)
			out = NULL;
	}
	if (out == NULL)
		w->rc = -ENOMEM;
	else
		qsort(out, items->count, sizeof(*out), compare_items);
	return out;
}

/* One element that is on both sides, or on one. */
static void compare_one(struct walk *w, const struct schema_key *list, const struct item *before,
			const struct item *after)
{
	const struct item *either = before != NULL ? before : after;
	size_t path = enter(w, "[", either->id, "]");

	if (before == NULL)
		visit(w, DIFFERENCE_ADDED, list, "", "");
	else if (!after)
		visit(w, DIFFERENCE_REMOVED, list, "", "");
	else
		compare_maps(w, list->map, before->at, after->at);
	leave(w, path);
}

static void compare_lists(struct walk *w, const struct schema_key *list, const uint8_t *before,
			  const uint8_t *after)
{
	struct items old, new;
	const struct item *a, *b, *a_end, *b_end;

	memcpy(&old, before + list->offset, sizeof(old));
	memcpy(&new, after + list->offset, sizeof(new));
	a = sorted(w, list, &old);
	b = sorted(w, list, &new);
	if (a == NULL || b == NULL)
		return;
	a_end = a + old.count;
	b_end = b + new.count;
	while (a < a_end || b < b_end) {
		int order = a == a_end ? 1 : b == b_end ? -1 : compare_items(a, b);

		compare_one(w, list, order <= 0 ? a : NULL, order >= 0 ? b : NULL);
		a += order <= 0;
		b += order >= 0;
	}
}

/* A block that is in force because it is there: it has a mode. */
static int is_policy_block(const struct schema_map *map)
{
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->keys[i].name, "mode") == 0)
			return 1;
	return 0;
}

static int is_given(const uint8_t *map)
{
	struct policy_map head;

	memcpy(&head, map, sizeof(head));
	return head.node != NULL;
}

static void compare_blocks(struct walk *w, const struct schema_key *key, const uint8_t *before,
			   const uint8_t *after)
{
	const int is_block = is_policy_block(key->map);
	const int was = is_given(before), is = is_given(after);

	if (is_block && was != is)
		visit(w, is ? DIFFERENCE_ADDED : DIFFERENCE_REMOVED, key, "", "");
	if (!is_block || is)
		compare_maps(w, key->map, before, after);
}

static void compare_values(struct walk *w, const struct schema_key *key, const uint8_t *before,
			   const uint8_t *after)
{
	char old[VALUE_TEXT_MOST], new[VALUE_TEXT_MOST];

	value_text(key, before, old);
	value_text(key, after, new);
	if (strcmp(old, new) != 0)
		visit(w, DIFFERENCE_CHANGED, key, old, new);
}

static void compare_key(struct walk *w, const struct schema_key *key, const uint8_t *before,
			const uint8_t *after)
{
	size_t path = enter(w, ".", key->name, "");

	if (key->type == SCHEMA_MAP)
		compare_blocks(w, key, before + key->offset, after + key->offset);
	else if (key->type == SCHEMA_LIST && key->item == SCHEMA_MAP)
		compare_lists(w, key, before, after);
	else
		compare_values(w, key, before, after);
	if (key->instead != NULL)
		compare_maps(w, key->instead, before + key->instead_offset,
			     after + key->instead_offset);
	leave(w, path);
}

static void compare_maps(struct walk *w, const struct schema_map *map, const uint8_t *before,
			 const uint8_t *after)
{
	for (size_t i = 0; i < map->count; i++)
		compare_key(w, &map->keys[i], before, after);
}

int config_difference(const struct config_input *before, struct diagnostics *before_d,
		      const struct config_input *after, struct diagnostics *after_d,
		      difference_visit *visit_one, void *ctx)
{
	struct arena *arena = arena_create();
	struct walk walk = {.arena = arena, .visit = visit_one, .ctx = ctx};
	struct check a = {.arena = arena, .d = before_d};
	struct check b = {.arena = arena, .d = after_d};
	int rc = arena != NULL ? 0 : -ENOMEM;

	if (rc == 0) {
		const int rc_a = config_read(&a, before), rc_b = config_read(&b, after);

		rc = rc_a != 0 ? rc_a : rc_b;
	}
	if (rc == 0) {
		compare_maps(&walk, &schema_root, (const uint8_t *)a.policy,
			     (const uint8_t *)b.policy);
		rc = walk.rc;
	}
	arena_free(arena);
	return rc;
}
