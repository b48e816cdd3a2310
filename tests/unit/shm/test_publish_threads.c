/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writer and reader at full speed against each other, through one mapping, so that the thread
 * sanitizer sees every access to the slots.
 */
#include "shm/publish.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "tests/unit/shm/sample_image.h"
#include "tests/unit/shm/suite.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { PUBLICATIONS = 3000 };
#else
enum { PUBLICATIONS = 30000 };
#endif
enum { IMAGES = 8 };

static struct region region;
static uint32_t finished;

struct reader {
	uint64_t adopted;
	uint64_t refused;
	uint64_t last;
	uint64_t backward;
	uint64_t torn;
};

static void *read_on(void *argument)
{
	struct reader *r = argument;
	struct region mine = region;
	char why[160];
	int last_round = 0;

	while (!last_round) {
		struct image_header *image;
		uint64_t refused;
		int result;

		last_round = (int)__atomic_load_n(&finished, __ATOMIC_ACQUIRE);
		result = adopt(&mine, r->last, &image, &refused, why, sizeof(why));
		r->refused += result < 0;
		if (result != 1)
			continue;
		r->adopted++;
		r->backward += image->generation <= r->last;
		r->torn += !sample_is_whole(image) ||
			   image->sidecar.spin_us != image->generation % IMAGES;
		r->last = image->generation;
		adopt_ack(&mine, r->last);
		free(image);
	}
	return NULL;
}

static void what_is_adopted_is_whole_and_only_goes_forward(void)
{
	struct sample *images[IMAGES];
	struct reader reader = {0};
	uint64_t generation = 0;
	unsigned int busy = 0;
	pthread_t thread;

	small_region(&region, "threads");
	publisher_begin(&region);
	for (uint32_t i = 0; i < IMAGES; i++)
		images[i] = sample_make(500 + 200 * i, i);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, read_on, &reader), 0);
	for (unsigned int i = 1; i <= PUBLICATIONS; i++) {
		int error;

		do {
			error = publish(&region, &images[i % IMAGES]->header, 0, &generation);
			busy += error == -EBUSY;
		} while (error == -EBUSY);
		CU_ASSERT_EQUAL_FATAL(error, 0);
	}
	__atomic_store_n(&finished, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	printf("%u published, %llu adopted, %u busy ", PUBLICATIONS,
	       (unsigned long long)reader.adopted, busy);
	CU_ASSERT_EQUAL(generation, PUBLICATIONS);
	CU_ASSERT_EQUAL(reader.last, PUBLICATIONS);
	CU_ASSERT_EQUAL(reader.refused, 0);
	CU_ASSERT_EQUAL(reader.backward, 0);
	CU_ASSERT_EQUAL(reader.torn, 0);
	/* One reader marks one slot, so one of three is always free. */
	CU_ASSERT_EQUAL(busy, 0);
	for (uint32_t i = 0; i < IMAGES; i++)
		free(images[i]);
	region_close(&region);
}

static const struct test tests[] = {
	TEST(what_is_adopted_is_whole_and_only_goes_forward),
};

int main(void)
{
	return suite_run("publish_threads", tests, sizeof(tests) / sizeof(tests[0]));
}
