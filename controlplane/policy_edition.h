/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One edition of the policy: the text, the image it was compiled to, and what its tables do to the
 * balance. New endpoints (DNS, files) make a new edition of the same text: an edit of the policy
 * file that nobody has put in force yet is no part of it.
 */
#ifndef FENDER_CONTROLPLANE_POLICY_EDITION_H
#define FENDER_CONTROLPLANE_POLICY_EDITION_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/table_report.h"
#include "shm/image.h"
#include "shm/region.h"

enum { EDITION_MAX_REPORTS = 64 }; /* clusters measured at one change: milliseconds each */

struct policy_edition {
	struct image_header *image;
	char *text; /* not NUL-terminated; NULL of one found in the region */
	size_t bytes;
	uint64_t text_hash;           /* policy_text_hash() */
	struct file_texts files;      /* endpoint files as they went into it */
	char *warnings;               /* one a line; NULL or "": none */
	uint64_t build_us;            /* that compiling took */
	struct table_report *reports; /* [cluster]; of its last change; NULL: not measured */
};

/* Of a checked image, which is taken over. Return: NULL without memory, then it is freed. */
struct policy_edition *policy_edition_of(struct image_header *image);

struct edition_source {
	const char *path; /* the policy file; errors and endpoint files go by its name */
	/* Compile its text instead of the file, unless it has none; or NULL. */
	const struct policy_edition *text_of;
	const struct endpoint_sets *sets; /* what names are resolved to, or NULL */
	/* Endpoint files taken in place of ones with errors, which become warnings; or NULL. */
	const struct file_texts *known;
};

/**
 * policy_edition_compile() - read, check and compile
 * @errors: receives what was wrong, malloc'ed, one a line; perhaps NULL
 * Return: NULL after an error.
 */
struct policy_edition *policy_edition_compile(const struct edition_source *source, char **errors);

/* Never 0. */
uint64_t policy_text_hash(const char *text, size_t bytes);
/* Of what the file says now; 0: it cannot be read. */
uint64_t policy_file_hash(const char *path);

void policy_edition_free(struct policy_edition *edition);

/**
 * policy_edition_measure() - fill @next's reports and log those of clusters that changed
 * @before: the edition in force until now, whose reports of other clusters stay; or NULL
 */
void policy_edition_measure(struct policy_edition *next, const struct policy_edition *before);

/* Write an event for each cluster whose endpoints come from DNS or a file and are others now. */
void policy_edition_tell_endpoints(const struct policy_edition *next,
				   const struct policy_edition *before,
				   const struct region *region);

#endif
