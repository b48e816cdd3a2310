/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/region.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/region_header.h"
#include "shm/region_shape.h"
#include "shm/why.h"

static void *section_at(const struct region *region, const struct section *sections,
			enum section_kind kind)
{
	return (uint8_t *)region->header + sections[kind - 1].off;
}

static void resolve(struct region *region, const struct region_shape *shape)
{
	struct section s[REGION_SECTIONS];
	uint8_t *slots;

	region_shape_sections(shape, s);
	region->shape = *shape;
	slots = section_at(region, s, SECTION_SLOTS);
	for (unsigned int i = 0; i < POLICY_SLOTS; i++)
		region->slots[i] = slots + (uint64_t)i * shape->slot_bytes;
	region->listener_registry = section_at(region, s, SECTION_REGISTRY_LISTENERS);
	region->cluster_registry = section_at(region, s, SECTION_REGISTRY_CLUSTERS);
	region->endpoint_registry = section_at(region, s, SECTION_REGISTRY_ENDPOINTS);
	region->workers = section_at(region, s, SECTION_WORKERS);
	region->interface_counters = section_at(region, s, SECTION_INTERFACE_COUNTERS);
	region->listener_counters = section_at(region, s, SECTION_LISTENER_COUNTERS);
	region->cluster_counters = section_at(region, s, SECTION_CLUSTER_COUNTERS);
	region->endpoint_counters = section_at(region, s, SECTION_ENDPOINT_COUNTERS);
	region->ports = section_at(region, s, SECTION_PORTS);
	region->connections = section_at(region, s, SECTION_CONNECTIONS);
	region->policy_counters = section_at(region, s, SECTION_POLICY_COUNTERS);
	region->listener_state = section_at(region, s, SECTION_LISTENER_STATE);
	region->cluster_state = section_at(region, s, SECTION_CLUSTER_STATE);
	region->endpoint_state = section_at(region, s, SECTION_ENDPOINT_STATE);
	region->sources = section_at(region, s, SECTION_SOURCES);
	region->cluster_outcomes = section_at(region, s, SECTION_CLUSTER_OUTCOMES);
	region->endpoint_outcomes = section_at(region, s, SECTION_ENDPOINT_OUTCOMES);
	region->events = section_at(region, s, SECTION_EVENTS);
	region->interfaces = section_at(region, s, SECTION_INTERFACES);
	region->limit_counters = section_at(region, s, SECTION_LIMIT_COUNTERS);
	region->flow_limits = section_at(region, s, SECTION_FLOW_LIMITS);
	region->limit_sources = section_at(region, s, SECTION_LIMIT_SOURCES);
	region->histograms = section_at(region, s, SECTION_HISTOGRAMS);
	region->histogram_blocks = section_at(region, s, SECTION_HISTOGRAM_BLOCKS);
	region->kernel_neighbours = section_at(region, s, SECTION_KERNEL_NEIGHBOURS);
	region->capture = section_at(region, s, SECTION_CAPTURE_CONTROL);
	region->capture_rings = section_at(region, s, SECTION_CAPTURE_RINGS);
}

static int map_file(struct region *region, int fd, uint64_t bytes)
{
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	region->header = base;
	region->bytes = bytes;
	region->fd = fd;
	return 0;
}

uint64_t region_bytes(const struct region_spec *spec)
{
	struct section sections[REGION_SECTIONS];
	struct region_shape shape;

	return region_shape_from_spec(spec, &shape) ? 0 : region_shape_sections(&shape, sections);
}

/* Allocate, map and fill the new file @fd. */
static int build(struct region *region, int fd, const char *instance,
		 const struct region_shape *shape)
{
	struct region_header header = {0};
	int error = region_header_fill(&header, instance, shape);

	if (error)
		return error;
	error = -posix_fallocate(fd, 0, (off_t)header.total_bytes);
	if (error)
		return error;
	error = map_file(region, fd, header.total_bytes);
	if (error)
		return error;
	header.ready = 0;
	memcpy(region->header, &header, sizeof(header));
	resolve(region, shape);
	/* The file has no name that region_open() is given yet; release for whoever finds it. */
	__atomic_store_n(&region->header->ready, 1, __ATOMIC_RELEASE);
	return 0;
}

int region_create(struct region *region, const char *path, const struct region_spec *spec,
		  char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	char made[PATH_MAX];
	struct region_shape shape;
	int error;
	int fd;

	memset(region, 0, sizeof(*region));
	if (spec->instance[0] == '\0' || strlen(spec->instance) >= NAME_BYTES ||
	    region_shape_from_spec(spec, &shape))
		return why_fail(&why, -EINVAL, "a region of this shape is out of bounds");
	if ((size_t)snprintf(made, sizeof(made), "%s.new", path) >= sizeof(made))
		return why_fail(&why, -ENAMETOOLONG, "the region's path is too long");
	if (unlink(made) && errno != ENOENT)
		return why_fail(&why, -errno, "cannot replace %.80s: %m", made);
	fd = open(made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return why_fail(&why, -errno, "cannot create %.80s: %m", made);

	error = build(region, fd, spec->instance, &shape);
	if (error) {
		errno = -error;
		why_fail(&why, error, "cannot allocate %llu bytes for %.60s: %m",
			 (unsigned long long)region_bytes(spec), made);
		goto discard;
	}
	if (rename(made, path)) {
		error = why_fail(&why, -errno, "cannot rename %.80s: %m", made);
		goto discard;
	}
	return 0;

discard:
	if (region->header)
		munmap(region->header, region->bytes);
	unlink(made);
	close(fd);
	memset(region, 0, sizeof(*region));
	return error;
}

static int read_header(int fd, const char *path, struct region_header *header,
		       const struct why *why)
{
	struct stat st;

	if (fstat(fd, &st))
		return why_fail(why, -errno, "cannot examine %.80s: %m", path);
	if (!S_ISREG(st.st_mode) || pread(fd, header, sizeof(*header), 0) != sizeof(*header))
		return why_fail(why, -EINVAL, "%.80s is too short for a region", path);
	return region_header_check(header, (uint64_t)st.st_size, why);
}

int region_open(struct region *region, const char *path, char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	struct region_header header;
	struct region_shape shape;
	int error;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	memset(region, 0, sizeof(*region));
	if (fd < 0)
		return why_fail(&why, -errno, "cannot open %.80s: %m", path);
	error = read_header(fd, path, &header, &why);
	if (error)
		goto close;
	error = map_file(region, fd, header.total_bytes);
	if (error) {
		errno = -error;
		why_fail(&why, error, "cannot map %.80s: %m", path);
		goto close;
	}
	shape = region_header_shape(&header);
	resolve(region, &shape);
	return 0;

close:
	close(fd);
	return error;
}

static int copy_file(struct region *region, int fd, uint64_t bytes)
{
	uint8_t *base =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t done = 0;

	if (base == MAP_FAILED)
		return -errno;
	region->header = (struct region_header *)base;
	region->bytes = bytes;
	region->fd = fd;
	while (done < bytes) {
		ssize_t n = pread(fd, base + done, bytes - done, (off_t)done);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

int region_load(struct region *region, const char *path, int *other_boot, char *why_text,
		size_t why_size)
{
	const struct why why = {why_text, why_size};
	struct region_header header;
	struct region_shape shape;
	int error;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is refused */

	memset(region, 0, sizeof(*region));
	if (fd < 0)
		return why_fail(&why, -errno, "cannot open %.80s: %m", path);
	error = read_header(fd, path, &header, &why);
	*other_boot = error == -ESTALE;
	if (error && error != -ESTALE) {
		close(fd);
		return error;
	}
	error = copy_file(region, fd, header.total_bytes);
	if (error) {
		errno = -error;
		why_fail(&why, error, "cannot read %.80s: %m", path);
		if (region->header)
			region_close(region);
		else
			close(fd);
		return error;
	}
	shape = region_header_shape(&header);
	resolve(region, &shape);
	return 0;
}

int region_matches(const struct region *region, const struct region_spec *spec)
{
	struct region_shape shape;

	return !region_shape_from_spec(spec, &shape) &&
	       memcmp(&shape, &region->shape, sizeof(shape)) == 0 &&
	       strncmp(region->header->instance, spec->instance, NAME_BYTES) == 0;
}

void region_close(struct region *region)
{
	if (!region->header)
		return;
	munmap(region->header, region->bytes);
	close(region->fd);
	memset(region, 0, sizeof(*region));
}
