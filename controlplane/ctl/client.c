/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/client.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "controlplane/paths.h"

enum {
	REPLY_BYTES_MAX = 256 << 20,
	TIMEOUT_MS = 25000, /* the server ends a connection after 20 s */
	SILENCE_S = 40,
	LINE_BYTES_MAX = 1 << 20,
};

static const char suffix[] = ".sock", read_suffix[] = ".ro";

struct client {
	CURL *curl;
	char socket[SOCKET_PATH_BYTES];
	char *text;
	size_t text_bytes;
	json_t *body;
	int is_silent; /* the last request got no answer in time */
};

/* The instance's name in "<name>.sock", or 0. */
static size_t instance_bytes(const char *file)
{
	size_t bytes = strlen(file);
	size_t suffix_bytes = sizeof(suffix) - 1;

	if (bytes <= suffix_bytes || strcmp(file + bytes - suffix_bytes, suffix) != 0)
		return 0;
	return bytes - suffix_bytes;
}

int client_instances(const char *run_dir, void (*each)(void *ctx, const char *name), void *ctx)
{
	DIR *d = opendir(run_dir);
	char name[SOCKET_PATH_BYTES];
	struct dirent *entry;
	int count = 0;

	if (!d)
		return 0;
	while ((entry = readdir(d))) {
		size_t bytes = instance_bytes(entry->d_name);

		if (bytes == 0 || bytes >= sizeof(name))
			continue;
		count++;
		snprintf(name, sizeof(name), "%.*s", (int)bytes, entry->d_name);
		each(ctx, name);
	}
	closedir(d);
	return count;
}

static void keep_name(void *ctx, const char *name)
{
	snprintf(ctx, SOCKET_PATH_BYTES, "%s", name);
}

static void print_name(void *ctx, const char *name)
{
	fprintf(ctx, "  %s\n", name);
}

/* Return 0, or EXIT_NO_INSTANCE after a sentence. */
static int find_only(const char *run_dir, char name[SOCKET_PATH_BYTES])
{
	int count = client_instances(run_dir, keep_name, name);

	if (count == 1)
		return 0;
	if (count == 0) {
		fprintf(stderr, "fender: no instance runs here: no socket in %s\n", run_dir);
	} else {
		fprintf(stderr, "fender: several instances in %s, choose with -i:\n", run_dir);
		client_instances(run_dir, print_name, stderr);
	}
	return EXIT_NO_INSTANCE;
}

/* Who is not an operator may be one of those who may look. */
static void choose_role(char socket[SOCKET_PATH_BYTES])
{
	size_t bytes = strlen(socket);

	if (access(socket, W_OK) == 0 || errno != EACCES)
		return;
	strcpy(socket + bytes, read_suffix);
	if (access(socket, W_OK) != 0)
		socket[bytes] = '\0';
}

static int find_socket(struct client *client, const struct options *options)
{
	char only[SOCKET_PATH_BYTES];
	const char *name = options->instance;
	int n;

	if (!name) {
		if (find_only(options->run_dir, only) != 0)
			return EXIT_NO_INSTANCE;
		name = only;
	}
	n = snprintf(client->socket, sizeof(client->socket), "%s/%s%s", options->run_dir, name,
		     suffix);
	if (n < 0 || (size_t)n + sizeof(read_suffix) > sizeof(client->socket)) {
		fprintf(stderr, "fender: the socket's path is too long\n");
		return EXIT_NO_INSTANCE;
	}
	choose_role(client->socket);
	return 0;
}

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
	struct client *client = arg;
	size_t bytes = size * count;
	char *grown;

	if (bytes > REPLY_BYTES_MAX - client->text_bytes)
		return 0;
	grown = realloc(client->text, client->text_bytes + bytes);
	if (!grown)
		return 0;
	memcpy(grown + client->text_bytes, data, bytes);
	client->text = grown;
	client->text_bytes += bytes;
	return bytes;
}

void client_set_timeout(struct client *client, long ms)
{
	curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, ms);
}

int client_create(struct client **out, const struct options *options)
{
	struct client *client = calloc(1, sizeof(*client));
	int rc;

	if (!client)
		return EXIT_FAILED;
	rc = find_socket(client, options);
	if (rc == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		rc = EXIT_FAILED;
	if (rc == 0 && !(client->curl = curl_easy_init()))
		rc = EXIT_FAILED;
	if (rc != 0) {
		free(client);
		return rc;
	}
	curl_easy_setopt(client->curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
	client_set_timeout(client, TIMEOUT_MS);
	curl_easy_setopt(client->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
	*out = client;
	return 0;
}

void client_free(struct client *client)
{
	curl_easy_cleanup(client->curl);
	curl_global_cleanup();
	json_decref(client->body);
	free(client->text);
	free(client);
}

void client_report_absent(const struct client *client)
{
	if (client->is_silent)
		fprintf(stderr,
			"fender: the instance at %s does not answer: its control plane is "
			"stopped or hangs\n",
			client->socket);
	else
		fprintf(stderr, "fender: no instance answers at %s\n", client->socket);
}

int client_request(struct client *client, const char *method, const char *path, struct reply *reply)
{
	int rc = client_request_quietly(client, method, path, reply);

	if (rc == EXIT_NO_INSTANCE)
		client_report_absent(client);
	return rc;
}

static int went_away(CURLcode code)
{
	return code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
	       code == CURLE_PARTIAL_FILE;
}

int client_request_quietly(struct client *client, const char *method, const char *path,
			   struct reply *reply)
{
	char *url;
	CURLcode code;

	if (asprintf(&url, "http://localhost%s", path) < 0)
		return EXIT_FAILED;
	json_decref(client->body);
	client->body = NULL;
	client->text_bytes = 0;
	curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, client);
	curl_easy_setopt(client->curl, CURLOPT_URL, url);
	curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, method);
	code = curl_easy_perform(client->curl);
	free(url);
	client->is_silent = code == CURLE_OPERATION_TIMEDOUT;
	if (code == CURLE_COULDNT_CONNECT || client->is_silent || went_away(code))
		return EXIT_NO_INSTANCE;
	if (code != CURLE_OK) {
		fprintf(stderr, "fender: %s: %s\n", client->socket, curl_easy_strerror(code));
		return EXIT_FAILED;
	}
	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &reply->status);
	client->body = json_loadb(client->text, client->text_bytes, 0, NULL);
	reply->body = client->body;
	if (client->body)
		return 0;
	fprintf(stderr, "fender: %s answered %ld without JSON\n", client->socket, reply->status);
	return EXIT_FAILED;
}

/* -- streams ----------------------------------------------------------------------------- */

struct lines {
	client_line *on_line;
	void *ctx;
	char *rest; /* the beginning of a line */
	size_t rest_bytes;
	int is_over;
};

static int keep_rest(struct lines *l, const char *data, size_t bytes)
{
	char *grown;

	if (bytes > LINE_BYTES_MAX - l->rest_bytes)
		return -ENOMEM;
	grown = realloc(l->rest, l->rest_bytes + bytes + 1);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + l->rest_bytes, data, bytes);
	l->rest = grown;
	l->rest_bytes += bytes;
	return 0;
}

static size_t on_stream_data(char *data, size_t size, size_t count, void *arg)
{
	struct lines *l = arg;
	size_t left = size * count;

	while (left > 0) {
		char *end = memchr(data, '\n', left);
		size_t bytes = end ? (size_t)(end - data) : left;

		if (keep_rest(l, data, bytes) != 0)
			return 0;
		if (!end)
			break;
		l->is_over = !l->on_line(l->ctx, l->rest, l->rest_bytes);
		if (l->is_over)
			return 0;
		l->rest_bytes = 0;
		data += bytes + 1;
		left -= bytes + 1;
	}
	return size * count;
}

int client_stream(struct client *client, const char *path, client_line *on_line, void *ctx,
		  long *status)
{
	struct lines lines = {.on_line = on_line, .ctx = ctx};
	CURLcode code;
	char *url;

	if (asprintf(&url, "http://localhost%s", path) < 0)
		return EXIT_FAILED;
	curl_easy_setopt(client->curl, CURLOPT_URL, url);
	curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, "GET");
	client_set_timeout(client, 0);
	curl_easy_setopt(client->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(client->curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
	curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_stream_data);
	curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &lines);
	code = curl_easy_perform(client->curl);
	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, status);
	if (!lines.is_over && lines.rest_bytes > 0 && code == CURLE_OK)
		on_line(ctx, lines.rest, lines.rest_bytes);
	free(lines.rest);
	free(url);
	if (code == CURLE_OK || lines.is_over)
		return 0;
	return code == CURLE_WRITE_ERROR ? EXIT_FAILED : EXIT_NO_INSTANCE;
}
