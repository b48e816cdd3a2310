/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/events.h"

#include <ctype.h>
#include <pthread.h>
#include <string.h>

#include "tests/unit/shm/suite.h"

static struct event_ring ring;
static uint64_t seq;
static uint64_t lost;

static void start(void)
{
	memset(&ring, 0, sizeof(ring));
	seq = lost = 0;
}

/* Every word of the event follows from its key. */
static struct event event_of(uint64_t key)
{
	return (struct event){
		.seq = 0xdead, /* set by event_write(), like check */
		.check = 0xdead,
		.at_ns = key * 3,
		.kind = (uint16_t)(1 + key % (EVENT_KINDS - 1)),
		.subject = SUBJECT_ENDPOINT,
		.slot = (uint32_t)key,
		.key = key,
		.detail = ~key,
		.observed = key & 1,
	};
}

static int is_whole(const struct event *e)
{
	struct event should = event_of(e->key);

	should.seq = e->seq;
	should.check = e->check;
	return memcmp(e, &should, sizeof(should)) == 0;
}

static void write_one(uint64_t key)
{
	struct event e = event_of(key);

	event_write(&ring, &e);
}

/* The next event's key, or 0 when there is none. */
static uint64_t read_one(void)
{
	struct event e;

	if (!event_read(&ring, &seq, &e, &lost))
		return 0;
	CU_ASSERT_EQUAL(e.seq, seq);
	CU_ASSERT(is_whole(&e));
	return e.key;
}

static void an_empty_ring_has_nothing(void)
{
	start();
	CU_ASSERT_EQUAL(read_one(), 0);
	CU_ASSERT_EQUAL(seq, 0);
	CU_ASSERT_EQUAL(lost, 0);
}

static void events_come_in_order_with_gapless_numbers(void)
{
	start();
	for (uint64_t i = 1; i <= 3 * EVENT_RING; i++) {
		write_one(i);
		CU_ASSERT_EQUAL(read_one(), i);
		CU_ASSERT_EQUAL(seq, i);
		CU_ASSERT_EQUAL(read_one(), 0);
	}
	CU_ASSERT_EQUAL(lost, 0);
}

static void a_slow_reader_loses_the_oldest_and_knows_how_many(void)
{
	static const struct {
		uint64_t written, lost;
	} rows[] = {
		{1, 0},
		{EVENT_RING - 1, 0},
		{EVENT_RING, 0},
		{EVENT_RING + 1, 1},
		{2 * EVENT_RING, EVENT_RING},
		{5 * EVENT_RING + 7, 4 * EVENT_RING + 7},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t got = 0;

		start();
		for (uint64_t k = 1; k <= rows[i].written; k++)
			write_one(k);
		for (uint64_t key; (key = read_one()) != 0; got++)
			CU_ASSERT_EQUAL(key, rows[i].lost + got + 1);
		CU_ASSERT_EQUAL(got, rows[i].written - rows[i].lost);
		CU_ASSERT_EQUAL(lost, rows[i].lost);
		CU_ASSERT_EQUAL(seq, rows[i].written);
	}
}

static void each_reader_has_its_own_place(void)
{
	uint64_t other_seq = 1, other_lost = 0;
	struct event e;

	start();
	write_one(10);
	write_one(11);
	CU_ASSERT_EQUAL(read_one(), 10);
	CU_ASSERT_EQUAL(event_read(&ring, &other_seq, &e, &other_lost), 1);
	CU_ASSERT_EQUAL(e.key, 11);
	CU_ASSERT_EQUAL(read_one(), 11);
	CU_ASSERT_EQUAL(other_lost, 0);
}

/* A writer that drew a number and died before it took the entry, or in the middle of it. */
static void a_dead_writers_event_is_given_up_and_counted(void)
{
	for (uint64_t old = 0; old < 2; old++) {
		start();
		write_one(1);
		ring.head++;
		ring.entries[2].at_ns = old;
		CU_ASSERT_EQUAL(read_one(), 1);
		CU_ASSERT_EQUAL(read_one(), 0); /* it may still come */
		for (uint64_t i = 3; i <= 65; i++)
			write_one(i);
		CU_ASSERT_EQUAL(read_one(), 0);
		write_one(66);
		for (uint64_t i = 3; i <= 66; i++)
			CU_ASSERT_EQUAL(read_one(), i);
		CU_ASSERT_EQUAL(lost, 1);
		CU_ASSERT_EQUAL(seq, 66);
	}
}

/* Any word of another event in it, as two writers a lap apart could leave it. */
static void a_mixed_event_is_lost_not_shown(void)
{
	for (unsigned int word = 1; word < sizeof(struct event) / 8; word++) {
		start();
		write_one(1);
		write_one(2);
		((uint64_t *)&ring.entries[1])[word] ^= UINT64_C(1) << word * 9;
		CU_ASSERT_EQUAL(read_one(), 2);
		CU_ASSERT_EQUAL(lost, 1);
	}
}

/* Between its number and its entry a writer is overtaken by a lap: the later event stays. */
static void an_overtaken_writer_leaves_the_entry_to_the_later_event(void)
{
	start();
	for (uint64_t i = 1; i <= EVENT_RING + 1; i++)
		write_one(i);
	ring.head = 0; /* the writer of number 1 goes on only now */
	write_one(99);
	ring.head = EVENT_RING + 1;
	seq = EVENT_RING;
	CU_ASSERT_EQUAL(read_one(), EVENT_RING + 1);
	CU_ASSERT_EQUAL(lost, 0);
}

static void every_kind_has_a_name(void)
{
	for (unsigned int i = 0; i < EVENT_KINDS; i++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(event_name(i));
		for (const char *c = event_name(i); *c; c++)
			CU_ASSERT(islower((unsigned char)*c) || *c == '_');
		for (unsigned int k = 0; k < i; k++)
			CU_ASSERT_STRING_NOT_EQUAL(event_name(i), event_name(k));
	}
	CU_ASSERT_STRING_EQUAL(event_name(EVENT_BREAKER_OPENED), "breaker_opened");
	CU_ASSERT_STRING_EQUAL(event_name(EVENT_KINDS), "unknown");
	CU_ASSERT_STRING_EQUAL(event_name(0xffffffff), "unknown");
}

enum { WRITERS = 4, EACH = 20000 };

static uint32_t writers_left;

static void *write_many(void *argument)
{
	const uint64_t writer = (uint64_t)(uintptr_t)argument;

	for (uint64_t i = 1; i <= EACH; i++)
		write_one(writer << 32 | i);
	__atomic_sub_fetch(&writers_left, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* What one reader saw of all writers. */
struct seen {
	uint64_t seq, lost, got, torn, backward;
	uint64_t last[WRITERS + 1];
};

static void look(struct seen *s, const struct event *e)
{
	const uint64_t writer = e->key >> 32;
	const uint64_t number = e->key & 0xffffffff;

	s->got++;
	s->torn += e->seq != s->seq || writer < 1 || writer > WRITERS || !is_whole(e);
	if (writer <= WRITERS) {
		s->backward += number <= s->last[writer];
		s->last[writer] = number;
	}
}

static void *read_all(void *argument)
{
	struct seen *s = argument;
	struct event e;
	int last_round = 0;

	while (!last_round) {
		last_round = __atomic_load_n(&writers_left, __ATOMIC_ACQUIRE) == 0;
		while (event_read(&ring, &s->seq, &e, &s->lost))
			look(s, &e);
	}
	return NULL;
}

static void many_writers_and_two_readers_lose_nothing_uncounted(void)
{
	struct seen seen[2] = {{0}};
	pthread_t reader[2], writer[WRITERS];

	start();
	writers_left = WRITERS;
	for (unsigned int i = 0; i < 2; i++)
		pthread_create(&reader[i], NULL, read_all, &seen[i]);
	for (uintptr_t i = 0; i < WRITERS; i++)
		pthread_create(&writer[i], NULL, write_many, (void *)(i + 1));
	for (unsigned int i = 0; i < WRITERS; i++)
		pthread_join(writer[i], NULL);
	for (unsigned int i = 0; i < 2; i++) {
		pthread_join(reader[i], NULL);
		CU_ASSERT_EQUAL(seen[i].torn, 0);
		CU_ASSERT_EQUAL(seen[i].backward, 0);
		CU_ASSERT_EQUAL(seen[i].got + seen[i].lost, seen[i].seq);
		/* An event of an overtaken writer near the end may still be waited for. */
		CU_ASSERT(WRITERS * EACH - seen[i].seq <= 64);
	}
	CU_ASSERT_EQUAL(ring.head, WRITERS * EACH);
}

static const struct test tests[] = {
	TEST(an_empty_ring_has_nothing),
	TEST(events_come_in_order_with_gapless_numbers),
	TEST(a_slow_reader_loses_the_oldest_and_knows_how_many),
	TEST(each_reader_has_its_own_place),
	TEST(a_dead_writers_event_is_given_up_and_counted),
	TEST(a_mixed_event_is_lost_not_shown),
	TEST(an_overtaken_writer_leaves_the_entry_to_the_later_event),
	TEST(every_kind_has_a_name),
	TEST(many_writers_and_two_readers_lose_nothing_uncounted),
};

int main(void)
{
	return suite_run("events", tests, sizeof(tests) / sizeof(tests[0]));
}
