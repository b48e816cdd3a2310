/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/image_check.h"

#include "shm/crc32c.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static const uint8_t *body(const struct image_header *img)
{
	return (const uint8_t *)img + sizeof(*img);
}

uint32_t image_crc32c(const struct image_header *img)
{
	struct image_header header = *img;

	header.crc32c = 0;
	return crc32c(crc32c(0, &header, sizeof(header)), body(img), img->length - sizeof(header));
}

uint64_t image_content_hash(const struct image_header *img)
{
	struct image_header header = *img;
	XXH64_state_t state;

	header.crc32c = 0;
	header.generation = 0;
	header.content_hash = 0;
	XXH64_reset(&state, 0);
	XXH64_update(&state, &header, sizeof(header));
	XXH64_update(&state, body(img), img->length - sizeof(header));
	return XXH64_digest(&state);
}

void image_seal(struct image_header *img, uint64_t generation)
{
	img->generation = generation;
	img->content_hash = image_content_hash(img);
	img->crc32c = image_crc32c(img);
}
