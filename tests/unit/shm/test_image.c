/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/image.h"
#include "shm/image_check.h"

#include <errno.h>

#include "tests/unit/shm/image_walk.h"
#include "tests/unit/shm/sample_image.h"
#include "tests/unit/shm/suite.h"

static char why[160];

static int check(const struct sample *s)
{
	return image_check(s, s->header.length, why, sizeof(why));
}

static void a_complete_image_is_accepted(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);

	CU_ASSERT_EQUAL_FATAL(check(s), 0);
	CU_ASSERT(image_walk(&s->header) > 0);
	CU_ASSERT_EQUAL(s->header.generation, 0);
	free(s);
}

static void an_image_without_arrays_is_accepted_but_not_without_a_name(void)
{
	struct sample *s = sample_bare(5);

	CU_ASSERT_EQUAL(check(s), 0);
	s->header.sidecar.name = 0;
	image_seal(&s->header, 0);
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	free(s);
}

/*
 * The fuzzer's seeds are good images of this ABI. Run from the top of the tree with WRITE_SEEDS=1
 * to make them anew.
 */
static void the_fuzzers_seeds_are_accepted(void)
{
	static const char *const names[] = {"sample", "maglev", "bare"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sample *s = i == 0   ? sample_make(SAMPLE_MAGLEV, 5)
				   : i == 1 ? sample_make(MAGLEV_MIN_SIZE, 0xaaaa)
					    : sample_bare(5);
		uint8_t *seed = calloc(1, 65536);
		char path[128];
		size_t bytes;
		FILE *file;

		snprintf(path, sizeof(path), "tests/fuzz/seeds/image/%s", names[i]);
		if (getenv("WRITE_SEEDS")) {
			file = fopen(path, "wb");
			CU_ASSERT_FATAL(file && fwrite(s, s->header.length, 1, file) == 1);
			fclose(file);
		}
		file = fopen(path, "rb");
		CU_ASSERT_PTR_NOT_NULL_FATAL(file);
		bytes = fread(seed, 1, 65536, file);
		fclose(file);
		CU_ASSERT_EQUAL(bytes, s->header.length);
		CU_ASSERT_EQUAL(image_check(seed, bytes, why, sizeof(why)), 0);
		free(seed);
		free(s);
	}
}

static void sealing_again_changes_generation_and_checksum_only(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	uint64_t hash = s->header.content_hash;
	uint32_t crc = s->header.crc32c;

	image_seal(&s->header, 7);
	CU_ASSERT_EQUAL(s->header.generation, 7);
	CU_ASSERT_EQUAL(s->header.content_hash, hash);
	CU_ASSERT_NOT_EQUAL(s->header.crc32c, crc);
	CU_ASSERT_EQUAL(check(s), 0);
	image_seal(&s->header, 0);
	CU_ASSERT_EQUAL(s->header.crc32c, crc);
	free(s);
}

static void an_unsealed_change_is_refused(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	const uint32_t length = s->header.length;

	for (uint32_t i = 0; i < length; i++) {
		((uint8_t *)s)[i] ^= 0x10;
		CU_ASSERT_NOT_EQUAL(image_check(s, length, why, sizeof(why)), 0);
		((uint8_t *)s)[i] ^= 0x10;
	}
	CU_ASSERT_EQUAL(check(s), 0);
	free(s);
}

static void every_truncation_is_refused(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);

	for (uint32_t size = 0; size < s->header.length; size++) {
		uint8_t *cut = malloc(size ? size : 1);

		memcpy(cut, s, size);
		CU_ASSERT_NOT_EQUAL(image_check(cut, size, why, sizeof(why)), 0);
		if (size >= sizeof(struct image_header)) {
			((struct image_header *)cut)->length = size;
			image_seal((struct image_header *)cut, 0);
			CU_ASSERT_NOT_EQUAL(image_check(cut, size, why, sizeof(why)), 0);
		}
		free(cut);
	}
	free(s);
}

/*
 * Every byte, every bit, sealed again: whatever is accepted must be usable. The copy is as long as
 * the image, so that a sanitizer sees one byte too far.
 */
static void no_flipped_bit_of_a_sealed_image_can_be_followed_out(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	const uint32_t length = s->header.length;
	struct image_header *copy = malloc(length);
	unsigned int accepted = 0;

	for (uint32_t i = 0; i < length * 9; i++) {
		uint8_t flip = i % 9 == 8 ? 0xff : (uint8_t)(1 << i % 9);

		memcpy(copy, s, length);
		((uint8_t *)copy)[i / 9] ^= flip;
		if (copy->length >= sizeof(*copy) && copy->length <= length)
			image_seal(copy, 0);
		if (image_check(copy, length, why, sizeof(why)) == 0) {
			image_walk(copy);
			accepted += i / 9 < sizeof(*s);
		}
	}
	/* Flips of what many values are right for: cpus, timeouts, MAC addresses. */
	CU_ASSERT(accepted > 0);
	CU_ASSERT(accepted < sizeof(*s) * 9);
	free(copy);
	free(s);
}

struct row {
	const char *field;
	size_t off;
	size_t bytes;
	uint64_t value;
};
#define ROW(field, value)                                                                          \
	{                                                                                          \
#field, offsetof(struct sample, field), sizeof(((struct sample *)0)->field), value \
	}

/* One field each, wrong; everything else as in the valid image. */
static const struct row refused[] = {
	ROW(header.magic, 1),
	ROW(header.sidecar.workers, 0),
	ROW(header.sidecar.workers, MAX_WORKERS + 1),
	ROW(header.sidecar.connections, MIN_CONNECTIONS - 1),
	ROW(header.sidecar.connections, MAX_CONNECTIONS + 1),
	ROW(header.sidecar.listeners, SAMPLE_LISTENERS - 1),
	ROW(header.sidecar.listeners, MAX_LISTENERS + 1),
	ROW(header.sidecar.clusters, SAMPLE_CLUSTERS - 1),
	ROW(header.sidecar.clusters, MAX_CLUSTERS + 1),
	ROW(header.sidecar.endpoints, SAMPLE_ENDPOINTS - 1),
	ROW(header.sidecar.endpoints, MAX_ENDPOINTS + 1),
	ROW(header.sidecar.slot_bytes, MIN_SLOT_BYTES - 1),
	ROW(header.sidecar.slot_bytes, MAX_SLOT_BYTES + 1),
	ROW(header.sidecar.idle, 2),
	ROW(header.sidecar.hugepages, 3),
	ROW(header.sidecar.spin_us, MAX_SPIN_US + 1),
	ROW(header.sidecar.name, 0),
	ROW(header.sidecar.name, SAMPLE_STRING_BYTES),
	ROW(header.sidecar.name, 0xffffffff),
	ROW(header.sidecar.verify_checksums, 2),
	ROW(header.sidecar.buffers, MAX_BUFFERS + 1),
	ROW(header.interfaces.off, sizeof(struct image_header) + 8),
	ROW(header.interfaces.off, 0),
	ROW(header.interfaces.off, 0xfffffff8),
	ROW(header.interfaces.count, SAMPLE_INTERFACES - 1),
	ROW(header.interfaces.count, SAMPLE_INTERFACES + 1),
	ROW(header.interfaces.count, MAX_INTERFACES + 1),
	ROW(header.addresses.off, offsetof(struct sample, routes)),
	ROW(header.addresses.count, 0x0aaaaaab),
	ROW(header.routes.count, MAX_ROUTES + 1),
	ROW(header.routes.off, 1),
	ROW(header.neighbours.count, MAX_NEIGHBOURS + 1),
	ROW(header.listeners.count, SAMPLE_LISTENERS + 1),
	ROW(header.clusters.count, SAMPLE_CLUSTERS - 1),
	ROW(header.endpoints.count, SAMPLE_ENDPOINTS + 1),
	ROW(header.endpoints.count, 0xffffffff),
	ROW(header.tables.count, 0x80000000),
	ROW(header.tables.count, SAMPLE_CYCLE + SAMPLE_MAGLEV + SAMPLE_POINTS - 1),
	ROW(header.points.off, 0),
	ROW(header.points.count, SAMPLE_POINTS - 1),
	ROW(header.points.count, SAMPLE_POINTS + 1),
	ROW(header.points.count, RING_MAX_POINTS + 1),
	ROW(header.strings.count, 0),
	ROW(header.strings.count, SAMPLE_STRING_BYTES + 1),
	ROW(header.strings.count, 0xffffffff),
	ROW(interfaces[0].name, 0),
	ROW(interfaces[0].name, SAMPLE_STRING_BYTES),
	ROW(interfaces[0].device, 0),
	ROW(interfaces[0].device, 0x7fffffff),
	ROW(interfaces[0].kind, 0),
	ROW(interfaces[0].kind, DEVICE_VDEV + 1),
	ROW(interfaces[0].pad0, 1),
	ROW(interfaces[0].vlan, MAX_VLAN + 1),
	ROW(interfaces[0].mtu, MIN_MTU - 1),
	ROW(interfaces[0].mtu, MAX_MTU + 1),
	ROW(interfaces[0].snat_port_low, 0),
	ROW(interfaces[0].snat_port_low, 61000),
	ROW(interfaces[0].snat_port_high, 32767),
	ROW(interfaces[0].pad1[1], 1),
	ROW(addresses[0].family, 5),
	ROW(addresses[0].family, FAMILY_V6),
	ROW(addresses[1].family, FAMILY_V4),
	ROW(addresses[0].prefix, 33),
	ROW(addresses[1].prefix, 129),
	ROW(addresses[0].interface, SAMPLE_INTERFACES),
	ROW(addresses[0].flags, 1),
	ROW(addresses[0].ip.b[0], 1),
	ROW(routes[0].family, FAMILY_V6),
	ROW(routes[0].prefix, 33),
	ROW(routes[0].prefix, 15),
	ROW(routes[0].to.b[15], 1),
	ROW(routes[2].prefix, 15),
	ROW(routes[2].to.b[8], 0x80),
	ROW(routes[0].interface, SAMPLE_INTERFACES),
	ROW(routes[0].interface, 1),
	ROW(routes[1].via.b[0], 1),
	ROW(routes[0].via.b[11], 0xff),
	ROW(routes[1].prefix, 25),
	ROW(routes[0].pad, 1),
	ROW(neighbours[0].interface, SAMPLE_INTERFACES),
	ROW(neighbours[0].mac[0], 3),
	ROW(listeners[0].key, 12345),
	ROW(listeners[0].name, 0),
	ROW(listeners[0].name, SAMPLE_STRING_BYTES),
	ROW(listeners[0].port, 0),
	ROW(listeners[0].port, 0xffff),
	ROW(listeners[0].interface, SAMPLE_INTERFACES),
	ROW(listeners[0].interface, 1),
	ROW(listeners[0].cluster, SAMPLE_CLUSTERS),
	ROW(listeners[0].cluster, 2),
	ROW(listeners[0].proto, 1),
	ROW(listeners[0].proto, PROTO_UDP),
	ROW(listeners[0].family, FAMILY_V6),
	ROW(listeners[0].pad, 1),
	ROW(clusters[0].key, 12345),
	ROW(clusters[0].name, 0),
	ROW(clusters[0].first_endpoint, 1),
	ROW(clusters[0].endpoint_count, 3),
	ROW(clusters[0].endpoint_count, 1),
	ROW(clusters[0].endpoint_count, 0),
	ROW(clusters[0].endpoint_count, 0xffffffff),
	ROW(clusters[3].endpoint_count, 1),
	ROW(clusters[3].point_first, 1),
	ROW(clusters[0].algorithm, LB_MAGLEV),
	ROW(clusters[0].algorithm, LB_RING_HASH),
	ROW(clusters[0].algorithm, LB_RENDEZVOUS),
	ROW(clusters[0].algorithm, LB_ALGORITHMS),
	ROW(clusters[0].hash_on, 4),
	ROW(clusters[1].hash_on, 0),
	ROW(clusters[4].hash_on, 0),
	ROW(clusters[0].pad0, 1),
	ROW(clusters[0].table_first, 1),
	ROW(clusters[0].table_first, 0xffffffff),
	ROW(clusters[0].table_count, 0),
	ROW(clusters[0].table_count, ROUND_ROBIN_MAX_CYCLE + 1),
	ROW(clusters[1].table_first, SAMPLE_CYCLE + 1),
	ROW(clusters[1].table_count, SAMPLE_MAGLEV + 1),
	ROW(clusters[1].table_count, SAMPLE_MAGLEV - 1),
	ROW(clusters[1].table_count, MAGLEV_MAX_SIZE + 1),
	ROW(clusters[3].table_count, 1),
	ROW(clusters[3].table_first, 1),
	ROW(clusters[4].table_first, 0),
	ROW(clusters[4].table_count, SAMPLE_POINTS - 1),
	ROW(clusters[4].table_count, SAMPLE_POINTS + 1),
	ROW(clusters[4].table_count, RING_MAX_POINTS + 1),
	ROW(clusters[4].point_first, 1),
	ROW(clusters[4].point_first, 0xffffffff),
	ROW(clusters[0].point_first, 1),
	ROW(clusters[0].weight_sum, 2),
	ROW(clusters[0].timeouts.connect_ms, 0),
	ROW(clusters[0].timeouts.connect_ms, 0xffffffff),
	ROW(clusters[0].timeouts.request_ms, 0),
	ROW(clusters[0].timeouts.idle_tcp_ms, 0),
	ROW(clusters[0].timeouts.idle_udp_ms, 0),
	ROW(clusters[0].timeouts.half_closed_ms, 0),
	ROW(clusters[0].timeouts.max_duration_ms, 0xffffffff),
	ROW(clusters[0].timeouts.verdict_after_ms, 0xffffffff),
	ROW(clusters[0].timeouts.drain_ms, 0xffffffff),
	ROW(clusters[0].timeouts.expect_reply_ms, 0xffffffff),
	ROW(clusters[0].timeouts.pad, 1),
	ROW(endpoints[0].key, 12345),
	ROW(endpoints[0].name, 0),
	ROW(endpoints[0].name, SAMPLE_STRING_BYTES),
	ROW(endpoints[0].port, 0),
	ROW(endpoints[0].port, 1),
	ROW(endpoints[0].weight, 0),
	ROW(endpoints[0].weight, MAX_WEIGHT + 1),
	ROW(endpoints[0].interface, SAMPLE_INTERFACES),
	ROW(endpoints[0].interface, 0),
	ROW(endpoints[0].family, FAMILY_V6),
	ROW(endpoints[0].family, 0),
	ROW(endpoints[0].pad0[0], 1),
	ROW(endpoints[0].pad0[2], 1),
	ROW(endpoints[0].priority, 1),
	ROW(endpoints[0].priority, MAX_PRIORITIES),
	ROW(endpoints[0].local, 1),
	ROW(endpoints[0].local, 2),
	ROW(endpoints[0].ip.b[15], 99),
	ROW(endpoints[0].snat.b[15], 2),
	ROW(endpoints[0].next_hop.b[0], 1),
};

static void every_field_out_of_bounds_is_refused(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
		int error;

		memcpy((uint8_t *)s + refused[i].off, &refused[i].value, refused[i].bytes);
		image_seal(&s->header, 0);
		why[0] = 0;
		error = check(s);
		if (error != -EINVAL || !why[0])
			printf("%s = %llu: %d %s\n", refused[i].field,
			       (unsigned long long)refused[i].value, error, why);
		CU_ASSERT_EQUAL(error, -EINVAL);
		CU_ASSERT_NOT_EQUAL(why[0], 0);
		free(s);
	}
}

/* Sealed by hand, where image_seal() would put it right or follow it. */
static void header_words_out_of_bounds_are_refused(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	const uint32_t length = s->header.length;
	const uint32_t lengths[] = {0, 8, length - 8, length - 1, length + 8, 0xfffffff8};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		s->header.length = lengths[i];
		CU_ASSERT_NOT_EQUAL(image_check(s, length, why, sizeof(why)), 0);
	}
	s->header.length = length;
	s->header.content_hash++;
	s->header.crc32c = image_crc32c(&s->header);
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	image_seal(&s->header, 0);
	s->header.abi++;
	image_seal(&s->header, 0);
	CU_ASSERT_EQUAL(check(s), -EPROTO);
	s->header.abi -= 2;
	image_seal(&s->header, 0);
	CU_ASSERT_EQUAL(check(s), -EPROTO);
	CU_ASSERT_EQUAL(image_check((uint8_t *)s + 4, length - 4, why, sizeof(why)), -EMSGSIZE);
	free(s);
}

/* What takes more than one field, or another place than the arrays before the tables. */
static int contradict(struct sample *s, unsigned int which)
{
	uint16_t *tables = (uint16_t *)((uint8_t *)s + s->header.tables.off);
	uint64_t *points = (uint64_t *)((uint8_t *)s + s->header.points.off);
	char *strings = (char *)s + s->header.strings.off;

	switch (which) {
	case 0:
		tables[0] = 2; /* endpoint 2 of 2 */
		return 1;
	case 1:
		tables[SAMPLE_CYCLE + SAMPLE_MAGLEV - 1] = 0xffff;
		return 1;
	case 2:
		tables[SAMPLE_CYCLE + SAMPLE_MAGLEV + SAMPLE_POINTS] = 1; /* padding */
		return 1;
	case 3:
		strings[0] = 'a';
		return 1;
	case 4:
		strings[SAMPLE_STRING_BYTES - 1] = 'a';
		return 1;
	case 5:
		strings[s->clusters[0].name] = '\n';
		s->clusters[0].key = name_key(&strings[s->clusters[0].name]);
		return 1;
	case 6:
		s->interfaces[1].name = s->interfaces[0].name;
		return 1;
	case 7:
		s->addresses[2] = s->addresses[0];
		return 1;
	case 8:
		s->addresses[0].ip = image_ip_v4(0);
		return 1;
	case 9:
		s->routes[1] = s->routes[0];
		return 1;
	case 10:
		s->routes[1].via = image_ip_v4(0);
		return 1;
	case 11:
		s->neighbours[1] = s->neighbours[0];
		return 1;
	case 12:
		memset(s->neighbours[0].mac, 0, 6);
		return 1;
	case 13:
		memset(&s->neighbours[0].ip, 0, 16);
		return 1;
	case 14:
		s->listeners[1].name = s->listeners[0].name;
		s->listeners[1].key = s->listeners[0].key;
		return 1;
	case 15:
		s->listeners[1] = s->listeners[0];
		return 1;
	case 16:
		s->clusters[1].name = s->clusters[0].name;
		s->clusters[1].key = s->clusters[0].key;
		return 1;
	case 17:
		s->endpoints[1] = s->endpoints[0];
		return 1;
	case 18:
		s->endpoints[0].snat = s->addresses[0].ip; /* the other interface's */
		return 1;
	case 19:
		s->endpoints[0].next_hop = image_ip_v4(0);
		return 1;
	case 20:
		tables[SAMPLE_CYCLE + SAMPLE_MAGLEV] = 1; /* point of endpoint 1 of 1 */
		return 1;
	case 21:
		points[1] = 0;
		points[0] = 1;
		return 1;
	case 22: /* points of no ring */
		s->clusters[4].algorithm = LB_MAGLEV;
		return 1;
	case 23:
		s->clusters[2].endpoint_count = 1; /* shares a table made for two */
		s->clusters[3].first_endpoint = 5;
		s->clusters[3].endpoint_count = 1;
		return 1;
	default:
		return 0;
	}
}

static void contradictions_are_refused(void)
{
	int more = 1;

	for (unsigned int i = 0; more; i++) {
		struct sample *s = sample_make(SAMPLE_MAGLEV, 5);

		more = contradict(s, i);
		image_seal(&s->header, 0);
		CU_ASSERT_EQUAL(check(s), more ? -EINVAL : 0);
		free(s);
	}
}

static void names_at_their_longest_are_accepted(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	char name[NAME_BYTES + 1];

	memset(name, 'n', sizeof(name));
	name[NAME_BYTES - 1] = 0;
	s->header.sidecar.name = sample_string(s, name);
	image_seal(&s->header, 0);
	CU_ASSERT_EQUAL(check(s), 0);
	free(s);

	s = sample_make(SAMPLE_MAGLEV, 5);
	name[NAME_BYTES - 1] = 'n';
	name[NAME_BYTES] = 0;
	s->header.sidecar.name = sample_string(s, name);
	image_seal(&s->header, 0);
	CU_ASSERT_EQUAL(check(s), -EINVAL);
	free(s);
}

static const struct test tests[] = {
	TEST(a_complete_image_is_accepted),
	TEST(an_image_without_arrays_is_accepted_but_not_without_a_name),
	TEST(the_fuzzers_seeds_are_accepted),
	TEST(sealing_again_changes_generation_and_checksum_only),
	TEST(an_unsealed_change_is_refused),
	TEST(every_truncation_is_refused),
	TEST(no_flipped_bit_of_a_sealed_image_can_be_followed_out),
	TEST(every_field_out_of_bounds_is_refused),
	TEST(header_words_out_of_bounds_are_refused),
	TEST(contradictions_are_refused),
	TEST(names_at_their_longest_are_accepted),
};

int main(void)
{
	return suite_run("image", tests, sizeof(tests) / sizeof(tests[0]));
}
