/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks in a loop, and in the same loop the server that they probe. */
#ifndef FENDER_TESTS_HEALTH_SERVER_H
#define FENDER_TESTS_HEALTH_SERVER_H

#include "controlplane/health.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "shm/registry.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

/* PATIENT_MS: a probe fails by its server, not because the machine is busy. */
enum { INTERVAL_MS = 10, TIMEOUT_MS = 60, PATIENT_MS = 10000 };

static uv_loop_t loop;
static struct region region;
static struct image_header *image;
static struct health *health;

/* What the server does with a connection. */
static const char *answer; /* NULL: nothing; "": it closes at once */
static int endless;
static uv_tcp_t server;
static uint16_t server_port; /* network order */
static uint32_t connections;
static uint32_t open_now, open_most;
static enum image_family family = FAMILY_V4;
static char request[2048];

static inline void on_gone(uv_handle_t *handle)
{
	open_now--;
	free(handle);
}

static inline void hang_up(uv_stream_t *stream)
{
	if (!uv_is_closing((uv_handle_t *)stream))
		uv_close((uv_handle_t *)stream, on_gone);
}

static inline void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	static char space[2048];

	*buf = uv_buf_init(space, sizeof(space) - 1);
}

static inline void say(uv_stream_t *stream)
{
	static char filler[4096];
	uv_buf_t head = uv_buf_init((char *)(uintptr_t)answer, (unsigned int)strlen(answer));
	uv_buf_t body = uv_buf_init(filler, sizeof(filler));

	uv_try_write(stream, &head, 1);
	while (endless && uv_try_write(stream, &body, 1) > 0)
		;
	if (!endless)
		hang_up(stream);
}

static inline void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buf)
{
	if (bytes < 0) {
		hang_up(stream);
		return;
	}
	snprintf(request, sizeof(request), "%.*s", (int)bytes, buf->base);
	if (answer && bytes > 0)
		say(stream);
}

static inline void on_connection(uv_stream_t *listener, int status)
{
	uv_tcp_t *client = malloc(sizeof(*client));

	connections++;
	open_now++;
	open_most = open_now > open_most ? open_now : open_most;
	uv_tcp_init(&loop, client);
	uv_accept(listener, (uv_stream_t *)client);
	if (answer && !answer[0])
		hang_up((uv_stream_t *)client);
	else
		uv_read_start((uv_stream_t *)client, on_alloc, on_read);
}

static inline struct image_ip loopback(void)
{
	struct image_ip ip = {.b = {[15] = 1}};

	if (family == FAMILY_V4)
		ip = image_ip_v4(htonl(INADDR_LOOPBACK));
	return ip;
}

static inline void listen_here(void)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	int size = sizeof(address);

	if (family == FAMILY_V6)
		uv_ip6_addr("::1", 0, &address.v6);
	else
		uv_ip4_addr("127.0.0.1", 0, &address.v4);
	uv_tcp_init(&loop, &server);
	CU_ASSERT_EQUAL_FATAL(uv_tcp_bind(&server, &address.any, 0), 0);
	uv_listen((uv_stream_t *)&server, 1024, on_connection);
	uv_tcp_getsockname(&server, &address.any, &size);
	server_port = address.v4.sin_port; /* where IPv6 has it, too */
}

static inline struct image_cluster *cluster(void)
{
	return (struct image_cluster *)(uintptr_t)IMAGE_ARRAY(image, struct image_cluster,
							      clusters);
}

static inline struct image_endpoint *endpoint(void)
{
	return (struct image_endpoint *)(uintptr_t)IMAGE_ARRAY(image, struct image_endpoint,
							       endpoints);
}

static inline struct admin_word admin(uint32_t number)
{
	uint32_t slot = registry_find(region.endpoint_registry, region.shape.endpoint_slots,
				      endpoint()[number].key);

	return admin_unpack(region.endpoint_state[slot].admin);
}

/* All endpoints of the first cluster become our server: a policy cannot say so. */
static inline void prepare(void)
{
	fixture_region(&region, image);
	uv_loop_init(&loop);
	listen_here();
	for (uint32_t i = 0; i < cluster()->endpoint_count; i++) {
		endpoint()[i].ip = loopback();
		endpoint()[i].port = server_port;
	}
	cluster()->health.source = loopback();
	cluster()->health.interval_ms = INTERVAL_MS;
	cluster()->health.unhealthy_interval_ms = INTERVAL_MS;
	cluster()->health.timeout_ms = PATIENT_MS;
	answer = NULL;
	endless = 0;
	connections = open_now = open_most = 0;
	CU_ASSERT_EQUAL_FATAL(health_create(&health, &loop, &region), 0);
}

static inline void start(void)
{
	prepare();
	CU_ASSERT_EQUAL(health_sync(health, image), 0);
}

static inline void compile(enum image_health_type type)
{
	image = fixture_compile_with(
		"  - name: web\n",
		type == HEALTH_HTTP
			? "  - name: web\n    health_check: {type: http, path: '/up?x=1', host: "
			  "web.test, source: 10.1.0.3, healthy_threshold: 1, unhealthy_threshold: "
			  "1}\n"
			: "  - name: web\n    health_check: {type: tcp, source: 10.1.0.3, "
			  "unhealthy_threshold: 1}\n");
}

static inline void begin(enum image_health_type type)
{
	compile(type);
	start();
}

static inline void close_handle(uv_handle_t *handle, void *arg)
{
	if (uv_is_closing(handle))
		return;
	uv_close(handle,
		 handle->type == UV_TCP && handle != (uv_handle_t *)&server ? on_gone : NULL);
}

static inline void end(void)
{
	health_stop(health);
	uv_walk(&loop, close_handle, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
	health_free(health);
	region_close(&region);
	free(image);
}

/* A test that hangs is ended by its runner. */
static inline void run_until_health(uint8_t wanted)
{
	while (admin(0).health != wanted || admin(1).health != wanted)
		uv_run(&loop, UV_RUN_ONCE);
}

static inline void run_until_connections(uint32_t wanted)
{
	while (connections < wanted)
		uv_run(&loop, UV_RUN_ONCE);
}

static inline void on_time(uv_timer_t *timer)
{
	*(int *)timer->data = 1;
}

static inline void run_for(uint64_t ms)
{
	static uv_timer_t timer;
	int over = 0;

	uv_timer_init(&loop, &timer);
	timer.data = &over;
	uv_update_time(&loop);
	uv_timer_start(&timer, on_time, ms, 0);
	while (!over)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

#endif
