/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/admin_route.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Both at the first byte of a segment. Return the number of the path's bytes, 0: no fit. */
static size_t segment_fits(const char *pattern, const char *path)
{
	size_t wanted = strcspn(pattern, "/");
	size_t bytes = strcspn(path, "/");

	if (wanted == 1 && pattern[0] == '*')
		return bytes;
	return wanted == bytes && memcmp(pattern, path, bytes) == 0 ? bytes : 0;
}

static void add_part(struct admin_parts *parts, size_t *used, const char *text, size_t bytes)
{
	char *part = parts->text + *used;

	memcpy(part, text, bytes);
	part[bytes] = '\0';
	*used += bytes + 1;
	parts->part[parts->count++] = part;
}

int admin_route_fits(const char *pattern, const char *path, struct admin_parts *parts)
{
	size_t used = 0;

	parts->count = 0;
	if (strlen(path) >= ADMIN_PATH_BYTES)
		return 0;
	if (strcmp(pattern, "/") == 0)
		return strcmp(path, "/") == 0;
	while (*pattern == '/' && *path == '/') {
		size_t bytes = segment_fits(++pattern, ++path);

		if (bytes == 0)
			return 0;
		if (*pattern == '*' && parts->count < ADMIN_PATH_PARTS)
			add_part(parts, &used, path, bytes);
		pattern += strcspn(pattern, "/");
		path += bytes;
	}
	return *pattern == '\0' && *path == '\0';
}

static int method_fits(const struct admin_route *route, const char *method)
{
	return strcmp(route->method, method) == 0 ||
	       (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void add_method(char allow[ADMIN_ALLOW_BYTES], const char *method)
{
	size_t bytes = strlen(allow);

	if (!strstr(allow, method))
		snprintf(allow + bytes, ADMIN_ALLOW_BYTES - bytes, "%s, ", method);
}

const struct admin_route *admin_route_find(const struct admin_config *config, const char *method,
					   const char *path, struct admin_parts *parts,
					   char allow[ADMIN_ALLOW_BYTES])
{
	allow[0] = '\0';
	for (size_t i = 0; i < config->route_count; i++) {
		const struct admin_route *route = &config->routes[i];

		if (!admin_route_fits(route->path, path, parts))
			continue;
		if (method_fits(route, method))
			return route;
		add_method(allow, route->method);
		if (strcmp(route->method, "GET") == 0)
			add_method(allow, "HEAD");
	}
	if (allow[0])
		strcat(allow, "OPTIONS");
	return NULL;
}

static int is_known(const char *known, const char *name)
{
	size_t bytes = strlen(name);

	while (known && *known && bytes > 0) {
		size_t word = strcspn(known, " ");

		if (word == bytes && memcmp(known, name, bytes) == 0)
			return 1;
		known += word;
		known += *known == ' ';
	}
	return 0;
}

static int is_plain(const char *value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (iscntrl((unsigned char)value[i]))
			return 0;
	return 1;
}

int admin_parameters_add(struct admin_parameters *p, const char *known, const char *name,
			 const char *value, size_t value_bytes, char *why, size_t why_size)
{
	if (!is_known(known, name))
		snprintf(why, why_size, "no parameter '%.32s'%s%s", name,
			 known ? "; this path takes: " : ", this path takes none",
			 known ? known : "");
	else if (admin_parameters_find(p, name))
		snprintf(why, why_size, "'%s' is there twice", name);
	else if (!value || value_bytes == 0)
		snprintf(why, why_size, "'%s' needs a value: %s=...", name, name);
	else if (!is_plain(value, value_bytes))
		snprintf(why, why_size, "'%s' has a control character", name);
	else if (p->count == ADMIN_PARAMETERS)
		snprintf(why, why_size, "too many parameters");
	else {
		p->name[p->count] = name;
		p->value[p->count++] = value;
		return 0;
	}
	return -EINVAL;
}

const char *admin_parameters_find(const struct admin_parameters *p, const char *name)
{
	for (unsigned int i = 0; i < p->count; i++)
		if (strcmp(p->name[i], name) == 0)
			return p->value[i];
	return NULL;
}

int admin_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return -EINVAL;
	}
	if (n < min || n > max)
		return -EINVAL;
	*value = n;
	return 0;
}
