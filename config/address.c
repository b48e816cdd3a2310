/* SPDX-License-Identifier: Apache-2.0 */
#include "config/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "config/values.h"
#include "shm/names.h"

enum { V4_AT = 12, V4_BITS_AT = 96 };

static const uint8_t v4_mapped[V4_AT] = {[10] = 0xff, [11] = 0xff};

/* First bit of the family's address within the 128, and the bit after it. */
static unsigned int prefix_end(const struct address *a)
{
	return a->prefix + (a->family == FAMILY_V4 ? V4_BITS_AT : 0u);
}

static bool read_ip(const char *text, struct address *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &out->ip.b[V4_AT]) == 1) {
		memcpy(out->ip.b, v4_mapped, sizeof(v4_mapped));
		out->family = FAMILY_V4;
		out->prefix = 32;
		return true;
	}
	if (inet_pton(AF_INET6, text, out->ip.b) == 1 &&
	    memcmp(out->ip.b, v4_mapped, sizeof(v4_mapped)) != 0) {
		out->family = FAMILY_V6;
		out->prefix = 128;
		return true;
	}
	return false;
}

/* Can one host own it and be reached from elsewhere? */
static bool is_host(const struct address *a)
{
	const uint8_t *v4 = &a->ip.b[V4_AT];

	if (a->family == FAMILY_V4)
		return v4[0] != 0 && v4[0] != 127 && v4[0] < 224;
	if (a->ip.b[0] == 0xff)
		return false;
	for (unsigned int i = 0; i < 15; i++) {
		if (a->ip.b[i] != 0)
			return true;
	}
	return a->ip.b[15] > 1;
}

const char *address_host(const char *text, struct address *out)
{
	if (!read_ip(text, out) || !is_host(out))
		return "the IPv4 or IPv6 address of a host such as 10.0.0.1 or 2001:db8::1";
	return NULL;
}

/* Splits at the slash; @out holds the address as written and the prefix. */
static bool read_prefixed(const char *text, struct address *out)
{
	char ip[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	uint64_t prefix;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(ip))
		return false;
	memcpy(ip, text, (size_t)(slash - text));
	ip[slash - text] = '\0';
	if (!read_ip(ip, out) || value_integer(slash + 1, &prefix) != NULL || prefix > out->prefix)
		return false;
	out->prefix = (uint8_t)prefix;
	return true;
}

const char *address_interface(const char *text, struct address *out)
{
	if (!read_prefixed(text, out) || !is_host(out) || out->prefix == 0)
		return "a host address and its prefix length such as 10.0.0.1/24 or "
		       "2001:db8::1/64";
	if (address_is_reserved(out, out))
		return "a host's address, not the network's own or its broadcast address";
	return NULL;
}

const char *address_network(const char *text, struct address *out)
{
	struct address masked;

	if (!read_prefixed(text, out))
		return "a network such as 10.0.0.0/8 or 2001:db8::/32";
	masked = address_masked(out);
	if (!address_same_ip(&masked, out))
		return "a network: the bits after the prefix must be zero";
	return NULL;
}

/* <ipv4>:<port> or [<ipv6>]:<port> */
static bool read_ported(const char *text, struct address *out)
{
	char ip[INET6_ADDRSTRLEN];
	bool bracket = text[0] == '[';
	const char *start = bracket ? text + 1 : text;
	const char *end = strchr(start, bracket ? ']' : ':');
	const char *port_text;
	uint64_t port;

	if (end == NULL || (size_t)(end - start) >= sizeof(ip))
		return false;
	memcpy(ip, start, (size_t)(end - start));
	ip[end - start] = '\0';
	port_text = bracket ? end + 1 : end;
	if (*port_text++ != ':' || !read_ip(ip, out) || bracket != (out->family == FAMILY_V6))
		return false;
	if (value_integer(port_text, &port) != NULL || port == 0 || port > UINT16_MAX)
		return false;
	out->port = htons((uint16_t)port);
	return true;
}

const char *address_endpoint(const char *text, struct address *out)
{
	if (!read_ported(text, out) || !is_host(out))
		return "a host's address and port such as 10.0.0.1:80 or [2001:db8::1]:80";
	return NULL;
}

const char *address_bind(const char *text, struct address *out)
{
	if (!read_ported(text, out) || (!is_host(out) && !address_is_wildcard(out)))
		return "an address and port such as 10.0.0.1:80, [2001:db8::1]:80, or 0.0.0.0:80 "
		       "and [::]:80 for all of the interface";
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

const char *address_mac(const char *text, uint8_t out[6])
{
	static const char expected[] = "the MAC address of one station such as 02:00:00:00:00:01";
	uint8_t any = 0;

	if (strlen(text) != 17)
		return expected;
	for (unsigned int i = 0; i < 6; i++) {
		int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return expected;
		out[i] = (uint8_t)(high * 16 + low);
		any |= out[i];
	}
	return any == 0 || (out[0] & 1) != 0 ? expected : NULL;
}

bool address_is_wildcard(const struct address *a)
{
	for (unsigned int i = a->family == FAMILY_V4 ? V4_AT : 0; i < 16; i++) {
		if (a->ip.b[i] != 0)
			return false;
	}
	return true;
}

bool address_is_link_local(const struct address *a)
{
	return a->family == FAMILY_V6 && a->ip.b[0] == 0xfe && (a->ip.b[1] & 0xc0) == 0x80;
}

bool address_same_ip(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(&a->ip, &b->ip, sizeof(a->ip)) == 0;
}

bool address_within(const struct address *net, const struct address *a)
{
	unsigned int bits = prefix_end(net), whole = bits / 8, rest = bits % 8;

	if (net->family != a->family || memcmp(&net->ip, &a->ip, whole) != 0)
		return false;
	return rest == 0 || ((net->ip.b[whole] ^ a->ip.b[whole]) >> (8 - rest)) == 0;
}

struct address address_masked(const struct address *a)
{
	struct address masked = *a;
	unsigned int bits = prefix_end(a);

	for (unsigned int i = 0; i < 16; i++) {
		if (i * 8 >= bits)
			masked.ip.b[i] = 0;
		else if (bits - i * 8 < 8)
			masked.ip.b[i] &= (uint8_t)(0xff00u >> (bits - i * 8));
	}
	return masked;
}

bool address_is_reserved(const struct address *net, const struct address *a)
{
	uint32_t ip, host;

	if (net->family != FAMILY_V4 || net->prefix >= 31 || !address_within(net, a))
		return false;
	memcpy(&ip, &a->ip.b[V4_AT], sizeof(ip));
	host = UINT32_MAX >> net->prefix;
	return (ntohl(ip) & host) == 0 || (ntohl(ip) & host) == host;
}

const char *address_print(const struct address *a, char *out)
{
	if (a->family == FAMILY_V4)
		inet_ntop(AF_INET, &a->ip.b[V4_AT], out, ADDRESS_TEXT_BYTES);
	else
		inet_ntop(AF_INET6, a->ip.b, out, ADDRESS_TEXT_BYTES);
	return out;
}

const char *address_print_prefix(const struct address *a, char *out)
{
	size_t n = strlen(address_print(a, out));

	snprintf(out + n, ADDRESS_TEXT_BYTES - n, "/%u", a->prefix);
	return out;
}

const char *address_print_port(const struct address *a, char *out)
{
	endpoint_name(&a->ip, a->family, a->port, out);
	return out;
}
