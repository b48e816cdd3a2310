/* SPDX-License-Identifier: Apache-2.0 */
/* The text format, version 0.0.4. */
#include <stdio.h>
#include <string.h>

#include "controlplane/metrics_wire.h"

enum { NUMBER_BYTES = 32, BOUND_BYTES = 32, LINE_BYTES = 512 }; /* a line's, labels apart */

/* "le" of METRICS_FIRST_CLASSIC .. METRICS_LAST_CLASSIC: exact, as a float is parsed. */
static const char *const bounds[] = {
	"6.103515625e-05",
	"0.0001220703125",
	"0.000244140625",
	"0.00048828125",
	"0.0009765625",
	"0.001953125",
	"0.00390625",
	"0.0078125",
	"0.015625",
	"0.03125",
	"0.0625",
	"0.125",
	"0.25",
	"0.5",
	"1",
	"2",
	"4",
	"8",
	"16",
	"32",
	"64",
};
_Static_assert(sizeof(bounds) / sizeof(bounds[0]) ==
		       METRICS_LAST_CLASSIC - METRICS_FIRST_CLASSIC + 1,
	       "a text each");

static char *put(char *at, const char *text)
{
	size_t bytes = strlen(text);

	memcpy(at, text, bytes);
	return at + bytes;
}

static char *put_number(char *at, uint64_t value)
{
	char digits[NUMBER_BYTES];
	char *first = digits + sizeof(digits);

	if (value < 10) { /* most are */
		*at = (char)('0' + value);
		return at + 1;
	}
	do
		*--first = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	memcpy(at, first, (size_t)(digits + sizeof(digits) - first));
	return at + (digits + sizeof(digits) - first);
}

/* "0.000120": no more digits than say something. */
static char *put_value(char *at, struct metrics_number value)
{
	uint32_t rest = value.millionths;

	at = put_number(at, value.whole);
	if (rest == 0)
		return at;
	*at++ = '.';
	for (uint32_t unit = METRICS_MILLION / 10; rest != 0; rest %= unit, unit /= 10)
		*at++ = (char)('0' + rest / unit);
	return at;
}

static char *put_escaped(char *at, const char *text, size_t bytes, int quotes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\\' || text[i] == '\n' || (quotes && text[i] == '"'))
			*at++ = '\\';
		*at++ = text[i] == '\n' ? 'n' : text[i];
	}
	return at;
}

static char *put_labels(const struct metrics_out *m, char *at, const struct metrics_labels *labels)
{
	if (!labels)
		return at;
	memcpy(at, m->labels.data + labels->off, labels->bytes);
	return at + labels->bytes;
}

void metrics_text_label(struct metrics_out *m, int is_further, const char *name, const char *value)
{
	char clean[METRICS_VALUE_BYTES];
	size_t bytes = metrics_clean(clean, value, sizeof(clean));
	char *at = metrics_room(m, &m->labels, strlen(name) + 2 * bytes + 4);
	char *begin = at;

	if (!at)
		return;
	if (is_further)
		*at++ = ',';
	at = put(at, name);
	at = put(at, "=\"");
	at = put_escaped(at, clean, bytes, 1);
	*at++ = '"';
	m->labels.used += (size_t)(at - begin);
}

void metrics_text_family(struct metrics_out *m)
{
	const char *type = m->type == METRICS_COUNTER ? "counter"
			   : m->type == METRICS_GAUGE ? "gauge"
						      : "histogram";
	char clean[METRICS_VALUE_BYTES];
	size_t bytes = metrics_clean(clean, m->help, sizeof(clean));
	char *at = metrics_room(m, &m->out, 2 * (strlen(m->name) + bytes) + LINE_BYTES);
	char *begin = at;

	if (!at)
		return;
	at = put(at, "# HELP ");
	at = put(at, m->name);
	*at++ = ' ';
	at = put_escaped(at, clean, bytes, 0);
	at = put(at, "\n# TYPE ");
	at = put(at, m->name);
	*at++ = ' ';
	at = put(at, type);
	*at++ = '\n';
	m->out.used += (size_t)(at - begin);
}

/* What stands between name and value; each but @suffix may be NULL. */
struct line {
	const char *suffix;
	const struct metrics_labels *labels;
	const struct metrics_labels *extra;
	const char *bound; /* of the label le */
};

static size_t bytes_of(const struct metrics_labels *labels)
{
	return labels ? labels->bytes : 0;
}

static void put_line(struct metrics_out *m, const struct line *line, struct metrics_number value)
{
	char *at = metrics_room(m, &m->out,
				m->name_bytes + bytes_of(line->labels) + bytes_of(line->extra) +
					LINE_BYTES);
	char *begin = at;

	if (!at)
		return;
	memcpy(at, m->name, m->name_bytes);
	at = put(at + m->name_bytes, line->suffix);
	if (line->labels || line->extra || line->bound) {
		*at++ = '{';
		at = put_labels(m, at, line->labels);
		if (line->labels && line->extra)
			*at++ = ',';
		at = put_labels(m, at, line->extra);
		if (line->bound) {
			at = put(at, line->labels ? ",le=\"" : "le=\"");
			at = put(at, line->bound);
			*at++ = '"';
		}
		*at++ = '}';
	}
	*at++ = ' ';
	at = put_value(at, value);
	*at++ = '\n';
	m->out.used += (size_t)(at - begin);
}

void metrics_text_line(struct metrics_out *m, const struct metrics_labels *labels,
		       const struct metrics_labels *extra, struct metrics_number value)
{
	const struct line line = {"", labels, extra, NULL};

	put_line(m, &line, value);
}

/* Where a histogram begins earlier so do its classic buckets. */
static const char *bound_of(char *text, int power, uint32_t finer)
{
	if (finer == 0)
		return bounds[power - METRICS_FIRST_CLASSIC];
	snprintf(text, BOUND_BYTES, "%.17g", metrics_power_of_two(power - (int)finer));
	return text;
}

uint64_t metrics_count_up_to(const struct histogram_sum *sum, int power, uint32_t *octave)
{
	uint64_t n = 0;

	for (; (int)*octave + HISTOGRAM_FIRST_POWER < power; ++*octave)
		for (uint32_t i = 0; i < HISTOGRAM_OCTAVE_BUCKETS; i++)
			n += sum->bucket[*octave * HISTOGRAM_OCTAVE_BUCKETS + i];
	return n;
}

void metrics_text_histogram(struct metrics_out *m, const struct metrics_labels *labels,
			    const struct histogram_sum *sum)
{
	struct line line = {"_bucket", labels, NULL, NULL};
	char bound[BOUND_BYTES];
	uint64_t n = sum->under;
	uint32_t octave = 0;

	for (int power = METRICS_FIRST_CLASSIC; power <= METRICS_LAST_CLASSIC; power++) {
		n += metrics_count_up_to(sum, power, &octave);
		line.bound = bound_of(bound, power, sum->finer);
		put_line(m, &line, (struct metrics_number){n, 0});
	}
	line.bound = "+Inf";
	put_line(m, &line, (struct metrics_number){sum->count, 0});
	line = (struct line){"_sum", labels, NULL, NULL};
	put_line(m, &line,
		 (struct metrics_number){sum->sum_us / METRICS_MILLION,
					 (uint32_t)(sum->sum_us % METRICS_MILLION)});
	line.suffix = "_count";
	put_line(m, &line, (struct metrics_number){sum->count, 0});
}
