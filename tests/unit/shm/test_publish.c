/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/publish.h"

#include <errno.h>
#include <string.h>

#include "shm/names.h"
#include "shm/registry.h"
#include "tests/unit/shm/sample_image.h"
#include "tests/unit/shm/suite.h"

static char why[192];
static struct region region;

static void start(void)
{
	small_region(&region, "publish");
	publisher_begin(&region);
}

static int publish_tag(uint32_t tag, uint64_t *generation)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, tag);
	int error = publish(&region, &s->header, 0, generation);

	free(s);
	return error;
}

/* Adopt from @have: the image's tag, 0 for nothing new, -errno. */
static int adopt_tag(uint64_t have)
{
	struct image_header *image;
	uint64_t refused;
	int result = adopt(&region, have, &image, &refused, why, sizeof(why));

	if (result != 1)
		return result;
	result = sample_is_whole(image) ? (int)image->sidecar.spin_us : -EILSEQ;
	free(image);
	return result;
}

static void nothing_published_is_nothing_new(void)
{
	start();
	CU_ASSERT_EQUAL(adopt_tag(0), 0);
	CU_ASSERT_EQUAL(region.header->reading, 0);
	region_close(&region);
}

static void generations_count_from_one(void)
{
	uint64_t generation = 0;

	start();
	for (uint32_t i = 1; i <= 20; i++) {
		CU_ASSERT_EQUAL(publish_tag(100 + i, &generation), 0);
		CU_ASSERT_EQUAL(generation, i);
		CU_ASSERT_EQUAL(adopt_tag(i - 1), (int)(100 + i));
		CU_ASSERT_EQUAL(adopt_tag(i), 0);
		CU_ASSERT_EQUAL(region.header->reading, 0);
	}
	region_close(&region);
}

static void the_copy_carries_the_generation_and_the_same_content_hash(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	struct image_header *image;
	uint64_t generation, refused;

	start();
	CU_ASSERT_EQUAL(publish(&region, &s->header, 0, &generation), 0);
	CU_ASSERT_EQUAL(publish(&region, &s->header, 0, &generation), 0);
	CU_ASSERT_EQUAL_FATAL(adopt(&region, 0, &image, &refused, why, sizeof(why)), 1);
	CU_ASSERT_EQUAL(image->generation, 2);
	CU_ASSERT_EQUAL(image->content_hash, s->header.content_hash);
	CU_ASSERT_EQUAL(s->header.generation, 0);
	free(image);
	free(s);
	region_close(&region);
}

static void a_slot_takes_its_size_and_no_byte_more(void)
{
	const uint32_t fixed = sizeof(struct sample) + SAMPLE_POINTS * 8 + SAMPLE_STRING_BYTES;
	const uint32_t fits = (MIN_SLOT_BYTES - fixed) / 2 - SAMPLE_CYCLE - SAMPLE_POINTS;
	struct sample *s = sample_make(fits, 5);
	uint64_t generation;

	start();
	CU_ASSERT_EQUAL(s->header.length, MIN_SLOT_BYTES);
	CU_ASSERT_EQUAL(publish(&region, &s->header, 0, &generation), 0);
	CU_ASSERT_EQUAL(adopt_tag(0), 5);
	free(s);
	s = sample_make(fits + 1, 5);
	CU_ASSERT_EQUAL(publish(&region, &s->header, 0, &generation), -EMSGSIZE);
	CU_ASSERT_EQUAL(adopt_tag(0), 5);
	free(s);
	region_close(&region);
}

static void an_image_that_readers_would_refuse_is_not_published(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	uint64_t generation;

	start();
	s->listeners[0].port++;
	CU_ASSERT_EQUAL(publish(&region, &s->header, 0, &generation), -EINVAL);
	CU_ASSERT_EQUAL(region.header->active, 0);
	free(s);
	region_close(&region);
}

static void slots_that_are_read_are_left_alone(void)
{
	uint64_t generation;

	start();
	CU_ASSERT_EQUAL(publish_tag(1, &generation), 0);
	for (uint64_t reading = 0; reading < 8; reading++) {
		unsigned int active = active_slot(region.header->active);
		int none_left = (reading | 1u << active) == 7;

		region.header->reading = reading;
		if (none_left) {
			CU_ASSERT_EQUAL(publish_tag(2, &generation), -EBUSY);
			CU_ASSERT_EQUAL(active_slot(region.header->active), active);
		} else {
			CU_ASSERT_EQUAL(publish_tag(2, &generation), 0);
			CU_ASSERT_EQUAL(reading >> active_slot(region.header->active) & 1, 0);
			CU_ASSERT_NOT_EQUAL(active_slot(region.header->active), active);
		}
	}
	region_close(&region);
}

static void a_dead_readers_bits_do_not_block(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 5);
	uint64_t generation;

	start();
	region.header->reading = 7;
	CU_ASSERT_EQUAL(publish(&region, &s->header, 0, &generation), -EBUSY);
	for (unsigned int i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(publish(&region, &s->header, 1, &generation), 0);
	/* The next reader's own word replaces what the dead one left. */
	CU_ASSERT_EQUAL(adopt_tag(0), 5);
	CU_ASSERT_EQUAL(region.header->reading, 0);
	free(s);
	region_close(&region);
}

static void a_writer_without_the_newest_epoch_is_stale(void)
{
	uint64_t generation;
	struct region old;

	start();
	old = region;
	publisher_begin(&region);
	CU_ASSERT_EQUAL(publish_tag(1, &generation), 0);
	region.epoch = old.epoch;
	CU_ASSERT_EQUAL(publish_tag(2, &generation), -ESTALE);
	region.epoch = 0; /* never begun */
	CU_ASSERT_EQUAL(publish_tag(2, &generation), -ESTALE);
	CU_ASSERT_EQUAL(adopt_tag(0), 1);
	region_close(&region);
}

static void every_name_has_an_entry_when_it_is_published(void)
{
	uint64_t generation;

	start();
	CU_ASSERT_EQUAL(publish_tag(1, &generation), 0);
	CU_ASSERT_NOT_EQUAL(registry_find(region.listener_registry, region.shape.listener_slots,
					  name_key("dns")),
			    REGISTRY_NONE);
	CU_ASSERT_NOT_EQUAL(registry_find(region.cluster_registry, region.shape.cluster_slots,
					  name_key("empty")),
			    REGISTRY_NONE);
	CU_ASSERT_NOT_EQUAL(registry_find(region.endpoint_registry, region.shape.endpoint_slots,
					  endpoint_key("dns6", "[fd02::54]:53")),
			    REGISTRY_NONE);
	CU_ASSERT_EQUAL(registry_load(region.endpoint_registry, region.shape.endpoint_slots).used,
			SAMPLE_ENDPOINTS);
	CU_ASSERT_EQUAL(publish_tag(2, &generation), 0);
	CU_ASSERT_EQUAL(registry_load(region.endpoint_registry, region.shape.endpoint_slots).used,
			SAMPLE_ENDPOINTS);
	region_close(&region);
}

/* Slots are scribbled over behind the writer's back: the copy is judged, nothing is believed. */
static void a_corrupt_slot_is_refused(void)
{
	struct image_header *slot;
	struct image_header *image;
	uint64_t generation, refused = 0;
	uint32_t length;

	start();
	CU_ASSERT_EQUAL(publish_tag(1, &generation), 0);
	slot = (struct image_header *)region.slots[active_slot(region.header->active)];
	length = slot->length;
	slot->length = 8;
	CU_ASSERT_EQUAL(adopt(&region, 0, &image, &refused, why, sizeof(why)), -EMSGSIZE);
	CU_ASSERT_EQUAL(refused, 1);
	slot->length = 0xffffffff;
	CU_ASSERT_EQUAL(adopt_tag(0), -EMSGSIZE);
	slot->length = length + 8;
	CU_ASSERT_EQUAL(adopt_tag(0), -EINVAL);
	slot->length = length;
	slot->sidecar.workers++;
	CU_ASSERT_EQUAL(adopt_tag(0), -EINVAL);
	slot->sidecar.workers--;
	image_seal(slot, 2); /* whole, but of another generation */
	CU_ASSERT_EQUAL(adopt_tag(0), -EINVAL);
	image_seal(slot, 1);
	CU_ASSERT_EQUAL(adopt_tag(0), 1);
	region.header->active |= 3; /* a slot that does not exist */
	CU_ASSERT_EQUAL(adopt_tag(0), -EINVAL);
	CU_ASSERT_EQUAL(region.header->reading, 0);
	CU_ASSERT_EQUAL(publish_tag(9, &generation), 0);
	CU_ASSERT_EQUAL(adopt_tag(0), 9);
	region_close(&region);
}

static void the_readers_verdict_reaches_the_writer(void)
{
	uint64_t generation;
	char long_text[400];

	start();
	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = 0;
	CU_ASSERT_EQUAL(publish_tag(1, &generation), 0);
	CU_ASSERT_EQUAL(adoption(&region, 1, why, sizeof(why)), ADOPTION_PENDING);
	adopt_nack(&region, 1, NACK_IMAGE, "bad image");
	CU_ASSERT_EQUAL(adoption(&region, 1, why, sizeof(why)), ADOPTION_REFUSED);
	CU_ASSERT_STRING_EQUAL(why, "bad image");
	CU_ASSERT_EQUAL(publish_tag(2, &generation), 0);
	CU_ASSERT_EQUAL(adoption(&region, 2, why, sizeof(why)), ADOPTION_PENDING);
	adopt_ack(&region, 2);
	CU_ASSERT_EQUAL(adoption(&region, 2, why, sizeof(why)), ADOPTION_DONE);
	adopt_nack(&region, 3, NACK_RESOURCES, long_text);
	CU_ASSERT_EQUAL(adoption(&region, 3, why, sizeof(why)), ADOPTION_REFUSED);
	CU_ASSERT_EQUAL(strlen(why), sizeof(region.header->nack_text) - 1);
	region_close(&region);
}

static const struct test tests[] = {
	TEST(nothing_published_is_nothing_new),
	TEST(generations_count_from_one),
	TEST(the_copy_carries_the_generation_and_the_same_content_hash),
	TEST(a_slot_takes_its_size_and_no_byte_more),
	TEST(an_image_that_readers_would_refuse_is_not_published),
	TEST(slots_that_are_read_are_left_alone),
	TEST(a_dead_readers_bits_do_not_block),
	TEST(a_writer_without_the_newest_epoch_is_stale),
	TEST(every_name_has_an_entry_when_it_is_published),
	TEST(a_corrupt_slot_is_refused),
	TEST(the_readers_verdict_reaches_the_writer),
};

int main(void)
{
	return suite_run("publish", tests, sizeof(tests) / sizeof(tests[0]));
}
