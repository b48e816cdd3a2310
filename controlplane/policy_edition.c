/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/policy_edition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int read_text(struct policy_edition *edition, const char *path, struct diagnostics *d)
{
	FILE *file = fopen(path, "re");

	if (file) {
		edition->text = read_bounded(file, MAX_POLICY_FILE_BYTES, &edition->bytes);
		if (!edition->text)
			diagnostics_error(d, 0, 0, "cannot be read: %s", strerror(errno));
		fclose(file);
	} else {
		diagnostics_error(d, 0, 0, "cannot be read: %s", strerror(errno));
	}
	return edition->text ? 0 : -EIO;
}

static int copy_text(struct policy_edition *edition, const struct policy_edition *from)
{
	edition->text = malloc(from->bytes + 1);
	if (!edition->text)
		return -ENOMEM;
	memcpy(edition->text, from->text, from->bytes);
	edition->bytes = from->bytes;
	return 0;
}

struct policy_edition *policy_edition_compile(const char *path,
					      const struct policy_edition *text_of,
					      const struct endpoint_sets *sets, char **errors)
{
	struct policy_edition *edition = calloc(1, sizeof(*edition));
	struct diagnostics *d = diagnostics_create(path);
	uint64_t begun_ns = monotonic_ns();
	int rc = -ENOMEM;

	*errors = NULL;
	if (edition && d)
		rc = text_of && text_of->text ? copy_text(edition, text_of)
					      : read_text(edition, path, d);
	if (rc == 0)
		edition->image = config_compile_resolved(edition->text, edition->bytes, sets, d);
	if (!edition || !edition->image) {
		*errors = d ? diagnostics_text(d) : NULL;
		policy_edition_free(edition);
		diagnostics_free(d);
		return NULL;
	}
	edition->warnings = diagnostics_text(d);
	diagnostics_free(d);
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
