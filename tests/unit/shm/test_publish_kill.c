/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer or a reader killed at any instant leaves the region usable: the old or the new
 * generation, whole. Thousands of kills at random moments.
 */
#include "shm/publish.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/shm/children.h"
#include "tests/unit/shm/sample_image.h"
#include "tests/unit/shm/suite.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { KILLS = 300 };
#else
enum { KILLS = 2000 };
#endif
enum {
	MAX_KILLS = 10 * KILLS, /* until one has hit the copying */
	BIG_TABLE = 30000,      /* 60 KB: most of a publish or adoption is copying */
	MAX_DELAY_US = 300,
};

static struct region region;
static char why[192];
static uint32_t random_state = 12345;

static uint32_t next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

static void busy_wait_us(uint32_t us)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - from.tv_sec) * 1000000 + (now.tv_nsec - from.tv_nsec) / 1000 <
		 (long)us);
}

/* In a child that is killed: publish for ever, every image another. */
static void publish_forever(uint32_t tag)
{
	uint64_t generation;

	publisher_begin(&region);
	for (;; tag = (tag + 1) & 0xffff) {
		struct sample *s = sample_make(BIG_TABLE, tag);
		int error = publish(&region, &s->header, 0, &generation);

		free(s);
		if (error && error != -EBUSY)
			_exit(1);
	}
}

static void adopt_forever(void)
{
	for (;;) {
		if (!adopt_whole(&region))
			_exit(1);
	}
}

static void adopting_child(uint32_t unused)
{
	(void)unused;
	adopt_forever();
}

/* True when it died of the kill, so of nothing else. */
static int kill_child(pid_t child)
{
	int status = 0;

	kill(child, SIGKILL);
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGKILL;
}

/* True when a slot that is not active holds something that was never finished. */
static int a_slot_is_torn(void)
{
	for (unsigned int i = 0; i < POLICY_SLOTS; i++) {
		const struct image_header *slot = (const struct image_header *)region.slots[i];

		if (i != active_slot(active(&region)) && slot->magic == IMAGE_MAGIC &&
		    slot->length <= region.shape.slot_bytes &&
		    image_check(slot, slot->length, why, sizeof(why)))
			return 1;
	}
	return 0;
}

static void start(void)
{
	struct sample *s = sample_make(BIG_TABLE, 7);
	uint64_t generation;

	small_region(&region, "kill");
	publisher_begin(&region);
	CU_ASSERT_EQUAL_FATAL(publish(&region, &s->header, 0, &generation), 0);
	free(s);
}

static void a_killed_writer_leaves_a_whole_generation(void)
{
	unsigned int torn = 0;
	uint64_t last = 1;

	start();
	for (unsigned int i = 0; i < KILLS || (!torn && i < MAX_KILLS); i++) {
		pid_t child = start_child(publish_forever, i);
		uint64_t generation;

		busy_wait_us(MAX_DELAY_US + next_random() % MAX_DELAY_US);
		CU_ASSERT_FATAL(kill_child(child));
		generation = adopt_whole(&region);
		CU_ASSERT_EQUAL_FATAL(generation, active_generation(active(&region)));
		CU_ASSERT_FATAL(generation >= last);
		torn += (unsigned int)a_slot_is_torn();
		last = generation;
	}
	printf("%llu generations, %u kills left a torn slot ", (unsigned long long)last, torn);
	CU_ASSERT(last > 1);
	CU_ASSERT(torn > 0);
	region_close(&region);
}

/* What a dead reader's bit marks is not written to while nobody has proof of its death. */
static void marked_slot_is_left_alone(uint32_t tag)
{
	uint64_t reading = region.header->reading;
	uint8_t *before = malloc(region.shape.slot_bytes);
	uint64_t generation;

	for (unsigned int i = 0; i < POLICY_SLOTS; i++) {
		if (!(reading >> i & 1))
			continue;
		memcpy(before, region.slots[i], region.shape.slot_bytes);
		for (uint32_t k = 0; k < 3; k++) {
			struct sample *s = sample_make(BIG_TABLE, (tag + k) & 0xffff);

			CU_ASSERT_EQUAL(publish(&region, &s->header, 0, &generation), 0);
			free(s);
		}
		CU_ASSERT_EQUAL(memcmp(before, region.slots[i], region.shape.slot_bytes), 0);
	}
	free(before);
}

static void a_killed_reader_blocks_no_writer(void)
{
	unsigned int marked = 0;

	start();
	for (uint32_t i = 0; i < KILLS / 2 || (!marked && i < MAX_KILLS); i++) {
		pid_t child = start_child(adopting_child, 0);
		struct sample *s = sample_make(BIG_TABLE, i);
		uint64_t generation;

		busy_wait_us(MAX_DELAY_US + next_random() % MAX_DELAY_US);
		CU_ASSERT_FATAL(kill_child(child));
		marked += region.header->reading != 0;
		marked_slot_is_left_alone(i);
		CU_ASSERT_EQUAL(publish(&region, &s->header, (int)(i & 1), &generation), 0);
		CU_ASSERT_EQUAL(adopt_whole(&region), generation);
		CU_ASSERT_EQUAL(region.header->reading, 0);
		free(s);
	}
	printf("%u kills left a bit in reading ", marked);
	CU_ASSERT(marked > 0);
	region_close(&region);
}

static void writer_and_reader_killed_together_leave_a_whole_generation(void)
{
	start();
	for (uint32_t i = 0; i < KILLS / 2; i++) {
		pid_t reader = start_child(adopting_child, 0);
		pid_t writer = start_child(publish_forever, i);

		busy_wait_us(MAX_DELAY_US + next_random() % (2 * MAX_DELAY_US));
		CU_ASSERT_FATAL(kill_child(i & 1 ? reader : writer));
		busy_wait_us(next_random() % MAX_DELAY_US);
		CU_ASSERT_FATAL(kill_child(i & 1 ? writer : reader));
		CU_ASSERT_EQUAL_FATAL(adopt_whole(&region), active_generation(active(&region)));
	}
	region_close(&region);
}

static const struct test tests[] = {
	TEST(a_killed_writer_leaves_a_whole_generation),
	TEST(a_killed_reader_blocks_no_writer),
	TEST(writer_and_reader_killed_together_leave_a_whole_generation),
};

int main(void)
{
	return suite_run("publish_kill", tests, sizeof(tests) / sizeof(tests[0]));
}
