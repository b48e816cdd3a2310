/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/tcp_syn.h"

#include "dataplane/pkt/l4_checksum.h"

enum tcp_option {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WSCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_TIMESTAMP = 8,
	OPTION_FAST_OPEN = 34,
	OPTION_EXPERIMENT = 254, /* RFC 6994: a 16-bit id follows */
};

enum { FAST_OPEN_EXPERIMENT = 0xf989, WSCALE_MAX = 14, WSCALE_NONE = 0xff };

/* The option at the cursor. */
struct option {
	uint8_t *at;
	uint8_t kind;
	uint8_t bytes; /* kind and length included */
};

static uint8_t *options_start(const struct packet *p)
{
	return p->data + p->l4 + sizeof(struct tcp_header);
}

/*
 * Step to the next option at or after @at, NOPs passed over.
 * Return: 1, 0 at the end, -1 when its length is wrong.
 */
static int option_next(struct option *option, uint8_t *at, const uint8_t *end)
{
	while (at < end && *at == OPTION_NOP)
		at++;
	if (at == end || *at == OPTION_END)
		return 0;
	if (end - at < 2 || at[1] < 2 || at[1] > end - at)
		return -1;
	option->at = at;
	option->kind = at[0];
	option->bytes = at[1];
	return 1;
}

static int option_length_is_right(const struct option *option)
{
	switch (option->kind) {
	case OPTION_MSS:
		return option->bytes == 4;
	case OPTION_WSCALE:
		return option->bytes == 3;
	case OPTION_SACK_PERMITTED:
		return option->bytes == 2;
	case OPTION_TIMESTAMP:
		return option->bytes == 10;
	default:
		return 1;
	}
}

static uint16_t option_word(const struct option *option)
{
	return (uint16_t)(option->at[2] << 8 | option->at[3]);
}

int tcp_syn_read(const struct packet *p, struct tcp_syn *syn)
{
	const uint8_t *end = p->data + p->payload;
	struct option option = {.at = options_start(p)};
	int more;

	*syn = (struct tcp_syn){.wscale = WSCALE_NONE};
	while ((more = option_next(&option, option.at + option.bytes, end)) > 0) {
		if (!option_length_is_right(&option))
			return -1;
		if (option.kind == OPTION_MSS)
			syn->mss = option_word(&option);
		else if (option.kind == OPTION_WSCALE)
			syn->wscale = option.at[2] < WSCALE_MAX ? option.at[2] : WSCALE_MAX;
		else if (option.kind == OPTION_TIMESTAMP)
			syn->has_timestamp = 1;
	}
	return more;
}

static int option_is_fast_open(const struct option *option)
{
	return option->kind == OPTION_FAST_OPEN ||
	       (option->kind == OPTION_EXPERIMENT && option->bytes >= 4 &&
		option_word(option) == FAST_OPEN_EXPERIMENT);
}

static void clamp_options(uint8_t *start, const uint8_t *end, uint16_t mss_max)
{
	struct option option = {.at = start};

	while (option_next(&option, option.at + option.bytes, end) > 0) {
		if (option_is_fast_open(&option)) {
			memset(option.at, OPTION_NOP, option.bytes);
		} else if (option.kind == OPTION_MSS && option_length_is_right(&option) &&
			   option_word(&option) > mss_max) {
			option.at[2] = (uint8_t)(mss_max >> 8);
			option.at[3] = (uint8_t)mss_max;
		}
	}
}

/* End the IP packet where its TCP header ends. */
static void cut_payload(struct packet *p)
{
	uint16_t total = (uint16_t)(p->payload - p->l3);

	if (p->key.k.family == FAMILY_V4) {
		struct ipv4_header *ip = packet_ipv4(p);

		ip->check = checksum_update(ip->check,
					    (uint32_t)(uint16_t)~ip->total_bytes + htons(total));
		ip->total_bytes = htons(total);
	} else {
		packet_ipv6(p)->payload_bytes =
			htons((uint16_t)(total - sizeof(struct ipv6_header)));
	}
	p->ip_bytes = total;
	p->bytes = p->payload;
}

/* What of the segment a clamp can change; options start at an even distance from the header. */
static uint16_t sum_changeable(const struct packet *p)
{
	uint16_t from = (uint16_t)(p->l4 + sizeof(struct tcp_header));

	return checksum_fold(checksum_sum(p->data + from, (size_t)(p->bytes - from)) +
			     htons(packet_l4_bytes(p)));
}

void tcp_syn_clamp(struct packet *p, uint16_t mss_max, int may_be_partial)
{
	int partial = may_be_partial && l4_checksum_is_partial(p);
	uint16_t before = sum_changeable(p);

	clamp_options(options_start(p), p->data + p->payload, mss_max);
	if (p->bytes != p->payload)
		cut_payload(p);
	if (partial)
		l4_checksum_set(p, checksum_fold(l4_checksum_pseudo(p)));
	else
		l4_checksum_set(p, checksum_update(l4_checksum_get(p), (uint32_t)(uint16_t)~before +
									       sum_changeable(p)));
}

void tcp_syn_clamp_stored(struct conn *c, uint16_t mss_max)
{
	/* the entry lies in shared memory: its length is not taken on trust */
	if (c->syn_option_bytes <= sizeof(c->syn_options))
		clamp_options(c->syn_options, c->syn_options + c->syn_option_bytes, mss_max);
}

void tcp_syn_store(struct conn *c, const struct packet *p)
{
	const struct tcp_header *tcp = packet_tcp(p);
	uint8_t bytes = (uint8_t)(p->payload - p->l4 - sizeof(*tcp));

	c->isn = ntohl(tcp->seq);
	c->syn_window = ntohs(tcp->window);
	c->syn_ttl = p->ttl > 1 ? p->ttl - 1 : 1;
	c->syn_option_bytes = bytes;
	memcpy(c->syn_options, options_start(p), bytes);
	memset(c->syn_options + bytes, OPTION_END, sizeof(c->syn_options) - bytes);
}
