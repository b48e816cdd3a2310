/* SPDX-License-Identifier: Apache-2.0 */
/* Probes against a server in the same loop. */
#include "tests/unit/controlplane/health_server.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/health_reason.h"

/* Who is being answered meanwhile may be reset: the next one is refused. */
static void server_goes(void)
{
	cluster()->health.unhealthy_threshold = 2;
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	uv_close((uv_handle_t *)&server, NULL);
}

static void a_connection_is_healthy_and_a_refusal_is_not(void)
{
	struct event event;
	uint64_t seq, lost = 0;

	begin(HEALTH_TCP);
	seq = region.events->head;
	run_until_health(HEALTH_HEALTHY);
	CU_ASSERT_EQUAL(admin(0).why, HEALTH_REASON_NONE);
	CU_ASSERT_EQUAL(admin(0).since_ms, 0);
	CU_ASSERT_EQUAL(event_read(region.events, &seq, &event, &lost), 1);
	CU_ASSERT_EQUAL(event.kind, EVENT_HEALTH_CHANGED);
	CU_ASSERT_EQUAL(event.subject, SUBJECT_ENDPOINT);
	CU_ASSERT_EQUAL(admin_unpack(event.detail).health, HEALTH_HEALTHY);
	CU_ASSERT_EQUAL(event.observed, 0);
	server_goes();
	run_until_health(HEALTH_UNHEALTHY);
	CU_ASSERT_EQUAL(admin(0).why, HEALTH_REASON_REFUSED);
	CU_ASSERT_NOT_EQUAL(admin(0).since_ms, 0);
	/* Two changes of each of the two: later probes say
	 * nothing new. */
	run_for(5 * INTERVAL_MS);
	CU_ASSERT_EQUAL(region.events->head - seq, 3);
	end();
}

/* A full accept queue: the kernel drops the SYN, and the probe is given up. */
static void a_connection_that_nobody_accepts_times_out(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(address);
	int full[4];

	begin(HEALTH_TCP);
	run_until_health(HEALTH_HEALTHY);
	full[0] = socket(AF_INET, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL(bind(full[0], (struct sockaddr *)&address, size), 0);
	CU_ASSERT_EQUAL(listen(full[0], 0), 0);
	getsockname(full[0], (struct sockaddr *)&address, &size);
	for (int i = 1; i < 4; i++) {
		full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(full[i], (struct sockaddr *)&address, size);
	}
	cluster()->health.port = ntohs(address.sin_port);
	cluster()->health.timeout_ms = TIMEOUT_MS;
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	run_until_health(HEALTH_UNHEALTHY);
	CU_ASSERT_EQUAL(admin(0).why, HEALTH_REASON_TIMEOUT);
	for (int i = 0; i < 4; i++)
		close(full[i]);
	end();
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void http_answers_have_their_verdict(void)
{
	static const struct {
		const char *answer;
		int endless;
		enum health_reason reason;
	} rows[] = {
		{OK, 0, HEALTH_REASON_NONE},
		{"HTTP/1.0 204 No\r\n\r\n", 0, HEALTH_REASON_NONE},
		{"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
		 0, HEALTH_REASON_NONE},
		{"HTTP/1.1 399 X\r\nContent-Length: 0\r\n\r\n", 0, HEALTH_REASON_NONE},
		{"HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n", 0, HEALTH_REASON_STATUS},
		{"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", 0, HEALTH_REASON_STATUS},
		{"HTTP/1.1 200 OK\r\n\r\n", 1, HEALTH_REASON_NONE},
		{"HTTP/1.1 500 X\r\n\r\n", 1, HEALTH_REASON_STATUS},
		{"HTTP/1.1 200 OK\r\nX: ", 1, HEALTH_REASON_PROTOCOL},
		{"SSH-2.0-x\r\n", 0, HEALTH_REASON_PROTOCOL},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", 0, HEALTH_REASON_RESET},
		{"", 0, HEALTH_REASON_RESET},
		{NULL, 0, HEALTH_REASON_TIMEOUT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t wanted =
			rows[i].reason == HEALTH_REASON_NONE ? HEALTH_HEALTHY : HEALTH_UNHEALTHY;

		compile(HEALTH_HTTP);
		prepare();
		answer = rows[i].answer;
		endless = rows[i].endless;
		if (rows[i].reason == HEALTH_REASON_TIMEOUT)
			cluster()->health.timeout_ms = TIMEOUT_MS;
		CU_ASSERT_EQUAL(health_sync(health, image), 0);
		run_until_health(wanted);
		if (admin(0).why != rows[i].reason)
			printf(" row %zu: %s\n", i, health_reason_name(admin(0).why));
		CU_ASSERT_EQUAL(admin(0).why, rows[i].reason);
		end();
	}
}

static void http_without_a_server_is_refused(void)
{
	begin(HEALTH_HTTP);
	answer = OK;
	run_until_health(HEALTH_HEALTHY);
	server_goes();
	run_until_health(HEALTH_UNHEALTHY);
	CU_ASSERT_EQUAL(admin(0).why, HEALTH_REASON_REFUSED);
	end();
}

static void ipv6_endpoints_are_probed_from_an_ipv6_address(void)
{
	static const enum image_health_type types[] = {HEALTH_TCP, HEALTH_HTTP};

	family = FAMILY_V6;
	for (int i = 0; i < 2; i++) {
		begin(types[i]);
		answer = OK;
		run_until_health(HEALTH_HEALTHY);
		CU_ASSERT(connections > 0);
		server_goes();
		run_until_health(HEALTH_UNHEALTHY);
		CU_ASSERT_EQUAL(admin(0).why, HEALTH_REASON_REFUSED);
		end();
	}
	family = FAMILY_V4;
}

static void a_request_says_what_the_policy_says(void)
{
	begin(HEALTH_HTTP);
	answer = OK;
	run_until_health(HEALTH_HEALTHY);
	CU_ASSERT_EQUAL(strncmp(request, "GET /up?x=1 HTTP/1.1\r\n", 22), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(request, "\r\nHost: web.test\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(request, "\r\nConnection: close\r\n"));
	end();
}

static void another_port_is_probed_when_the_policy_says_so(void)
{
	begin(HEALTH_TCP);
	endpoint()[0].port = endpoint()[1].port = htons(1);
	cluster()->health.port = ntohs(server_port);
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	run_until_health(HEALTH_HEALTHY);
	end();
}

static void a_source_that_is_not_ours_says_nothing(void)
{
	for (enum image_health_type type = HEALTH_TCP; type <= HEALTH_HTTP; type++) {
		compile(type);
		prepare();
		/* TEST-NET-1 */
		cluster()->health.source = image_ip_v4(htonl(0xc0000201));
		CU_ASSERT_EQUAL(health_sync(health, image), 0);
		run_for(5 * INTERVAL_MS);
		CU_ASSERT_EQUAL(admin(0).health, HEALTH_UNKNOWN);
		CU_ASSERT_EQUAL(connections, 0);
		CU_ASSERT_EQUAL(region.events->head, 0);
		end();
	}
}

/* What this process lacks says nothing about an endpoint. */
static void without_a_file_descriptor_nothing_is_said(void)
{
	for (enum image_health_type type = HEALTH_TCP; type <= HEALTH_HTTP; type++) {
		struct rlimit before, none;

		compile(type);
		prepare();
		answer = OK;
		getrlimit(RLIMIT_NOFILE, &before);
		none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
		setrlimit(RLIMIT_NOFILE, &none);
		CU_ASSERT_EQUAL(health_sync(health, image), 0);
		run_for(5 * INTERVAL_MS);
		setrlimit(RLIMIT_NOFILE, &before);
		CU_ASSERT_EQUAL(admin(0).health, HEALTH_UNKNOWN);
		CU_ASSERT_EQUAL(connections, 0);
		run_until_health(HEALTH_HEALTHY);
		end();
	}
}

static void an_observed_check_writes_events_only(void)
{
	struct event event;
	uint64_t seq = 0, lost = 0;

	begin(HEALTH_TCP);
	cluster()->health.mode = MODE_OBSERVE;
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	while (region.events->head < 2)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_EQUAL(event_read(region.events, &seq, &event, &lost), 1);
	CU_ASSERT_EQUAL(event.observed, 1);
	CU_ASSERT_EQUAL(admin_unpack(event.detail).health, HEALTH_HEALTHY);
	CU_ASSERT_EQUAL(admin(0).health, HEALTH_UNKNOWN);
	/* In force it starts anew. */
	cluster()->health.mode = MODE_ENFORCE;
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	run_until_health(HEALTH_HEALTHY);
	cluster()->health.mode = MODE_OBSERVE;
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	CU_ASSERT_EQUAL(admin(0).health, HEALTH_UNKNOWN);
	end();
}

static void a_check_that_goes_leaves_no_word(void)
{
	begin(HEALTH_TCP);
	run_until_health(HEALTH_HEALTHY);
	memset(&cluster()->health, 0, sizeof(cluster()->health));
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	CU_ASSERT_EQUAL(admin(0).health, HEALTH_UNKNOWN);
	run_for(INTERVAL_MS); /* the server takes whom the last probes left */
	connections = 0;
	run_for(5 * INTERVAL_MS);
	CU_ASSERT_EQUAL(connections, 0);
	end();
}

static void an_endpoint_that_leaves_is_no_longer_probed(void)
{
	begin(HEALTH_TCP);
	run_until_health(HEALTH_HEALTHY);
	cluster()->endpoint_count = 1;
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	CU_ASSERT_EQUAL(admin(0).health, HEALTH_HEALTHY);
	CU_ASSERT_EQUAL(admin(1).health, HEALTH_UNKNOWN);
	cluster()->endpoint_count = 2;
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	run_until_health(HEALTH_HEALTHY);
	end();
}

static void a_reload_keeps_state_and_schedule(void)
{
	begin(HEALTH_TCP);
	run_until_health(HEALTH_HEALTHY);
	run_until_connections(6);
	/* Synced more often than probed: were it started anew each time, no probe would be. */
	connections = 0;
	for (int i = 0; i < 200; i++) {
		CU_ASSERT_EQUAL(health_sync(health, image), 0);
		run_for(1);
	}
	CU_ASSERT(connections > 20);
	CU_ASSERT_EQUAL(region.events->head, 2);
	end();
}

static void a_new_control_plane_goes_on_from_the_word(void)
{
	begin(HEALTH_TCP);
	cluster()->health.healthy_threshold = 100;
	run_until_health(HEALTH_HEALTHY);
	server_goes();
	run_until_health(HEALTH_UNHEALTHY);
	health_stop(health);
	run_for(1);
	CU_ASSERT_EQUAL(admin(0).health, HEALTH_UNHEALTHY);
	listen_here();
	endpoint()[0].port = endpoint()[1].port = server_port;
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
	connections = 0;
	run_until_connections(8);
	CU_ASSERT_EQUAL(admin(0).health, HEALTH_UNHEALTHY);
	CU_ASSERT_EQUAL(admin(0).why, HEALTH_REASON_REFUSED);
	end();
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_connection_is_healthy_and_a_refusal_is_not),
	SUITE_TEST(a_connection_that_nobody_accepts_times_out),
	SUITE_TEST(http_answers_have_their_verdict),
	SUITE_TEST(http_without_a_server_is_refused),
	SUITE_TEST(ipv6_endpoints_are_probed_from_an_ipv6_address),
	SUITE_TEST(a_request_says_what_the_policy_says),
	SUITE_TEST(another_port_is_probed_when_the_policy_says_so),
	SUITE_TEST(a_source_that_is_not_ours_says_nothing),
	SUITE_TEST(without_a_file_descriptor_nothing_is_said),
	SUITE_TEST(an_observed_check_writes_events_only),
	SUITE_TEST(a_check_that_goes_leaves_no_word),
	SUITE_TEST(an_endpoint_that_leaves_is_no_longer_probed),
	SUITE_TEST(a_reload_keeps_state_and_schedule),
	SUITE_TEST(a_new_control_plane_goes_on_from_the_word),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("health", tests);
}
