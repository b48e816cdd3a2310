/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy image reader. Length, offsets, keys, hash and checksum are put right first, so that
 * the input gets past them; an image that is accepted is used the way its readers use it. Seeds:
 * see test_image.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shm/image_check.h"
#include "shm/names.h"
#include "tests/unit/shm/image_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Put the arrays where their counts say; the strings take what is left. */
static int mend_spans(struct image_header *img)
{
	struct image_span *spans = &img->interfaces;
	static const uint32_t element_bytes[] = {
		sizeof(struct image_interface),
		sizeof(struct image_address),
		sizeof(struct image_route),
		sizeof(struct image_neighbour),
		sizeof(struct image_listener),
		sizeof(struct image_cluster),
		sizeof(struct image_endpoint),
		sizeof(uint16_t),
		sizeof(uint64_t),
	};
	const size_t count = sizeof(element_bytes) / sizeof(element_bytes[0]);
	uint64_t off = sizeof(*img);

	for (size_t i = 0; i < count; i++) {
		spans[i].off = (uint32_t)off;
		off = (off + (uint64_t)spans[i].count * element_bytes[i] + 7) & ~UINT64_C(7);
		if (off >= img->length)
			return 0;
	}
	img->strings.off = (uint32_t)off;
	img->strings.count = img->length - (uint32_t)off;
	((uint8_t *)img)[off] = 0;
	((uint8_t *)img)[img->length - 1] = 0;
	return 1;
}

static uint64_t key_of(const struct image_header *img, uint32_t name)
{
	return image_name_ok(img, name, NAME_BYTES) ? name_key(image_string(img, name)) : 0;
}

static void mend_endpoint_keys(struct image_header *img, const struct image_cluster *c)
{
	struct image_endpoint *e = (struct image_endpoint *)((uint8_t *)img + img->endpoints.off);

	if (!image_name_ok(img, c->name, NAME_BYTES) || c->first_endpoint > img->endpoints.count ||
	    c->endpoint_count > img->endpoints.count - c->first_endpoint)
		return;
	for (uint32_t i = c->first_endpoint; i < c->first_endpoint + c->endpoint_count; i++) {
		if (image_name_ok(img, e[i].name, ENDPOINT_NAME_BYTES))
			e[i].key = endpoint_key(image_string(img, c->name),
						image_string(img, e[i].name));
	}
}

/* Nobody guesses a 64-bit hash: names that changed get their keys. */
static void mend_keys(struct image_header *img)
{
	struct image_listener *l = (struct image_listener *)((uint8_t *)img + img->listeners.off);
	struct image_cluster *c = (struct image_cluster *)((uint8_t *)img + img->clusters.off);

	for (uint32_t i = 0; i < img->listeners.count; i++)
		l[i].key = key_of(img, l[i].name);
	for (uint32_t i = 0; i < img->clusters.count; i++) {
		c[i].key = key_of(img, c[i].name);
		mend_endpoint_keys(img, &c[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static volatile uint64_t sink;
	char why[160];
	struct image_header *img = malloc(size ? size : 1);

	if (!img)
		return 0;
	memcpy(img, data, size);
	/* As it came, then mended. */
	if (image_check(img, size, why, sizeof(why)) == 0)
		sink = sink + image_walk(img);
	if (size >= sizeof(*img)) {
		img->magic = IMAGE_MAGIC;
		img->abi = IMAGE_ABI;
		img->length = (uint32_t)size & ~7u;
		if (mend_spans(img))
			mend_keys(img);
		image_seal(img, 0);
		if (image_check(img, size, why, sizeof(why)) == 0)
			sink = sink + image_walk(img);
	}
	free(img);
	return 0;
}
