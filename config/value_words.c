/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value_words.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "config/address.h"

enum { LABEL_BYTES = 63, PORT_DIGITS = 5 };

const char *value_file(const char *text)
{
	size_t n = strnlen(text, VALUE_PATH_BYTES);
	bool good = n > 0 && n < VALUE_PATH_BYTES;

	for (size_t i = 0; good && i < n; i++)
		good = (uint8_t)text[i] >= 0x20 && text[i] != 0x7f;
	return good ? NULL : "the path of a file, of at most 255 bytes";
}

const char *value_url_path(const char *text)
{
	size_t n = strnlen(text, VALUE_PATH_BYTES);
	bool good = text[0] == '/' && n < VALUE_PATH_BYTES;

	for (size_t i = 0; good && i < n; i++)
		good = text[i] > 0x20 && text[i] < 0x7f && text[i] != '#';
	return good ? NULL : "a path that begins with a slash such as /health";
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Labels of letters, digits, _ and inner hyphens, the last one not a number; without a NUL. */
static bool is_domain(const char *text, size_t bytes)
{
	size_t label = 0;
	bool number = true;

	if (bytes == 0 || bytes >= VALUE_DOMAIN_BYTES)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '.') {
			if (label == 0 || text[i - 1] == '-')
				return false;
			label = 0;
			number = true;
			continue;
		}
		if (!is_digit(text[i]) && !is_letter(text[i]) && (text[i] != '-' || label == 0))
			return false;
		number &= is_digit(text[i]);
		if (++label > LABEL_BYTES)
			return false;
	}
	return label > 0 && !number && text[bytes - 1] != '-';
}

/* ":80" to the end of the text, or the end itself, which leaves *port 0. */
static bool read_port(const char *text, uint16_t *port)
{
	uint32_t value = 0;
	size_t n = 0;

	*port = 0;
	if (text[0] == '\0')
		return true;
	if (text[0] != ':' || text[1] == '0')
		return false;
	for (text++; n < PORT_DIGITS && is_digit(text[n]); n++)
		value = value * 10 + (uint32_t)(text[n] - '0');
	if (n == 0 || text[n] != '\0' || value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

const char *value_dns(const char *text, struct value_dns *out)
{
	size_t n = strcspn(text, ":"), end = n;

	memset(out, 0, sizeof(*out));
	if (end > 0 && text[end - 1] == '.')
		end--;
	if (!is_domain(text, end) || !read_port(text + n, &out->port)) {
		memset(out, 0, sizeof(*out));
		return "a domain name and port such as backend.example.com:8080, or the name of an "
		       "SRV record";
	}
	memcpy(out->name, text, end);
	return NULL;
}

/* "10.0.0.1" or "[2001:db8::1]" of @bytes bytes. */
static bool is_address(const char *text, size_t bytes)
{
	char host[ADDRESS_TEXT_BYTES];
	struct address address;
	bool v6 = text[0] == '[';

	if (v6) {
		if (bytes < 2 || text[bytes - 1] != ']')
			return false;
		text++;
		bytes -= 2;
	}
	if (bytes >= sizeof(host))
		return false;
	memcpy(host, text, bytes);
	host[bytes] = '\0';
	return address_host(host, &address) == NULL &&
	       address.family == (v6 ? FAMILY_V6 : FAMILY_V4);
}

const char *value_host(const char *text)
{
	const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;
	size_t n = bracket != NULL ? (size_t)(bracket - text) + 1 : strcspn(text, ":");
	uint16_t port;

	if ((is_domain(text, n) || is_address(text, n)) && read_port(text + n, &port))
		return NULL;
	return "a host name or address, with a port or without, such as backend.example.com";
}
