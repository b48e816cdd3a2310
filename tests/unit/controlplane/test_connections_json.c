/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the connection table, also of one that lies. */
#include "controlplane/connections_json.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/dataplane/suite.h"

enum { ENTRIES = 64, PER_WORKER = 32, SECOND = 1000000000 };

static struct conn table[ENTRIES];
static struct registry_entry listeners[4], clusters[4];
static struct image_timeouts timeouts[4];
static struct region region = {
	.shape = {.workers = 2,
		  .connections_per_worker = PER_WORKER,
		  .listener_slots = 4,
		  .cluster_slots = 4},
	.connections = table,
	.listener_registry = listeners,
	.cluster_registry = clusters,
};
static const struct connections_look look = {&region, timeouts, 100ull * SECOND};
static struct connections_filter filter;

static void setup(void)
{
	memset(table, 0, sizeof(table));
	memset(listeners, 0, sizeof(listeners));
	memset(clusters, 0, sizeof(clusters));
	memset(timeouts, 0, sizeof(timeouts));
	listeners[1].key = clusters[2].key = 99;
	strcpy(listeners[1].name, "web");
	strcpy(clusters[2].name, "shop");
	timeouts[2].idle_tcp_ms = 60000;
	filter = (struct connections_filter){.listener = CONNECTIONS_ANY_SLOT,
					     .cluster = CONNECTIONS_ANY_SLOT,
					     .states = connections_live_states()};
}

/* 10.0.0.<number>:4000 -> 10.0.0.200:80, to 10.1.0.9:8080. */
static struct conn *connection(uint32_t number)
{
	struct conn *c = &table[number];

	c->fwd = (struct conn_key){.src = htonl(0x0a000000 | number),
				   .dst = htonl(0x0a0000c8),
				   .sport = htons(4000),
				   .dport = htons(80),
				   .proto = PROTO_TCP,
				   .family = FAMILY_V4};
	c->rev = (struct conn_key){.src = htonl(0x0a010009),
				   .dst = htonl(0x0a010001),
				   .sport = htons(8080),
				   .dport = htons(5000),
				   .proto = PROTO_TCP,
				   .family = FAMILY_V4};
	c->listener = 1;
	c->cluster = 2;
	c->created_ns = 90ull * SECOND;
	c->deadline_ns = 155ull * SECOND;
	c->flags = CONN_VERDICT;
	c->call.attempts = 1;
	c->call.held = CALL_ENDPOINT_PERMIT | CALL_ATTEMPT;
	c->state = CONN_ESTABLISHED;
	return c;
}

static json_t *answer(uint64_t cursor, uint64_t limit)
{
	struct json_text text = {0};
	json_t *json;

	connections_write(&text, &look, &filter, cursor, limit);
	CU_ASSERT_FALSE_FATAL(text.failed);
	json = json_loadb(text.text, text.bytes, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	free(text.text);
	return json;
}

static size_t rows_of(const json_t *json)
{
	return json_array_size(json_object_get(json, "connections"));
}

static size_t count(void)
{
	json_t *json = answer(0, 1000);
	size_t n = rows_of(json);

	json_decref(json);
	return n;
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "none";
}

static json_int_t number_of(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static void a_row_says_who_talks_to_whom(void)
{
	const json_t *row;
	json_t *json;

	setup();
	connection(PER_WORKER + 3)->fwd_bytes = 7;
	json = answer(0, 10);
	row = json_array_get(json_object_get(json, "connections"), 0);
	CU_ASSERT_EQUAL(number_of(row, "worker"), 1);
	CU_ASSERT_EQUAL(number_of(row, "entry"), PER_WORKER + 3);
	CU_ASSERT_STRING_EQUAL(text_of(row, "state"), "established");
	CU_ASSERT_STRING_EQUAL(text_of(row, "client"), "10.0.0.35:4000");
	CU_ASSERT_STRING_EQUAL(text_of(row, "destination"), "10.0.0.200:80");
	CU_ASSERT_STRING_EQUAL(text_of(row, "endpoint"), "10.1.0.9:8080");
	CU_ASSERT_STRING_EQUAL(text_of(row, "snat"), "10.1.0.1:5000");
	CU_ASSERT_STRING_EQUAL(text_of(row, "listener"), "web");
	CU_ASSERT_STRING_EQUAL(text_of(row, "cluster"), "shop");
	CU_ASSERT_EQUAL(number_of(row, "age_ms"), 10000);
	CU_ASSERT_EQUAL(number_of(row, "idle_ms"), 5000);
	CU_ASSERT_EQUAL(number_of(row, "expires_ms"), 55000);
	CU_ASSERT_EQUAL(number_of(row, "to_endpoint_bytes"), 7);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(row, "holds")), 2);
	json_decref(json);
}

static void a_key_that_is_not_there_is_not_shown(void)
{
	const json_t *row;
	json_t *json;

	setup();
	filter.states = connections_states("all");
	connection(0)->state = CONN_WAITING;
	connection(1)->state = CONN_TOMBSTONE;
	json = answer(0, 10);
	row = json_array_get(json_object_get(json, "connections"), 0);
	CU_ASSERT_STRING_EQUAL(text_of(row, "client"), "10.0.0.0:4000");
	CU_ASSERT_STRING_EQUAL(text_of(row, "endpoint"), "none");
	CU_ASSERT_PTR_NULL(json_object_get(row, "idle_ms"));
	row = json_array_get(json_object_get(json, "connections"), 1);
	CU_ASSERT_STRING_EQUAL(text_of(row, "client"), "none");
	CU_ASSERT_STRING_EQUAL(text_of(row, "endpoint"), "10.1.0.9:8080");
	json_decref(json);
}

static void an_idle_time_that_the_deadline_does_not_tell_is_not_told(void)
{
	json_t *json;

	setup();
	connection(0)->flags = 0; /* the deadline is the verdict's */
	timeouts[2].max_duration_ms = 65000;
	connection(1); /* its deadline is the longest life's */
	json = answer(0, 10);
	for (size_t i = 0; i < 2; i++)
		CU_ASSERT_PTR_NULL(json_object_get(
			json_array_get(json_object_get(json, "connections"), i), "idle_ms"));
	json_decref(json);
}

static void filters_leave_out_the_others(void)
{
	setup();
	connection(1);
	connection(2)->cluster = 3;
	connection(3)->state = CONN_RESTING;
	CU_ASSERT_EQUAL(count(), 2);
	filter.states = connections_states("all");
	CU_ASSERT_EQUAL(count(), 3);
	filter.cluster = 3;
	CU_ASSERT_EQUAL(count(), 1);
	filter.cluster = CONNECTIONS_ANY_SLOT;
	filter.listener = 0;
	CU_ASSERT_EQUAL(count(), 0);
	filter.listener = 1;
	CU_ASSERT_EQUAL(connections_filter_client(&filter, "10.0.0.2"), 0);
	CU_ASSERT_EQUAL(count(), 1);
	filter.client_ip[0] = '\0';
	CU_ASSERT_EQUAL(connections_filter_client(&filter, "10.0.0.2:4001"), 0);
	CU_ASSERT_EQUAL(count(), 0);
	filter.client[0] = '\0';
	CU_ASSERT_EQUAL(connections_filter_endpoint(&filter, "10.1.0.9:8080"), 0);
	CU_ASSERT_EQUAL(count(), 3);
}

static void an_address_may_be_written_in_any_way(void)
{
	static const struct {
		const char *text;
		int rc;
		const char *client, *client_ip;
	} rows[] = {
		{"10.0.0.1", 0, "", "10.0.0.1:"},
		{"10.0.0.1:80", 0, "10.0.0.1:80", ""},
		{"2001:DB8:0::1", 0, "", "[2001:db8::1]:"},
		{"[2001:db8:0::1]:080", 0, "[2001:db8::1]:80", ""},
		{"::1", 0, "", "[::1]:"},
		{"10.0.0.1:", -22, "", ""},
		{"10.0.0.1:65536", -22, "", ""},
		{"10.0.0.1:80x", -22, "", ""},
		{"10.0.0:80", -22, "", ""},
		{"[10.0.0.1]:80", -22, "", ""},
		{"[::1]", -22, "", ""},
		{"[]:80", -22, "", ""},
		{":80", -22, "", ""},
		{"a:80", -22, "", ""},
		{"", -22, "", ""},
		{"1111111111111111111111111111111111111111111111111111111111111:80", -22, "", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup();
		CU_ASSERT_EQUAL(connections_filter_client(&filter, rows[i].text), rows[i].rc);
		if (rows[i].rc)
			continue;
		CU_ASSERT_STRING_EQUAL(filter.client, rows[i].client);
		CU_ASSERT_STRING_EQUAL(filter.client_ip, rows[i].client_ip);
	}
	CU_ASSERT_EQUAL(connections_states("open"), 0);
	CU_ASSERT_EQUAL(connections_states("free"), 0);
	CU_ASSERT_EQUAL(connections_states(""), 0);
}

static void pages_cover_the_table_once(void)
{
	uint64_t cursor = 0;
	size_t rows = 0, pages = 0;
	const json_t *next;
	json_t *json;

	setup();
	for (uint32_t i = 0; i < ENTRIES; i++)
		connection(i);
	do {
		json = answer(cursor, 10);
		rows += rows_of(json);
		next = json_object_get(json, "next");
		cursor = (uint64_t)json_integer_value(next);
		CU_ASSERT_TRUE_FATAL(++pages <= 7);
		if (json_is_null(next))
			cursor = 0;
		json_decref(json);
	} while (cursor);
	CU_ASSERT_EQUAL(rows, ENTRIES);
	CU_ASSERT_EQUAL(pages, 7);
	json = answer(UINT64_MAX, 10);
	CU_ASSERT_EQUAL(rows_of(json), 0);
	CU_ASSERT_TRUE(json_is_null(json_object_get(json, "next")));
	json_decref(json);
}

/* Whatever lies there: an answer that is JSON. */
static void garbage_gives_rows(void)
{
	unsigned int seed = 1;

	setup();
	filter.states = connections_states("all");
	memset(clusters[2].name, '\xff', sizeof(clusters[2].name));
	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(table) / (sizeof(int)); i++)
			((int *)table)[i] = rand_r(&seed);
		for (uint32_t i = 0; i < ENTRIES; i++)
			table[i].state = (uint8_t)(rand_r(&seed) % 10);
		count();
	}
}

static int stop;

/* The owner of one entry: now one connection, now another. */
static void *change(void *arg)
{
	uint64_t *words = (uint64_t *)table;

	for (uint32_t n = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++) {
		__atomic_store_n(&table[0].state, CONN_FREE, __ATOMIC_RELEASE);
		/* fwd: address and port are of one number, in two words. */
		__atomic_store_n(&words[0], (uint64_t)n % 200 | (uint64_t)n % 200 << 32,
				 __ATOMIC_RELEASE);
		__atomic_store_n(&words[1],
				 (uint64_t)n % 200 | (uint64_t)PROTO_TCP << 40 |
					 (uint64_t)FAMILY_V4 << 48,
				 __ATOMIC_RELEASE);
		__atomic_store_n(&table[0].created_ns, n, __ATOMIC_RELEASE);
		__atomic_store_n(&table[0].state, CONN_ESTABLISHED, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void a_row_is_of_one_connection(void)
{
	pthread_t thread;

	setup();
	__atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, change, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		json_t *json = answer(0, 1);
		const json_t *row = json_array_get(json_object_get(json, "connections"), 0);
		const char *client = text_of(row, "client");

		if (row &&
		    strtoul(client, NULL, 10) != strtoul(strchr(client, ':') + 1, NULL, 10) >> 8)
			CU_FAIL("halves of two connections");
		json_decref(json);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_row_says_who_talks_to_whom),
	SUITE_TEST(a_key_that_is_not_there_is_not_shown),
	SUITE_TEST(an_idle_time_that_the_deadline_does_not_tell_is_not_told),
	SUITE_TEST(filters_leave_out_the_others),
	SUITE_TEST(an_address_may_be_written_in_any_way),
	SUITE_TEST(pages_cover_the_table_once),
	SUITE_TEST(garbage_gives_rows),
	SUITE_TEST(a_row_is_of_one_connection),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("connections_json", tests);
}
