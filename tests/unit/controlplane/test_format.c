/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/format.h"

#include "tests/unit/dataplane/suite.h"

struct row {
	double value;
	const char *text;
};

static void check(const struct row *rows, size_t count, void (*format)(char *, double))
{
	char out[FORMAT_BYTES];

	for (size_t i = 0; i < count; i++) {
		format(out, rows[i].value);
		CU_ASSERT_STRING_EQUAL(out, rows[i].text);
	}
}

#define CHECK(rows, format) check(rows, sizeof(rows) / sizeof((rows)[0]), format)

static void counts_keep_three_digits(void)
{
	static const struct row rows[] = {
		{0, "0"},           {1, "1"},           {9999, "9999"},   {9999.6, "10.0k"},
		{12345, "12.3k"},   {99949, "99.9k"},   {99950, "100k"},  {999499, "999k"},
		{999500, "1.00M"},  {1234567, "1.23M"}, {9.99e8, "999M"}, {4.5e9, "4.50G"},
		{18.4e18, "18.4E"},
	};

	CHECK(rows, format_count);
}

static void bytes_use_binary_units(void)
{
	static const struct row rows[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.00 KiB"},
		{1536, "1.50 KiB"},
		{1048576, "1.00 MiB"},
		{1047552, "1.00 MiB"},
		{5368709120., "5.00 GiB"},
		{1.8446744073709552e19, "16.0 EiB"},
	};

	CHECK(rows, format_bytes);
}

static void short_bytes_have_one_letter(void)
{
	static const struct row rows[] = {
		{0, "0"}, {1023, "1023"}, {1024, "1.00K"}, {1047552, "1.00M"}, {1e15, "909T"},
	};

	CHECK(rows, format_bytes_short);
}

static void latencies_have_their_unit(void)
{
	static const struct row rows[] = {
		{0, "0us"},         {0.000012, "12us"}, {0.000999, "999us"}, {0.0009996, "1.00ms"},
		{0.0123, "12.3ms"}, {0.25, "250ms"},    {0.9996, "1.00s"},   {12.34, "12.3s"},
	};

	CHECK(rows, format_latency);
}

static void durations_show_two_units(void)
{
	static const struct row rows[] = {
		{-1, "0ms"},     {0, "0ms"},       {0.85, "850ms"},    {12, "12s"},
		{200, "3m 20s"}, {7380, "2h 03m"}, {363600, "4d 05h"},
	};

	CHECK(rows, format_duration);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(counts_keep_three_digits),    SUITE_TEST(bytes_use_binary_units),
	SUITE_TEST(short_bytes_have_one_letter), SUITE_TEST(latencies_have_their_unit),
	SUITE_TEST(durations_show_two_units),    CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("format", tests);
}
