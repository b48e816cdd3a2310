/* SPDX-License-Identifier: Apache-2.0 */
/* Events as lines for one reader: what it gets, what it loses, what it costs. */
#include "controlplane/events_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tests/unit/dataplane/suite.h"

enum { SECOND = 1000000000 };

static struct event_ring ring;
static struct registry_entry entries[2];
static struct region region = {.events = &ring, .cluster_registry = entries};
static uint64_t now_ns = 100ull * SECOND;

static void setup(void)
{
	memset(&ring, 0, sizeof(ring));
	memset(entries, 0, sizeof(entries));
	entries[1].key = 77;
	snprintf(entries[1].name, sizeof(entries[1].name), "web");
	region.shape.cluster_slots = 2;
}

static void write_events(int n)
{
	const struct event event = {.at_ns = now_ns,
				    .kind = EVENT_BREAKER_OPENED,
				    .subject = SUBJECT_CLUSTER,
				    .slot = 1,
				    .key = 77,
				    .detail = 5000};

	while (n-- > 0)
		event_write(&ring, &event);
}

/* What comes in one pull of at most @size bytes; "" for none, NULL at the end. */
static const char *pull(struct events_stream *s, size_t size)
{
	static char out[256 * 1024];
	ssize_t bytes =
		events_stream_pull(s, out, size < sizeof(out) ? size : sizeof(out) - 1, now_ns);

	if (bytes < 0)
		return NULL;
	out[bytes] = '\0';
	return out;
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	while (text && (text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

static void a_line_says_what_happened_to_whom(void)
{
	struct events_stream s;
	json_t *line;

	setup();
	write_events(1);
	events_stream_begin(&s, &region, 0, now_ns);
	line = json_loads(pull(&s, 4096), JSON_DISABLE_EOF_CHECK, NULL);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(line, "seq")), 1);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(line, "event")), "breaker_opened");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(line, "cluster")), "web");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(line, "for_ms")), 5000);
	CU_ASSERT_EQUAL(strlen(json_string_value(json_object_get(line, "time"))), 24);
	json_decref(line);
	CU_ASSERT_PTR_NULL(pull(&s, 4096));
}

static void a_name_that_left_is_its_key(void)
{
	struct events_stream s;

	setup();
	write_events(1);
	entries[1].key = 78;
	events_stream_begin(&s, &region, 0, now_ns);
	CU_ASSERT_PTR_NOT_NULL(strstr(pull(&s, 4096), "\"cluster\":\"000000000000004d\""));
}

static void any_room_is_enough(void)
{
	struct events_stream s;
	unsigned int n = 0;
	const char *text;

	setup();
	write_events(3);
	events_stream_begin(&s, &region, 0, now_ns);
	while ((text = pull(&s, 1)))
		n += lines(text);
	CU_ASSERT_EQUAL(n, 3);
}

static void who_follows_begins_with_what_comes(void)
{
	struct events_stream s;

	setup();
	write_events(3);
	events_stream_begin(&s, &region, 1, now_ns);
	CU_ASSERT_EQUAL(events_stream_pending(&s, now_ns), 0);
	CU_ASSERT_STRING_EQUAL(pull(&s, 4096), "");
	write_events(2);
	CU_ASSERT_EQUAL(events_stream_pending(&s, now_ns), 1);
	CU_ASSERT_EQUAL(lines(pull(&s, 4096)), 2);
	CU_ASSERT_EQUAL(events_stream_pending(&s, now_ns), 0);
}

static void a_number_says_where_to_go_on(void)
{
	struct events_stream s;

	setup();
	write_events(5);
	events_stream_begin_after(&s, &region, 0, 3, now_ns);
	CU_ASSERT_EQUAL(lines(pull(&s, 4096)), 2);
	events_stream_begin_after(&s, &region, 0, 5, now_ns);
	CU_ASSERT_PTR_NULL(pull(&s, 4096));
	events_stream_begin_after(&s, &region, 0, 0, now_ns);
	CU_ASSERT_EQUAL(lines(pull(&s, 4096)), 5);
}

static void numbers_of_another_region_begin_anew(void)
{
	struct events_stream s;
	const char *text;

	setup();
	write_events(2);
	events_stream_begin_after(&s, &region, 0, UINT64_MAX, now_ns);
	text = pull(&s, 4096);
	CU_ASSERT_PTR_EQUAL(strstr(text, "{\"restarted\":true,\"last\":2}\n"), text);
	CU_ASSERT_EQUAL(lines(text), 3);
}

static void a_slow_reader_loses_the_oldest_and_is_told_how_many(void)
{
	struct events_stream s;
	const char *text;

	setup();
	events_stream_begin(&s, &region, 1, now_ns);
	write_events(EVENT_RING + 10);
	text = pull(&s, SIZE_MAX);
	CU_ASSERT_PTR_EQUAL(strstr(text, "{\"lost\":10,\"seq\":10}\n"), text);
	CU_ASSERT_EQUAL(lines(text), EVENT_RING + 1);
}

static void the_ring_before_an_unasked_past_is_not_lost(void)
{
	struct events_stream s;

	setup();
	write_events(3 * EVENT_RING);
	events_stream_begin(&s, &region, 0, now_ns);
	CU_ASSERT_EQUAL(lines(pull(&s, SIZE_MAX)), EVENT_RING);
}

static void silence_is_broken_by_a_heartbeat(void)
{
	struct events_stream s;
	uint64_t began_ns = now_ns;

	setup();
	write_events(4);
	events_stream_begin(&s, &region, 1, now_ns);
	now_ns = began_ns + EVENTS_HEARTBEAT_MS * 1000000ull - 1;
	CU_ASSERT_STRING_EQUAL(pull(&s, 4096), "");
	now_ns++;
	CU_ASSERT_EQUAL(events_stream_pending(&s, now_ns), 1);
	CU_ASSERT_STRING_EQUAL(pull(&s, 4096), "{\"heartbeat\":true,\"seq\":4}\n");
	CU_ASSERT_EQUAL(events_stream_pending(&s, now_ns), 0);
	CU_ASSERT_STRING_EQUAL(pull(&s, 4096), "");
	now_ns = began_ns; /* the clock steps back */
	CU_ASSERT_STRING_EQUAL(pull(&s, 4096), "");
}

/* Whatever lies in the ring: whole lines of JSON, no end without an end. */
static void a_ring_of_garbage_gives_lines(void)
{
	unsigned int seed = 1;

	setup();
	for (int round = 0; round < 200; round++) {
		struct events_stream s;
		const char *text;

		for (size_t i = 0; i < sizeof(ring) / (sizeof(int)); i++)
			((int *)&ring)[i] = rand_r(&seed);
		if (round % 2)
			write_events(20);
		events_stream_begin_after(&s, &region, 0, 0, now_ns);
		while ((text = pull(&s, 4096)))
			if (!*text)
				CU_FAIL("nothing, and no end");
	}
}

/* An event that is sealed and says nonsense. */
static void a_hostile_event_gives_a_line(void)
{
	unsigned int seed = 1;

	setup();
	memset(entries[1].name, '\x01', sizeof(entries[1].name));
	for (int i = 0; i < 20000; i++) {
		struct event event = {.key = i % 3 ? 77 : 5, .slot = (uint32_t)(i % 4)};
		struct events_stream s;
		json_t *line;

		event.kind = (uint16_t)(rand_r(&seed) % (EVENT_KINDS + 2));
		event.subject = (uint16_t)(rand_r(&seed) % 6);
		event.detail = (uint64_t)rand_r(&seed) * 0x100000001ull;
		event.at_ns = (uint64_t)rand_r(&seed) << (i % 40);
		event.observed = 2;
		event_write(&ring, &event);
		events_stream_begin_after(&s, &region, 0, ring.head - 1, now_ns);
		line = json_loads(pull(&s, 4096), JSON_DISABLE_EOF_CHECK, NULL);
		if (!json_object_get(line, "event"))
			CU_FAIL("no line");
		json_decref(line);
	}
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_line_says_what_happened_to_whom),
	SUITE_TEST(a_name_that_left_is_its_key),
	SUITE_TEST(any_room_is_enough),
	SUITE_TEST(who_follows_begins_with_what_comes),
	SUITE_TEST(a_number_says_where_to_go_on),
	SUITE_TEST(numbers_of_another_region_begin_anew),
	SUITE_TEST(a_slow_reader_loses_the_oldest_and_is_told_how_many),
	SUITE_TEST(the_ring_before_an_unasked_past_is_not_lost),
	SUITE_TEST(silence_is_broken_by_a_heartbeat),
	SUITE_TEST(a_ring_of_garbage_gives_lines),
	SUITE_TEST(a_hostile_event_gives_a_line),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("events_stream", tests);
}
