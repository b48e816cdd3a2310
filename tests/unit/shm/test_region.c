/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/region.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "shm/crc32c.h"
#include "shm/region_shape.h"
#include "tests/unit/shm/suite.h"

static char why[160];

/* A region file of the small spec; returns its path. */
static const char *make_file(const char *test)
{
	struct region_spec spec = small_spec();
	const char *path = region_path(test);
	struct region region;

	CU_ASSERT_EQUAL_FATAL(region_create(&region, path, &spec, why, sizeof(why)), 0);
	region_close(&region);
	return path;
}

static int reopen(const char *path)
{
	struct region region;
	int error;

	why[0] = 0;
	error = region_open(&region, path, why, sizeof(why));
	if (!error)
		region_close(&region);
	else
		CU_ASSERT_NOT_EQUAL(why[0], 0);
	return error;
}

static void patch(const char *path, off_t off, const void *bytes, size_t count)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CU_ASSERT_EQUAL(pwrite(fd, bytes, count, off), (ssize_t)count);
	close(fd);
}

static struct region_header read_header(const char *path)
{
	struct region_header header;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CU_ASSERT_EQUAL(read(fd, &header, sizeof(header)), (ssize_t)sizeof(header));
	close(fd);
	return header;
}

/* Write a header whose checksum is right. */
static void write_header(const char *path, const struct region_header *from)
{
	struct region_header header = *from;
	uint32_t crc = crc32c(0, &header, offsetof(struct region_header, static_crc32c));

	header.static_crc32c = crc32c(crc, header.sections, sizeof(header.sections));
	patch(path, 0, &header, sizeof(header));
}

static void what_is_created_can_be_opened(void)
{
	struct region_spec spec = small_spec();
	const char *path = make_file("open");
	struct region region;
	struct timespec now;
	struct stat st;

	CU_ASSERT_EQUAL_FATAL(region_open(&region, path, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(region.bytes, region_bytes(&spec));
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL((uint64_t)st.st_size, region.bytes);
	CU_ASSERT((uint64_t)st.st_blocks * 512 >= region.bytes);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
	CU_ASSERT_STRING_EQUAL(region.header->instance, "unit");
	CU_ASSERT_EQUAL(region.header->active, 0);
	CU_ASSERT_NOT_EQUAL(region.header->region_id, 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	CU_ASSERT(region.header->created_ns / 1000000000u <= (uint64_t)now.tv_sec);
	CU_ASSERT_EQUAL(region.shape.connections_per_worker, MIN_CONNECTIONS / 2);
	CU_ASSERT_EQUAL(region.shape.endpoint_slots, 16);
	region_close(&region);
	unlink(path);
}

static void two_mappings_are_one_region(void)
{
	const char *path = make_file("two");
	struct region a, b;

	CU_ASSERT_EQUAL_FATAL(region_open(&a, path, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL_FATAL(region_open(&b, path, why, sizeof(why)), 0);
	counter_add(&a.workers[1].packets.dropped[REASON_SLOTS - 1], 3);
	region_connections(&a, 1)[MIN_CONNECTIONS / 2 - 1].syn_ttl = 9;
	region_endpoint_counters(&a, 1, 15)->to_client_bytes = 5;
	region_policy_counters(&a, 1, 15)->failed[REASON_SLOTS - 1] = 6;
	region_cluster_outcomes(&a, 1, 15)->latency[LATENCY_BUCKETS - 1] = 7;
	region_endpoint_outcomes(&a, 1, 15)->latency[LATENCY_BUCKETS - 1] = 8;
	a.listener_state[7].ticket = 9;
	a.cluster_state[15].budget.marks[BUDGET_MARKS - 1] = 10;
	a.endpoint_state[15].window.pad = 11;
	a.sources[63].word[SOURCES_PER_LINE - 1] = 12;
	a.events->entries[EVENT_RING - 1].detail = 13;
	CU_ASSERT_EQUAL(counter_read(&b.workers[1].packets.dropped[REASON_SLOTS - 1]), 3);
	CU_ASSERT_EQUAL(region_connections(&b, 1)[MIN_CONNECTIONS / 2 - 1].syn_ttl, 9);
	CU_ASSERT_EQUAL(region_endpoint_counters(&b, 1, 15)->to_client_bytes, 5);
	CU_ASSERT_EQUAL(region_policy_counters(&b, 1, 15)->failed[REASON_SLOTS - 1], 6);
	CU_ASSERT_EQUAL(region_cluster_outcomes(&b, 1, 15)->latency[LATENCY_BUCKETS - 1], 7);
	CU_ASSERT_EQUAL(region_endpoint_outcomes(&b, 1, 15)->latency[LATENCY_BUCKETS - 1], 8);
	CU_ASSERT_EQUAL(b.listener_state[7].ticket, 9);
	CU_ASSERT_EQUAL(b.cluster_state[15].budget.marks[BUDGET_MARKS - 1], 10);
	CU_ASSERT_EQUAL(b.endpoint_state[15].window.pad, 11);
	CU_ASSERT_EQUAL(b.sources[63].word[SOURCES_PER_LINE - 1], 12);
	CU_ASSERT_EQUAL(b.events->entries[EVENT_RING - 1].detail, 13);
	region_close(&a);
	region_close(&b);
	unlink(path);
}

/* The last byte of each array lies inside the mapping and before the next array. */
static void sections_neither_overlap_nor_leave_the_region(void)
{
	const char *path = make_file("sections");
	struct region r;
	struct region_header header;

	CU_ASSERT_EQUAL_FATAL(region_open(&r, path, why, sizeof(why)), 0);
	header = *r.header;
	CU_ASSERT_EQUAL(header.section_count, SECTION_KIND_END - 1);
	for (uint32_t i = 0; i < header.section_count; i++) {
		const struct section *s = &header.sections[i];
		uint64_t next = i + 1 < header.section_count ? s[1].off : header.total_bytes;

		CU_ASSERT_EQUAL(s->kind, i + 1);
		CU_ASSERT_EQUAL(s->off % REGION_PAGE_BYTES, 0);
		CU_ASSERT_EQUAL(s->off + s->bytes, next);
		CU_ASSERT(s->count * s->element_bytes <= s->bytes);
		CU_ASSERT(s->off >= sizeof(header));
	}
	CU_ASSERT_PTR_EQUAL((uint8_t *)r.header + header.sections[SECTION_CONNECTIONS - 1].off,
			    r.connections);
	CU_ASSERT_PTR_EQUAL((uint8_t *)r.header + header.sections[SECTION_SLOTS - 1].off,
			    r.slots[0]);
	CU_ASSERT_PTR_EQUAL((uint8_t *)r.header + header.sections[SECTION_EVENTS - 1].off,
			    r.events);
	CU_ASSERT_PTR_EQUAL((uint8_t *)r.header + header.sections[SECTION_SOURCES - 1].off,
			    r.sources);
	CU_ASSERT_PTR_EQUAL(r.cluster_outcomes +
				    header.sections[SECTION_CLUSTER_OUTCOMES - 1].count,
			    region_cluster_outcomes(&r, 2, 0));
	region_close(&r);
	unlink(path);
}

static void creating_replaces_the_file_but_not_the_mapping(void)
{
	const char *path = make_file("replace");
	struct region old;
	uint64_t id;

	CU_ASSERT_EQUAL_FATAL(region_open(&old, path, why, sizeof(why)), 0);
	id = old.header->region_id;
	make_file("replace");
	CU_ASSERT_EQUAL(old.header->region_id, id);
	CU_ASSERT_NOT_EQUAL(read_header(path).region_id, id);
	region_close(&old);
	unlink(path);
}

static void specs_out_of_bounds_are_refused(void)
{
	const char *path = region_path("bounds");
	struct region region;
	struct {
		struct region_spec spec;
	} rows[18];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rows[i].spec = small_spec();
	rows[0].spec.workers = 0;
	rows[1].spec.workers = MAX_WORKERS + 1;
	rows[2].spec.connections = MIN_CONNECTIONS - 1;
	rows[3].spec.connections = MAX_CONNECTIONS + 1;
	rows[4].spec.listeners = 0;
	rows[5].spec.listeners = MAX_LISTENERS + 1;
	rows[6].spec.clusters = 0;
	rows[7].spec.clusters = MAX_CLUSTERS + 1;
	rows[8].spec.endpoints = 0;
	rows[9].spec.endpoints = MAX_ENDPOINTS + 1;
	rows[10].spec.slot_bytes = 0;
	rows[11].spec.slot_bytes = MIN_SLOT_BYTES - 1;
	rows[12].spec.slot_bytes = MAX_SLOT_BYTES + 1;
	rows[13].spec.slot_bytes = 0xffffffff;
	rows[14].spec.connections = 0xffffffff;
	rows[15].spec.endpoints = 0xffffffff;
	rows[16].spec.instance = "";
	rows[17].spec.instance = "0123456789012345678901234567890123456789012345678901234567890123";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(region_create(&region, path, &rows[i].spec, why, sizeof(why)),
				-EINVAL);
		CU_ASSERT(i >= 16 || region_bytes(&rows[i].spec) == 0);
		CU_ASSERT_EQUAL(access(path, F_OK), -1);
	}
}

static void the_largest_spec_has_a_size(void)
{
	const struct region_spec spec = {
		.instance = "big",
		.workers = MAX_WORKERS,
		.connections = MAX_CONNECTIONS,
		.listeners = MAX_LISTENERS,
		.clusters = MAX_CLUSTERS,
		.endpoints = MAX_ENDPOINTS,
		.slot_bytes = MAX_SLOT_BYTES,
	};

	CU_ASSERT(region_bytes(&spec) > (uint64_t)MAX_CONNECTIONS * sizeof(struct conn));
}

static void source_lines_grow_with_the_connections(void)
{
	static const struct {
		uint32_t workers, connections, lines;
	} rows[] = {
		{1, MIN_CONNECTIONS, 64},
		{1, 256, 64},
		{1, 257, 64},
		{1, 260, 128},
		{2, 512, 128},
		{1, DEFAULT_CONNECTIONS, 4096},
		{3, DEFAULT_CONNECTIONS, 4096},
		{16, 65, 64},
		{1, MAX_CONNECTIONS, 1u << 20},
		{13, MAX_CONNECTIONS, 1u << 20},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct region_spec spec = small_spec();
		struct region_shape shape;

		spec.workers = rows[i].workers;
		spec.connections = rows[i].connections;
		CU_ASSERT_EQUAL(region_shape_from_spec(&spec, &shape), 0);
		CU_ASSERT_EQUAL(shape.source_lines, rows[i].lines);
		CU_ASSERT(region_shape_valid(&shape));
		shape.source_lines *= 2;
		CU_ASSERT(!region_shape_valid(&shape));
	}
}

/* The promise of DESIGN: a sidecar's region fits a container's 64 MiB of shared memory. */
static void the_default_spec_fits_32_mib(void)
{
	const struct region_spec spec = {
		.instance = "default",
		.workers = 1,
		.connections = DEFAULT_CONNECTIONS,
		.listeners = DEFAULT_LISTENERS,
		.clusters = DEFAULT_CLUSTERS,
		.endpoints = DEFAULT_ENDPOINTS,
		.slot_bytes = DEFAULT_SLOT_BYTES,
	};

	printf("default region: %llu bytes ", (unsigned long long)region_bytes(&spec));
	CU_ASSERT(region_bytes(&spec) < 32u << 20);
}

/* In a mount namespace of its own, where / can be covered by a tiny tmpfs. */
static int create_on_full_tmpfs(void)
{
	const struct region_spec spec = small_spec();
	struct region region;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, "size=128k"))
		return 2;
	if (region_create(&region, "/mnt/region", &spec, why, sizeof(why)) != -ENOSPC)
		return 1;
	return region.header || access("/mnt/region", F_OK) == 0 ||
	       access("/mnt/region.new", F_OK) == 0;
}

static void a_full_tmpfs_fails_at_creation_and_nothing_is_left(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(create_on_full_tmpfs());
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_FATAL(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		printf("skipped: cannot mount a small tmpfs (not root?) ");
	else
		CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

static void a_missing_directory_is_named(void)
{
	struct region_spec spec = small_spec();
	struct region region;

	CU_ASSERT_EQUAL(region_create(&region, "/dev/shm/no-such-dir/r", &spec, why, sizeof(why)),
			-ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "no-such-dir"));
	CU_ASSERT_EQUAL(reopen("/dev/shm/no-such-dir/r"), -ENOENT);
}

static void a_link_is_not_followed(void)
{
	const char *path = make_file("link");
	char link[160];

	snprintf(link, sizeof(link), "%s.link", path);
	CU_ASSERT_EQUAL(symlink(path, link), 0);
	CU_ASSERT_EQUAL(reopen(link), -ELOOP);
	unlink(link);
	unlink(path);
}

static void every_truncation_is_refused(void)
{
	const char *path = make_file("truncated");
	const off_t sizes[] = {
		0, 1, 63, sizeof(struct region_header) - 1, sizeof(struct region_header), 65536};
	struct stat st;

	CU_ASSERT_EQUAL(stat(path, &st), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make_file("truncated");
		CU_ASSERT_EQUAL(truncate(path, sizes[i]), 0);
		CU_ASSERT_EQUAL(reopen(path), -EINVAL);
	}
	make_file("truncated");
	CU_ASSERT_EQUAL(truncate(path, st.st_size - 1), 0);
	CU_ASSERT_EQUAL(reopen(path), -EINVAL);
	CU_ASSERT_EQUAL(truncate(path, st.st_size + 1), 0);
	CU_ASSERT_EQUAL(reopen(path), -EINVAL);
	CU_ASSERT_EQUAL(truncate(path, st.st_size), 0);
	CU_ASSERT_EQUAL(reopen(path), 0);
	unlink(path);
}

static int is_static(size_t off)
{
	const size_t sections = offsetof(struct region_header, sections);

	return off < offsetof(struct region_header, pad0) || off >= sections;
}

static void every_flipped_bit_of_the_static_header_is_refused(void)
{
	const char *path = make_file("flipped");
	struct region_header header = read_header(path);

	for (size_t off = 0; off < sizeof(header); off++) {
		uint8_t byte = ((uint8_t *)&header)[off];

		for (unsigned int bit = 0; bit < 8; bit++) {
			uint8_t wrong = byte ^ (uint8_t)(1 << bit);

			patch(path, (off_t)off, &wrong, 1);
			if (is_static(off))
				CU_ASSERT_NOT_EQUAL(reopen(path), 0);
		}
		patch(path, (off_t)off, &byte, 1);
	}
	CU_ASSERT_EQUAL(reopen(path), 0);
	unlink(path);
}

/* With a right checksum, as another program would write them. */
static void every_wrong_word_of_the_static_header_is_refused(void)
{
	const char *path = make_file("words");
	const struct region_header good = read_header(path);
	struct region_header h;

#define REFUSED(statement, error)                     \
	do {                                          \
		h = good;                             \
		statement;                            \
		write_header(path, &h);               \
		CU_ASSERT_EQUAL(reopen(path), error); \
	} while (0)

	REFUSED(h.magic++, -EINVAL);
	REFUSED(h.abi_version++, -EPROTO);
	REFUSED(h.abi_version--, -EPROTO);
	REFUSED(h.header_bytes += 64, -EINVAL);
	REFUSED(h.total_bytes += REGION_PAGE_BYTES, -EINVAL);
	REFUSED(h.total_bytes = 0, -EINVAL);
	REFUSED(h.boot_id[15] ^= 1, -ESTALE);
	REFUSED(h.instance[0] = 0, -EINVAL);
	REFUSED(memset(h.instance, 'i', NAME_BYTES), -EINVAL);
	REFUSED(h.workers = 0, -EINVAL);
	REFUSED(h.workers = 3, -EINVAL);
	REFUSED(h.workers = 0xffffffff, -EINVAL);
	REFUSED(h.connections_per_worker = 0, -EINVAL);
	REFUSED(h.connections_per_worker += 16, -EINVAL);
	REFUSED(h.connections_per_worker = 0xffffffff, -EINVAL);
	REFUSED(h.listener_slots = 0, -EINVAL);
	REFUSED(h.listener_slots = 9, -EINVAL);
	REFUSED(h.cluster_slots = 0x80000000, -EINVAL);
	REFUSED(h.endpoint_slots = 2 * h.endpoint_slots, -EINVAL);
	REFUSED(h.slot_bytes += 8, -EINVAL);
	REFUSED(h.source_lines = 0, -EINVAL);
	REFUSED(h.source_lines *= 2, -EINVAL);
	REFUSED(h.slot_bytes = 0xfffff000, -EINVAL);
	REFUSED(h.section_count++, -EINVAL);
	REFUSED(h.section_count = 0, -EINVAL);
	REFUSED(h.ready = 0, -EINVAL);
	REFUSED(h.ready = 2, -EINVAL);
	REFUSED(h.sections[0].off += REGION_PAGE_BYTES, -EINVAL);
	REFUSED(h.sections[0].off = 0, -EINVAL);
	REFUSED(h.sections[3].kind++, -EINVAL);
	REFUSED(h.sections[3].element_bytes -= 8, -EINVAL);
	REFUSED(h.sections[3].count++, -EINVAL);
	REFUSED(h.sections[10].bytes *= 2, -EINVAL);
	REFUSED(h.sections[10].count = UINT64_MAX, -EINVAL);
	REFUSED(h.sections[REGION_MAX_SECTIONS - 1].kind = 1, -EINVAL);
#undef REFUSED
	write_header(path, &good);
	CU_ASSERT_EQUAL(reopen(path), 0);
	unlink(path);
}

static void a_region_matches_its_own_spec_only(void)
{
	const char *path = make_file("match");
	struct region_spec spec = small_spec();
	struct region region;

	CU_ASSERT_EQUAL_FATAL(region_open(&region, path, why, sizeof(why)), 0);
	CU_ASSERT(region_matches(&region, &spec));
	spec.listeners = 3; /* the same power of two */
	CU_ASSERT(region_matches(&region, &spec));
	spec.listeners = 5;
	CU_ASSERT(!region_matches(&region, &spec));
	spec = small_spec();
	spec.instance = "unit2";
	CU_ASSERT(!region_matches(&region, &spec));
	spec = small_spec();
	spec.workers = 0;
	CU_ASSERT(!region_matches(&region, &spec));
	spec = small_spec();
	spec.slot_bytes += REGION_PAGE_BYTES;
	CU_ASSERT(!region_matches(&region, &spec));
	region_close(&region);
	region_close(&region); /* closing twice is harmless */
	unlink(path);
}

static const struct test tests[] = {
	TEST(what_is_created_can_be_opened),
	TEST(two_mappings_are_one_region),
	TEST(sections_neither_overlap_nor_leave_the_region),
	TEST(creating_replaces_the_file_but_not_the_mapping),
	TEST(specs_out_of_bounds_are_refused),
	TEST(the_largest_spec_has_a_size),
	TEST(source_lines_grow_with_the_connections),
	TEST(the_default_spec_fits_32_mib),
	TEST(a_full_tmpfs_fails_at_creation_and_nothing_is_left),
	TEST(a_missing_directory_is_named),
	TEST(a_link_is_not_followed),
	TEST(every_truncation_is_refused),
	TEST(every_flipped_bit_of_the_static_header_is_refused),
	TEST(every_wrong_word_of_the_static_header_is_refused),
	TEST(a_region_matches_its_own_spec_only),
};

int main(void)
{
	return suite_run("region", tests, sizeof(tests) / sizeof(tests[0]));
}
