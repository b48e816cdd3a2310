/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value_text.h"

#include <stdio.h>
#include <string.h>

#include "config/policy.h"

struct address_list {
	struct policy_address *items;
	size_t count;
};

static const char *absent(const struct schema_key *key, char *out)
{
	snprintf(out, VALUE_TEXT_MOST, "%s",
		 key->fallback_text != NULL ? key->fallback_text : "none");
	return out;
}

static const char *word(const struct schema_key *key, const void *field, char *out)
{
	const char *text;

	memcpy(&text, field, sizeof(text));
	if (text == NULL)
		return absent(key, out);
	snprintf(out, VALUE_TEXT_MOST, "%s", text);
	return out;
}

static const char *address(const struct schema_key *key, enum schema_type type,
			   const struct address *a, char *out)
{
	char text[ADDRESS_TEXT_BYTES];

	if (a->family == 0)
		return absent(key, out);
	if (type == SCHEMA_ADDRESS)
		address_print(a, text);
	else if (type == SCHEMA_ENDPOINT || type == SCHEMA_BIND)
		address_print_port(a, text);
	else if (type == SCHEMA_NETWORK)
		address_print_prefix(a, text);
	else
		snprintf(text, sizeof(text), "%.48s/%u", address_print(a, out), a->prefix);
	snprintf(out, VALUE_TEXT_MOST, "%s", text);
	return out;
}

static const char *address_list(const struct schema_key *key, const struct address_list *list,
				char *out)
{
	char text[VALUE_TEXT_MOST];
	size_t used = 1;

	snprintf(out, VALUE_TEXT_MOST, "[");
	for (size_t i = 0; i < list->count && used < VALUE_TEXT_MOST; i++)
		used += (size_t)snprintf(out + used, VALUE_TEXT_MOST - used, "%s%s",
					 i != 0 ? ", " : "",
					 address(key, key->item, &list->items[i].address, text));
	if (used < VALUE_TEXT_MOST)
		snprintf(out + used, VALUE_TEXT_MOST - used, "]");
	return out;
}

static const char *bits(uint64_t value, char *out)
{
	size_t used = 1;

	snprintf(out, VALUE_TEXT_MOST, "[");
	for (unsigned int i = 0; i < 64; i++)
		if (value >> i & 1)
			used += (size_t)snprintf(out + used, VALUE_TEXT_MOST - used, "%s%u",
						 used > 1 ? ", " : "", i);
	snprintf(out + used, VALUE_TEXT_MOST - used, "]");
	return out;
}

static const char *number(const struct schema_key *key, const void *field, char *out)
{
	char text[SCHEMA_TEXT_BYTES];
	uint64_t value;

	memcpy(&value, field, sizeof(value));
	if (value == 0 && key->fallback == 0 && key->fallback_text != NULL)
		return absent(key, out);
	if (key->type == SCHEMA_SET && key->item == SCHEMA_INTEGER)
		return bits(value, out);
	snprintf(out, VALUE_TEXT_MOST, "%s", schema_print_value(key, value, text));
	return out;
}

static const char *device(const struct value_device *d, char *out)
{
	static const char *const kinds[] = {
		[DEVICE_AF_XDP] = "af_xdp", [DEVICE_PCI] = "pci", [DEVICE_VDEV] = "vdev"};

	snprintf(out, VALUE_TEXT_MOST, "%s:%.240s",
		 d->kind >= DEVICE_AF_XDP && d->kind <= DEVICE_VDEV ? kinds[d->kind] : "", d->name);
	return out;
}

static const char *window(const struct value_window *w, char *out)
{
	char text[VALUE_TEXT_BYTES];

	if (w->ms != 0)
		snprintf(out, VALUE_TEXT_MOST, "%s",
			 value_print_duration(w->ms * (uint64_t)SCHEMA_MS, text));
	else
		snprintf(out, VALUE_TEXT_MOST, "%llu calls", (unsigned long long)w->calls);
	return out;
}

static const char *burst(const struct schema_key *key, const struct value_burst *b, char *out)
{
	char text[VALUE_TEXT_BYTES];

	switch (b->unit) {
	case BURST_UNITS:
		snprintf(out, VALUE_TEXT_MOST, "%llu", (unsigned long long)b->value);
		return out;
	case BURST_BYTES:
		snprintf(out, VALUE_TEXT_MOST, "%s", value_print_size(b->value, text));
		return out;
	case BURST_SECONDS:
		snprintf(out, VALUE_TEXT_MOST, "%s", value_print_hundredths(b->value, "x", text));
		return out;
	default:
		return absent(key, out);
	}
}

static const char *dns(const struct schema_key *key, const struct value_dns *d, char *out)
{
	if (d->name[0] == '\0')
		return absent(key, out);
	if (d->port != 0)
		snprintf(out, VALUE_TEXT_MOST, "%.248s:%u", d->name, d->port);
	else
		snprintf(out, VALUE_TEXT_MOST, "%.254s", d->name);
	return out;
}

const char *value_text(const struct schema_key *key, const void *object, char *out)
{
	const void *field = (const uint8_t *)object + key->offset;
	const struct value_port_range *ports = field;
	const uint8_t *mac = field;

	switch (key->type) {
	case SCHEMA_NAME:
	case SCHEMA_URL_PATH:
	case SCHEMA_HOST:
	case SCHEMA_FILE:
		return word(key, field, out);
	case SCHEMA_DEVICE:
		return device(field, out);
	case SCHEMA_ADDRESS:
	case SCHEMA_INTERFACE:
	case SCHEMA_NETWORK:
	case SCHEMA_ENDPOINT:
	case SCHEMA_BIND:
		return address(key, key->type, field, out);
	case SCHEMA_MAC:
		snprintf(out, VALUE_TEXT_MOST, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
			 mac[2], mac[3], mac[4], mac[5]);
		return out;
	case SCHEMA_PORTS:
		snprintf(out, VALUE_TEXT_MOST, "%u-%u", ports->low, ports->high);
		return out;
	case SCHEMA_WINDOW:
		return window(field, out);
	case SCHEMA_BURST:
		return burst(key, field, out);
	case SCHEMA_DNS:
		return dns(key, field, out);
	case SCHEMA_LIST:
		return address_list(key, field, out);
	default:
		return number(key, field, out);
	}
}
