/* SPDX-License-Identifier: Apache-2.0 */
/* Names against a DNS server in the same loop. */
#include "controlplane/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

enum {
	TYPE_A = 1,
	TYPE_AAAA = 28,
	TYPE_SRV = 33,
	NAME_ERROR = 3,
	SERVER_FAILURE = 2,
	REFRESH_MS = 100
};

/* One record the server has. */
struct record {
	const char *name;
	uint16_t type;
	uint32_t ip; /* the end of it, in AAAA: fd00::<ip> */
	uint16_t priority, weight, port;
	const char *target;
};

static uv_loop_t loop;
static uv_udp_t server;
static char servers[32];
static struct resolver *resolver;
static struct image_header *image;
static const struct record *zone;
static int failure;         /* response code for every question; 0: none */
static uint32_t unanswered; /* questions from now on */
static uint32_t changes;
static uint32_t questions;

static void put16(uint8_t **at, uint32_t value)
{
	*(*at)++ = (uint8_t)(value >> 8);
	*(*at)++ = (uint8_t)value;
}

static void put_name(uint8_t **at, const char *name)
{
	while (*name) {
		size_t bytes = strcspn(name, ".");

		*(*at)++ = (uint8_t)bytes;
		memcpy(*at, name, bytes);
		*at += bytes;
		name += bytes + (name[bytes] == '.');
	}
	*(*at)++ = 0;
}

static void put_record(uint8_t **at, const struct record *r)
{
	uint8_t *length;

	put16(at, 0xc00c); /* the question's name */
	put16(at, r->type);
	put16(at, 1);
	put16(at, 0);
	put16(at, 60);
	length = *at;
	*at += 2;
	for (int i = 0; r->type == TYPE_AAAA && i < 6; i++)
		put16(at, i == 0 ? 0xfd00 : 0);
	if (r->type != TYPE_SRV) {
		put16(at, r->ip >> 16);
		put16(at, r->ip & 0xffff);
	} else {
		put16(at, r->priority);
		put16(at, r->weight);
		put16(at, r->port);
		put_name(at, r->target);
	}
	put16(&length, (uint32_t)(*at - length - 2));
}

/* The name in the question at @at, dotted; return the byte behind it. */
static const uint8_t *get_name(const uint8_t *at, char *out)
{
	while (*at) {
		memcpy(out, at + 1, *at);
		out += *at;
		*out++ = '.';
		at += *at + 1;
	}
	out[-1] = '\0';
	return at + 1;
}

static size_t reply(const uint8_t *query, uint8_t *out)
{
	char name[256];
	const uint8_t *behind = get_name(query + 12, name);
	uint16_t type = (uint16_t)(behind[0] << 8 | behind[1]);
	size_t question = (size_t)(behind + 4 - query);
	uint8_t *at = out + question;
	uint16_t found = 0, known = 0;

	questions++;
	memcpy(out, query, question);
	memset(out + 6, 0, 6);
	out[2] = 0x81;
	for (const struct record *r = zone; r && r->name && !failure; r++) {
		if (strcmp(r->name, name) != 0)
			continue;
		known = 1;
		if (r->type != type)
			continue;
		put_record(&at, r);
		found++;
	}
	out[3] = (uint8_t)(0x80 | (failure ? failure : known ? 0 : NAME_ERROR));
	out[6] = (uint8_t)(found >> 8);
	out[7] = (uint8_t)found;
	return (size_t)(at - out);
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	static char space[2048];

	*buf = uv_buf_init(space, sizeof(space));
}

static void on_query(uv_udp_t *handle, ssize_t bytes, const uv_buf_t *buf,
		     const struct sockaddr *from, unsigned int flags)
{
	static uint8_t out[8192];
	uv_buf_t answer;

	if (bytes < 12 || !from)
		return;
	answer = uv_buf_init((char *)out, (unsigned int)reply((const uint8_t *)buf->base, out));
	if (unanswered > 0) {
		unanswered--;
		return;
	}
	uv_udp_try_send(handle, &answer, 1, from);
}

static void on_changed(void *ctx)
{
	changes++;
}

static struct image_header *policy(const char *dns)
{
	char to[256];

	snprintf(to, sizeof(to), "endpoints: {dns: %s, refresh: 100ms}", dns);
	return fixture_compile_with("endpoints: [{address: '10.1.0.13:53'}]", to);
}

static void begin(const char *dns)
{
	struct resolver_config config = {.loop = &loop, .servers = servers, .changed = on_changed};
	struct sockaddr_in address;
	int size = sizeof(address);
	char why[160];

	uv_loop_init(&loop);
	uv_ip4_addr("127.0.0.1", 0, &address);
	uv_udp_init(&loop, &server);
	uv_udp_bind(&server, (struct sockaddr *)&address, 0);
	uv_udp_recv_start(&server, on_alloc, on_query);
	uv_udp_getsockname(&server, (struct sockaddr *)&address, &size);
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", ntohs(address.sin_port));
	failure = 0;
	changes = questions = unanswered = 0;
	image = policy(dns);
	CU_ASSERT_EQUAL_FATAL(resolver_create(&resolver, &config, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(resolver_sync(resolver, image), 0);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void end(void)
{
	resolver_stop(resolver);
	uv_walk(&loop, close_handle, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
	resolver_free(resolver);
	free(image);
}

/* A test that hangs is ended by its runner. */
static void run_until(const uint32_t *what, uint32_t value)
{
	while (*what < value)
		uv_run(&loop, UV_RUN_ONCE);
}

/* Two rounds: then an answer to a question that was asked later has been taken. */
static void run_two_rounds(void)
{
	run_until(&questions, questions + 3);
}

static const struct endpoint_set *set(void)
{
	const struct endpoint_sets *sets = resolver_sets(resolver);

	CU_ASSERT_EQUAL_FATAL(sets->count, 1);
	return &sets->sets[0];
}

static uint32_t ip_of(size_t number)
{
	uint32_t ip;

	memcpy(&ip, &set()->endpoints[number].address.ip.b[12], sizeof(ip));
	return ntohl(ip);
}

static const struct record two[] = {
	{.name = "x.test", .type = TYPE_A, .ip = 0x0a010015},
	{.name = "x.test", .type = TYPE_A, .ip = 0x0a010014},
	{.name = "x.test", .type = TYPE_A, .ip = 0x0a010015},
	{0},
};
static const struct record one[] = {
	{.name = "x.test", .type = TYPE_A, .ip = 0x0a010016},
	{0},
};

static void addresses_become_a_sorted_set(void)
{
	zone = two;
	begin("'x.test:53'");
	CU_ASSERT_EQUAL(set()->count, 0);
	run_until(&changes, 1);
	CU_ASSERT_STRING_EQUAL(set()->cluster, "dns");
	CU_ASSERT_EQUAL_FATAL(set()->count, 2);
	CU_ASSERT_EQUAL(ip_of(0), 0x0a010014);
	CU_ASSERT_EQUAL(set()->endpoints[0].address.port, htons(53));
	CU_ASSERT_EQUAL(set()->endpoints[0].weight, 1);
	/* The listener is of IPv4: nobody asks for AAAA. The same answer is no change. */
	run_two_rounds();
	CU_ASSERT_EQUAL(changes, 1);
	zone = one;
	run_until(&changes, 2);
	CU_ASSERT_EQUAL_FATAL(set()->count, 1);
	CU_ASSERT_EQUAL(ip_of(0), 0x0a010016);
	end();
}

static void the_last_good_set_stays(void)
{
	static const int failures[] = {SERVER_FAILURE, NAME_ERROR};

	for (size_t i = 0; i < 2; i++) {
		zone = two;
		begin("'x.test:53'");
		run_until(&changes, 1);
		failure = failures[i];
		run_two_rounds();
		CU_ASSERT_EQUAL(changes, 1);
		CU_ASSERT_EQUAL(set()->count, 2);
		failure = 0;
		zone = one;
		run_until(&changes, 2);
		CU_ASSERT_EQUAL(set()->count, 1);
		end();
	}
}

static void without_stale_ok_a_failure_empties_it(void)
{
	zone = two;
	begin("'x.test:53', stale_ok: false");
	run_until(&changes, 1);
	failure = NAME_ERROR;
	run_until(&changes, 2);
	CU_ASSERT_EQUAL(set()->count, 0);
	failure = 0;
	run_until(&changes, 3);
	CU_ASSERT_EQUAL(set()->count, 2);
	end();
}

static void services_have_ports_weights_and_priorities(void)
{
	static const struct record services[] = {
		{"_x._tcp.test", TYPE_SRV, 0, 20, 5, 8080, "far.test"},
		{"_x._tcp.test", TYPE_SRV, 0, 10, 3, 8081, "near.test"},
		{"_x._tcp.test", TYPE_SRV, 0, 10, 1, 8082, "gone.test"},
		{"near.test", TYPE_A, 0x0a010014, 0, 0, 0, NULL},
		{"far.test", TYPE_A, 0x0a010015, 0, 0, 0, NULL},
		{0},
	};

	zone = services;
	begin("_x._tcp.test");
	run_until(&changes, 1);
	CU_ASSERT_EQUAL_FATAL(set()->count, 2);
	CU_ASSERT_EQUAL(ip_of(0), 0x0a010014);
	CU_ASSERT_EQUAL(set()->endpoints[0].address.port, htons(8081));
	CU_ASSERT_EQUAL(set()->endpoints[0].weight, 3);
	CU_ASSERT_EQUAL(set()->endpoints[0].priority, 0);
	CU_ASSERT_EQUAL(set()->endpoints[1].address.port, htons(8080));
	CU_ASSERT_EQUAL(set()->endpoints[1].priority, 1);
	end();
}

/* Else a name of this machine's own domain could stand for it. */
static void the_target_of_a_service_is_a_whole_name(void)
{
	static const struct record services[] = {
		{"_x._tcp.test", TYPE_SRV, 0, 10, 3, 8081, "near.test"},
		{"near.test", TYPE_A, 0x0a010014, 0, 0, 0, NULL},
		{"near.test.own.test", TYPE_A, 0x0a010066, 0, 0, 0, NULL},
		{0},
	};

	setenv("LOCALDOMAIN", "own.test", 1);
	setenv("RES_OPTIONS", "ndots:5", 1);
	zone = services;
	begin("_x._tcp.test");
	run_until(&changes, 1);
	unsetenv("LOCALDOMAIN");
	unsetenv("RES_OPTIONS");
	CU_ASSERT_EQUAL_FATAL(set()->count, 1);
	CU_ASSERT_EQUAL(ip_of(0), 0x0a010014);
	end();
}

/* Another listener may change what is asked, not the name. */
static void a_change_of_family_keeps_the_last_good_set(void)
{
	struct image_listener *listeners;
	struct image_cluster *dns;

	zone = one;
	begin("'x.test:53'");
	run_until(&changes, 1);
	failure = NAME_ERROR;
	listeners = (void *)(uintptr_t)IMAGE_ARRAY(image, struct image_listener, listeners);
	for (uint32_t i = 0; i < image->listeners.count; i++)
		listeners[i].cluster = 0;
	dns = (void *)(uintptr_t)&IMAGE_ARRAY(image, struct image_cluster, clusters)[1];
	dns->first_endpoint = 0;
	dns->endpoint_count = 1;
	CU_ASSERT_EQUAL(resolver_sync(resolver, image), 0);
	run_until(&questions, questions + 9);
	CU_ASSERT_EQUAL(set()->count, 1);
	end();
}

static void ipv6_listeners_ask_for_ipv6_addresses(void)
{
	static const struct record both[] = {
		{.name = "x.test", .type = TYPE_A, .ip = 0x0a010014},
		{.name = "x.test", .type = TYPE_AAAA, .ip = 0x0a010015},
		{0},
	};
	struct image_listener *listeners;

	zone = both;
	begin("'x.test:53'");
	run_until(&changes, 1);
	CU_ASSERT_EQUAL(set()->endpoints[0].address.family, FAMILY_V4);
	listeners = (void *)(uintptr_t)IMAGE_ARRAY(image, struct image_listener, listeners);
	for (uint32_t i = 0; i < image->listeners.count; i++)
		listeners[i].family = FAMILY_V6;
	CU_ASSERT_EQUAL(resolver_sync(resolver, image), 0);
	run_until(&changes, 2);
	CU_ASSERT_EQUAL_FATAL(set()->count, 1);
	CU_ASSERT_EQUAL(set()->endpoints[0].address.family, FAMILY_V6);
	CU_ASSERT_EQUAL(set()->endpoints[0].address.ip.b[0], 0xfd);
	CU_ASSERT_EQUAL(ip_of(0), 0x0a010015);
	end();
}

/* After RESOLVE_TIMEOUT_MS: nothing comes that would wake c-ares. */
static void a_question_that_was_lost_is_asked_again(void)
{
	zone = two;
	begin("'x.test:53'");
	unanswered = 1;
	run_until(&changes, 1);
	CU_ASSERT(questions >= 2);
	CU_ASSERT_EQUAL(set()->count, 2);
	end();
}

static void another_name_keeps_the_endpoints_until_it_is_known(void)
{
	struct image_header *next = policy("'y.test:53'");
	static const struct record both[] = {
		{.name = "x.test", .type = TYPE_A, .ip = 0x0a010014},
		{.name = "y.test", .type = TYPE_A, .ip = 0x0a010018},
		{0},
	};

	zone = both;
	begin("'x.test:53'");
	run_until(&changes, 1);
	CU_ASSERT_EQUAL(resolver_sync(resolver, image), 0);
	CU_ASSERT_EQUAL(set()->count, 1);
	zone = one; /* y.test is not there: what x.test was is not its last good set */
	CU_ASSERT_EQUAL(resolver_sync(resolver, next), 0);
	run_two_rounds();
	CU_ASSERT_EQUAL(set()->count, 0);
	zone = both;
	while (set()->count == 0)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_EQUAL(ip_of(0), 0x0a010018);
	end();
	free(next);
}

static void a_reload_keeps_set_and_schedule(void)
{
	zone = two;
	begin("'x.test:53'");
	run_until(&changes, 1);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(resolver_sync(resolver, image), 0);
	CU_ASSERT_EQUAL(questions, 1);
	CU_ASSERT_EQUAL(set()->count, 2);
	run_two_rounds();
	CU_ASSERT_EQUAL(changes, 1);
	end();
}

static void it_can_be_stopped_with_questions_on_their_way(void)
{
	zone = two;
	begin("'x.test:53'");
	uv_run(&loop, UV_RUN_NOWAIT);
	end();
	CU_ASSERT_EQUAL(changes, 0);
}

static void a_server_that_is_no_address_is_refused(void)
{
	struct resolver_config config = {.loop = &loop, .servers = "nonsense"};
	char why[160] = "";

	CU_ASSERT_EQUAL(resolver_create(&resolver, &config, why, sizeof(why)), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "nonsense"));
}

static CU_TestInfo tests[] = {
	SUITE_TEST(addresses_become_a_sorted_set),
	SUITE_TEST(the_last_good_set_stays),
	SUITE_TEST(without_stale_ok_a_failure_empties_it),
	SUITE_TEST(services_have_ports_weights_and_priorities),
	SUITE_TEST(the_target_of_a_service_is_a_whole_name),
	SUITE_TEST(a_change_of_family_keeps_the_last_good_set),
	SUITE_TEST(ipv6_listeners_ask_for_ipv6_addresses),
	SUITE_TEST(a_question_that_was_lost_is_asked_again),
	SUITE_TEST(another_name_keeps_the_endpoints_until_it_is_known),
	SUITE_TEST(a_reload_keeps_set_and_schedule),
	SUITE_TEST(it_can_be_stopped_with_questions_on_their_way),
	SUITE_TEST(a_server_that_is_no_address_is_refused),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("resolve", tests);
}
