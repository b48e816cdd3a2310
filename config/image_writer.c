/* SPDX-License-Identifier: Apache-2.0 */
#include "config/image_writer.h"

#include <stdlib.h>
#include <string.h>

enum { SPAN_ALIGN = 8, FIRST_CAPACITY = 64 };

static const size_t element_bytes[IMAGE_ARRAYS] = {
	[IMAGE_INTERFACES] = sizeof(struct image_interface),
	[IMAGE_ADDRESSES] = sizeof(struct image_address),
	[IMAGE_ROUTES] = sizeof(struct image_route),
	[IMAGE_NEIGHBOURS] = sizeof(struct image_neighbour),
	[IMAGE_LISTENERS] = sizeof(struct image_listener),
	[IMAGE_CLUSTERS] = sizeof(struct image_cluster),
	[IMAGE_ENDPOINTS] = sizeof(struct image_endpoint),
	[IMAGE_TABLES] = sizeof(uint16_t),
	[IMAGE_POINTS] = sizeof(uint64_t),
	[IMAGE_STRINGS] = 1,
};

/* @count more elements, zeroed. */
static uint8_t *extend(struct image_writer *w, enum image_array array, size_t count)
{
	const size_t size = element_bytes[array];
	size_t used = w->arrays[array].count, capacity = w->arrays[array].capacity, bytes;
	uint8_t *place;

	if (w->failed)
		return NULL;
	if (count > capacity - used) {
		capacity = count > capacity ? used + count : 2 * capacity;
		if (capacity < FIRST_CAPACITY)
			capacity = FIRST_CAPACITY;
		place = __builtin_mul_overflow(capacity, size, &bytes)
				? NULL
				: realloc(w->arrays[array].bytes, bytes);
		if (place == NULL) {
			w->failed = true;
			return NULL;
		}
		w->arrays[array].bytes = place;
		w->arrays[array].capacity = capacity;
	}
	place = w->arrays[array].bytes + used * size;
	memset(place, 0, count * size);
	w->arrays[array].count += count;
	return place;
}

void image_writer_start(struct image_writer *w)
{
	memset(w, 0, sizeof(*w));
	extend(w, IMAGE_STRINGS, 1);
}

void image_writer_free(struct image_writer *w)
{
	for (size_t i = 0; i < IMAGE_ARRAYS; i++)
		free(w->arrays[i].bytes);
	memset(w, 0, sizeof(*w));
}

void *image_writer_add(struct image_writer *w, enum image_array array)
{
	return extend(w, array, 1);
}

uint32_t image_writer_string(struct image_writer *w, const char *text)
{
	size_t off = w->arrays[IMAGE_STRINGS].count, bytes = strlen(text) + 1;
	uint8_t *place = extend(w, IMAGE_STRINGS, bytes);

	if (place == NULL)
		return 0;
	memcpy(place, text, bytes);
	return (uint32_t)off;
}

static void append(struct image_writer *w, enum image_array array, const void *from, size_t count)
{
	uint8_t *place = count != 0 ? extend(w, array, count) : NULL;

	if (place != NULL)
		memcpy(place, from, count * element_bytes[array]);
}

void image_writer_tables(struct image_writer *w, const uint16_t *entries, size_t count)
{
	append(w, IMAGE_TABLES, entries, count);
}

void image_writer_points(struct image_writer *w, const uint64_t *points, size_t count)
{
	append(w, IMAGE_POINTS, points, count);
}

void image_writer_sort(struct image_writer *w, enum image_array array,
		       int (*order)(const void *, const void *))
{
	if (w->arrays[array].count > 1)
		qsort(w->arrays[array].bytes, w->arrays[array].count, element_bytes[array], order);
}

static uint64_t align_up(uint64_t bytes)
{
	return (bytes + SPAN_ALIGN - 1) & ~(uint64_t)(SPAN_ALIGN - 1);
}

/* Arrays have at most MAX_SLOT_BYTES or so each; nothing here comes near 64 bits. */
static uint64_t image_bytes(const struct image_writer *w)
{
	uint64_t bytes = sizeof(struct image_header);

	for (size_t i = 0; i < IMAGE_ARRAYS; i++)
		bytes = align_up(bytes) + (uint64_t)w->arrays[i].count * element_bytes[i];
	return align_up(bytes);
}

struct image_header *image_writer_finish(struct image_writer *w,
					 const struct image_sidecar *sidecar)
{
	uint64_t bytes = image_bytes(w), off = sizeof(struct image_header);
	struct image_header *image;
	struct image_span *spans[IMAGE_ARRAYS];

	if (w->failed || bytes > UINT32_MAX)
		return NULL;
	image = calloc(1, bytes);
	if (image == NULL)
		return NULL;
	image->magic = IMAGE_MAGIC;
	image->abi = IMAGE_ABI;
	image->length = (uint32_t)bytes;
	image->sidecar = *sidecar;
	spans[IMAGE_INTERFACES] = &image->interfaces;
	spans[IMAGE_ADDRESSES] = &image->addresses;
	spans[IMAGE_ROUTES] = &image->routes;
	spans[IMAGE_NEIGHBOURS] = &image->neighbours;
	spans[IMAGE_LISTENERS] = &image->listeners;
	spans[IMAGE_CLUSTERS] = &image->clusters;
	spans[IMAGE_ENDPOINTS] = &image->endpoints;
	spans[IMAGE_TABLES] = &image->tables;
	spans[IMAGE_POINTS] = &image->points;
	spans[IMAGE_STRINGS] = &image->strings;
	for (size_t i = 0; i < IMAGE_ARRAYS; i++) {
		size_t size = w->arrays[i].count * element_bytes[i];

		off = align_up(off);
		spans[i]->off = (uint32_t)off;
		spans[i]->count = (uint32_t)w->arrays[i].count;
		if (size != 0)
			memcpy((uint8_t *)image + off, w->arrays[i].bytes, size);
		off += size;
	}
	return image;
}
