/* SPDX-License-Identifier: Apache-2.0 */
#include "config/values.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "shm/image.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit integer_units[] = {{"", 1}, {NULL, 0}};

static const struct unit count_units[] = {{"", 1},           {"k", 1000},  {"M", 1000000},
					  {"G", 1000000000}, {"Ki", 1024}, {"Mi", 1 << 20},
					  {"Gi", 1 << 30},   {NULL, 0}};

static const struct unit size_units[] = {
	{"B", 1}, {"KiB", 1024}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

static const struct unit duration_units[] = {{"ns", 1},
					     {"us", 1000},
					     {"ms", 1000000},
					     {"s", 1000000000},
					     {"m", 60ull * 1000000000},
					     {"h", 3600ull * 1000000000},
					     {"d", 86400ull * 1000000000},
					     {NULL, 0}};

/* In hundredths. */
static const struct unit percent_units[] = {{"%", 100}, {NULL, 0}};
static const struct unit factor_units[] = {{"", 100}, {NULL, 0}};

static const struct unit burst_units[] = {{"x", 100}, {NULL, 0}};

static const struct unit call_units[] = {{"", 1}, {" calls", 1}, {NULL, 0}};

enum { MAX_DIGITS = 18 }; /* of a number: it then fits 64 bits */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Up to MAX_DIGITS digits; the number of them, or 0 when there are none or too many. */
static size_t read_digits(const char *text, uint64_t *out)
{
	size_t n = 0;

	*out = 0;
	for (; is_digit(text[n]); n++) {
		if (n == MAX_DIGITS)
			return 0;
		*out = *out * 10 + (uint64_t)(text[n] - '0');
	}
	return n;
}

/* <digits>[.<digits>]<unit>, exact in the smallest unit or refused. */
static bool read_scaled(const char *text, const struct unit *units, uint64_t *out)
{
	uint64_t whole, part = 0, scale = 1;
	size_t n = read_digits(text, &whole);

	if (n == 0 || (n > 1 && text[0] == '0'))
		return false;
	text += n;
	if (*text == '.') {
		n = read_digits(text + 1, &part);
		if (n == 0)
			return false;
		text += n + 1;
		while (n-- > 0)
			scale *= 10;
	}
	for (; units->name != NULL; units++) {
		if (strcmp(units->name, text) != 0)
			continue;
		if (__builtin_mul_overflow(part, units->factor, &part) || part % scale != 0 ||
		    __builtin_mul_overflow(whole, units->factor, &whole) ||
		    __builtin_add_overflow(whole, part / scale, out))
			return false;
		return true;
	}
	return false;
}

const char *value_integer(const char *text, uint64_t *out)
{
	return read_scaled(text, integer_units, out) ? NULL : "a whole number";
}

const char *value_count(const char *text, uint64_t *out)
{
	return read_scaled(text, count_units, out) ? NULL : "a number such as 10000, 10k or 16Ki";
}

const char *value_size(const char *text, uint64_t *out)
{
	return read_scaled(text, size_units, out) ? NULL
						  : "a size with its unit such as 64KiB or 4MiB";
}

const char *value_duration(const char *text, uint64_t *out_ns)
{
	*out_ns = 0;
	if (strcmp(text, "0") == 0)
		return NULL;
	return read_scaled(text, duration_units, out_ns)
		       ? NULL
		       : "a duration with its unit such as 250ms, 5s or 1h";
}

const char *value_percent(const char *text, uint64_t *out)
{
	*out = 0;
	if (strcmp(text, "0") == 0)
		return NULL;
	return read_scaled(text, percent_units, out) ? NULL : "a percentage such as 50% or 12.5%";
}

const char *value_factor(const char *text, uint64_t *out)
{
	return read_scaled(text, factor_units, out) ? NULL : "a number such as 2 or 1.5";
}

const char *value_window(const char *text, struct value_window *out)
{
	uint64_t ns;

	out->ms = 0;
	if (read_scaled(text, call_units, &out->calls))
		return NULL;
	out->calls = 0;
	if (!read_scaled(text, duration_units, &ns) || ns % 1000000 != 0)
		return "a number of calls such as 100, or a duration such as 10s";
	out->ms = ns / 1000000;
	return NULL;
}

const char *value_burst(const char *text, struct value_burst *out)
{
	static const struct {
		const struct unit *units;
		enum value_burst_unit unit;
	} forms[] = {
		{burst_units, BURST_SECONDS},
		{size_units, BURST_BYTES},
		{count_units, BURST_UNITS},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (!read_scaled(text, forms[i].units, &out->value) || out->value == 0)
			continue;
		out->unit = forms[i].unit;
		return NULL;
	}
	*out = (struct value_burst){0};
	return "more than nothing: a number such as 50, a size such as 64KiB, or seconds' worth "
	       "such as 2x";
}

/* The largest unit that divides the value. */
static const char *print_scaled(uint64_t value, const struct unit *units, char *out)
{
	const struct unit *best = units;

	for (; units->name != NULL; units++) {
		if (value != 0 && value % units->factor == 0)
			best = units;
	}
	snprintf(out, VALUE_TEXT_BYTES, "%llu%s", (unsigned long long)(value / best->factor),
		 best->name);
	return out;
}

const char *value_print_duration(uint64_t ns, char *out)
{
	if (ns == 0)
		return print_scaled(ns, integer_units, out);
	return print_scaled(ns, duration_units, out);
}

const char *value_print_size(uint64_t bytes, char *out)
{
	return print_scaled(bytes, size_units, out);
}

const char *value_print_hundredths(uint64_t value, const char *unit, char *out)
{
	unsigned long long whole = value / 100;
	unsigned int part = (unsigned int)(value % 100);

	if (part == 0)
		snprintf(out, VALUE_TEXT_BYTES, "%llu%s", whole, unit);
	else if (part % 10 == 0)
		snprintf(out, VALUE_TEXT_BYTES, "%llu.%u%s", whole, part / 10, unit);
	else
		snprintf(out, VALUE_TEXT_BYTES, "%llu.%02u%s", whole, part, unit);
	return out;
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

const char *value_name(const char *text)
{
	static const char expected[] =
		"1 to 63 letters, digits or _ . - that begin with a letter, a digit or _";
	size_t n = strlen(text);

	if (n == 0 || n >= NAME_BYTES || !(is_alnum(text[0]) || text[0] == '_'))
		return expected;
	for (size_t i = 1; i < n; i++) {
		if (!is_alnum(text[i]) && strchr("_.-", text[i]) == NULL)
			return expected;
	}
	return NULL;
}

const char *value_port_range(const char *text, struct value_port_range *out)
{
	static const char expected[] = "a range of ports such as 32768-60999, the lower one first";
	uint64_t low, high;
	size_t n = read_digits(text, &low);

	if (n == 0 || (text[0] == '0' && n > 1))
		return expected;
	text += n;
	high = low;
	if (*text == '-') {
		n = read_digits(text + 1, &high);
		if (n == 0 || (text[1] == '0' && n > 1))
			return expected;
		text += n + 1;
	}
	if (*text != '\0' || low == 0 || low > high || high > UINT16_MAX)
		return expected;
	out->low = (uint16_t)low;
	out->high = (uint16_t)high;
	return NULL;
}
