/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/region_header.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "shm/crc32c.h"
#include "shm/region_shape.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

enum { BOOT_ID_BYTES = 16 };

/* The UUID's 32 hexadecimal digits as 16 bytes. */
static int read_boot_id(uint8_t id[BOOT_ID_BYTES])
{
	char text[64];
	ssize_t bytes;
	unsigned int digits = 0;
	int fd = open(BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	bytes = read(fd, text, sizeof(text));
	close(fd);
	memset(id, 0, BOOT_ID_BYTES);
	for (ssize_t i = 0; i < bytes && digits < 2 * BOOT_ID_BYTES; i++) {
		int c = tolower((unsigned char)text[i]);

		if (!isxdigit(c))
			continue;
		id[digits / 2] =
			(uint8_t)(id[digits / 2] << 4 | (c <= '9' ? c - '0' : c - 'a' + 10));
		digits++;
	}
	return digits == 2 * BOOT_ID_BYTES ? 0 : -EIO;
}

static uint32_t static_crc(const struct region_header *header)
{
	uint32_t crc = crc32c(0, header, offsetof(struct region_header, static_crc32c));

	return crc32c(crc, header->sections, sizeof(header->sections));
}

struct region_shape region_header_shape(const struct region_header *header)
{
	return (struct region_shape){
		.workers = header->workers,
		.connections_per_worker = header->connections_per_worker,
		.listener_slots = header->listener_slots,
		.cluster_slots = header->cluster_slots,
		.endpoint_slots = header->endpoint_slots,
		.slot_bytes = header->slot_bytes,
		.source_lines = header->source_lines,
	};
}

int region_header_fill(struct region_header *header, const char *instance,
		       const struct region_shape *shape)
{
	struct timespec now;
	uint64_t random[2];
	int error = read_boot_id(header->boot_id);

	if (error)
		return error;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	clock_gettime(CLOCK_MONOTONIC, &now);
	header->magic = REGION_MAGIC;
	header->abi_version = REGION_ABI;
	header->header_bytes = sizeof(*header);
	header->region_id = random[0];
	header->hash_seed = random[1];
	header->created_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	memcpy(header->instance, instance, strlen(instance));
	header->workers = shape->workers;
	header->connections_per_worker = shape->connections_per_worker;
	header->listener_slots = shape->listener_slots;
	header->cluster_slots = shape->cluster_slots;
	header->endpoint_slots = shape->endpoint_slots;
	header->slot_bytes = shape->slot_bytes;
	header->source_lines = shape->source_lines;
	header->section_count = REGION_SECTIONS;
	header->total_bytes = region_shape_sections(shape, header->sections);
	header->ready = 1;
	header->static_crc32c = static_crc(header);
	return 0;
}

void region_header_continue(struct region_header *to, const struct region_header *from)
{
	to->region_id = from->region_id;
	to->hash_seed = from->hash_seed;
	to->static_crc32c = static_crc(to);
}

static int check_sizes(const struct region_header *header, uint64_t file_bytes,
		       const struct why *why)
{
	struct section sections[REGION_MAX_SECTIONS] = {0};
	struct region_shape shape = region_header_shape(header);
	size_t instance_bytes = strnlen(header->instance, NAME_BYTES);

	if (header->header_bytes != sizeof(*header) || header->section_count != REGION_SECTIONS ||
	    instance_bytes == 0 || instance_bytes == NAME_BYTES || !region_shape_valid(&shape))
		return why_fail(why, -EINVAL, "region header is out of bounds");
	if (region_shape_sections(&shape, sections) != header->total_bytes ||
	    memcmp(sections, header->sections, sizeof(sections)) != 0)
		return why_fail(why, -EINVAL, "region's section table contradicts its sizes");
	if (file_bytes != header->total_bytes)
		return why_fail(why, -EINVAL, "region file has %llu bytes, its header says %llu",
				(unsigned long long)file_bytes,
				(unsigned long long)header->total_bytes);
	return 0;
}

int region_header_check(const struct region_header *header, uint64_t file_bytes,
			const struct why *why)
{
	uint8_t boot_id[BOOT_ID_BYTES];
	int error;

	if (header->magic != REGION_MAGIC)
		return why_fail(why, -EINVAL, "not a Fender region: wrong magic");
	if (header->abi_version != REGION_ABI)
		return why_fail(why, -EPROTO,
				"region has ABI %u, this program speaks %u: stop the instance and "
				"start it anew",
				header->abi_version, REGION_ABI);
	if (header->ready != 1)
		return why_fail(why, -EINVAL, "region was never completed");
	if (header->static_crc32c != static_crc(header))
		return why_fail(why, -EINVAL, "region header fails its checksum");
	error = check_sizes(header, file_bytes, why);
	if (error)
		return error;
	error = read_boot_id(boot_id);
	if (error)
		return why_fail(why, error, "cannot read %s", BOOT_ID_PATH);
	if (memcmp(boot_id, header->boot_id, sizeof(boot_id)) != 0)
		return why_fail(why, -ESTALE, "region is of another boot");
	return 0;
}
