/* SPDX-License-Identifier: Apache-2.0 */
/* `fender breaker`, `fender drain`, `fender undrain`: POSTs of controlplane/operate.h. */
#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"

enum { PATH_BYTES_MAX = 256 };

/* All of these fit a path as they are. */
static int is_name(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.-:[]";

	return *text && !text[strspn(text, plain)];
}

static int operate_on(const struct options *options, const char *cluster, const char *endpoint,
		      const char *operation)
{
	char path[PATH_BYTES_MAX];
	int n = endpoint ? snprintf(path, sizeof(path), "/endpoints/%s/%s/%s", cluster, endpoint,
				    operation)
			 : snprintf(path, sizeof(path), "/breakers/%s/%s", cluster, operation);

	if (n >= (int)sizeof(path) || !is_name(cluster) || (endpoint && !is_name(endpoint))) {
		fprintf(stderr, "fender: no cluster or endpoint has such a name\n");
		return EXIT_USAGE;
	}
	return ask(options, "POST", path, NULL);
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
