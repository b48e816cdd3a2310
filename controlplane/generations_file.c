/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history on disk: <folder>/history.json, replaced as a whole, and <folder>/<first>.yaml for
 * each text. Read by the control plane alone; anything odd in it is passed over.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/read_file.h"
#include "controlplane/generations_private.h"
#include "controlplane/log.h"

enum { FILE_PATH_BYTES = 512, HISTORY_BYTES = 256 * 1024 };

static void path_in(const struct generations *g, const char *name, char *out)
{
	snprintf(out, FILE_PATH_BYTES, "%s/%s", g->folder, name);
}

static void text_path(const struct generations *g, const struct generation_text *text, char *out)
{
	snprintf(out, FILE_PATH_BYTES, "%s/%lu.yaml", g->folder, text->first);
}

static void tell(struct generations *g, const char *path)
{
	if (!g->told)
		log_warn("policy", "event=history_not_saved path=%s error=\"%s\"", path,
			 strerror(errno));
	g->told = 1;
}

/* Whole or not at all. */
static void write_file(struct generations *g, const char *path, const char *bytes, size_t count)
{
	char new_path[FILE_PATH_BYTES + 8];
	int fd, failed;

	if (mkdir(g->folder, 0700) != 0 && errno != EEXIST) {
		tell(g, g->folder);
		return;
	}
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		tell(g, path);
		return;
	}
	failed = write(fd, bytes, count) != (ssize_t)count;
	failed |= close(fd) != 0;
	if (!failed)
		failed = rename(new_path, path) != 0;
	if (!failed)
		return;
	tell(g, path);
	unlink(new_path);
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *entry_record(const struct generation *e)
{
	const struct reload_timings *t = &e->timings;

	return json_pack("{s:o,s:o,s:i,s:i,s:o,s:o,s:[oooo],s:[iiiiiiiii],s:s}", "number",
			 number(e->number), "at_ms", number(e->at_ms), "source", (int)e->source,
			 "result", (int)e->result, "restores", number(e->restores), "hash",
			 number(e->policy_hash), "timings", number(t->validate_us),
			 number(t->stage_us), number(t->publish_us), number(t->adopt_us), "changed",
			 e->changed.listeners.added, e->changed.listeners.removed,
			 e->changed.listeners.changed, e->changed.clusters.added,
			 e->changed.clusters.removed, e->changed.clusters.changed,
			 e->changed.endpoints.added, e->changed.endpoints.removed,
			 e->changed.endpoints.changed, "reason", e->reason);
}

void generations_save(struct generations *g)
{
	char path[FILE_PATH_BYTES];
	json_t *root, *entries = json_array(), *texts = json_array();
	char *text;

	if (!g->folder || !entries || !texts) {
		json_decref(entries);
		json_decref(texts);
		return;
	}
	for (uint32_t i = 0; i < g->count; i++)
		json_array_append_new(entries, entry_record(&g->entries[i]));
	for (uint32_t i = 0; i < g->text_count; i++)
		json_array_append_new(texts,
				      json_pack("[ooi]", number(g->texts[i].first),
						number(g->texts[i].last), g->texts[i].taken_back));
	root = json_pack("{s:o,s:s*,s:o,s:o,s:o,s:o}", "region", number(g->region_id), "file",
			 g->file, "held", number(g->held), "watch_ns", number(g->watch_ns),
			 "entries", entries, "texts", texts);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	if (text) {
		path_in(g, "history.json", path);
		write_file(g, path, text, strlen(text));
	}
	free(text);
}

void generations_save_text(struct generations *g, const struct generation_text *text)
{
	char path[FILE_PATH_BYTES];

	if (!g->folder)
		return;
	text_path(g, text, path);
	write_file(g, path, text->text, text->bytes);
}

void generations_remove_text(const struct generations *g, const struct generation_text *text)
{
	char path[FILE_PATH_BYTES];

	if (!g->folder)
		return;
	text_path(g, text, path);
	unlink(path);
}

void generations_remove(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(folder);
}

static char *read_file(const char *path, size_t most, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *text = NULL;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	text = read_bounded(file, most, bytes);
	fclose(file);
	if (text && *bytes > most) {
		free(text);
		text = NULL;
	}
	return text;
}

static uint64_t number_of(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static uint64_t number_at(const json_t *array, size_t at)
{
	return (uint64_t)json_integer_value(json_array_get(array, at));
}

static struct policy_count count_at(const json_t *array, size_t at)
{
	return (struct policy_count){
		.added = (uint32_t)number_at(array, at),
		.removed = (uint32_t)number_at(array, at + 1),
		.changed = (uint32_t)number_at(array, at + 2),
	};
}

static void load_entry(struct generations *g, const json_t *record)
{
	const json_t *timings = json_object_get(record, "timings");
	const json_t *changed = json_object_get(record, "changed");
	const char *reason = json_string_value(json_object_get(record, "reason"));
	const uint64_t source = number_of(record, "source");
	const uint64_t result = number_of(record, "result");
	struct generation e = {
		.number = number_of(record, "number"),
		.at_ms = number_of(record, "at_ms"),
		.restores = number_of(record, "restores"),
		.policy_hash = number_of(record, "hash"),
		.timings = {number_at(timings, 0), number_at(timings, 1), number_at(timings, 2),
			    number_at(timings, 3)},
		.changed = {count_at(changed, 0), count_at(changed, 3), count_at(changed, 6)},
	};

	if (!json_is_integer(json_object_get(record, "at_ms")) || source >= RELOAD_SOURCES ||
	    result >= RELOAD_RESULTS)
		return;
	e.source = (enum reload_source)source;
	e.result = (enum reload_result)result;
	snprintf(e.reason, sizeof(e.reason), "%s", reason ? reason : "");
	generations_push(g, &e);
}

static void load_text(struct generations *g, const json_t *record)
{
	struct generation_text one = {
		.first = number_at(record, 0),
		.last = number_at(record, 1),
		.taken_back = number_at(record, 2) != 0,
	};
	char path[FILE_PATH_BYTES];

	text_path(g, &one, path);
	one.text = read_file(path, MAX_POLICY_FILE_BYTES, &one.bytes);
	if (one.text)
		generations_push_text(g, &one);
}

static json_t *load_root(const char *folder)
{
	char path[FILE_PATH_BYTES];
	size_t bytes;
	char *text;
	json_t *root;

	snprintf(path, sizeof(path), "%s/history.json", folder);
	text = read_file(path, HISTORY_BYTES, &bytes);
	root = text ? json_loadb(text, bytes, 0, NULL) : NULL;
	free(text);
	return root;
}

int generations_file(const char *folder, char *path, size_t size)
{
	json_t *root = load_root(folder);
	const char *file = json_string_value(json_object_get(root, "file"));
	const int fits = file && strlen(file) < size;

	if (fits)
		snprintf(path, size, "%s", file);
	json_decref(root);
	return fits ? 0 : -ENOENT;
}

void generations_load(struct generations *g)
{
	json_t *root = load_root(g->folder);
	const json_t *entries, *texts;

	if (!root || number_of(root, "region") != g->region_id) {
		json_decref(root);
		generations_remove(g->folder);
		return;
	}
	entries = json_object_get(root, "entries");
	texts = json_object_get(root, "texts");
	for (size_t i = 0; i < json_array_size(entries) && i < GENERATIONS_KEPT; i++)
		load_entry(g, json_array_get(entries, i));
	for (size_t i = 0; i < json_array_size(texts) && i < GENERATION_TEXTS; i++)
		load_text(g, json_array_get(texts, i));
	g->held = number_of(root, "held");
	g->watch_ns = number_of(root, "watch_ns");
	json_decref(root);
}
