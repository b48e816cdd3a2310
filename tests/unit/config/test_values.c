/* SPDX-License-Identifier: Apache-2.0 */
#include "config/values.h"
#include "config/value_words.h"

#include "config/suggest.h"
#include "tests/unit/config/policy_text.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

enum { BAD = 1 };

struct number {
	const char *text;
	uint64_t value;
	int bad;
};

static void check_numbers(const struct number *rows, size_t count,
			  const char *(*read)(const char *text, uint64_t *out))
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 0;
		const char *expected = read(rows[i].text, &value);

		if ((expected != NULL) != (rows[i].bad != 0) ||
		    (expected == NULL && value != rows[i].value))
			fprintf(stderr, "\n'%s' reads as %llu\n", rows[i].text,
				(unsigned long long)value);
		CU_ASSERT_EQUAL(expected != NULL, rows[i].bad != 0);
		if (expected == NULL)
			CU_ASSERT_EQUAL(value, rows[i].value);
	}
}

static void integers_have_digits_only(void)
{
	static const struct number rows[] = {
		{"0", 0, 0},
		{"1", 1, 0},
		{"300", 300, 0},
		{"", 0, BAD},
		{"-1", 0, BAD},
		{"+1", 0, BAD},
		{"01", 0, BAD},
		{"0x10", 0, BAD},
		{"1_000", 0, BAD},
		{"1.5", 0, BAD},
		{"1k", 0, BAD},
		{" 1", 0, BAD},
		{"1 ", 0, BAD},
		{"1e3", 0, BAD},
		{"999999999999999999", 999999999999999999, 0},
		{"9999999999999999999", 0, BAD},
		{"18446744073709551617", 0, BAD},
	};

	check_numbers(rows, ROWS(rows), value_integer);
}

static void counts_take_thousands_and_1024s(void)
{
	static const struct number rows[] = {
		{"16384", 16384, 0},   {"16Ki", 16384, 0},
		{"10k", 10000, 0},     {"2.5M", 2500000, 0},
		{"1G", 1000000000, 0}, {"4Mi", 4 << 20, 0},
		{"1.5Ki", 1536, 0},    {"0.5", 0, BAD},
		{"10K", 0, BAD},       {"10kk", 0, BAD},
		{"k", 0, BAD},         {"1.k", 0, BAD},
		{".5k", 0, BAD},       {"1.0001k", 0, BAD},
		{"1.000k", 1000, 0},   {"999999999999999999Gi", 0, BAD},
	};

	check_numbers(rows, ROWS(rows), value_count);
}

static void sizes_need_a_unit(void)
{
	static const struct number rows[] = {
		{"64KiB", 65536, 0}, {"4MiB", 4 << 20, 0}, {"1GiB", 1 << 30, 0}, {"512B", 512, 0},
		{"4096", 0, BAD},    {"64KB", 0, BAD},     {"64kib", 0, BAD},    {"64 KiB", 0, BAD},
	};

	check_numbers(rows, ROWS(rows), value_size);
}

static void durations_are_exact_nanoseconds(void)
{
	static const struct number rows[] = {
		{"250ms", 250000000, 0},
		{"5s", 5000000000, 0},
		{"1h", 3600000000000, 0},
		{"1.5s", 1500000000, 0},
		{"50us", 50000, 0},
		{"1ns", 1, 0},
		{"0.5ns", 0, BAD},
		{"0", 0, 0},
		{"2m", 120000000000, 0},
		{"1d", 86400000000000, 0},
		{"5", 0, BAD},
		{"5 s", 0, BAD},
		{"5S", 0, BAD},
		{"-5s", 0, BAD},
		{"1h30m", 0, BAD},
		{"0.0000000001s", 0, BAD},
		{"99999999999999999d", 0, BAD},
		{"213503d", 213503ull * 86400000000000ull, 0},
		{"213504d", 0, BAD},
	};

	check_numbers(rows, ROWS(rows), value_duration);
}

static void percentages_are_hundredths(void)
{
	static const struct number rows[] = {
		{"50%", 5000, 0},   {"12.5%", 1250, 0},
		{"0.01%", 1, 0},    {"100.00%", 10000, 0},
		{"0", 0, 0},        {"0%", 0, 0},
		{"50", 0, BAD},     {"50 %", 0, BAD},
		{"0.001%", 0, BAD}, {"-1%", 0, BAD},
		{"%", 0, BAD},      {"050%", 0, BAD},
		{"0.1", 0, BAD},    {"1e2%", 0, BAD},
		{"50%%", 0, BAD},   {"999999999999999999%", 0, BAD},
	};

	check_numbers(rows, ROWS(rows), value_percent);
}

static void factors_are_hundredths(void)
{
	static const struct number rows[] = {
		{"2", 200, 0},   {"1.5", 150, 0},   {"1.25", 125, 0},
		{"10", 1000, 0}, {"1.255", 0, BAD}, {"1.", 0, BAD},
		{".5", 0, BAD},  {"2x", 0, BAD},    {"", 0, BAD},
	};

	check_numbers(rows, ROWS(rows), value_factor);
}

static void bursts_are_units_bytes_or_seconds_worth(void)
{
	static const struct {
		const char *text;
		uint64_t value;
		uint32_t unit;
	} rows[] = {
		{"1", 1, BURST_UNITS},
		{"10k", 10000, BURST_UNITS},
		{"16Ki", 16384, BURST_UNITS},
		{"999999999999999999", 999999999999999999, BURST_UNITS},
		{"1B", 1, BURST_BYTES},
		{"64KiB", 65536, BURST_BYTES},
		{"1x", 100, BURST_SECONDS},
		{"0.01x", 1, BURST_SECONDS},
		{"2.5x", 250, BURST_SECONDS},
		{"0", 0, BURST_NONE},
		{"0B", 0, BURST_NONE},
		{"0x", 0, BURST_NONE},
		{"0.00x", 0, BURST_NONE},
		{"0.001x", 0, BURST_NONE},
		{"", 0, BURST_NONE},
		{"x", 0, BURST_NONE},
		{"-1", 0, BURST_NONE},
		{"1X", 0, BURST_NONE},
		{"0x10", 0, BURST_NONE},
		{"1kx", 0, BURST_NONE},
		{"1s", 0, BURST_NONE},
		{"999999999999999999x", 0, BURST_NONE}, /* beyond 64 bits */
		{"1000000000000000000", 0, BURST_NONE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct value_burst burst = {1, 1};
		const char *expected = value_burst(rows[i].text, &burst);

		if (burst.value != rows[i].value || burst.unit != rows[i].unit)
			fprintf(stderr, "\n--- %s: %llu, %u\n", rows[i].text,
				(unsigned long long)burst.value, burst.unit);
		CU_ASSERT_EQUAL(burst.value, rows[i].value);
		CU_ASSERT_EQUAL(burst.unit, rows[i].unit);
		CU_ASSERT_EQUAL(expected == NULL, rows[i].unit != BURST_NONE);
	}
}

static void windows_are_calls_or_a_duration(void)
{
	static const struct {
		const char *text;
		uint64_t calls, ms;
		int bad;
	} rows[] = {
		{"100", 100, 0, 0},      {"100 calls", 100, 0, 0}, {"10s", 0, 10000, 0},
		{"1.5s", 0, 1500, 0},    {"0", 0, 0, 0},           {"100  calls", 0, 0, BAD},
		{"100calls", 0, 0, BAD}, {"1 call", 0, 0, BAD},    {"1.5", 0, 0, BAD},
		{"1500us", 0, 0, BAD},   {"calls", 0, 0, BAD},     {"", 0, 0, BAD},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct value_window window;
		const char *expected = value_window(rows[i].text, &window);

		CU_ASSERT_EQUAL(expected != NULL, rows[i].bad != 0);
		if (expected != NULL)
			continue;
		CU_ASSERT_EQUAL(window.calls, rows[i].calls);
		CU_ASSERT_EQUAL(window.ms, rows[i].ms);
	}
}

static void paths_and_hosts_are_what_a_request_can_carry(void)
{
	static const struct {
		const char *(*read)(const char *text);
		const char *text;
		int bad;
	} rows[] = {
		{value_url_path, "/", 0},
		{value_url_path, "/health?deep=1", 0},
		{value_url_path, "", BAD},
		{value_url_path, "health", BAD},
		{value_url_path, "/a b", BAD},
		{value_url_path, "/a\r\nX: y", BAD},
		{value_url_path, "/#top", BAD},
		{value_url_path, "/\xc3\xa4", BAD},
		{value_host, "www.example.com", 0},
		{value_host, "www.example.com:8080", 0},
		{value_host, "10.0.0.1", 0},
		{value_host, "10.0.0.1:80", 0},
		{value_host, "[2001:db8::1]", 0},
		{value_host, "[2001:db8::1]:80", 0},
		{value_host, "2001:db8::1", BAD},
		{value_host, "[10.0.0.1]", BAD},
		{value_host, "[2001:db8::1", BAD},
		{value_host, "10.0.0.300", BAD},
		{value_host, "a:0", BAD},
		{value_host, "a:65536", BAD},
		{value_host, "a b", BAD},
		{value_host, "", BAD},
		{value_file, "a file", 0},
		{value_file, "/etc/fender/a.yaml", 0},
		{value_file, "", BAD},
		{value_file, "a\nb", BAD},
	};
	char longest[VALUE_PATH_BYTES + 1];

	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *expected = rows[i].read(rows[i].text);

		if ((expected != NULL) != (rows[i].bad != 0))
			fprintf(stderr, "\n'%s'\n", rows[i].text);
		CU_ASSERT_EQUAL(expected != NULL, rows[i].bad != 0);
	}
	memset(longest, '/', sizeof(longest));
	longest[VALUE_PATH_BYTES] = '\0';
	CU_ASSERT_PTR_NOT_NULL(value_file(longest));
	CU_ASSERT_PTR_NOT_NULL(value_url_path(longest));
	longest[VALUE_PATH_BYTES - 1] = '\0';
	CU_ASSERT_PTR_NULL(value_file(longest));
	CU_ASSERT_PTR_NULL(value_url_path(longest));
}

static void domain_names_have_labels_and_maybe_a_port(void)
{
	static const struct {
		const char *text;
		const char *name; /* NULL: refused */
		uint16_t port;
	} rows[] = {
		{"backend:8080", "backend", 8080},
		{"a.b-c.example.com:65535", "a.b-c.example.com", 65535},
		{"_http._tcp.example.com", "_http._tcp.example.com", 0},
		{"example.com.", "example.com", 0},
		{"example.com.:53", "example.com", 53},
		{"3com.com:80", "3com.com", 80},
		{"10.0.0.1:80", NULL, 0},
		{"[2001:db8::1]:80", NULL, 0},
		{"a..b", NULL, 0},
		{".a", NULL, 0},
		{"a-.b", NULL, 0},
		{"-a", NULL, 0},
		{"a-", NULL, 0},
		{"a b", NULL, 0},
		{"a:0", NULL, 0},
		{"a:080", NULL, 0},
		{"a:65536", NULL, 0},
		{"a:123456", NULL, 0},
		{"a:", NULL, 0},
		{"a:80:80", NULL, 0},
		{":80", NULL, 0},
		{".", NULL, 0},
		{"", NULL, 0},
	};
	struct value_dns dns;
	char text[300];

	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *expected = value_dns(rows[i].text, &dns);

		CU_ASSERT_EQUAL(expected == NULL, rows[i].name != NULL);
		CU_ASSERT_STRING_EQUAL(dns.name, expected == NULL ? rows[i].name : "");
		CU_ASSERT_EQUAL(dns.port, rows[i].port);
	}
	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	CU_ASSERT_PTR_NULL(value_dns(text, &dns));
	text[63] = 'a';
	text[64] = '\0';
	CU_ASSERT_PTR_NOT_NULL(value_dns(text, &dns));
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 10 == 9 ? '.' : 'a';
	text[253] = '\0';
	CU_ASSERT_PTR_NULL(value_dns(text, &dns));
	text[253] = 'a';
	text[254] = '\0';
	CU_ASSERT_PTR_NOT_NULL(value_dns(text, &dns));
}

static void numbers_print_in_the_largest_unit_that_divides(void)
{
	char out[VALUE_TEXT_BYTES];

	CU_ASSERT_STRING_EQUAL(value_print_duration(0, out), "0");
	CU_ASSERT_STRING_EQUAL(value_print_duration(60000000000, out), "1m");
	CU_ASSERT_STRING_EQUAL(value_print_duration(1500000000, out), "1500ms");
	CU_ASSERT_STRING_EQUAL(value_print_duration(50000, out), "50us");
	CU_ASSERT_STRING_EQUAL(value_print_size(4 << 20, out), "4MiB");
	CU_ASSERT_STRING_EQUAL(value_print_size(1025, out), "1025B");
	CU_ASSERT_STRING_EQUAL(value_print_hundredths(5000, "%", out), "50%");
	CU_ASSERT_STRING_EQUAL(value_print_hundredths(1250, "%", out), "12.5%");
	CU_ASSERT_STRING_EQUAL(value_print_hundredths(101, "", out), "1.01");
	CU_ASSERT_STRING_EQUAL(value_print_hundredths(0, "%", out), "0%");
}

static void names_are_safe_file_names(void)
{
	static const char *const good[] = {"a", "orders-0", "A_b.c-d", "_x", "0"};
	static const char *const bad[] = {"",    ".",   "..",  ".a",       "-a",
					  "a/b", "a b", "a\n", "\xc3\xa4", "a:b"};
	char longest[NAME_BYTES + 1];

	for (size_t i = 0; i < ROWS(good); i++)
		CU_ASSERT_PTR_NULL(value_name(good[i]));
	for (size_t i = 0; i < ROWS(bad); i++)
		CU_ASSERT_PTR_NOT_NULL(value_name(bad[i]));
	memset(longest, 'a', sizeof(longest));
	longest[NAME_BYTES] = '\0';
	CU_ASSERT_PTR_NOT_NULL(value_name(longest));
	longest[NAME_BYTES - 1] = '\0';
	CU_ASSERT_PTR_NULL(value_name(longest));
}

static void port_ranges_run_upwards(void)
{
	static const struct {
		const char *text;
		uint16_t low, high;
		int bad;
	} rows[] = {
		{"32768-60999", 32768, 60999, 0},
		{"1-65535", 1, 65535, 0},
		{"7", 7, 7, 0},
		{"7-7", 7, 7, 0},
		{"8-7", 0, 0, BAD},
		{"0-7", 0, 0, BAD},
		{"1-65536", 0, 0, BAD},
		{"1-", 0, 0, BAD},
		{"-7", 0, 0, BAD},
		{"1 - 7", 0, 0, BAD},
		{"01-7", 0, 0, BAD},
		{"1-07", 0, 0, BAD},
		{"1-2-3", 0, 0, BAD},
		{"", 0, 0, BAD},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct value_port_range range = {0, 0};

		CU_ASSERT_EQUAL(value_port_range(rows[i].text, &range) != NULL, rows[i].bad != 0);
		CU_ASSERT_EQUAL(range.low, rows[i].low);
		CU_ASSERT_EQUAL(range.high, rows[i].high);
	}
}

static void devices_are_recognized_by_kind(void)
{
	static const struct {
		const char *text;
		uint8_t kind; /* 0: refused */
		const char *name;
		const char *identity;
	} rows[] = {
		{"af_xdp:fnd1", DEVICE_AF_XDP, "fnd1", "fnd1"},
		{"af_xdp:eth0.100", DEVICE_AF_XDP, "eth0.100", "eth0.100"},
		{"pci:0000:00:1f.6", DEVICE_PCI, "0000:00:1f.6", "0000:00:1f.6"},
		{"pci:3B:0A.1", DEVICE_PCI, "0000:3b:0a.1", "0000:3b:0a.1"},
		{"vdev:net_null0", DEVICE_VDEV, "net_null0", "net_null0"},
		{"vdev:net_pcap0,rx_pcap=/tmp/a.pcap", DEVICE_VDEV, "net_pcap0,rx_pcap=/tmp/a.pcap",
		 "net_pcap0"},
		{"eth0", 0, "", ""},
		{"af_xdp:", 0, "", ""},
		{"af_xdp:a/b", 0, "", ""},
		{"af_xdp:a,start_queue=1", 0, "", ""},
		{"af_xdp:..", 0, "", ""},
		{"af_xdp:sixteen_bytes_xx", 0, "", ""},
		{"af_xdp:a b", 0, "", ""},
		{"pci:00:1f", 0, "", ""},
		{"pci:00:20.0", 0, "", ""},
		{"pci:00:1f.8", 0, "", ""},
		{"pci:00:1f.6x", 0, "", ""},
		{"pci:00000:00:1f.6", 0, "", ""},
		{"vdev:null0", 0, "", ""},
		{"vdev:net_,x", 0, "", ""},
		{"vdev:net_null0, copy=1", 0, "", ""},
		{"AF_XDP:eth0", 0, "", ""},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct value_device device;
		const char *expected = value_device(rows[i].text, &device);

		CU_ASSERT_EQUAL(expected == NULL, rows[i].kind != 0);
		if (expected != NULL)
			continue;
		CU_ASSERT_EQUAL(device.kind, rows[i].kind);
		CU_ASSERT_STRING_EQUAL(device.name, rows[i].name);
		CU_ASSERT_STRING_EQUAL(device.identity, rows[i].identity);
	}
}

static void longest_device_fits_and_one_more_byte_does_not(void)
{
	char text[300] = "vdev:net_null0,";
	struct value_device device;

	memset(text + 15, 'x', sizeof(text) - 15);
	text[5 + 255] = '\0';
	CU_ASSERT_PTR_NULL(value_device(text, &device));
	CU_ASSERT_EQUAL(strlen(device.name), 255);
	text[5 + 255] = 'x';
	text[5 + 256] = '\0';
	CU_ASSERT_PTR_NOT_NULL(value_device(text, &device));
}

static void edits_are_counted(void)
{
	CU_ASSERT_EQUAL(suggest_distance("", ""), 0);
	CU_ASSERT_EQUAL(suggest_distance("", "abc"), 3);
	CU_ASSERT_EQUAL(suggest_distance("weight", "weight"), 0);
	CU_ASSERT_EQUAL(suggest_distance("weigth", "weight"), 1);
	CU_ASSERT_EQUAL(suggest_distance("Weight", "weight"), 0);
	CU_ASSERT_EQUAL(suggest_distance("wight", "weight"), 1);
	CU_ASSERT_EQUAL(suggest_distance("kitten", "sitting"), 3);
}

static void nearest_word_is_suggested_unless_all_are_far(void)
{
	static const struct {
		const char *found;
		const char *best;
	} rows[] = {
		{"adress", "address"},
		{"wieght", "weight"},
		{"addresses", "address"},
		{"colour", NULL},
		{"", NULL},
		{"x", NULL},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct suggestion s;

		suggest_start(&s, rows[i].found);
		suggest_consider(&s, "address");
		suggest_consider(&s, "weight");
		CU_ASSERT_EQUAL(s.best == NULL, rows[i].best == NULL);
		if (rows[i].best != NULL) {
			require(s.best != NULL);
			CU_ASSERT_STRING_EQUAL(s.best, rows[i].best);
		}
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"integers", integers_have_digits_only},
		{"counts", counts_take_thousands_and_1024s},
		{"sizes", sizes_need_a_unit},
		{"durations", durations_are_exact_nanoseconds},
		{"percentages", percentages_are_hundredths},
		{"factors", factors_are_hundredths},
		{"windows", windows_are_calls_or_a_duration},
		{"bursts", bursts_are_units_bytes_or_seconds_worth},
		{"paths and hosts", paths_and_hosts_are_what_a_request_can_carry},
		{"domain names", domain_names_have_labels_and_maybe_a_port},
		{"printing", numbers_print_in_the_largest_unit_that_divides},
		{"names", names_are_safe_file_names},
		{"port ranges", port_ranges_run_upwards},
		{"devices", devices_are_recognized_by_kind},
		{"longest device", longest_device_fits_and_one_more_byte_does_not},
		{"edit distance", edits_are_counted},
		{"suggestions", nearest_word_is_suggested_unless_all_are_far},
		CU_TEST_INFO_NULL,
	};

	return run_suite("values", tests);
}
