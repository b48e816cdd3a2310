/* SPDX-License-Identifier: Apache-2.0 */
/* `fender ready`: what a probe asks, in one exit status. */
#include <stdio.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"

enum { ANSWER_MS = 2000 }; /* a prober waits a few seconds at most */

static const char *word(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int show(const struct options *options, const struct reply *reply)
{
	const char *status = word(reply->body, "status");
	const char *detail = word(reply->body, "detail");
	const int is_good = reply->status >= 200 && reply->status < 300;
	FILE *out = is_good ? stdout : stderr;

	if (options->json)
		ask_print_json(reply->body);
	else
		fprintf(out, "%s%s%s\n", status[0] ? status : "no status in the answer",
			detail[0] ? ": " : "", detail);
	return is_good ? EXIT_OK : EXIT_FAILED;
}

int command_ready(const struct options *options)
{
	struct client *client;
	struct reply reply;
	int rc = client_create(&client, options);

	if (rc != 0)
		return rc;
	client_set_timeout(client, ANSWER_MS);
	rc = client_request(client, "GET", options->live ? "/healthz" : "/readyz", &reply);
	if (rc == 0)
		rc = show(options, &reply);
	client_free(client);
	return rc;
}
