/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/captured.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/view.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint32_t read_hex(const char *text, uint8_t *out, uint32_t size)
{
	uint32_t n = 0;

	for (; n < size && text[0] && text[1]; n++, text += 2) {
		int high = digit(text[0]), low = digit(text[1]);

		if (high < 0 || low < 0)
			break;
		out[n] = (uint8_t)(high << 4 | low);
	}
	return n;
}

static uint64_t number(const json_t *line, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(line, key));

	return value > 0 ? (uint64_t)value : 0;
}

int captured_read(struct captured *c, const json_t *line)
{
	const json_t *entry = json_object_get(line, "entry");

	if (!json_is_string(json_object_get(line, "data")))
		return 0;
	c->time_ns = number(line, "time_ns");
	c->interface = view_text(line, "interface");
	c->verdict = view_text(line, "verdict");
	c->reason = view_text(line, "reason");
	c->listener = view_text(line, "listener");
	c->worker = (int)number(line, "worker");
	c->entry = entry ? json_integer_value(entry) : -1;
	c->is_out = strcmp(view_text(line, "direction"), "out") == 0;
	c->length = (uint32_t)number(line, "length");
	c->bytes = read_hex(view_text(line, "data"), c->data, sizeof(c->data));
	if (c->length < c->bytes)
		c->length = c->bytes;
	return 1;
}

void captured_verdict_text(const struct captured *c, char *out)
{
	int n = snprintf(out, CAPTURED_TEXT_BYTES, "%.32s%s%.48s", c->verdict,
			 *c->reason ? ": " : "", c->reason);

	if (*c->listener)
		n += snprintf(out + n, (size_t)(CAPTURED_TEXT_BYTES - n), " listener=%.63s",
			      c->listener);
	if (c->entry >= 0)
		n += snprintf(out + n, (size_t)(CAPTURED_TEXT_BYTES - n), " entry=%ld", c->entry);
	snprintf(out + n, (size_t)(CAPTURED_TEXT_BYTES - n), " worker=%d", c->worker);
}

/* -- packets ----------------------------------------------------------------------------- */

enum { ETHERTYPE_4 = 0x0800, ETHERTYPE_6 = 0x86dd, ETHERTYPE_A = 0x0806, ETHERTYPE_V = 0x8100 };

/* What is left of the bytes. */
struct rest {
	const uint8_t *at;
	uint32_t bytes;
};

/* @n bytes, or NULL when there are not so many left. */
static const uint8_t *take(struct rest *r, uint32_t n)
{
	const uint8_t *at = r->at;

	if (r->bytes < n)
		return NULL;
	r->at += n;
	r->bytes -= n;
	return at;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

struct text {
	char *out;
	size_t used;
};

static void add(struct text *t, const char *word)
{
	int n = snprintf(t->out + t->used, CAPTURED_TEXT_BYTES - t->used, "%s", word);

	t->used += n > 0 ? (size_t)n : 0;
	if (t->used >= CAPTURED_TEXT_BYTES)
		t->used = CAPTURED_TEXT_BYTES - 1;
}

static void add_address(struct text *t, int family, const uint8_t *ip, const uint8_t *port)
{
	char text[INET6_ADDRSTRLEN], word[INET6_ADDRSTRLEN + 12];

	inet_ntop(family, ip, text, sizeof(text));
	if (!port)
		snprintf(word, sizeof(word), "%s", text);
	else
		snprintf(word, sizeof(word), family == AF_INET6 ? "[%s]:%u" : "%s:%u", text,
			 be16(port));
	add(t, word);
}

static void add_flags(struct text *t, uint8_t flags)
{
	static const char *const names[] = {" FIN", " SYN", " RST", " PSH", " ACK", " URG"};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags >> i & 1)
			add(t, names[i]);
}

static void add_packet(struct text *t, int family, const uint8_t *ips, uint8_t proto,
		       struct rest rest)
{
	const uint32_t ip_bytes = family == AF_INET6 ? 16 : 4;
	const uint8_t *ports = proto == IPPROTO_TCP || proto == IPPROTO_UDP ? take(&rest, 4) : NULL;
	const uint8_t *tcp = proto == IPPROTO_TCP && ports ? take(&rest, 10) : NULL;
	char word[32];

	add_address(t, family, ips, ports);
	add(t, " > ");
	add_address(t, family, ips + ip_bytes, ports ? ports + 2 : NULL);
	switch (proto) {
	case IPPROTO_TCP:
		add(t, " tcp");
		if (tcp)
			add_flags(t, tcp[9]);
		return;
	case IPPROTO_UDP:
		add(t, " udp");
		return;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		add(t, " icmp");
		return;
	default:
		snprintf(word, sizeof(word), " protocol %u", proto);
		add(t, word);
	}
}

static int add_v4(struct text *t, struct rest rest)
{
	const uint8_t *head = take(&rest, 20);

	if (!head || head[0] >> 4 != 4 || (head[0] & 15) < 5 ||
	    !take(&rest, ((uint32_t)(head[0] & 15) - 5) * 4))
		return 0;
	/* A later fragment has no ports. */
	if (be16(head + 6) & 0x1fff)
		rest.bytes = 0;
	add_packet(t, AF_INET, head + 12, head[9], rest);
	return 1;
}

static int add_v6(struct text *t, struct rest rest)
{
	const uint8_t *head = take(&rest, 40);

	if (!head || head[0] >> 4 != 6)
		return 0;
	add_packet(t, AF_INET6, head + 8, head[6], rest);
	return 1;
}

static int add_arp(struct text *t, struct rest rest)
{
	const uint8_t *arp = take(&rest, 28);

	if (!arp)
		return 0;
	add(t, "arp ");
	add_address(t, AF_INET, arp + 14, NULL);
	add(t, be16(arp + 6) == 1 ? " asks for " : " tells ");
	add_address(t, AF_INET, arp + 24, NULL);
	return 1;
}

void captured_packet_text(const struct captured *c, char *out)
{
	struct rest rest = {c->data, c->bytes};
	struct text t = {out, 0};
	const uint8_t *ethernet = take(&rest, 14);
	uint16_t type = ethernet ? be16(ethernet + 12) : 0;
	const uint8_t *tag = type == ETHERTYPE_V ? take(&rest, 4) : NULL;
	int known = 0;

	*out = '\0';
	if (tag)
		type = be16(tag + 2);
	if (type == ETHERTYPE_4)
		known = add_v4(&t, rest);
	else if (type == ETHERTYPE_6)
		known = add_v6(&t, rest);
	else if (type == ETHERTYPE_A)
		known = add_arp(&t, rest);
	if (!known)
		snprintf(out, CAPTURED_TEXT_BYTES, "ethertype 0x%04x", type);
}
