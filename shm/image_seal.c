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

uint64_t image_members_hash(const struct image_endpoint *endpoints, uint32_t count)
{
	XXH64_state_t state;

	XXH64_reset(&state, 0);
	for (uint32_t i = 0; i < count; i++) {
		/* One stripe of xxh64: what is shorter trips gcc's -Warray-bounds in xxhash.h. */
		const uint64_t member[4] = {endpoints[i].key, endpoints[i].weight,
					    endpoints[i].priority};

		XXH64_update(&state, member, sizeof(member));
	}
	return XXH64_digest(&state);
}

void image_seal(struct image_header *img, uint64_t generation)
{
	img->generation = generation;
	img->content_hash = image_content_hash(img);
	img->crc32c = image_crc32c(img);
}
