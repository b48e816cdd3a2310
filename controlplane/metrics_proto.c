/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Length-delimited messages of io.prometheus.client (metrics.proto of prometheus/client_model).
 * Field numbers stand at their names below; wire types are 0 varint, 1 eight bytes, 2 bytes.
 */
#include <string.h>

#include "controlplane/metrics_wire.h"

enum {
	LENGTH_BYTES = 5, /* of a family: a padded varint, filled in when it is complete */
	VARINT_BYTES = 10,
};

#define VARINT(field) ((field) << 3)
#define EIGHT(field)  ((field) << 3 | 1)
#define BYTES(field)  ((field) << 3 | 2)

enum {
	FAMILY_NAME = BYTES(1),
	FAMILY_HELP = BYTES(2),
	FAMILY_TYPE = VARINT(3),
	FAMILY_METRIC = BYTES(4),
	METRIC_LABEL = BYTES(1),
	METRIC_GAUGE = BYTES(2),
	METRIC_COUNTER = BYTES(3),
	METRIC_HISTOGRAM = BYTES(7),
	LABEL_NAME = BYTES(1),
	LABEL_VALUE = BYTES(2),
	VALUE = EIGHT(1), /* of a gauge or counter */
	HISTOGRAM_COUNT = VARINT(1),
	HISTOGRAM_SUM = EIGHT(2),
	HISTOGRAM_BUCKET = BYTES(3),
	HISTOGRAM_NATIVE_SCHEMA = VARINT(5),
	HISTOGRAM_ZERO_THRESHOLD = EIGHT(6),
	HISTOGRAM_ZERO_COUNT = VARINT(7),
	HISTOGRAM_SPAN = BYTES(12),
	HISTOGRAM_DELTA = BYTES(13),
	BUCKET_CUMULATIVE = VARINT(1),
	BUCKET_BOUND = EIGHT(2),
	SPAN_OFFSET = VARINT(1),
	SPAN_LENGTH = VARINT(2),
};

static char *put_varint(char *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (char)(value | 0x80);
	*at++ = (char)value;
	return at;
}

static char *put_field(char *at, uint32_t field, uint64_t value)
{
	return put_varint(put_varint(at, field), value);
}

/* Small magnitudes of either sign are short. */
static uint64_t zigzag(int64_t value)
{
	return value < 0 ? ~((uint64_t)value << 1) : (uint64_t)value << 1;
}

static char *put_double(char *at, uint32_t field, double value)
{
	at = put_varint(at, field);
	memcpy(at, &value, sizeof(value)); /* little-endian, like the machines that run this */
	return at + sizeof(value);
}

static char *put_bytes(char *at, uint32_t field, const char *data, size_t bytes)
{
	at = put_field(at, field, bytes);
	memcpy(at, data, bytes);
	return at + bytes;
}

static size_t varint_bytes(uint64_t value)
{
	char scratch[VARINT_BYTES];

	return (size_t)(put_varint(scratch, value) - scratch);
}

void metrics_proto_label(struct metrics_out *m, const char *name, const char *value)
{
	char clean[METRICS_VALUE_BYTES];
	size_t bytes = metrics_clean(clean, value, sizeof(clean));
	size_t pair = 2 + varint_bytes(bytes) + strlen(name) + bytes + 1;
	char *at = metrics_room(m, &m->labels, pair + 2 * VARINT_BYTES);
	char *begin = at;

	if (!at)
		return;
	at = put_field(at, METRIC_LABEL, pair);
	at = put_bytes(at, LABEL_NAME, name, strlen(name));
	at = put_bytes(at, LABEL_VALUE, clean, bytes);
	m->labels.used += (size_t)(at - begin);
}

void metrics_proto_family(struct metrics_out *m)
{
	const size_t name = strlen(m->name), help = strlen(m->help);
	char *at = metrics_room(m, &m->out, LENGTH_BYTES + name + help + 6 * VARINT_BYTES);
	char *begin = at;

	if (!at)
		return;
	m->length_at = m->out.used;
	at = put_bytes(at + LENGTH_BYTES, FAMILY_NAME, m->name, name);
	at = put_bytes(at, FAMILY_HELP, m->help, help);
	at = put_field(at, FAMILY_TYPE, m->type);
	m->out.used += (size_t)(at - begin);
}

void metrics_proto_family_end(struct metrics_out *m)
{
	uint64_t length = m->out.used - m->length_at - LENGTH_BYTES;

	if (m->failed)
		return;
	for (uint32_t i = 0; i < LENGTH_BYTES; i++, length >>= 7)
		m->out.data[m->length_at + i] =
			(char)((length & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
}

static size_t bytes_of(const struct metrics_labels *labels)
{
	return labels ? labels->bytes : 0;
}

static char *put_labels(const struct metrics_out *m, char *at, const struct metrics_labels *labels)
{
	if (!labels)
		return at;
	memcpy(at, m->labels.data + labels->off, labels->bytes);
	return at + labels->bytes;
}

void metrics_proto_line(struct metrics_out *m, const struct metrics_labels *labels,
			const struct metrics_labels *extra, struct metrics_number value)
{
	enum { VALUE_BYTES = 1 + sizeof(double) };
	const size_t pairs = bytes_of(labels) + bytes_of(extra);
	char *at = metrics_room(m, &m->out, pairs + VALUE_BYTES + 3 * VARINT_BYTES);
	char *begin = at;

	if (!at)
		return;
	at = put_field(at, FAMILY_METRIC, pairs + 2 + VALUE_BYTES);
	at = put_labels(m, at, labels);
	at = put_labels(m, at, extra);
	at = put_field(at, m->type == METRICS_COUNTER ? METRIC_COUNTER : METRIC_GAUGE, VALUE_BYTES);
	at = put_double(at, VALUE,
			(double)value.whole + (double)value.millionths / METRICS_MILLION);
	m->out.used += (size_t)(at - begin);
}

/* What all buckets together can take: a span is at most 8 bytes. */
enum {
	SPANS_BYTES = (HISTOGRAM_ALL_BUCKETS + 1) * 8,
	DELTAS_BYTES = (HISTOGRAM_ALL_BUCKETS + 1) * VARINT_BYTES,
	BODY_BYTES = SPANS_BYTES + DELTAS_BYTES + 1024,
};

/* Where span and delta encoding are. */
struct spans {
	char *span, *delta; /* in the buffers, behind what is there */
	int32_t end;        /* index behind the span before; 0 before the first, as it is defined */
	int32_t first;      /* of the span that grows */
	uint32_t length;    /* 0: none does */
	char span_bytes[SPANS_BYTES];
	char delta_bytes[DELTAS_BYTES];
	uint64_t before; /* the count of the last bucket */
};

static void begin_spans(struct spans *s)
{
	s->span = s->span_bytes;
	s->delta = s->delta_bytes;
	s->end = 0;
	s->first = 0;
	s->length = 0;
	s->before = 0;
}

static void end_span(struct spans *s)
{
	char one[2 * (1 + VARINT_BYTES)];
	char *at = put_field(one, SPAN_OFFSET, zigzag(s->first - s->end));

	if (s->length == 0)
		return;
	at = put_field(at, SPAN_LENGTH, s->length);
	s->span = put_bytes(s->span, HISTOGRAM_SPAN, one, (size_t)(at - one));
	s->end = s->first + (int32_t)s->length;
	s->length = 0;
}

static void put_bucket(struct spans *s, int32_t index, uint64_t count)
{
	if (count == 0)
		return;
	if (s->length == 0 || index != s->first + (int32_t)s->length) {
		end_span(s);
		s->first = index;
	}
	s->length++;
	s->delta = put_varint(s->delta, zigzag((int64_t)(count - s->before)));
	s->before = count;
}

static char *put_native(char *at, const struct histogram_sum *sum)
{
	/* Bucket i of schema 4 ends at 2^(i/16) s. */
	const int begin = HISTOGRAM_FIRST_POWER - (int)sum->finer;
	const int32_t first = begin * HISTOGRAM_OCTAVE_BUCKETS + 1;
	struct spans s;

	begin_spans(&s);
	for (int32_t i = 0; i < HISTOGRAM_ALL_BUCKETS; i++)
		put_bucket(&s, first + i, sum->bucket[i]);
	put_bucket(&s, first + HISTOGRAM_ALL_BUCKETS, sum->over);
	end_span(&s);
	at = put_field(at, HISTOGRAM_NATIVE_SCHEMA, zigzag(HISTOGRAM_SCHEMA));
	at = put_double(at, HISTOGRAM_ZERO_THRESHOLD, metrics_power_of_two(begin));
	at = put_field(at, HISTOGRAM_ZERO_COUNT, sum->under);
	memcpy(at, s.span_bytes, (size_t)(s.span - s.span_bytes));
	at += s.span - s.span_bytes;
	if (s.delta != s.delta_bytes)
		at = put_bytes(at, HISTOGRAM_DELTA, s.delta_bytes,
			       (size_t)(s.delta - s.delta_bytes));
	return at;
}

static char *put_classic(char *at, const struct histogram_sum *sum)
{
	uint64_t n = sum->under;
	uint32_t octave = 0;

	for (int power = METRICS_FIRST_CLASSIC; power <= METRICS_LAST_CLASSIC; power++) {
		char one[2 * (1 + VARINT_BYTES)];
		char *end;

		n += metrics_count_up_to(sum, power, &octave);
		end = put_field(one, BUCKET_CUMULATIVE, n);
		end = put_double(end, BUCKET_BOUND, metrics_power_of_two(power - (int)sum->finer));
		at = put_bytes(at, HISTOGRAM_BUCKET, one, (size_t)(end - one));
	}
	return at;
}

void metrics_proto_histogram(struct metrics_out *m, const struct metrics_labels *labels,
			     const struct histogram_sum *sum)
{
	const size_t pairs = bytes_of(labels);
	char body[BODY_BYTES];
	char *end = put_field(body, HISTOGRAM_COUNT, sum->count);
	size_t bytes, metric;
	char *at, *begin;

	end = put_double(end, HISTOGRAM_SUM, (double)sum->sum_us / METRICS_MILLION);
	end = put_classic(end, sum);
	end = put_native(end, sum);
	bytes = (size_t)(end - body);
	metric = pairs + 1 + varint_bytes(bytes) + bytes;
	at = metrics_room(m, &m->out, metric + 2 * VARINT_BYTES);
	begin = at;
	if (!at)
		return;
	at = put_field(at, FAMILY_METRIC, metric);
	at = put_labels(m, at, labels);
	at = put_bytes(at, METRIC_HISTOGRAM, body, bytes);
	m->out.used += (size_t)(at - begin);
}
