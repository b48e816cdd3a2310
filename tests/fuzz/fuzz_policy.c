/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a policy file: the compiler either says what is wrong or makes an image that the
 * reader accepts, the same one each time.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct image_header *compile(const uint8_t *data, size_t size)
{
	struct diagnostics *d = diagnostics_create("policy");
	static const char fault[] = "policy: error: the compiled policy";
	struct image_header *image;
	char *messages;

	if (d == NULL)
		abort();
	image = config_compile((const char *)data, size, d);
	messages = diagnostics_text(d);
	if (messages == NULL || (image == NULL) != (diagnostics_errors(d) != 0) ||
	    strncmp(messages, fault, sizeof(fault) - 1) == 0)
		abort();
	free(messages);
	diagnostics_free(d);
	return image;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_header *first = compile(data, size), *second;
	char why[160];

	if (first == NULL)
		return 0;
	second = compile(data, size);
	if (image_check(first, first->length, why, sizeof(why)) != 0 ||
	    first->length != second->length || memcmp(first, second, first->length) != 0)
		abort();
	free(first);
	free(second);
	return 0;
}
