/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the schema table as text, for messages and documents. */
#include "config/schema.h"

#include <stdio.h>
#include <string.h>

#include "config/policy.h"

const char *schema_type_name(enum schema_type type)
{
	static const char *const names[] = {
		[SCHEMA_INTEGER] = "integer",    [SCHEMA_COUNT] = "number",
		[SCHEMA_SIZE] = "size",          [SCHEMA_DURATION] = "duration",
		[SCHEMA_PERCENT] = "percentage", [SCHEMA_FACTOR] = "factor",
		[SCHEMA_WINDOW] = "window",      [SCHEMA_BURST] = "burst",
		[SCHEMA_URL_PATH] = "path",      [SCHEMA_HOST] = "host",
		[SCHEMA_FILE] = "file",          [SCHEMA_DNS] = "domain name",
		[SCHEMA_BOOL] = "boolean",       [SCHEMA_ENUM] = "word",
		[SCHEMA_NAME] = "name",          [SCHEMA_DEVICE] = "device",
		[SCHEMA_ADDRESS] = "address",    [SCHEMA_INTERFACE] = "address/prefix",
		[SCHEMA_NETWORK] = "network",    [SCHEMA_ENDPOINT] = "address:port",
		[SCHEMA_BIND] = "address:port",  [SCHEMA_MAC] = "MAC address",
		[SCHEMA_PORTS] = "port range",   [SCHEMA_SET] = "list",
		[SCHEMA_LIST] = "list",          [SCHEMA_MAP] = "map",
	};

	return names[type];
}

size_t schema_item_bytes(const struct schema_key *list)
{
	return list->item == SCHEMA_MAP ? list->map->bytes : sizeof(struct policy_address);
}

const struct schema_choice *schema_choice_find(const struct schema_key *key, const char *name)
{
	for (const struct schema_choice *c = key->choices; c->name != NULL; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

/* Names of the choices with @value, or whose bits it holds (sets), or of all of them. */
static const char *print_choices(const struct schema_key *key, const uint64_t *value, char *out)
{
	size_t used = 0;

	out[0] = '\0';
	for (const struct schema_choice *c = key->choices; c->name != NULL; c++) {
		int n;

		if (value != NULL &&
		    (key->type == SCHEMA_SET ? (*value & c->value) == 0 : *value != c->value))
			continue;
		n = snprintf(out + used, SCHEMA_TEXT_BYTES - used, "%s%s", used != 0 ? ", " : "",
			     c->name);
		if (n < 0 || (size_t)n >= SCHEMA_TEXT_BYTES - used)
			break;
		used += (size_t)n;
	}
	return out;
}

static const char *copy(char *out, const char *text)
{
	snprintf(out, SCHEMA_TEXT_BYTES, "%s", text);
	return out;
}

const char *schema_print_value(const struct schema_key *key, uint64_t value, char *out)
{
	char text[SCHEMA_TEXT_BYTES];

	switch (key->type) {
	case SCHEMA_SIZE:
		return value_print_size(value, out);
	case SCHEMA_DURATION:
		return value_print_duration(value * key->unit_ns, out);
	case SCHEMA_PERCENT:
		return value_print_hundredths(value, "%", out);
	case SCHEMA_FACTOR:
		return value_print_hundredths(value, "", out);
	case SCHEMA_WINDOW:
		snprintf(out, SCHEMA_TEXT_BYTES, "%llu calls", (unsigned long long)value);
		return out;
	case SCHEMA_BOOL:
		return copy(out, value != 0 ? "true" : "false");
	case SCHEMA_ENUM:
		return print_choices(key, &value, out);
	case SCHEMA_SET:
		snprintf(out, SCHEMA_TEXT_BYTES, "[%.*s]", SCHEMA_TEXT_BYTES - 3,
			 print_choices(key, &value, text));
		return out;
	case SCHEMA_PORTS:
		snprintf(out, SCHEMA_TEXT_BYTES, "%u-%u", (unsigned int)(value >> 16),
			 (unsigned int)(value & UINT16_MAX));
		return out;
	default:
		snprintf(out, SCHEMA_TEXT_BYTES, "%llu", (unsigned long long)value);
		return out;
	}
}

const char *schema_print_range(const struct schema_key *key, char *out)
{
	char low[SCHEMA_TEXT_BYTES], high[SCHEMA_TEXT_BYTES];

	out[0] = '\0';
	switch (key->type) {
	case SCHEMA_INTEGER:
	case SCHEMA_COUNT:
	case SCHEMA_SIZE:
	case SCHEMA_DURATION:
	case SCHEMA_PERCENT:
	case SCHEMA_FACTOR:
		schema_print_value(key, key->min, low);
		if (key->min == key->max)
			return copy(out, low);
		snprintf(out, SCHEMA_TEXT_BYTES, "%.60s to %.60s", low,
			 schema_print_value(key, key->max, high));
		return out;
	case SCHEMA_WINDOW:
		snprintf(out, SCHEMA_TEXT_BYTES, "%llu to %llu calls in tens, or %s to %s",
			 (unsigned long long)key->min, (unsigned long long)key->max,
			 value_print_duration(SCHEMA_WINDOW_MIN_MS * (uint64_t)SCHEMA_MS, low),
			 value_print_duration(SCHEMA_WINDOW_MAX_MS * (uint64_t)SCHEMA_MS, high));
		return out;
	case SCHEMA_PORTS:
		snprintf(out, SCHEMA_TEXT_BYTES, "%u to %u", (unsigned int)key->min,
			 (unsigned int)key->max);
		return out;
	case SCHEMA_BOOL:
		return copy(out, "true, false");
	case SCHEMA_ENUM:
		return print_choices(key, NULL, out);
	case SCHEMA_SET:
		if (key->item == SCHEMA_ENUM)
			return print_choices(key, NULL, out);
		snprintf(out, SCHEMA_TEXT_BYTES, "each %u to %u", (unsigned int)key->min,
			 (unsigned int)key->max);
		return out;
	case SCHEMA_LIST:
		snprintf(out, SCHEMA_TEXT_BYTES, "%u to %u elements", (unsigned int)key->min,
			 (unsigned int)key->max);
		return out;
	default:
		return out;
	}
}

const char *schema_print_fallback(const struct schema_key *key, char *out)
{
	out[0] = '\0';
	if ((key->flags & SCHEMA_REQUIRED) != 0 || key->type == SCHEMA_MAP)
		return out;
	if (key->fallback_text != NULL)
		return copy(out, key->fallback_text);
	if (key->type == SCHEMA_LIST)
		return copy(out, "[]");
	return schema_print_value(key, key->fallback, out);
}
