/* SPDX-License-Identifier: Apache-2.0 */
/* The admin socket: server and clients in one thread, the loop run between their steps. */
#include "controlplane/admin.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/dataplane/suite.h"

enum { SLOW_CLIENTS = 300, BIG_BYTES = 8 << 20, JOBS = 20 };

static uv_loop_t loop;
static struct admin *admin;
static char socket_path[64];
static char readers_path[80];
static struct admin_request *waiting; /* of /later */
static int stream_bytes;              /* of /stream: left to say */
static int streams;

static void on_now(void *ctx, struct admin_request *r)
{
	admin_answer(r, 200, json_pack("{s:i}", "answer", 42));
}

static void on_later(void *ctx, struct admin_request *r)
{
	waiting = r;
}

static void on_part(void *ctx, struct admin_request *r)
{
	uint64_t n = 7;

	if (admin_query_number(r, "n", 1, 9, &n) == 0)
		admin_answer(r, 200,
			     json_pack("{s:s,s:I,s:s*}", "part", admin_path_part(r, 0), "n",
				       (json_int_t)n, "x", admin_query(r, "x")));
}

static void on_big(void *ctx, struct admin_request *r)
{
	struct admin_text text = {200, "text/plain", calloc(1, BIG_BYTES), BIG_BYTES};

	admin_answer_text(r, &text);
}

static int jobs_at_once, jobs_at_once_max;

static void *job_take(void *ctx, struct admin_request *r)
{
	if (admin_query(r, "x")) {
		admin_answer_error(r, 404, "no");
		return NULL;
	}
	if (++jobs_at_once > jobs_at_once_max)
		jobs_at_once_max = jobs_at_once;
	return strdup("a snapshot");
}

static struct admin_text job_build(void *snapshot)
{
	return (struct admin_text){200, "text/plain", strdup(snapshot), strlen(snapshot)};
}

static void job_drop(void *snapshot)
{
	jobs_at_once--;
	free(snapshot);
}

static void on_job(void *ctx, struct admin_request *r)
{
	static const struct admin_job job = {
		.take = job_take, .build = job_build, .drop = job_drop};

	admin_answer_job(r, &job);
}

static sem_t alone_go;

static struct admin_text alone_build(void *snapshot)
{
	while (sem_wait(&alone_go) != 0)
		;
	return job_build(snapshot);
}

static void on_alone(void *ctx, struct admin_request *r)
{
	static const struct admin_job job = {
		.take = job_take, .build = alone_build, .drop = job_drop, .alone = 1};

	admin_answer_job(r, &job);
}

static int stream_pending(void *state)
{
	return stream_bytes != 0;
}

static ssize_t stream_pull(void *state, char *out, size_t size)
{
	if (stream_bytes <= 0)
		return stream_bytes;
	size = size < (size_t)stream_bytes ? size : (size_t)stream_bytes;
	memset(out, 's', size);
	stream_bytes -= (int)size;
	return (ssize_t)size;
}

static void stream_drop(void *state)
{
	streams--;
}

static void on_stream(void *ctx, struct admin_request *r)
{
	const struct admin_stream stream = {NULL, stream_pending, stream_pull, stream_drop};

	streams++;
	admin_answer_stream(r, "text/plain", &stream);
}

static const struct admin_route routes[] = {
	{"GET", "/now", ADMIN_READ, NULL, on_now, ""},
	{"GET", "/metrics", ADMIN_METRICS, NULL, on_now, ""},
	{"POST", "/later", ADMIN_OPERATE, NULL, on_later, ""},
	{"GET", "/part/*", ADMIN_READ, "n x", on_part, ""},
	{"GET", "/big", ADMIN_READ, NULL, on_big, ""},
	{"GET", "/job", ADMIN_READ, "x", on_job, ""},
	{"GET", "/alone", ADMIN_READ, NULL, on_alone, ""},
	{"GET", "/stream", ADMIN_READ, NULL, on_stream, ""},
};

/* A client that has sent @request. */
static int client_of(const char *path, const char *request)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		uv_run(&loop, UV_RUN_NOWAIT);
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		CU_FAIL("send");
	return fd;
}

static int client(const char *request)
{
	return client_of(socket_path, request);
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
static int status_of(int fd)
{
	static const char start[] = "HTTP/1.1 ";
	const char *text = answer(fd);

	if (strncmp(text, start, sizeof(start) - 1) != 0)
		return 0;
	return (int)strtol(text + sizeof(start) - 1, NULL, 10);
}

static int status(const char *request)
{
	return status_of(client(request));
}

#define END " HTTP/1.1\r\nHost: f\r\n\r\n"

static void paths_and_methods_have_their_status(void)
{
	static const struct {
		const char *request;
		int status;
	} rows[] = {
		{"GET /now" END, 200},
		{"HEAD /now" END, 200},
		{"POST /now" END, 405},
		{"DELETE /now" END, 405},
		{"OPTIONS /now" END, 204},
		{"OPTIONS /none" END, 404},
		{"GET /later" END, 405},
		{"GET /" END, 404},
		{"GET /now/" END, 404},
		{"GET /NOW" END, 404},
		{"GET /now?x=1" END, 400},
		{"GET /part/a" END, 200},
		{"GET /part/a?n=9" END, 200},
		{"GET /part/a?n=10" END, 400},
		{"GET /part/a?n" END, 400},
		{"GET /part/a?n=" END, 400},
		{"GET /part/a?n=1&n=1" END, 400},
		{"GET /part/a?x=%00" END, 400},
		{"GET /part/a?x=%0a" END, 400},
		{"GET /part/a?x=%zz" END, 200},
		{"GET /part/a?%78=1" END, 200},
		{"GET /part/a?=1" END, 400},
		{"GET /part/a?x%00=1" END, 400},
		{"GET /part/a?&&&" END, 400},
		{"GET /now%00" END, 400},
		{"GET /now%00x" END, 400},
		{"GET /now%00x?y=1" END, 400},
		{"POST /later%00junk" END, 400},
		{"GET /part/a%00b" END, 400},
		{"GET /part/%2500" END, 200},
		{"GET /part/" END, 404},
		{"GET /part/a/b" END, 404},
		{"GET /part/a%2fb" END, 404},
		{"GET /job" END, 200},
		{"GET /job?x=1" END, 404},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int is = status(rows[i].request);

		CU_ASSERT_EQUAL(is, rows[i].status);
		if (is != rows[i].status)
			printf("%s is %d\n", rows[i].request, is);
	}
}

static void a_refused_method_hears_what_there_is(void)
{
	CU_ASSERT_PTR_NOT_NULL(
		strstr(answer(client("POST /now" END)), "Allow: GET, HEAD, OPTIONS\r\n"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(answer(client("OPTIONS /later" END)), "Allow: POST, OPTIONS\r\n"));
}

static void parts_and_parameters_arrive_decoded(void)
{
	CU_ASSERT_PTR_NOT_NULL(strstr(answer(client("GET /part/%5b::1%5d:8?x=a%26b&n=3" END)),
				      "{\"part\":\"[::1]:8\",\"n\":3,\"x\":\"a&b\"}"));
	CU_ASSERT_PTR_NOT_NULL(strstr(answer(client("GET /part/a?y=1" END)),
				      "\"error\":\"no parameter 'y'; this path takes: n x\""));
}

static void what_is_no_utf8_is_answered_all_the_same(void)
{
	CU_ASSERT_EQUAL(status("GET /part/a?%ff=1" END), 400);
	CU_ASSERT_EQUAL(status("GET /%ff" END), 404);
}

static void too_long_is_refused(void)
{
	char request[4096];

	snprintf(request, sizeof(request), "GET /part/%0*d" END, ADMIN_PATH_BYTES, 0);
	CU_ASSERT_EQUAL(status(request), 404);
	snprintf(request, sizeof(request), "GET /part/a?x=%0*d" END, 2000, 0);
	CU_ASSERT_EQUAL(status(request), 400);
}

static void readers_cannot_operate(void)
{
	CU_ASSERT_EQUAL(status_of(client_of(readers_path, "GET /now" END)), 200);
	CU_ASSERT_EQUAL(status_of(client_of(readers_path, "POST /later" END)), 403);
	CU_ASSERT_EQUAL(status_of(client_of(readers_path, "POST /now" END)), 405);
}

static void garbage_is_refused(void)
{
	CU_ASSERT_EQUAL(status("GET /now HTTP/9.9\r\n\r\n"), 505);
	CU_ASSERT_EQUAL(status("POST /later HTTP/1.1\r\nHost: f\r\nContent-Length: 4097\r\n\r\n"),
			413);
	CU_ASSERT_EQUAL(status("POST /later HTTP/1.1\r\nHost: f\r\nContent-Length: -1\r\n\r\n"),
			400);
	CU_ASSERT_EQUAL(status("GET /now" END), 200);
}

static void huge_headers_are_refused(void)
{
	static char request[2 * ADMIN_REQUEST_BYTES];
	size_t bytes = (size_t)snprintf(request, sizeof(request), "GET /now HTTP/1.1\r\nX: ");
	int is;

	memset(request + bytes, 'x', sizeof(request) - bytes - 1);
	is = status(request);
	CU_ASSERT_TRUE(is == 431 || is == 0);
	CU_ASSERT_EQUAL(status("GET /now" END), 200);
}

static void what_follows_a_request_is_not_answered(void)
{
	const char *text = answer(client("GET /now" END "GET /now" END));

	CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(text, "42"));
	CU_ASSERT_PTR_NULL(strstr(strstr(text, "42"), "HTTP/1.1"));
}

static void a_client_may_close_its_half(void)
{
	int fd = client("GET /now" END);

	shutdown(fd, SHUT_WR);
	CU_ASSERT_EQUAL(status_of(fd), 200);
}

static void a_chunked_body_past_the_bound_ends_the_connection(void)
{
	static char request[8192];
	size_t bytes = (size_t)snprintf(request, sizeof(request),
					"POST /later HTTP/1.1\r\nHost: f\r\n"
					"Transfer-Encoding: chunked\r\n\r\n1800\r\n");

	memset(request + bytes, 'x', 0x1800);
	CU_ASSERT_EQUAL(status(request), 0);
}

/* A client whose POST /later waits for its answer. */
static int later(void)
{
	int fd = client("POST /later" END);

	waiting = NULL;
	while (!waiting)
		uv_run(&loop, UV_RUN_NOWAIT);
	return fd;
}

static void an_answer_may_come_later(void)
{
	int fd = later();

	CU_ASSERT_EQUAL(status("GET /now" END), 200);
	admin_answer(waiting, 202, json_pack("{s:s}", "result", "done"));
	CU_ASSERT_PTR_NOT_NULL(strstr(answer(fd), "\"result\":\"done\""));
}

static void a_client_that_leaves_before_its_answer_does_no_harm(void)
{
	close(later());
	uv_run(&loop, UV_RUN_NOWAIT);
	admin_answer(waiting, 200, json_object());
	CU_ASSERT_EQUAL(status("GET /now" END), 200);
}

static void jobs_take_their_turns(void)
{
	int fds[JOBS];

	jobs_at_once_max = 0;
	for (int i = 0; i < JOBS; i++)
		fds[i] = client("GET /job" END);
	for (int i = 0; i < JOBS; i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(answer(fds[i]), "a snapshot"));
	CU_ASSERT_TRUE(jobs_at_once_max >= 1 && jobs_at_once_max <= ADMIN_JOBS);
	CU_ASSERT_EQUAL(jobs_at_once, 0);
}

static void a_job_that_is_alone_keeps_nobody_else_waiting(void)
{
	enum { MANY = 1 + ADMIN_JOBS_ALONE };
	int fds[MANY];

	sem_init(&alone_go, 0, 0);
	CU_ASSERT_EQUAL(jobs_at_once, 0);
	for (int i = 0; i < MANY; i++)
		fds[i] = client("GET /alone" END);
	while (jobs_at_once == 0)
		uv_run(&loop, UV_RUN_NOWAIT);
	CU_ASSERT_EQUAL(status("GET /job" END), 200);
	CU_ASSERT_EQUAL(jobs_at_once, 1);
	/* One at work, all places taken. */
	CU_ASSERT_EQUAL(status("GET /alone" END), 503);
	jobs_at_once_max = 0;
	for (int i = 0; i < MANY; i++)
		sem_post(&alone_go);
	for (int i = 0; i < MANY; i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(answer(fds[i]), "a snapshot"));
	CU_ASSERT_EQUAL(jobs_at_once_max, 1);
	CU_ASSERT_EQUAL(jobs_at_once, 0);
	sem_destroy(&alone_go);
}

static void answers_that_nobody_reads_are_bounded(void)
{
	enum { MANY = ADMIN_ANSWER_BYTES / BIG_BYTES + 4 };
	int fds[MANY], refused = 0;

	for (int i = 0; i < MANY; i++)
		fds[i] = client("GET /big" END);
	for (int i = 0; i < 200; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	for (int i = 0; i < MANY; i++) {
		char start[13] = "";

		while (recv(fds[i], start, sizeof(start) - 1, 0) < 0)
			uv_run(&loop, UV_RUN_NOWAIT);
		refused += strcmp(start, "HTTP/1.1 503") == 0;
		close(fds[i]);
	}
	CU_ASSERT_EQUAL(refused, 4);
	for (int i = 0; i < 200; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	CU_ASSERT_EQUAL(status("GET /now" END), 200);
}

/* Wait for @text in what the server says; the client stays. */
static void expect(int fd, const char *text)
{
	char said[8192] = "";
	size_t bytes = 0;

	while (!strstr(said, text)) {
		ssize_t n = recv(fd, said + bytes, sizeof(said) - 1 - bytes, 0);

		CU_ASSERT_NOT_EQUAL_FATAL(n, 0);
		bytes += n > 0 ? (size_t)n : 0;
		said[bytes] = '\0';
		uv_run(&loop, UV_RUN_NOWAIT);
	}
}

static void wait_for_streams(int count)
{
	while (streams != count)
		uv_run(&loop, UV_RUN_ONCE);
}

static void a_stream_goes_on_until_it_ends(void)
{
	int fd;

	stream_bytes = 0;
	fd = client("GET /stream" END);
	expect(fd, "200 OK");
	stream_bytes = 3;
	expect(fd, "sss");
	stream_bytes = 2;
	expect(fd, "ss");
	stream_bytes = -1;
	answer(fd);
	wait_for_streams(0);
}

static void a_stream_of_a_client_that_left_is_dropped(void)
{
	int fd;

	stream_bytes = 0;
	fd = client("GET /stream" END);
	expect(fd, "200 OK");
	close(fd);
	wait_for_streams(0);
	CU_ASSERT_EQUAL(status("HEAD /stream" END), 200);
	wait_for_streams(0);
}

static void streams_are_few_and_keep_nobody_out(void)
{
	int fds[ADMIN_STREAMS];

	stream_bytes = 0;
	for (int i = 0; i < ADMIN_STREAMS; i++) {
		fds[i] = client("GET /stream" END);
		expect(fds[i], "200 OK");
	}
	CU_ASSERT_EQUAL(status("GET /stream" END), 503);
	CU_ASSERT_EQUAL(status("GET /now" END), 200);
	for (int i = 0; i < ADMIN_STREAMS; i++)
		close(fds[i]);
	wait_for_streams(0);
}

static void slow_clients_do_not_keep_others_out(void)
{
	int slow[SLOW_CLIENTS];

	for (int i = 0; i < SLOW_CLIENTS; i++)
		slow[i] = client("GET /now HTTP/1.1\r\nHo");
	CU_ASSERT_EQUAL(status("GET /now" END), 200);
	for (int i = 0; i < SLOW_CLIENTS; i++)
		close(slow[i]);
	CU_ASSERT_EQUAL(status("GET /now" END), 200);
}

static void the_socket_is_for_owner_and_group(void)
{
	struct stat st;

	CU_ASSERT_EQUAL_FATAL(stat(socket_path, &st), 0);
	CU_ASSERT_TRUE(S_ISSOCK(st.st_mode));
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0660);
}

/* Who waits is told so; an answer that comes after the end is dropped. */
static void the_end_is_told(void)
{
	static const char *const cut[] = {"POST /later", "GET /stream", "GET /job"};
	enum { CUT = sizeof(cut) / sizeof(cut[0]) };
	int fd, stream, half[CUT];

	stream_bytes = 0;
	for (int i = 0; i < CUT; i++)
		half[i] = client(cut[i]);
	stream = client("GET /stream" END);
	expect(stream, "200 OK");
	fd = later();
	/* What is there and not yet read is not begun any more. */
	for (int i = 0; i < CUT; i++)
		CU_ASSERT_EQUAL(send(half[i], END, strlen(END), MSG_NOSIGNAL), strlen(END));
	admin_stop(admin);
	for (int i = 0; i < CUT; i++)
		CU_ASSERT_EQUAL(status_of(half[i]), 503);
	CU_ASSERT_EQUAL(status_of(fd), 503);
	CU_ASSERT_EQUAL(streams, 0);
	admin_answer(waiting, 200, json_object());
	close(stream);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(the_socket_is_for_owner_and_group),
	SUITE_TEST(paths_and_methods_have_their_status),
	SUITE_TEST(a_refused_method_hears_what_there_is),
	SUITE_TEST(parts_and_parameters_arrive_decoded),
	SUITE_TEST(what_is_no_utf8_is_answered_all_the_same),
	SUITE_TEST(too_long_is_refused),
	SUITE_TEST(readers_cannot_operate),
	SUITE_TEST(garbage_is_refused),
	SUITE_TEST(huge_headers_are_refused),
	SUITE_TEST(what_follows_a_request_is_not_answered),
	SUITE_TEST(a_client_may_close_its_half),
	SUITE_TEST(a_chunked_body_past_the_bound_ends_the_connection),
	SUITE_TEST(an_answer_may_come_later),
	SUITE_TEST(a_client_that_leaves_before_its_answer_does_no_harm),
	SUITE_TEST(jobs_take_their_turns),
	SUITE_TEST(a_job_that_is_alone_keeps_nobody_else_waiting),
	SUITE_TEST(answers_that_nobody_reads_are_bounded),
	SUITE_TEST(a_stream_goes_on_until_it_ends),
	SUITE_TEST(a_stream_of_a_client_that_left_is_dropped),
	SUITE_TEST(streams_are_few_and_keep_nobody_out),
	SUITE_TEST(slow_clients_do_not_keep_others_out),
	SUITE_TEST(the_end_is_told),
	CU_TEST_INFO_NULL,
};

static void close_handle(uv_handle_t *handle, void *arg)
{
	uv_close(handle, NULL);
}

int main(void)
{
	struct admin_config config = {&loop, routes, sizeof(routes) / sizeof(routes[0]), NULL};
	char why[160] = "no memory";
	int rc;

	snprintf(socket_path, sizeof(socket_path), "/tmp/fender-unit-admin-%d.sock", (int)getpid());
	snprintf(readers_path, sizeof(readers_path), "%s.ro", socket_path);
	uv_loop_init(&loop);
	/* A dead instance's socket is replaced. */
	close(open(socket_path, O_CREAT | O_WRONLY, 0600));
	if (admin_create(&admin, &config) != 0 ||
	    admin_listen(admin, socket_path, NULL, ADMIN_OPERATE, why, sizeof(why)) != 0 ||
	    admin_listen(admin, readers_path, "root", ADMIN_READ, why, sizeof(why)) != 0) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	rc = suite_run("admin", tests);
	uv_walk(&loop, close_handle, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	admin_free(admin);
	return rc || access(socket_path, F_OK) == 0 || access(readers_path, F_OK) == 0;
}
