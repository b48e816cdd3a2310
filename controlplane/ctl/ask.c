/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/ask.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "controlplane/ctl/progress.h"

void ask_print_json(const json_t *body)
{
	json_dumpf(body, stdout, JSON_INDENT(2));
	putchar('\n');
}

int ask_refused(const json_t *body)
{
	const char *error = json_string_value(json_object_get(body, "error"));

	fprintf(stderr, "fender: %s\n", error ? error : "the instance refused");
	return EXIT_FAILED;
}

static int show_answer(const struct options *options, const struct reply *reply, ask_show *show)
{
	int is_good = reply->status >= 200 && reply->status < 300;

	if (options->json)
		ask_print_json(reply->body);
	if (!is_good)
		return ask_refused(reply->body);
	return options->json || !show ? EXIT_OK : show(options, reply->body);
}

int ask_client(struct client *client, const struct options *options, const char *path,
	       ask_show *show)
{
	struct reply reply;
	int rc = client_request(client, "GET", path, &reply);

	return rc == 0 ? show_answer(options, &reply, show) : rc;
}

int ask(const struct options *options, const char *method, const char *path, ask_show *show)
{
	struct client *client;
	struct reply reply;
	int rc = client_create(&client, options);

	if (rc != 0)
		return rc;
	progress_begin("waiting for the instance");
	rc = client_request(client, method, path, &reply);
	progress_end();
	if (rc == 0)
		rc = show_answer(options, &reply, show);
	client_free(client);
	return rc;
}

void ask_add_query(char **path, const char *key, const char *value)
{
	char *encoded = *path && value ? curl_easy_escape(NULL, value, 0) : NULL;
	char *longer = NULL;

	if (!*path || !value)
		return;
	if (encoded &&
	    asprintf(&longer, "%s%c%s=%s", *path, strchr(*path, '?') ? '&' : '?', key, encoded) < 0)
		longer = NULL;
	curl_free(encoded);
	free(*path);
	*path = longer;
}

int ask_number(const char *text, unsigned long low, unsigned long high, unsigned long *out)
{
	char *end;

	errno = 0;
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	*out = strtoul(text, &end, 10);
	return errno || *end || *out < low || *out > high ? -EINVAL : 0;
}
