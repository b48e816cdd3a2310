/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/build_frame.h"

struct build_ip build_ip_answer(const struct packet *p, uint8_t proto)
{
	struct build_ip ip = {
		.family = p->key.k.family,
		.proto = proto,
		.ttl = BUILD_TTL,
		.src = p->key.k.dst,
		.dst = p->key.k.src,
	};

	memcpy(ip.src6, p->key.dst6, sizeof(ip.src6));
	memcpy(ip.dst6, p->key.src6, sizeof(ip.dst6));
	return ip;
}

static void put_ipv4(struct ipv4_header *header, const struct build_ip *ip, size_t l4_bytes)
{
	/* never fragmented, so no id is needed (RFC 6864 4.1) */
	*header = (struct ipv4_header){
		.version_ihl = IPV4_PLAIN,
		.total_bytes = htons((uint16_t)(sizeof(*header) + l4_bytes)),
		.fragment = htons(IPV4_DONT_FRAGMENT),
		.ttl = ip->ttl,
		.proto = ip->proto,
		.src = ip->src,
		.dst = ip->dst,
	};
	header->check = checksum_finish(checksum_sum20(header));
}

static void put_ipv6(struct ipv6_header *header, const struct build_ip *ip, size_t l4_bytes)
{
	*header = (struct ipv6_header){
		.version_class = 6 << 4,
		.payload_bytes = htons((uint16_t)l4_bytes),
		.next = ip->proto,
		.hop_limit = ip->ttl,
	};
	memcpy(header->src, ip->src6, sizeof(header->src));
	memcpy(header->dst, ip->dst6, sizeof(header->dst));
}

uint8_t *build_ip_frame(uint8_t *out, size_t size, const struct build_ip *ip, size_t l4_bytes)
{
	struct ethernet_header *ethernet = (struct ethernet_header *)out;
	uint8_t *l3 = out + sizeof(*ethernet);

	if (size < build_frame_bytes(ip, l4_bytes))
		return NULL;
	*ethernet = (struct ethernet_header){0};
	if (ip->family == FAMILY_V4) {
		ethernet->type = htons(ETHER_TYPE_IPV4);
		put_ipv4((struct ipv4_header *)l3, ip, l4_bytes);
		return l3 + sizeof(struct ipv4_header);
	}
	ethernet->type = htons(ETHER_TYPE_IPV6);
	put_ipv6((struct ipv6_header *)l3, ip, l4_bytes);
	return l3 + sizeof(struct ipv6_header);
}

uint64_t build_pseudo_sum(const struct build_ip *ip, size_t l4_bytes)
{
	if (ip->family == FAMILY_V6)
		return checksum_pseudo6(ip->src6, ip->dst6, ip->proto, (uint16_t)l4_bytes);
	if (ip->proto == IP_PROTO_ICMP)
		return 0;
	return checksum_pseudo4(ip->src, ip->dst, ip->proto, (uint16_t)l4_bytes);
}
