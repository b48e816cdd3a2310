/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parse_scalar.h"

#include <string.h>

#include "config/address.h"
#include "config/suggest.h"
#include "config/value_words.h"
#include "config/values.h"

static const char *read_number(const struct schema_key *key, const char *text, uint64_t *out)
{
	switch (key->type) {
	case SCHEMA_COUNT:
		return value_count(text, out);
	case SCHEMA_SIZE:
		return value_size(text, out);
	case SCHEMA_DURATION:
		return value_duration(text, out);
	case SCHEMA_PERCENT:
		return value_percent(text, out);
	case SCHEMA_FACTOR:
		return value_factor(text, out);
	default:
		return value_integer(text, out);
	}
}

static void parse_number(struct diagnostics *d, const struct yaml_node *node,
			 const struct schema_key *key, uint64_t *field)
{
	char range[SCHEMA_TEXT_BYTES];
	const char *expected;
	uint64_t value, unit = key->type == SCHEMA_DURATION ? key->unit_ns : 1;

	schema_print_range(key, range);
	expected = read_number(key, node->text, &value);
	if (expected != NULL)
		yaml_found_instead(d, node, expected, range);
	else if (value / unit < key->min || value / unit > key->max)
		yaml_found_instead(d, node, range, "");
	else if (value % unit != 0)
		yaml_found_instead(
			d, node, unit == 1000 ? "whole microseconds" : "whole milliseconds", range);
	else
		*field = value / unit;
}

static const struct schema_choice *parse_choice(struct diagnostics *d, const struct yaml_node *node,
						const struct schema_key *key)
{
	const struct schema_choice *choice = schema_choice_find(key, node->text);
	char range[SCHEMA_TEXT_BYTES], found[YAML_QUOTE_BYTES];
	struct suggestion s;

	if (choice != NULL || diagnostics_full(d)) {
		if (choice == NULL)
			yaml_error(d, node, "unknown word");
		return choice;
	}
	suggest_start(&s, node->text);
	for (choice = key->choices; choice->name != NULL; choice++)
		suggest_consider(&s, choice->name);
	yaml_error(d, node, "found %s, expected one of: %s%s%s%s", yaml_quote(node, found),
		   schema_print_range(key, range), s.best != NULL ? "; did you mean \"" : "",
		   s.best != NULL ? s.best : "", s.best != NULL ? "\"?" : "");
	return NULL;
}

static void parse_bool(struct diagnostics *d, const struct yaml_node *node, uint64_t *field)
{
	if (strcmp(node->text, "true") == 0)
		*field = 1;
	else if (strcmp(node->text, "false") == 0)
		*field = 0;
	else
		yaml_found_instead(d, node, "true or false", "");
}

static const char *read_word(const char *text, enum schema_type type)
{
	switch (type) {
	case SCHEMA_FILE:
		return value_file(text);
	case SCHEMA_HOST:
		return value_host(text);
	case SCHEMA_URL_PATH:
		return value_url_path(text);
	default:
		return value_name(text);
	}
}

/* Types that a reader of config/address.h or config/values.h takes as a whole. */
static const char *read_text(const struct yaml_node *node, enum schema_type type, void *field)
{
	const char *expected;

	switch (type) {
	case SCHEMA_NAME:
	case SCHEMA_FILE:
	case SCHEMA_HOST:
	case SCHEMA_URL_PATH:
		expected = read_word(node->text, type);
		if (expected == NULL)
			*(const char **)field = node->text;
		return expected;
	case SCHEMA_DNS:
		return value_dns(node->text, field);
	case SCHEMA_BURST:
		return value_burst(node->text, field);
	case SCHEMA_DEVICE:
		return value_device(node->text, field);
	case SCHEMA_ADDRESS:
		return address_host(node->text, field);
	case SCHEMA_INTERFACE:
		return address_interface(node->text, field);
	case SCHEMA_NETWORK:
		return address_network(node->text, field);
	case SCHEMA_ENDPOINT:
		return address_endpoint(node->text, field);
	case SCHEMA_BIND:
		return address_bind(node->text, field);
	default:
		return address_mac(node->text, field);
	}
}

static size_t text_bytes(enum schema_type type)
{
	switch (type) {
	case SCHEMA_NAME:
	case SCHEMA_FILE:
	case SCHEMA_HOST:
	case SCHEMA_URL_PATH:
		return sizeof(const char *);
	case SCHEMA_DNS:
		return sizeof(struct value_dns);
	case SCHEMA_BURST:
		return sizeof(struct value_burst);
	case SCHEMA_DEVICE:
		return sizeof(struct value_device);
	case SCHEMA_MAC:
		return 6;
	default:
		return sizeof(struct address);
	}
}

static void parse_text(struct diagnostics *d, const struct yaml_node *node, enum schema_type type,
		       void *field)
{
	const char *expected = read_text(node, type, field);

	if (expected == NULL)
		return;
	memset(field, 0, text_bytes(type));
	yaml_found_instead(d, node, expected, "");
}

static void parse_ports(struct diagnostics *d, const struct yaml_node *node,
			const struct schema_key *key, struct value_port_range *field)
{
	struct value_port_range ports;
	const char *expected = value_port_range(node->text, &ports);
	char range[SCHEMA_TEXT_BYTES], found[YAML_QUOTE_BYTES];

	if (expected != NULL)
		yaml_found_instead(d, node, expected, "");
	else if (ports.low < key->min || ports.high > key->max)
		yaml_error(d, node, "found %s, expected ports from %s", yaml_quote(node, found),
			   schema_print_range(key, range));
	else
		*field = ports;
}

static bool window_within(const struct value_window *window, const struct schema_key *key)
{
	if (window->calls == 0)
		return window->ms >= SCHEMA_WINDOW_MIN_MS && window->ms <= SCHEMA_WINDOW_MAX_MS;
	return window->calls % 10 == 0 && window->calls >= key->min && window->calls <= key->max;
}

static void parse_window(struct diagnostics *d, const struct yaml_node *node,
			 const struct schema_key *key, struct value_window *field)
{
	struct value_window window;
	const char *expected = value_window(node->text, &window);
	char range[SCHEMA_TEXT_BYTES];

	schema_print_range(key, range);
	if (expected != NULL)
		yaml_found_instead(d, node, expected, range);
	else if (!window_within(&window, key))
		yaml_found_instead(d, node, range, "");
	else
		*field = window;
}

void parse_scalar(struct diagnostics *d, const struct yaml_node *node, const struct schema_key *key,
		  void *field)
{
	const struct schema_choice *choice;

	if (node->kind != YAML_SCALAR) {
		char expected[64];

		snprintf(expected, sizeof(expected), "one %s", schema_type_name(key->type));
		yaml_found_instead(d, node, expected, "");
		return;
	}
	switch (key->type) {
	case SCHEMA_INTEGER:
	case SCHEMA_COUNT:
	case SCHEMA_SIZE:
	case SCHEMA_DURATION:
	case SCHEMA_PERCENT:
	case SCHEMA_FACTOR:
		parse_number(d, node, key, field);
		break;
	case SCHEMA_BOOL:
		parse_bool(d, node, field);
		break;
	case SCHEMA_ENUM:
		choice = parse_choice(d, node, key);
		if (choice != NULL)
			*(uint64_t *)field = choice->value;
		break;
	case SCHEMA_PORTS:
		parse_ports(d, node, key, field);
		break;
	case SCHEMA_WINDOW:
		parse_window(d, node, key, field);
		break;
	default:
		parse_text(d, node, key->type, field);
		break;
	}
}
