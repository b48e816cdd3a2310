/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects the arrays of a policy image and lays them out. After the first failed allocation
 * nothing more is added and image_writer_finish() returns NULL.
 */
#ifndef FENDER_CONFIG_IMAGE_WRITER_H
#define FENDER_CONFIG_IMAGE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/image.h"

/* In the order of the image. */
enum image_array {
	IMAGE_INTERFACES,
	IMAGE_ADDRESSES,
	IMAGE_ROUTES,
	IMAGE_NEIGHBOURS,
	IMAGE_LISTENERS,
	IMAGE_CLUSTERS,
	IMAGE_ENDPOINTS,
	IMAGE_TABLES,
	IMAGE_POINTS,
	IMAGE_STRINGS,
	IMAGE_ARRAYS,
};

struct image_writer {
	struct {
		uint8_t *bytes;
		size_t count; /* elements */
		size_t capacity;
	} arrays[IMAGE_ARRAYS];
	bool failed;
};

void image_writer_start(struct image_writer *w);
void image_writer_free(struct image_writer *w);

/* One more element, zeroed; valid until the next of its array is added. NULL after a failure. */
void *image_writer_add(struct image_writer *w, enum image_array array);

/* Offset of a copy of @text among the strings; 0, the empty string, after a failure. */
uint32_t image_writer_string(struct image_writer *w, const char *text);

void image_writer_tables(struct image_writer *w, const uint16_t *entries, size_t count);

void image_writer_points(struct image_writer *w, const uint64_t *points, size_t count);

void image_writer_sort(struct image_writer *w, enum image_array array,
		       int (*order)(const void *, const void *));

/* The image, malloc'ed, not sealed yet; NULL without memory or beyond 4 GiB. */
struct image_header *image_writer_finish(struct image_writer *w,
					 const struct image_sidecar *sidecar);

#endif
