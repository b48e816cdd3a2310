/* SPDX-License-Identifier: Apache-2.0 */
/* Captured packets as text and as a file, also from lines and packets that lie. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/captured.h"
#include "controlplane/ctl/pcapng.h"
#include "controlplane/ctl/query.h"
#include "tests/unit/dataplane/suite.h"

#define ETHERNET "020000000001020000000002"
#define TCP4                           \
	"0800450000280000400040060000" \
	"0a4d0102"                     \
	"0a600014"
#define PORTS      \
	"9c40"     \
	"0050"     \
	"00000001" \
	"00000000" \
	"5002ffff00000000"

static void text_of(const char *hex, char *out)
{
	json_t *line =
		json_pack("{s:s,s:s,s:s}", "data", hex, "interface", "app", "verdict", "forwarded");
	struct captured c;

	CU_ASSERT_FATAL(captured_read(&c, line));
	captured_packet_text(&c, out);
	json_decref(line);
}

static void packets_are_told(void)
{
	static const struct {
		const char *hex, *text;
	} rows[] = {
		{ETHERNET TCP4 PORTS, "10.77.1.2:40000 > 10.96.0.20:80 tcp SYN"},
		{ETHERNET "8100002a" TCP4 PORTS, "10.77.1.2:40000 > 10.96.0.20:80 tcp SYN"},
		{ETHERNET TCP4 "9c400050", "10.77.1.2:40000 > 10.96.0.20:80 tcp"},
		{ETHERNET TCP4, "10.77.1.2 > 10.96.0.20 tcp"},
		/* a later fragment */
		{ETHERNET "0800450000280000000140060000"
			  "0a4d0102"
			  "0a600014" PORTS,
		 "10.77.1.2 > 10.96.0.20 tcp"},
		{ETHERNET "0800450000280000400040110000"
			  "0a4d0102"
			  "0a600014" PORTS,
		 "10.77.1.2:40000 > 10.96.0.20:80 udp"},
		{ETHERNET "86dd6000000000141140"
			  "fd770001000000000000000000000002"
			  "fd960000000000000000000000000020" PORTS,
		 "[fd77:1::2]:40000 > [fd96::20]:80 udp"},
		{ETHERNET "080600010800060400010200000000020a4d0102"
			  "000000000000"
			  "0a4d0101",
		 "arp 10.77.1.2 asks for 10.77.1.1"},
		/* cut, or no such thing */
		{"", "ethertype 0x0000"},
		{ETHERNET, "ethertype 0x0000"},
		{ETHERNET "0800", "ethertype 0x0800"},
		{ETHERNET "08004f", "ethertype 0x0800"},
		{ETHERNET "8100", "ethertype 0x8100"},
		{ETHERNET "88cc0102", "ethertype 0x88cc"},
	};
	char text[CAPTURED_TEXT_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_of(rows[i].hex, text);
		CU_ASSERT_STRING_EQUAL(text, rows[i].text);
	}
}

/* Every length and every byte of a header as anything. */
static void any_bytes_are_safe(void)
{
	static const char packet[] = ETHERNET TCP4 PORTS;
	char hex[sizeof(packet)], text[CAPTURED_TEXT_BYTES];

	for (size_t n = 0; n < sizeof(packet); n++) {
		memcpy(hex, packet, n);
		hex[n] = '\0';
		text_of(hex, text);
		for (unsigned int digit = 0; n > 0 && digit < 16; digit++) {
			strcpy(hex, packet);
			hex[n - 1] = "0123456789abcdef"[digit];
			text_of(hex, text);
		}
	}
	text_of("zz", text);
	CU_ASSERT_STRING_EQUAL(text, "ethertype 0x0000");
}

static void other_lines_are_no_packets(void)
{
	json_t *line = json_pack("{s:i}", "lost", 7);
	struct captured c;

	CU_ASSERT_EQUAL(captured_read(&c, line), 0);
	json_object_set_new(line, "data", json_integer(7));
	CU_ASSERT_EQUAL(captured_read(&c, line), 0);
	json_decref(line);
}

static void verdicts_are_told(void)
{
	struct captured c = {.verdict = "dropped",
			     .reason = "no_listener",
			     .listener = "",
			     .entry = -1,
			     .worker = 1};
	char text[CAPTURED_TEXT_BYTES];

	captured_verdict_text(&c, text);
	CU_ASSERT_STRING_EQUAL(text, "dropped: no_listener worker=1");
	c = (struct captured){.verdict = "forwarded", .reason = "", .listener = "web", .entry = 7};
	captured_verdict_text(&c, text);
	CU_ASSERT_STRING_EQUAL(text, "forwarded listener=web entry=7 worker=0");
}

/* Blocks: length in front and behind, a whole number of words, nothing left over. */
static void a_file_is_whole_blocks(void)
{
	struct captured c = {.time_ns = 1,
			     .interface = "app",
			     .verdict = "forwarded",
			     .reason = "",
			     .listener = "",
			     .entry = -1,
			     .length = 1500};
	uint32_t types[64], count = 0, head[2], behind;
	struct pcapng p;
	size_t bytes;
	char *file, *at;
	FILE *out = open_memstream(&file, &bytes);

	CU_ASSERT_EQUAL_FATAL(pcapng_begin(&p, out), 0);
	for (uint32_t i = 0; i < 8; i++) {
		c.bytes = i == 7 ? CAPTURED_DATA_BYTES : i;
		c.interface = i < 4 ? "app" : "net";
		p.lost = i;
		CU_ASSERT_EQUAL(pcapng_packet(&p, &c), 0);
		CU_ASSERT_EQUAL(p.lost, 0);
	}
	fclose(out);
	for (at = file; at < file + bytes && count < 64; at += head[1]) {
		memcpy(head, at, sizeof(head));
		CU_ASSERT_FATAL(head[1] % 4 == 0 && head[1] >= 12 && at + head[1] <= file + bytes);
		memcpy(&behind, at + head[1] - 4, sizeof(behind));
		CU_ASSERT_EQUAL(behind, head[1]);
		types[count++] = head[0];
	}
	CU_ASSERT_EQUAL(at, file + bytes);
	CU_ASSERT_EQUAL(count, 1 + 2 + 8);
	CU_ASSERT_EQUAL(types[0], 0x0a0d0d0a);
	CU_ASSERT_EQUAL(types[1], 1);
	CU_ASSERT_EQUAL(types[2], 6);
	free(file);
}

static void a_query_is_escaped_and_bounded(void)
{
	char path[24] = "/x", full[8] = "/x";

	CU_ASSERT_EQUAL(query_add(path, sizeof(path), "a", NULL), 0);
	CU_ASSERT_STRING_EQUAL(path, "/x");
	CU_ASSERT_EQUAL(query_add(path, sizeof(path), "a", "[1]&b"), 0);
	CU_ASSERT_STRING_EQUAL(path, "/x?a=%5B1%5D%26b");
	CU_ASSERT_EQUAL(query_add(path, sizeof(path), "b", "1"), 0);
	CU_ASSERT_STRING_EQUAL(path, "/x?a=%5B1%5D%26b&b=1");
	CU_ASSERT_NOT_EQUAL(query_add(path, sizeof(path), "c", "123456"), 0);
	CU_ASSERT_STRING_EQUAL(path, "/x?a=%5B1%5D%26b&b=1");
	CU_ASSERT_NOT_EQUAL(query_add(full, sizeof(full), "longer", "1"), 0);
	CU_ASSERT_STRING_EQUAL(full, "/x");
}

int main(void)
{
	static CU_TestInfo tests[] = {
		SUITE_TEST(packets_are_told),
		SUITE_TEST(any_bytes_are_safe),
		SUITE_TEST(other_lines_are_no_packets),
		SUITE_TEST(verdicts_are_told),
		SUITE_TEST(a_file_is_whole_blocks),
		SUITE_TEST(a_query_is_escaped_and_bounded),
		CU_TEST_INFO_NULL,
	};

	return suite_run("captured", tests);
}
