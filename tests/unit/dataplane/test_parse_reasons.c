/* SPDX-License-Identifier: Apache-2.0 */
/* One frame for every way to be refused, beside its neighbour that is not. */
#include "dataplane/pkt/parse.h"

#include <stdio.h>

#include "tests/unit/dataplane/bases.h"
#include "tests/unit/dataplane/suite.h"

enum fix { AS_IS, FIX_L3, FIX_ALL };

struct edit {
	uint16_t at;
	uint8_t n;
	uint8_t b[16];
};

struct row {
	const char *what;
	enum base base;
	enum fix fix;
	struct edit edit[3];
	enum reason reason;
};

#define U8(at, v)         \
	{                 \
		at, 1,    \
		{         \
			v \
		}         \
	}
#define U16(at, v)                         \
	{                                  \
		at, 2,                     \
		{                          \
			(v) >> 8, (v)&0xff \
		}                          \
	}
#define IP4(at, a, b, c, d)        \
	{                          \
		at, 4,             \
		{                  \
			a, b, c, d \
		}                  \
	}
#define MAPPED(at)                                                    \
	{                                                             \
		at, 16,                                               \
		{                                                     \
			[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1 \
		}                                                     \
	}
#define ZERO6(at)         \
	{                 \
		at, 16,   \
		{         \
			0 \
		}         \
	}
#define LOOPBACK6(at)            \
	{                        \
		at, 16,          \
		{                \
			[15] = 1 \
		}                \
	}
#define ALL_NODES(at)                     \
	{                                 \
		at, 16,                   \
		{                         \
			0xff, 2, [15] = 1 \
		}                         \
	}
#define SOLICITED(at)                                    \
	{                                                \
		at, 16,                                  \
		{                                        \
			0xff, 2, [11] = 1, 0xff, 0, 0, 1 \
		}                                        \
	}

static const struct row rows[] = {
	/* Ethernet and VLAN */
	{"unknown ethertype", TCP4, AS_IS, {U16(12, 0x88cc)}, REASON_ETHERTYPE},
	{"802.3 length", TCP4, AS_IS, {U16(12, 46)}, REASON_ETHERTYPE},
	{"group as Ethernet source", TCP4, AS_IS, {U8(6, 3)}, REASON_MALFORMED},
	{"broadcast as Ethernet destination", TCP4, AS_IS, {U8(0, 0xff)}, REASON_NONE},
	{"two 802.1Q tags", TAGGED4, AS_IS, {U16(16, 0x8100)}, REASON_VLAN},
	{"802.1ad outside", TAGGED4, AS_IS, {U16(12, 0x88a8)}, REASON_VLAN},
	{"802.1ad inside", TAGGED4, AS_IS, {U16(16, 0x88a8)}, REASON_VLAN},
	{"unknown ethertype in a tag", TAGGED4, AS_IS, {U16(16, 0x9000)}, REASON_ETHERTYPE},
	{"priority tag", TAGGED4, AS_IS, {U16(14, 0x6000)}, REASON_NONE},
	/* IPv4 header */
	{"version 5", TCP4, FIX_ALL, {U8(IP, 0x55)}, REASON_MALFORMED},
	{"version 6 under the IPv4 ethertype", TCP4, AS_IS, {U8(IP, 0x65)}, REASON_MALFORMED},
	{"header length 16", TCP4, AS_IS, {U8(IP, 0x44)}, REASON_MALFORMED},
	{"header length 0", TCP4, AS_IS, {U8(IP, 0x40)}, REASON_MALFORMED},
	{"options", TCP4, FIX_L3, {U8(IP, 0x46)}, REASON_IP_OPTIONS},
	{"options, wrong checksum", TCP4, AS_IS, {U8(IP, 0x46)}, REASON_CHECKSUM},
	{"options beyond the packet",
	 ECHO4,
	 AS_IS,
	 {U8(IP, 0x4f), U16(IP + 2, 59)},
	 REASON_MALFORMED},
	{"options that fill the packet",
	 ECHO4,
	 FIX_L3,
	 {U8(IP, 0x4f), U16(IP + 2, 60)},
	 REASON_IP_OPTIONS},
	{"options and a total beyond the frame",
	 TCP4,
	 AS_IS,
	 {U8(IP, 0x46), U16(IP + 2, 46)},
	 REASON_MALFORMED},
	{"total 19", TCP4, FIX_L3, {U16(IP + 2, 19)}, REASON_MALFORMED},
	{"total 0", TCP4, FIX_L3, {U16(IP + 2, 0)}, REASON_MALFORMED},
	{"total one beyond the frame", TCP4, FIX_L3, {U16(IP + 2, 46)}, REASON_MALFORMED},
	{"total 65535", TCP4, FIX_L3, {U16(IP + 2, 65535)}, REASON_MALFORMED},
	{"wrong header checksum", TCP4, AS_IS, {U8(IP + 8, 63)}, REASON_CHECKSUM},
	{"header checksum off by one", TCP4, AS_IS, {U8(IP + 10, 0)}, REASON_CHECKSUM},
	{"more fragments", TCP4, FIX_L3, {U16(IP + 6, 0x2000)}, REASON_FRAGMENT},
	{"fragment offset 1", TCP4, FIX_L3, {U16(IP + 6, 0x0001)}, REASON_FRAGMENT},
	{"fragment offset 0x1000", TCP4, FIX_L3, {U16(IP + 6, 0x1000)}, REASON_FRAGMENT},
	{"fragment of an unknown protocol",
	 TCP4,
	 FIX_L3,
	 {U16(IP + 6, 0x2001), U8(IP + 9, 99)},
	 REASON_FRAGMENT},
	{"fragments allowed", TCP4, FIX_L3, {U16(IP + 6, 0)}, REASON_NONE},
	{"TTL 0", TCP4, FIX_L3, {U8(IP + 8, 0)}, REASON_NONE},
	{"protocol GRE", TCP4, FIX_L3, {U8(IP + 9, 47)}, REASON_PROTOCOL},
	{"protocol ICMPv6 over IPv4", TCP4, FIX_L3, {U8(IP + 9, 58)}, REASON_PROTOCOL},
	{"source 0.0.0.0", TCP4, FIX_ALL, {IP4(SRC4, 0, 0, 0, 0)}, REASON_MALFORMED},
	{"source 0.1.2.3", TCP4, FIX_ALL, {IP4(SRC4, 0, 1, 2, 3)}, REASON_MALFORMED},
	{"source 1.0.0.0", TCP4, FIX_ALL, {IP4(SRC4, 1, 0, 0, 0)}, REASON_NONE},
	{"source 126.255.255.255", TCP4, FIX_ALL, {IP4(SRC4, 126, 255, 255, 255)}, REASON_NONE},
	{"source 127.0.0.1", TCP4, FIX_ALL, {IP4(SRC4, 127, 0, 0, 1)}, REASON_MALFORMED},
	{"source 128.0.0.1", TCP4, FIX_ALL, {IP4(SRC4, 128, 0, 0, 1)}, REASON_NONE},
	{"source 223.255.255.255", TCP4, FIX_ALL, {IP4(SRC4, 223, 255, 255, 255)}, REASON_NONE},
	{"source 224.0.0.1", TCP4, FIX_ALL, {IP4(SRC4, 224, 0, 0, 1)}, REASON_MALFORMED},
	{"source 239.255.255.255",
	 TCP4,
	 FIX_ALL,
	 {IP4(SRC4, 239, 255, 255, 255)},
	 REASON_MALFORMED},
	{"source 240.0.0.1", TCP4, FIX_ALL, {IP4(SRC4, 240, 0, 0, 1)}, REASON_NONE},
	{"source broadcast", TCP4, FIX_ALL, {IP4(SRC4, 255, 255, 255, 255)}, REASON_MALFORMED},
	{"destination broadcast", TCP4, FIX_ALL, {IP4(DST4, 255, 255, 255, 255)}, REASON_NONE},
	/* TCP */
	{"data offset 4", TCP4, AS_IS, {U8(L4_4 + 12, 0x40)}, REASON_MALFORMED},
	{"data offset 0", TCP4, AS_IS, {U8(L4_4 + 12, 0)}, REASON_MALFORMED},
	{"data offset beyond the packet", TCP4, AS_IS, {U8(L4_4 + 12, 0x70)}, REASON_MALFORMED},
	{"data offset into the payload", TCP4, AS_IS, {U8(L4_4 + 12, 0x60)}, REASON_NONE},
	{"data offset 15", TCP4, AS_IS, {U8(L4_4 + 12, 0xf0)}, REASON_MALFORMED},
	{"TCP in 19 bytes", TCP4, FIX_L3, {U16(IP + 2, 39)}, REASON_MALFORMED},
	{"TCP source port 0", TCP4, AS_IS, {U16(L4_4, 0)}, REASON_MALFORMED},
	{"TCP destination port 0", TCP4, AS_IS, {U16(L4_4 + 2, 0)}, REASON_MALFORMED},
	{"TCP checksum is not verified", TCP4, AS_IS, {U16(L4_4 + 16, 0x1111)}, REASON_NONE},
	/* UDP */
	{"UDP length 7", UDP4, AS_IS, {U16(L4_4 + 4, 7)}, REASON_MALFORMED},
	{"UDP length 0", UDP4, AS_IS, {U16(L4_4 + 4, 0)}, REASON_MALFORMED},
	{"UDP length 8", UDP4, AS_IS, {U16(L4_4 + 4, 8)}, REASON_NONE},
	{"UDP length beyond the packet", UDP4, AS_IS, {U16(L4_4 + 4, 20)}, REASON_MALFORMED},
	{"UDP length 65535", UDP4, AS_IS, {U16(L4_4 + 4, 65535)}, REASON_MALFORMED},
	{"UDP in 7 bytes", UDP4, FIX_L3, {U16(IP + 2, 27)}, REASON_MALFORMED},
	{"UDP source port 0", UDP4, AS_IS, {U16(L4_4, 0)}, REASON_MALFORMED},
	{"UDP destination port 0", UDP4, AS_IS, {U16(L4_4 + 2, 0)}, REASON_MALFORMED},
	{"UDP/IPv4 without checksum", UDP4, AS_IS, {U16(L4_4 + 6, 0)}, REASON_NONE},
	{"UDP/IPv6 without checksum", UDP6, AS_IS, {U16(L4_6 + 6, 0)}, REASON_CHECKSUM},
	{"UDP/IPv6 length 7", UDP6, AS_IS, {U16(L4_6 + 4, 7)}, REASON_MALFORMED},
	/* IPv6 header */
	{"version 4 under the IPv6 ethertype", TCP6, AS_IS, {U8(IP, 0x40)}, REASON_MALFORMED},
	{"traffic class and flow label",
	 TCP6,
	 AS_IS,
	 {U8(IP, 0x6f), U8(IP + 1, 0xff)},
	 REASON_NONE},
	{"payload one beyond the frame", TCP6, AS_IS, {U16(IP + 4, 29)}, REASON_MALFORMED},
	{"payload 65535", TCP6, AS_IS, {U16(IP + 4, 65535)}, REASON_MALFORMED},
	{"payload 0", TCP6, AS_IS, {U16(IP + 4, 0)}, REASON_MALFORMED},
	{"jumbogram", TCP6, AS_IS, {U16(IP + 4, 0), U8(IP + 6, 0)}, REASON_IP_OPTIONS},
	{"hop-by-hop options", TCP6, AS_IS, {U8(IP + 6, 0)}, REASON_IP_OPTIONS},
	{"routing header", TCP6, AS_IS, {U8(IP + 6, 43)}, REASON_IP_OPTIONS},
	{"fragment header", TCP6, AS_IS, {U8(IP + 6, 44)}, REASON_FRAGMENT},
	{"authentication header", TCP6, AS_IS, {U8(IP + 6, 51)}, REASON_IP_OPTIONS},
	{"destination options", TCP6, AS_IS, {U8(IP + 6, 60)}, REASON_IP_OPTIONS},
	{"mobility header", TCP6, AS_IS, {U8(IP + 6, 135)}, REASON_IP_OPTIONS},
	{"HIP", TCP6, AS_IS, {U8(IP + 6, 139)}, REASON_IP_OPTIONS},
	{"shim6", TCP6, AS_IS, {U8(IP + 6, 140)}, REASON_IP_OPTIONS},
	{"no next header", TCP6, AS_IS, {U8(IP + 6, 59)}, REASON_PROTOCOL},
	{"ESP", TCP6, AS_IS, {U8(IP + 6, 50)}, REASON_PROTOCOL},
	{"ICMPv4 over IPv6", TCP6, AS_IS, {U8(IP + 6, 1)}, REASON_PROTOCOL},
	{"source multicast", TCP6, AS_IS, {ALL_NODES(SRC6)}, REASON_MALFORMED},
	{"source unspecified, TCP", TCP6, AS_IS, {ZERO6(SRC6)}, REASON_MALFORMED},
	{"source loopback", TCP6, AS_IS, {LOOPBACK6(SRC6)}, REASON_MALFORMED},
	{"source v4-mapped", TCP6, AS_IS, {MAPPED(SRC6)}, REASON_MALFORMED},
	{"destination v4-mapped", TCP6, AS_IS, {MAPPED(DST6)}, REASON_MALFORMED},
	{"destination unspecified", TCP6, AS_IS, {ZERO6(DST6)}, REASON_NONE},
	{"source with eight leading zero bytes", TCP6, AS_IS, {{SRC6, 16, {[8] = 1}}}, REASON_NONE},
	/* ICMP */
	{"echo request, code 1", ECHO4, FIX_ALL, {U8(L4_4 + 1, 1)}, REASON_NONE},
	{"echo request, wrong checksum", ECHO4, AS_IS, {U8(L4_4 + 20, 1)}, REASON_CHECKSUM},
	{"echo reply", ECHO4, FIX_ALL, {U8(L4_4, 0)}, REASON_PROTOCOL},
	{"redirect", ECHO4, FIX_ALL, {U8(L4_4, 5)}, REASON_PROTOCOL},
	{"source quench", ECHO4, FIX_ALL, {U8(L4_4, 4)}, REASON_PROTOCOL},
	{"timestamp", ECHO4, FIX_ALL, {U8(L4_4, 13)}, REASON_PROTOCOL},
	{"ICMP in 7 bytes", ECHO4, FIX_L3, {U16(IP + 2, 27)}, REASON_MALFORMED},
	{"time exceeded", UNREACHABLE4, FIX_ALL, {U8(L4_4, 11)}, REASON_NONE},
	{"parameter problem", UNREACHABLE4, FIX_ALL, {U8(L4_4, 12)}, REASON_NONE},
	{"error, wrong checksum", UNREACHABLE4, AS_IS, {U8(L4_4 + 1, 1)}, REASON_CHECKSUM},
	{"quoted version 6", UNREACHABLE4, FIX_ALL, {U8(L4_4 + 8, 0x65)}, REASON_MALFORMED},
	{"quoted header length 16", UNREACHABLE4, FIX_ALL, {U8(L4_4 + 8, 0x44)}, REASON_MALFORMED},
	{"quoted options", UNREACHABLE4, FIX_ALL, {U8(L4_4 + 8, 0x46)}, REASON_ICMP_UNMATCHED},
	{"quoted total 27", UNREACHABLE4, FIX_ALL, {U16(L4_4 + 10, 27)}, REASON_MALFORMED},
	{"quoted first fragment", UNREACHABLE4, FIX_ALL, {U16(L4_4 + 14, 0x2000)}, REASON_NONE},
	{"quoted later fragment",
	 UNREACHABLE4,
	 FIX_ALL,
	 {U16(L4_4 + 14, 0x0010)},
	 REASON_ICMP_UNMATCHED},
	{"quoted ICMP", UNREACHABLE4, FIX_ALL, {U8(L4_4 + 17, 1)}, REASON_ICMP_UNMATCHED},
	{"quoted header checksum wrong", UNREACHABLE4, FIX_ALL, {U16(L4_4 + 18, 0)}, REASON_NONE},
	{"quotes another source",
	 UNREACHABLE4,
	 FIX_ALL,
	 {U8(L4_4 + 23, 99)},
	 REASON_ICMP_UNMATCHED},
	/* ICMPv6 */
	{"echo reply v6", ECHO6, FIX_ALL, {U8(L4_6, 129)}, REASON_PROTOCOL},
	{"router advertisement", ECHO6, FIX_ALL, {U8(L4_6, 134)}, REASON_PROTOCOL},
	{"redirect v6", ECHO6, FIX_ALL, {U8(L4_6, 137)}, REASON_PROTOCOL},
	{"ICMPv6 type 0", ECHO6, FIX_ALL, {U8(L4_6, 0)}, REASON_PROTOCOL},
	{"echo v6, wrong checksum", ECHO6, AS_IS, {U8(L4_6 + 4, 9)}, REASON_CHECKSUM},
	{"echo v6, checksum without pseudo header",
	 ECHO6,
	 AS_IS,
	 {U8(DST6 + 15, 9)},
	 REASON_CHECKSUM},
	{"echo v6 from nowhere", ECHO6, FIX_ALL, {ZERO6(SRC6)}, REASON_MALFORMED},
	{"unreachable v6", TOO_BIG6, FIX_ALL, {U8(L4_6, 1)}, REASON_NONE},
	{"time exceeded v6", TOO_BIG6, FIX_ALL, {U8(L4_6, 3)}, REASON_NONE},
	{"parameter problem v6", TOO_BIG6, FIX_ALL, {U8(L4_6, 4)}, REASON_NONE},
	{"error v6 from nowhere", TOO_BIG6, FIX_ALL, {ZERO6(SRC6)}, REASON_MALFORMED},
	{"quoted version 4", TOO_BIG6, FIX_ALL, {U8(L4_6 + 8, 0x45)}, REASON_MALFORMED},
	{"quoted payload 7", TOO_BIG6, FIX_ALL, {U16(L4_6 + 12, 7)}, REASON_MALFORMED},
	{"quoted fragment header", TOO_BIG6, FIX_ALL, {U8(L4_6 + 14, 44)}, REASON_ICMP_UNMATCHED},
	{"quoted ICMPv6", TOO_BIG6, FIX_ALL, {U8(L4_6 + 14, 58)}, REASON_ICMP_UNMATCHED},
	{"quotes another source v6", TOO_BIG6, FIX_ALL, {U8(L4_6 + 31, 1)}, REASON_ICMP_UNMATCHED},
	/* neighbour discovery */
	{"hop limit 254", NS, AS_IS, {U8(IP + 7, 254)}, REASON_MALFORMED},
	{"advertisement, hop limit 64", NA, AS_IS, {U8(IP + 7, 64)}, REASON_MALFORMED},
	{"solicitation, code 1", NS, FIX_ALL, {U8(L4_6 + 1, 1)}, REASON_MALFORMED},
	{"solicitation, wrong checksum", NS, AS_IS, {U8(L4_6 + 23, 77)}, REASON_CHECKSUM},
	{"target multicast", NS, FIX_ALL, {ALL_NODES(L4_6 + 8)}, REASON_MALFORMED},
	{"target unspecified", NS, FIX_ALL, {ZERO6(L4_6 + 8)}, REASON_MALFORMED},
	{"target v4-mapped", NA, FIX_ALL, {MAPPED(L4_6 + 8)}, REASON_MALFORMED},
	{"solicitation in 23 bytes", NS, FIX_ALL, {U16(IP + 4, 23)}, REASON_MALFORMED},
	{"probe to the solicited-node group",
	 NS,
	 FIX_ALL,
	 {ZERO6(SRC6), SOLICITED(DST6)},
	 REASON_NONE},
	{"probe to one host", NS, FIX_ALL, {ZERO6(SRC6)}, REASON_MALFORMED},
	{"advertisement from nowhere", NA, FIX_ALL, {ZERO6(SRC6)}, REASON_MALFORMED},
	{"advertisement to all", NA, FIX_ALL, {ALL_NODES(DST6)}, REASON_NONE},
	{"solicited advertisement to all",
	 NA,
	 FIX_ALL,
	 {ALL_NODES(DST6), U8(L4_6 + 4, 0x40)},
	 REASON_MALFORMED},
	/* ARP */
	{"hardware not Ethernet", ARP, AS_IS, {U16(14, 6)}, REASON_MALFORMED},
	{"protocol not IPv4", ARP, AS_IS, {U16(16, 0x86dd)}, REASON_MALFORMED},
	{"hardware length 8", ARP, AS_IS, {U8(18, 8)}, REASON_MALFORMED},
	{"protocol length 16", ARP, AS_IS, {U8(19, 16)}, REASON_MALFORMED},
	{"reverse ARP", ARP, AS_IS, {U16(20, 3)}, REASON_PROTOCOL},
	{"ARP operation 0", ARP, AS_IS, {U16(20, 0)}, REASON_PROTOCOL},
	{"reply", ARP, AS_IS, {U16(20, 2)}, REASON_NONE},
	{"sender MAC broadcast",
	 ARP,
	 AS_IS,
	 {{22, 6, {255, 255, 255, 255, 255, 255}}},
	 REASON_MALFORMED},
	{"sender MAC zero", ARP, AS_IS, {{22, 6, {0}}}, REASON_MALFORMED},
	{"sender multicast", ARP, AS_IS, {IP4(28, 224, 0, 0, 5)}, REASON_MALFORMED},
	{"sender broadcast", ARP, AS_IS, {IP4(28, 255, 255, 255, 255)}, REASON_MALFORMED},
	{"sender loopback", ARP, AS_IS, {IP4(28, 127, 0, 0, 1)}, REASON_MALFORMED},
	{"probe", ARP, AS_IS, {IP4(28, 0, 0, 0, 0)}, REASON_NONE},
	{"reply from 0.0.0.0", ARP, AS_IS, {IP4(28, 0, 0, 0, 0), U16(20, 2)}, REASON_MALFORMED},
};

static void every_reason_is_found(void)
{
	struct frame f;
	struct packet p = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		enum reason reason;

		base_make(&f, row->base);
		for (size_t e = 0; e < 3; e++)
			memcpy(f.b + row->edit[e].at, row->edit[e].b, row->edit[e].n);
		if (row->fix == FIX_L3)
			frame_fix_l3(&f);
		if (row->fix == FIX_ALL)
			frame_fix(&f);
		reason = parse_at_guard(&p, &f);
		if (reason != row->reason)
			printf("\n%s: %s, expected %s\n", row->what, reason_name(reason),
			       reason_name(row->reason));
		CU_ASSERT_EQUAL(reason, row->reason);
	}
}

static void tcp_flags_pass_only_as_tcp_sends_them(void)
{
	static const uint8_t sent[] = {TCP_SYN,           TCP_SYN | TCP_ACK, TCP_RST,
				       TCP_RST | TCP_ACK, TCP_ACK,           TCP_FIN | TCP_ACK};
	struct frame f;
	struct packet p = {0};

	base_make(&f, TCP4);
	for (uint32_t flags = 0; flags <= 0xff; flags++) {
		enum reason expected = REASON_MALFORMED;

		for (size_t i = 0; i < sizeof(sent); i++)
			if ((flags & 0x17) == sent[i])
				expected = REASON_NONE;
		f.b[L4_4 + 13] = (uint8_t)flags;
		CU_ASSERT_EQUAL(parse_at_guard(&p, &f), expected);
		if (expected == REASON_NONE)
			CU_ASSERT_EQUAL(p.tcp_flags, flags & 0x3f);
	}
}

static CU_TestInfo tests[] = {
	SUITE_TEST(every_reason_is_found),
	SUITE_TEST(tcp_flags_pass_only_as_tcp_sends_them),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("parse_reasons", tests);
}
