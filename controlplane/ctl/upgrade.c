/* SPDX-License-Identifier: Apache-2.0 */
/* `fender upgrade`: POST /upgrade. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"

enum { TARGET_BYTES = 3 * PATH_MAX + 32 };

/* Everything that is not plain in a query becomes %XX. */
static void append_encoded(char *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/-._~";

	for (out += strlen(out); *text; text++)
		out += sprintf(out, strchr(plain, *text) ? "%c" : "%%%02X", (unsigned char)*text);
}

/* The instance may run in another directory: it is told the whole path. */
static int make_target(char *target, const char *program)
{
	char path[PATH_MAX];

	strcpy(target, "/upgrade");
	if (!program)
		return 0;
	if (!realpath(program, path)) {
		fprintf(stderr, "fender upgrade: %s: %m\n", program);
		return EXIT_FAILED;
	}
	strcat(target, "?dataplane=");
	append_encoded(target, path);
	return 0;
}

static json_int_t number(const json_t *body, const char *key)
{
	return json_integer_value(json_object_get(body, key));
}

static int show(const struct options *options, const json_t *body)
{
	printf("upgraded: process %" JSON_INTEGER_FORMAT " took over from %" JSON_INTEGER_FORMAT
	       ", nothing was forwarded for %" JSON_INTEGER_FORMAT " ms at most\n",
	       number(body, "pid"), number(body, "from"), number(body, "pause_ms"));
	return EXIT_OK;
}

int command_upgrade(const struct options *options)
{
	char target[TARGET_BYTES];
	int rc = make_target(target, options->dataplane);

	return rc == 0 ? ask(options, "POST", target, show) : rc;
}
