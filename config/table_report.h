/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new policy does to the balance of a cluster, told at reload. Moved keys are counted by
 * looking up evenly spread hashes by the dataplane's own rules (shm/lookup.h) in the old and the
 * new image.
 */
#ifndef FENDER_CONFIG_TABLE_REPORT_H
#define FENDER_CONFIG_TABLE_REPORT_H

#include "shm/image.h"

enum {
	TABLE_REPORT_BITS = 16, /* 65,536 hashes */
	/* Rendezvous looks at every endpoint for each: fewer hashes then, but no less than 4,096.
	 */
	TABLE_REPORT_MIN_BITS = 12,
	TABLE_REPORT_SCORES = 8 * 1024 * 1024,
};

struct table_report {
	uint32_t entries; /* of the table */
	/*
	 * Hundredths of a percent of the hashes that had an endpoint and now have another or
	 * none; endpoints are compared by key. 0 without an old cluster of that name, and unless
	 * both pick by hash.
	 */
	uint32_t moved_keys_percent;
	/*
	 * Hundredths: the largest share of an endpoint as a part of what its weight entitles it
	 * to; 100 is even. Of the table's entries; ring: of its arcs; rendezvous, which has no
	 * table: 100. 0 without endpoints.
	 */
	uint32_t max_share_over_mean;
};

/**
 * table_report() - report one cluster
 * @old: the image in force, or NULL
 * @new: the next one
 * @cluster: position in @new; the old one is found by its key
 *
 * Milliseconds; rendezvous with a thousand endpoints: about a tenth of a second.
 * Return: 0, -ENOMEM.
 */
int table_report(struct table_report *report, const struct image_header *old,
		 const struct image_header *new, uint32_t cluster);

#endif
