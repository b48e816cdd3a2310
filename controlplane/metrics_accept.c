/* SPDX-License-Identifier: Apache-2.0 */
/* Which format a client wants, by its Accept header (RFC 9110 12.5.1). */
#include <string.h>
#include <strings.h>

#include "controlplane/metrics.h"

/* One range of the header: "type/subtype;name=value;q=0.5". */
struct range {
	const char *type;
	size_t type_bytes;
	int is_delimited; /* encoding=delimited */
	int is_family;    /* proto=io.prometheus.client.MetricFamily */
	unsigned int q;   /* thousandths */
};

static int is(const char *text, size_t bytes, const char *wanted)
{
	return bytes == strlen(wanted) && strncasecmp(text, wanted, bytes) == 0;
}

/* "0.75": thousandths; what is none is 0, so that it asks for nothing. */
static unsigned int quality(const char *text, size_t bytes)
{
	unsigned int value = 0, unit = 1000;

	if (bytes == 0 || (text[0] != '0' && text[0] != '1') || (bytes > 1 && text[1] != '.'))
		return 0;
	value = text[0] == '1' ? 1000 : 0;
	for (size_t i = 2; i < bytes && unit > 1; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		unit /= 10;
		value += (unsigned int)(text[i] - '0') * unit;
	}
	return value > 1000 ? 1000 : value;
}

static void trim(const char **text, size_t *bytes)
{
	while (*bytes > 0 && (**text == ' ' || **text == '\t')) {
		++*text;
		--*bytes;
	}
	while (*bytes > 0 && ((*text)[*bytes - 1] == ' ' || (*text)[*bytes - 1] == '\t'))
		--*bytes;
}

static void take_parameter(struct range *r, const char *text, size_t bytes)
{
	const char *equals = memchr(text, '=', bytes);
	size_t name_bytes, value_bytes;
	const char *value;

	if (!equals)
		return;
	name_bytes = (size_t)(equals - text);
	value = equals + 1;
	value_bytes = bytes - name_bytes - 1;
	trim(&text, &name_bytes);
	trim(&value, &value_bytes);
	if (is(text, name_bytes, "q"))
		r->q = quality(value, value_bytes);
	else if (is(text, name_bytes, "encoding"))
		r->is_delimited = is(value, value_bytes, "delimited");
	else if (is(text, name_bytes, "proto"))
		r->is_family = is(value, value_bytes, "io.prometheus.client.MetricFamily");
}

static struct range read_range(const char *text, size_t bytes)
{
	struct range r = {.q = 1000};
	int is_first = 1;

	for (;;) {
		size_t part = 0, trimmed;
		const char *at = text;

		while (part < bytes && text[part] != ';')
			part++;
		trimmed = part;
		trim(&at, &trimmed);
		if (is_first) {
			r.type = at;
			r.type_bytes = trimmed;
		} else {
			take_parameter(&r, at, trimmed);
		}
		is_first = 0;
		if (part == bytes)
			return r;
		text += part + 1;
		bytes -= part + 1;
	}
}

enum metrics_format metrics_accepted(const char *accept)
{
	unsigned int protobuf = 0, text = 0;

	while (accept && *accept) {
		size_t bytes = strcspn(accept, ",");
		const struct range r = read_range(accept, bytes);

		if (is(r.type, r.type_bytes, "application/vnd.google.protobuf") && r.is_family &&
		    r.is_delimited)
			protobuf = r.q;
		else if (is(r.type, r.type_bytes, "text/plain"))
			text = r.q;
		accept += bytes;
		accept += *accept == ',';
	}
	return protobuf > 0 && protobuf >= text ? METRICS_PROTOBUF : METRICS_TEXT;
}

const char *metrics_content_type(enum metrics_format format)
{
	return format == METRICS_PROTOBUF
		       ? "application/vnd.google.protobuf; "
			 "proto=io.prometheus.client.MetricFamily; encoding=delimited"
		       : "text/plain; version=0.0.4; charset=utf-8";
}
