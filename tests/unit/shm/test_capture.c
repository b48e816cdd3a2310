/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "shm/capture.h"
#include "shm/reasons.h"
#include "tests/unit/shm/suite.h"

static struct capture_ring ring;

/* One whose every byte says its number. */
static struct capture_record numbered(uint64_t number)
{
	struct capture_record r = {.at_ns = number, .data_bytes = CAPTURE_SNAP};

	memset(r.data, (int)(number & 0xff), sizeof(r.data));
	return r;
}

static void write_many(uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct capture_record r = numbered(first + i);

		capture_write(&ring, &r);
	}
}

static int is_whole(const struct capture_record *r)
{
	for (int i = 0; i < CAPTURE_SNAP; i++)
		if (r->data[i] != (uint8_t)r->at_ns)
			return 0;
	return 1;
}

static void an_empty_ring_has_nothing(void)
{
	struct capture_record r;
	uint64_t next = 0, lost = 0;

	memset(&ring, 0, sizeof(ring));
	CU_ASSERT_EQUAL(capture_read(&ring, &next, &r, &lost), 0);
	/* A reader of a longer life begins here. */
	next = 77;
	CU_ASSERT_EQUAL(capture_read(&ring, &next, &r, &lost), 0);
	CU_ASSERT_EQUAL(next, 0);
	CU_ASSERT_EQUAL(lost, 0);
}

static void records_come_in_order(void)
{
	struct capture_record r;
	uint64_t next = 0, lost = 0;

	memset(&ring, 0, sizeof(ring));
	write_many(0, CAPTURE_RECORDS);
	for (uint64_t i = 0; i < CAPTURE_RECORDS; i++) {
		CU_ASSERT_EQUAL(capture_read(&ring, &next, &r, &lost), 1);
		CU_ASSERT_EQUAL(r.at_ns, i);
		CU_ASSERT(is_whole(&r));
	}
	CU_ASSERT_EQUAL(capture_read(&ring, &next, &r, &lost), 0);
	CU_ASSERT_EQUAL(lost, 0);
}

static void what_was_overwritten_is_counted(void)
{
	struct capture_record r;
	uint64_t next = 0, lost = 0;

	memset(&ring, 0, sizeof(ring));
	write_many(0, 3 * CAPTURE_RECORDS + 7);
	CU_ASSERT_EQUAL(capture_read(&ring, &next, &r, &lost), 1);
	CU_ASSERT_EQUAL(r.at_ns, 2 * CAPTURE_RECORDS + 7);
	CU_ASSERT_EQUAL(lost, 2 * CAPTURE_RECORDS + 7);
}

static void records_that_lie_are_lost(void)
{
	struct capture_record r;
	uint64_t next = 0, lost = 0;

	memset(&ring, 0, sizeof(ring));
	write_many(0, 8);
	ring.record[0].data_bytes = CAPTURE_SNAP + 1;
	ring.record[1].reason = REASON_SLOTS;
	ring.record[2].interface = MAX_INTERFACES;
	ring.record[3].interface = CAPTURE_NO_INTERFACE; /* is one */
	ring.record[4].verdict = CAPTURE_VERDICTS;
	ring.record[5].direction = 2;
	ring.record[6].seq = 2 * 6 + 1; /* the writer died in it */
	CU_ASSERT_EQUAL(capture_read(&ring, &next, &r, &lost), 1);
	CU_ASSERT_EQUAL(r.at_ns, 3);
	CU_ASSERT_EQUAL(capture_read(&ring, &next, &r, &lost), 1);
	CU_ASSERT_EQUAL(r.at_ns, 7);
	CU_ASSERT_EQUAL(lost, 6);
	/* A head from nowhere ends too. */
	ring.head = UINT64_MAX;
	CU_ASSERT_EQUAL(capture_read(&ring, &next, &r, &lost), 0);
	CU_ASSERT_EQUAL(next, UINT64_MAX);
}

enum { RACE = 200000 };

static void *write_on(void *arg)
{
	(void)arg;
	write_many(0, RACE);
	return NULL;
}

static void a_reader_beside_the_writer_sees_whole_records(void)
{
	struct capture_record r;
	uint64_t next = 0, lost = 0, seen = 0, last = 0;
	pthread_t writer;

	memset(&ring, 0, sizeof(ring));
	CU_ASSERT_EQUAL_FATAL(pthread_create(&writer, NULL, write_on, NULL), 0);
	while (next < RACE) {
		if (!capture_read(&ring, &next, &r, &lost))
			continue;
		if (!is_whole(&r) || (seen && r.at_ns <= last))
			CU_FAIL_FATAL("a torn or repeated record");
		last = r.at_ns;
		seen++;
	}
	pthread_join(writer, NULL);
	CU_ASSERT_EQUAL(seen + lost, RACE);
}

static void verdicts_have_names(void)
{
	CU_ASSERT_STRING_EQUAL(capture_verdict_name(CAPTURE_FORWARDED), "forwarded");
	CU_ASSERT_STRING_EQUAL(capture_verdict_name(CAPTURE_ORIGINATED), "originated");
	CU_ASSERT_STRING_EQUAL(capture_verdict_name(CAPTURE_VERDICTS), "unknown");
}

int main(void)
{
	static const struct test tests[] = {
		TEST(an_empty_ring_has_nothing),
		TEST(records_come_in_order),
		TEST(what_was_overwritten_is_counted),
		TEST(records_that_lie_are_lost),
		TEST(a_reader_beside_the_writer_sees_whole_records),
		TEST(verdicts_have_names),
	};

	return suite_run("capture", tests, sizeof(tests) / sizeof(tests[0]));
}
