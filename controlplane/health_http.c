/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/health_probe.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/socket_polls.h"
#include "shm/limits.h"
#include "shm/version.h"

struct health_http_pool {
	CURLM *multi;
	uv_timer_t timer; /* when libcurl wants to run without input */
	struct socket_polls polls;
};

struct health_http {
	struct health_http_pool *pool;
	CURL *curl;
	struct curl_slist *headers;
	health_done *done;
	void *ctx;
	size_t bytes;     /* of the answer: head and body */
	int had_enough;   /* of them */
	int socket_error; /* why there is no socket, by errno */
};

static int status_result(const struct health_http *http)
{
	long status = 0;

	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	return status >= 200 && status <= 399 ? HEALTH_REASON_NONE : HEALTH_REASON_STATUS;
}

static int system_result(const struct health_http *http)
{
	long error = 0;
	int result;

	if (http->socket_error)
		return -http->socket_error;
	curl_easy_getinfo(http->curl, CURLINFO_OS_ERRNO, &error);
	result = health_connect_result(-(int)error);
	if (result == -EADDRNOTAVAIL) /* of connecting: no port is left */
		return -EAGAIN;
	return result != HEALTH_REASON_NONE ? result : HEALTH_REASON_REFUSED;
}

static int result_of(const struct health_http *http, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return status_result(http);
	case CURLE_WRITE_ERROR:
		return http->had_enough ? status_result(http) : HEALTH_REASON_PROTOCOL;
	case CURLE_COULDNT_CONNECT:
		return system_result(http);
	case CURLE_OPERATION_TIMEDOUT:
		return HEALTH_REASON_TIMEOUT;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return HEALTH_REASON_RESET;
	case CURLE_INTERFACE_FAILED:
		return -EADDRNOTAVAIL;
	case CURLE_OUT_OF_MEMORY:
		/* Said of a header line beyond libcurl's bound, too. */
		return http->bytes > 0 ? HEALTH_REASON_PROTOCOL : -ENOMEM;
	case CURLE_FAILED_INIT:
		return -ENOMEM;
	case CURLE_ABORTED_BY_CALLBACK: /* a socket that could not be watched */
		return -EAGAIN;
	default:
		return HEALTH_REASON_PROTOCOL;
	}
}

static void free_probe(struct health_http *http)
{
	if (http->curl)
		curl_multi_remove_handle(http->pool->multi, http->curl);
	curl_easy_cleanup(http->curl);
	curl_slist_free_all(http->headers);
	free(http);
}

static void tell_the_finished(struct health_http_pool *pool)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(pool->multi, &left))) {
		struct health_http *http;
		health_done *done;
		void *ctx;
		int result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&http);
		result = result_of(http, message->data.result);
		done = http->done;
		ctx = http->ctx;
		free_probe(http);
		done(ctx, result);
	}
}

static void on_ready(void *ctx, int fd, int events)
{
	struct health_http_pool *pool = ctx;
	int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
		    (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(pool->multi, fd, flags, &running);
	tell_the_finished(pool);
}

static void on_timer(uv_timer_t *timer)
{
	struct health_http_pool *pool = timer->data;
	int running;

	curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	tell_the_finished(pool);
}

static int on_socket_wanted(CURL *curl, curl_socket_t fd, int what, void *ctx, void *assigned)
{
	struct health_http_pool *pool = ctx;
	int events = 0;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= UV_READABLE;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= UV_WRITABLE;
	return socket_polls_watch(&pool->polls, fd, events) == 0 ? 0 : -1;
}

static int on_timer_wanted(CURLM *multi, long ms, void *ctx)
{
	struct health_http_pool *pool = ctx;

	if (ms < 0)
		uv_timer_stop(&pool->timer);
	else
		uv_timer_start(&pool->timer, on_timer, (uint64_t)ms, 0);
	return 0;
}

int health_http_pool_create(struct health_http_pool **out, uv_loop_t *loop)
{
	struct health_http_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	/* No TLS: what it would load is never used. */
	if (curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK)
		pool->multi = curl_multi_init();
	if (!pool->multi) {
		free(pool);
		return -ENOMEM;
	}
	pool->polls = (struct socket_polls){.loop = loop, .ctx = pool, .ready = on_ready};
	uv_timer_init(loop, &pool->timer);
	pool->timer.data = pool;
	curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
	curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
	*out = pool;
	return 0;
}

void health_http_pool_stop(struct health_http_pool *pool)
{
	curl_multi_cleanup(pool->multi);
	curl_global_cleanup();
	socket_polls_end(&pool->polls);
	uv_close((uv_handle_t *)&pool->timer, NULL);
}

void health_http_pool_free(struct health_http_pool *pool)
{
	free(pool);
}

/* Not for the dataplane, which may be started meanwhile. */
static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct health_http *http = ctx;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	http->socket_error = fd < 0 ? errno : 0;
	return fd;
}

/* Of the body; stops at the bound. */
static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct health_http *http = ctx;

	http->bytes += size * count;
	http->had_enough = http->bytes > HEALTH_ANSWER_BYTES;
	return http->had_enough ? 0 : size * count;
}

/* A head that does not end is none. */
static size_t on_head(char *data, size_t size, size_t count, void *ctx)
{
	struct health_http *http = ctx;

	http->bytes += size * count;
	return http->bytes > HEALTH_ANSWER_BYTES ? 0 : size * count;
}

static void print_host(const struct sockaddr_storage *address, char *out)
{
	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, out,
			  INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, out,
			  INET6_ADDRSTRLEN);
}

static CURLcode set_target(CURL *curl, const struct health_target *target)
{
	char url[MAX_TEXT_BYTES + INET6_ADDRSTRLEN + 32], host[INET6_ADDRSTRLEN];
	char source[INET6_ADDRSTRLEN + 8] = "host!";
	int v6 = target->address.ss_family == AF_INET6;
	uint16_t port = v6 ? ((const struct sockaddr_in6 *)&target->address)->sin6_port
			   : ((const struct sockaddr_in *)&target->address)->sin_port;
	CURLcode rc;

	print_host(&target->address, host);
	snprintf(url, sizeof(url), v6 ? "http://[%s]:%u%s" : "http://%s:%u%s", host, ntohs(port),
		 target->path);
	rc = curl_easy_setopt(curl, CURLOPT_URL, url);
	if (rc == CURLE_OK && target->source.ss_family != AF_UNSPEC) {
		print_host(&target->source, source + 5);
		rc = curl_easy_setopt(curl, CURLOPT_INTERFACE, source);
	}
	return rc;
}

static int set_headers(struct health_http *http, const struct health_target *target)
{
	char line[MAX_TEXT_BYTES + 8];
	struct curl_slist *longer;

	http->headers = curl_slist_append(NULL, "Connection: close");
	if (!http->headers)
		return -ENOMEM;
	if (target->host[0]) {
		snprintf(line, sizeof(line), "Host: %s", target->host);
		longer = curl_slist_append(http->headers, line);
		if (!longer)
			return -ENOMEM;
	}
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, http->headers);
	return 0;
}

static void set_options(struct health_http *http)
{
	CURL *curl = http->curl;

	curl_easy_setopt(curl, CURLOPT_PRIVATE, http);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, http);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, http);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "fender-health/" FENDER_VERSION);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
	/* Addresses only: with thousands, walks of a cache of them were half of a probe's cost. */
	curl_easy_setopt(curl, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
}

int health_http_start(struct health_http **out, struct health_http_pool *pool,
		      const struct health_target *target, health_done *done, void *ctx)
{
	struct health_http *http = calloc(1, sizeof(*http));
	int rc = -ENOMEM;

	if (!http)
		return -ENOMEM;
	http->pool = pool;
	http->done = done;
	http->ctx = ctx;
	http->curl = curl_easy_init();
	if (http->curl && set_target(http->curl, target) == CURLE_OK)
		rc = set_headers(http, target);
	if (rc == 0) {
		set_options(http);
		if (curl_multi_add_handle(pool->multi, http->curl) != CURLM_OK)
			rc = -ENOMEM;
	}
	if (rc != 0) {
		free_probe(http);
		return rc;
	}
	*out = http;
	return 0;
}

void health_http_cancel(struct health_http *http)
{
	free_probe(http);
}
