/* SPDX-License-Identifier: Apache-2.0 */
/* `fender breaker`, `fender drain`, `fender undrain`: POSTs of controlplane/operate.h. */
#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/commands.h"

enum { PATH_BYTES_MAX = 256 };

static int post(const struct options *options, const char *path)
{
	struct client *client;
	struct reply reply;
	int rc = client_create(&client, options);

	if (rc != 0)
		return rc;
	rc = client_request(client, "POST", path, &reply);
	if (rc == 0 && reply.status != 200) {
		const char *error = json_string_value(json_object_get(reply.body, "error"));

		fprintf(stderr, "fender: %s\n", error ? error : "the instance refused");
		rc = EXIT_FAILED;
	}
	client_free(client);
	return rc;
}

/* Names are letters, digits, "_.-", and an endpoint's also ":[]": all fit a path as they are. */
static int operate_on(const struct options *options, const char *cluster, const char *endpoint,
		      const char *operation)
{
	char path[PATH_BYTES_MAX];
	int n = endpoint ? snprintf(path, sizeof(path), "/endpoints/%s/%s/%s", cluster, endpoint,
				    operation)
			 : snprintf(path, sizeof(path), "/breakers/%s/%s", cluster, operation);

	if (n >= (int)sizeof(path)) {
		fprintf(stderr, "fender: that is no name of a cluster or an endpoint\n");
		return EXIT_USAGE;
	}
	return post(options, path);
}

int command_breaker(const struct options *options)
{
	static const char *const operations[] = {"open", "close", "reset"};

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (strcmp(options->operand, operations[i]) == 0)
			return operate_on(options, options->operand2, options->operand3,
					  operations[i]);
	fprintf(stderr, "fender breaker: found %s, expected open, close or reset\n",
		options->operand);
	return EXIT_USAGE;
}

int command_drain(const struct options *options)
{
	return operate_on(options, options->operand, options->operand2, "drain");
}

int command_undrain(const struct options *options)
{
	return operate_on(options, options->operand, options->operand2, "undrain");
}
