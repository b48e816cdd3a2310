/* SPDX-License-Identifier: Apache-2.0 */
/* The admin socket: server and clients in one thread, the loop run between their steps. */
#include "controlplane/admin.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/dataplane/suite.h"

enum { SLOW_CLIENTS = 150 };

static uv_loop_t loop;
static struct admin *admin;
static char socket_path[64];
static int reload_waits;
static reload_done *reload_answer;
static void *reload_ctx;

static json_t *on_stats(void *ctx)
{
	return json_pack("{s:i}", "answer", 42);
}

static int on_ready(void *ctx, char *why, size_t why_size)
{
	snprintf(why, why_size, "the test says no");
	return 0;
}

static void on_reload(void *ctx, reload_done *done, void *done_ctx)
{
	struct reload_report report = {RELOAD_INVALID, 7, "a.yaml:1:2: error\nb"};

	reload_answer = done;
	reload_ctx = done_ctx;
	if (!reload_waits)
		done(done_ctx, &report);
}

static int on_operate(void *ctx, const char *path, unsigned int *status, json_t **body)
{
	if (strcmp(path, "/breakers/web/open") != 0)
		return 0;
	*status = 200;
	*body = json_pack("{s:s}", "result", "ok");
	return 1;
}

/* A client that has sent @request. */
static int client(const char *request)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		uv_run(&loop, UV_RUN_NOWAIT);
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		CU_FAIL("send");
	return fd;
}

/* What the server says until it closes; "" when it closes without a word. */
static const char *answer(int fd)
{
	static char text[8192];
	size_t bytes = 0;
	ssize_t n;

	while ((n = recv(fd, text + bytes, sizeof(text) - 1 - bytes, 0)) != 0) {
		if (n > 0)
			bytes += (size_t)n;
		else
			uv_run(&loop, UV_RUN_NOWAIT);
	}
	text[bytes] = '\0';
	close(fd);
	return text;
}

/* Of the answer, or 0 without one. */
static int status(const char *request)
{
	static const char start[] = "HTTP/1.1 ";
	const char *text = answer(client(request));

	if (strncmp(text, start, sizeof(start) - 1) != 0)
		return 0;
	return (int)strtol(text + sizeof(start) - 1, NULL, 10);
}

#define END " HTTP/1.1\r\nHost: f\r\n\r\n"

static void paths_and_methods_have_their_status(void)
{
	static const struct {
		const char *request;
		int status;
	} rows[] = {
		{"GET /stats" END, 200},   {"HEAD /stats" END, 200},   {"POST /stats" END, 405},
		{"GET /healthz" END, 200}, {"GET /readyz" END, 503},   {"GET /reload" END, 405},
		{"POST /reload" END, 422}, {"GET /" END, 404},         {"GET /stats/" END, 404},
		{"GET /STATS" END, 404},   {"DELETE /stats" END, 405}, {"GET /stats?x=1" END, 200},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(status(rows[i].request), rows[i].status);
}

static void operations_go_to_who_knows_the_names(void)
{
	char path[ADMIN_PATH_BYTES + 64];

	CU_ASSERT_EQUAL(status("POST /breakers/web/open HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
	CU_ASSERT_EQUAL(status("POST /breakers/web/shut HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
	CU_ASSERT_EQUAL(status("GET /breakers/web/open HTTP/1.1\r\nHost: x\r\n\r\n"), 405);
	snprintf(path, sizeof(path), "POST /breakers/%0*d/open HTTP/1.1\r\nHost: x\r\n\r\n",
		 ADMIN_PATH_BYTES, 0);
	CU_ASSERT_EQUAL(status(path), 404);
}

static void garbage_is_refused(void)
{
	CU_ASSERT_EQUAL(status("GET /stats HTTP/9.9\r\n\r\n"), 505);
	CU_ASSERT_EQUAL(status("POST /reload HTTP/1.1\r\nHost: f\r\nContent-Length: 4097\r\n\r\n"),
			413);
	CU_ASSERT_EQUAL(status("POST /reload HTTP/1.1\r\nHost: f\r\nContent-Length: -1\r\n\r\n"),
			400);
	CU_ASSERT_EQUAL(status("GET /stats" END), 200);
}

static void a_chunked_body_past_the_bound_ends_the_connection(void)
{
	static char request[8192];
	size_t bytes = (size_t)snprintf(request, sizeof(request),
					"POST /reload HTTP/1.1\r\nHost: f\r\n"
					"Transfer-Encoding: chunked\r\n\r\n1800\r\n");

	memset(request + bytes, 'x', 0x1800);
	CU_ASSERT_EQUAL(status(request), 0);
}

static void errors_come_line_by_line(void)
{
	const char *text = answer(client("POST /reload" END));

	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"errors\":[\"a.yaml:1:2: error\",\"b\"]"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"generation\":7"));
}

static void a_reload_is_answered_when_it_ends(void)
{
	struct reload_report report = {RELOAD_APPLIED, 9, ""};
	int fd;

	reload_waits = 1;
	reload_answer = NULL;
	fd = client("POST /reload" END);
	while (!reload_answer)
		uv_run(&loop, UV_RUN_NOWAIT);
	CU_ASSERT_EQUAL(status("GET /stats" END), 200);
	reload_answer(reload_ctx, &report);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer(fd), "\"result\":\"applied\""));
	reload_waits = 0;
}

static void a_client_that_leaves_before_its_answer_does_no_harm(void)
{
	struct reload_report report = {RELOAD_APPLIED, 9, ""};
	int fd;

	reload_waits = 1;
	reload_answer = NULL;
	fd = client("POST /reload" END);
	while (!reload_answer)
		uv_run(&loop, UV_RUN_NOWAIT);
	close(fd);
	uv_run(&loop, UV_RUN_NOWAIT);
	reload_answer(reload_ctx, &report);
	reload_waits = 0;
	CU_ASSERT_EQUAL(status("GET /stats" END), 200);
}

static void slow_clients_do_not_keep_others_out(void)
{
	int slow[SLOW_CLIENTS];

	for (int i = 0; i < SLOW_CLIENTS; i++)
		slow[i] = client("GET /stats HTTP/1.1\r\nHo");
	CU_ASSERT_EQUAL(status("GET /stats" END), 200);
	for (int i = 0; i < SLOW_CLIENTS; i++)
		close(slow[i]);
	CU_ASSERT_EQUAL(status("GET /stats" END), 200);
}

static void the_socket_is_for_owner_and_group(void)
{
	struct stat st;

	CU_ASSERT_EQUAL_FATAL(stat(socket_path, &st), 0);
	CU_ASSERT_TRUE(S_ISSOCK(st.st_mode));
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0660);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(the_socket_is_for_owner_and_group),
	SUITE_TEST(paths_and_methods_have_their_status),
	SUITE_TEST(operations_go_to_who_knows_the_names),
	SUITE_TEST(garbage_is_refused),
	SUITE_TEST(a_chunked_body_past_the_bound_ends_the_connection),
	SUITE_TEST(errors_come_line_by_line),
	SUITE_TEST(a_reload_is_answered_when_it_ends),
	SUITE_TEST(a_client_that_leaves_before_its_answer_does_no_harm),
	SUITE_TEST(slow_clients_do_not_keep_others_out),
	CU_TEST_INFO_NULL,
};

static void close_handle(uv_handle_t *handle, void *arg)
{
	uv_close(handle, NULL);
}

int main(void)
{
	struct admin_calls calls = {NULL, on_stats, on_ready, on_reload, on_operate};
	char why[160];
	int rc;

	snprintf(socket_path, sizeof(socket_path), "/tmp/fender-unit-admin-%d.sock", (int)getpid());
	uv_loop_init(&loop);
	/* A dead instance's socket is replaced. */
	close(open(socket_path, O_CREAT | O_WRONLY, 0600));
	if (admin_create(&admin, &loop, socket_path, &calls, why, sizeof(why)) != 0) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	rc = suite_run("admin", tests);
	admin_stop(admin);
	uv_walk(&loop, close_handle, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	admin_free(admin);
	return rc || access(socket_path, F_OK) == 0;
}
