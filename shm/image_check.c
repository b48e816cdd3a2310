/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/image_check.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

enum { SPAN_ALIGN = 8 };

static uint64_t align_up(uint64_t off)
{
	return (off + SPAN_ALIGN - 1) & ~(uint64_t)(SPAN_ALIGN - 1);
}

static int all_zero(const uint8_t *bytes, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (bytes[i])
			return 0;
	}
	return 1;
}

/* The arrays fill the image in order, so there is exactly one place for each. */
int image_check_spans(const struct image_header *img, const struct why *why)
{
	const struct {
		const char *name;
		const struct image_span *span;
		uint32_t element_bytes;
		uint32_t max;
	} rows[] = {
		{"interfaces", &img->interfaces, sizeof(struct image_interface), MAX_INTERFACES},
		{"addresses", &img->addresses, sizeof(struct image_address), MAX_ADDRESSES},
		{"routes", &img->routes, sizeof(struct image_route), MAX_ROUTES},
		{"neighbours", &img->neighbours, sizeof(struct image_neighbour), MAX_NEIGHBOURS},
		{"listeners", &img->listeners, sizeof(struct image_listener), MAX_LISTENERS},
		{"clusters", &img->clusters, sizeof(struct image_cluster), MAX_CLUSTERS},
		{"endpoints", &img->endpoints, sizeof(struct image_endpoint), MAX_ENDPOINTS},
		{"tables", &img->tables, sizeof(uint16_t), MAX_SLOT_BYTES / sizeof(uint16_t)},
		{"points", &img->points, sizeof(uint64_t), RING_MAX_POINTS},
		{"strings", &img->strings, 1, MAX_SLOT_BYTES},
	};
	const uint8_t *bytes = (const uint8_t *)img;
	uint64_t end = sizeof(*img);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct image_span *span = rows[i].span;
		uint64_t off = align_up(end);
		uint64_t size = (uint64_t)span->count * rows[i].element_bytes;

		if (span->count > rows[i].max)
			return why_fail(why, -EINVAL, "%s: %u of at most %u", rows[i].name,
					span->count, rows[i].max);
		if (span->off != off || off > img->length || size > img->length - off)
			return why_fail(why, -EINVAL,
					"%s: offset %u is not %llu, or they end behind the image",
					rows[i].name, span->off, (unsigned long long)off);
		if (!all_zero(bytes + end, off - end))
			return why_fail(why, -EINVAL, "%s: padding before them is not zero",
					rows[i].name);
		end = off + size;
	}
	if (align_up(end) != img->length || !all_zero(bytes + end, img->length - end))
		return why_fail(why, -EINVAL, "length %u does not fit what the image holds",
				img->length);
	if (img->strings.count == 0 || bytes[img->strings.off] != 0 || bytes[end - 1] != 0)
		return why_fail(why, -EINVAL, "strings: not enclosed by NUL");
	return 0;
}

int image_text_ok(const struct image_header *img, uint32_t off, uint32_t limit)
{
	const char *name;
	size_t length;

	if (off >= img->strings.count)
		return 0;
	name = image_string(img, off);
	length = strlen(name);
	if (length >= limit)
		return 0;
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return 0;
	}
	return 1;
}

int image_name_ok(const struct image_header *img, uint32_t off, uint32_t limit)
{
	return image_text_ok(img, off, limit) && image_string(img, off)[0] != '\0';
}

int image_ip_ok(const struct image_ip *ip, uint8_t family)
{
	return (family == FAMILY_V4 && image_ip_is_v4(ip->b)) ||
	       (family == FAMILY_V6 && !image_ip_is_v4(ip->b));
}

int image_ip_unspecified(const struct image_ip *ip, uint8_t family)
{
	return all_zero(family == FAMILY_V4 ? &ip->b[12] : ip->b, family == FAMILY_V4 ? 4 : 16);
}

static int check_header(const struct image_header *img, size_t size, const struct why *why)
{
	if (size < sizeof(*img) || (uintptr_t)img % SPAN_ALIGN != 0)
		return why_fail(why, -EMSGSIZE, "policy image of %zu bytes is too short", size);
	if (img->magic != IMAGE_MAGIC)
		return why_fail(why, -EINVAL, "not a policy image: wrong magic");
	if (img->abi != IMAGE_ABI)
		return why_fail(why, -EPROTO, "policy image has ABI %u, this program speaks %u",
				img->abi, IMAGE_ABI);
	if (img->length < sizeof(*img) || img->length > size || img->length > MAX_SLOT_BYTES ||
	    img->length % SPAN_ALIGN != 0)
		return why_fail(why, -EMSGSIZE, "policy image claims %u bytes of %zu", img->length,
				size);
	if (img->crc32c != image_crc32c(img))
		return why_fail(why, -EINVAL, "policy image fails its checksum");
	if (img->content_hash != image_content_hash(img))
		return why_fail(why, -EINVAL, "policy image fails its content hash");
	return 0;
}

int image_check(const void *bytes, size_t size, char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	const struct image_header *img = bytes;
	int error = check_header(img, size, &why);

	if (!error)
		error = image_check_spans(img, &why);
	if (!error)
		error = image_check_guard(img, &why);
	if (!error)
		error = image_check_network(img, &why);
	if (!error)
		error = image_check_listeners(img, &why);
	if (!error)
		error = image_check_clusters(img, &why);
	if (!error)
		error = image_check_endpoints(img, &why);
	return error;
}
