/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/policy_edition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "config/diagnostics.h"
#include "config/read_file.h"
#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "shm/registry.h"

void policy_edition_free(struct policy_edition *edition)
{
	if (!edition)
		return;
	free(edition->image);
	free(edition->text);
	file_texts_free(&edition->files);
	free(edition->warnings);
	free(edition->reports);
	free(edition);
}

struct policy_edition *policy_edition_of(struct image_header *image)
{
	struct policy_edition *edition = calloc(1, sizeof(*edition));

	if (edition)
		edition->image = image;
	else
		free(image);
	return edition;
}

uint64_t policy_text_hash(const char *text, size_t bytes)
{
	const uint64_t hash = XXH64(text, bytes, 0);

	return hash ? hash : 1;
}

/* malloc'ed; NULL with errno. */
static char *read_policy(const char *path, size_t *bytes)
{
	FILE *file = open_regular(path);
	char *text;
	int error;

	if (!file)
		return NULL;
	text = read_bounded(file, MAX_POLICY_FILE_BYTES, bytes);
	error = errno;
	fclose(file);
	errno = error;
	return text;
}

uint64_t policy_file_hash(const char *path)
{
	size_t bytes;
	char *text = read_policy(path, &bytes);
	uint64_t hash = text ? policy_text_hash(text, bytes) : 0;

	free(text);
	return hash;
}

static int take_text(struct policy_edition *edition, const struct edition_source *source,
		     struct diagnostics *d)
{
	const struct policy_edition *from = source->text_of;

	if (from && from->text) {
		edition->bytes = from->bytes;
		edition->text = malloc(from->bytes + 1);
		if (edition->text)
			memcpy(edition->text, from->text, from->bytes);
	} else {
		edition->text = read_policy(source->path, &edition->bytes);
	}
	if (!edition->text) {
		diagnostics_error(d, 0, 0, "cannot be read: %s", read_file_error(errno));
		return -EIO;
	}
	edition->text_hash = policy_text_hash(edition->text, edition->bytes);
	return 0;
}

/* Add to @instead what is known of the files that have errors. Return how many were added. */
static size_t replace_failed(struct file_texts *instead, const struct policy_edition *edition,
			     const struct file_texts *known, const struct diagnostics *d)
{
	const size_t before = instead->count;

	for (size_t i = 0; i < edition->files.count; i++) {
		const struct file_text *file = &edition->files.all[i];
		const struct file_text *good = file_texts_find(known, file->path);

		if (good && good->text && (!file->text || diagnostics_blame(d, file->path)) &&
		    file_texts_add(instead, good->path, good->text, good->bytes) != 0)
			break;
	}
	return instead->count - before;
}

/* What was wrong with files that are not used as they are now, then @d's own. malloc'ed. */
static char *warnings_of(const char *failed, const struct file_texts *instead,
			 const struct diagnostics *d)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	if (failed)
		fputs(failed, out);
	for (size_t i = 0; i < instead->count; i++)
		fprintf(out, "%s: warning: its last good content stays in force\n",
			instead->all[i].path);
	diagnostics_print(d, out);
	fclose(out);
	return text;
}

/*
 * Again as long as it fails for files of which a better text is known: errors beyond those that
 * are kept show with the next round.
 */
static void compile(struct policy_edition *edition, const struct edition_source *source,
		    char **errors)
{
	static const struct file_texts none;
	const struct file_texts *known = source->known ? source->known : &none;
	struct file_texts instead = {0};
	char *failed = NULL;
	size_t added;

	do {
		const struct config_input in = {
			.text = edition->text,
			.bytes = edition->bytes,
			.sets = source->sets,
			.instead = &instead,
			.read = &edition->files,
		};
		struct diagnostics *d = diagnostics_create(source->path);

		added = 0;
		file_texts_free(&edition->files);
		edition->image = d ? config_compile_input(&in, d) : NULL;
		if (edition->image) {
			edition->warnings = warnings_of(failed, &instead, d);
		} else if (d) {
			added = replace_failed(&instead, edition, known, d);
			free(*errors);
			*errors = diagnostics_text(d);
			if (!failed && added > 0) {
				failed = *errors;
				*errors = NULL;
			}
		}
		diagnostics_free(d);
	} while (!edition->image && added > 0);
	file_texts_free(&instead);
	free(failed);
	if (edition->image) {
		free(*errors);
		*errors = NULL;
	}
}

struct policy_edition *policy_edition_compile(const struct edition_source *source, char **errors)
{
	struct policy_edition *edition = calloc(1, sizeof(*edition));
	struct diagnostics *d = diagnostics_create(source->path);
	const uint64_t begun_ns = monotonic_ns();

	*errors = NULL;
	if (edition && d && take_text(edition, source, d) == 0)
		compile(edition, source, errors);
	else if (d)
		*errors = diagnostics_text(d);
	diagnostics_free(d);
	if (!edition || !edition->image) {
		policy_edition_free(edition);
		return NULL;
	}
	edition->build_us = (monotonic_ns() - begun_ns) / 1000;
	return edition;
}

static const struct image_cluster *clusters_of(const struct policy_edition *edition)
{
	return IMAGE_ARRAY(edition->image, struct image_cluster, clusters);
}

/* Number of the cluster of @key, or UINT32_MAX. */
static uint32_t find(const struct policy_edition *edition, uint64_t key)
{
	for (uint32_t i = 0; edition && i < edition->image->clusters.count; i++)
		if (clusters_of(edition)[i].key == key)
			return i;
	return UINT32_MAX;
}

static int same_balance(const struct image_cluster *a, const struct image_cluster *b)
{
	return a->members_hash == b->members_hash && a->algorithm == b->algorithm &&
	       a->table_count == b->table_count;
}

static void log_report(const struct policy_edition *edition, uint32_t cluster)
{
	const struct table_report *t = &edition->reports[cluster];

	log_info("policy",
		 "event=table cluster=%s entries=%u moved_keys_percent=%u.%02u "
		 "max_share_over_mean=%u.%02u build_us=%lu",
		 image_string(edition->image, clusters_of(edition)[cluster].name), t->entries,
		 t->moved_keys_percent / 100, t->moved_keys_percent % 100,
		 t->max_share_over_mean / 100, t->max_share_over_mean % 100, edition->build_us);
}

void policy_edition_measure(struct policy_edition *next, const struct policy_edition *before)
{
	uint32_t measured = 0, skipped = 0;

	if (next->reports)
		return;
	next->reports = calloc(next->image->clusters.count + 1, sizeof(*next->reports));
	if (!next->reports)
		return;
	for (uint32_t i = 0; i < next->image->clusters.count; i++) {
		const struct image_cluster *c = &clusters_of(next)[i];
		uint32_t old = find(before, c->key);
		int same = old != UINT32_MAX && same_balance(c, &clusters_of(before)[old]);

		if (same && before->reports) {
			next->reports[i] = before->reports[old];
			continue;
		}
		if (measured == EDITION_MAX_REPORTS) {
			skipped++;
			continue;
		}
		if (table_report(&next->reports[i], same || !before ? NULL : before->image,
				 next->image, i) != 0)
			continue;
		measured++;
		if (!same && before)
			log_report(next, i);
	}
	if (skipped > 0)
		log_info("policy", "event=tables_not_measured clusters=%u", skipped);
}

void policy_edition_tell_endpoints(const struct policy_edition *next,
				   const struct policy_edition *before, const struct region *region)
{
	struct event event = {
		.at_ns = monotonic_ns(),
		.kind = EVENT_ENDPOINTS_CHANGED,
		.subject = SUBJECT_CLUSTER,
	};

	for (uint32_t i = 0; before && i < next->image->clusters.count; i++) {
		const struct image_cluster *c = &clusters_of(next)[i];
		uint32_t old = find(before, c->key);

		if (c->source.kind == SOURCE_LIST || old == UINT32_MAX ||
		    clusters_of(before)[old].members_hash == c->members_hash)
			continue;
		event.slot = registry_find(region->cluster_registry, region->shape.cluster_slots,
					   c->key);
		event.key = c->key;
		event.detail = c->endpoint_count;
		event_write(region->events, &event);
	}
}
