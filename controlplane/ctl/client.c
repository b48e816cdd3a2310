/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/client.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "controlplane/paths.h"

enum {
	REPLY_BYTES_MAX = 256 << 20,
	TIMEOUT_S = 25, /* the server ends a connection after 20 */
};

static const char suffix[] = ".sock";

struct client {
	CURL *curl;
	char socket[SOCKET_PATH_BYTES];
	char *text;
	size_t text_bytes;
	json_t *body;
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

/* Return how many instances @dir holds; @name receives one of them. */
static int find_instances(const char *dir, char *name, size_t name_size, FILE *list)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int count = 0;

	if (!d)
		return 0;
	while ((entry = readdir(d))) {
		size_t bytes = instance_bytes(entry->d_name);

		if (bytes == 0 || bytes >= name_size)
			continue;
		count++;
		snprintf(name, name_size, "%.*s", (int)bytes, entry->d_name);
		if (list)
			fprintf(list, "  %s\n", name);
	}
	closedir(d);
	return count;
}

static int find_socket(struct client *client, const struct options *options)
{
	char only[SOCKET_PATH_BYTES];
	const char *name = options->instance;
	int count;
	int n;

	if (!name) {
		count = find_instances(options->run_dir, only, sizeof(only), NULL);
		if (count == 0) {
			fprintf(stderr, "fender: no instance runs here: no socket in %s\n",
				options->run_dir);
			return EXIT_NO_INSTANCE;
		}
		if (count > 1) {
			fprintf(stderr, "fender: several instances in %s, choose with -i:\n",
				options->run_dir);
			find_instances(options->run_dir, only, sizeof(only), stderr);
			return EXIT_NO_INSTANCE;
		}
		name = only;
	}
	n = snprintf(client->socket, sizeof(client->socket), "%s/%s%s", options->run_dir, name,
		     suffix);
	if (n < 0 || (size_t)n >= sizeof(client->socket)) {
		fprintf(stderr, "fender: the socket's path is too long\n");
		return EXIT_NO_INSTANCE;
	}
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
	curl_easy_setopt(client->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	curl_easy_setopt(client->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, client);
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

int client_request(struct client *client, const char *method, const char *path, struct reply *reply)
{
	char url[64];
	CURLcode code;

	snprintf(url, sizeof(url), "http://localhost%s", path);
	json_decref(client->body);
	client->body = NULL;
	client->text_bytes = 0;
	curl_easy_setopt(client->curl, CURLOPT_URL, url);
	curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, method);
	code = curl_easy_perform(client->curl);
	if (code == CURLE_COULDNT_CONNECT) {
		fprintf(stderr, "fender: no instance answers at %s\n", client->socket);
		return EXIT_NO_INSTANCE;
	}
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
