/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log_line.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const levels[] = {"error", "warn", "info", "debug"};
static const char *const formats[] = {"text", "json"};

static int index_of(const char *name, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -1;
}

int log_level_of(const char *name)
{
	return index_of(name, levels, LOG_LEVEL_DEBUG + 1);
}

int log_format_of(const char *name)
{
	return index_of(name, formats, LOG_FORMAT_JSON + 1);
}

const char *log_level_name(enum log_level level)
{
	return levels[level];
}

const char *log_format_name(enum log_format format)
{
	return formats[format];
}

/* Text that ends where its room does. */
struct out {
	char *text;
	size_t used;
	size_t size;
};

static void put(struct out *o, const char *text, size_t bytes)
{
	size_t left = o->size - 1 - o->used;

	if (bytes > left)
		bytes = left;
	memcpy(o->text + o->used, text, bytes);
	o->used += bytes;
	o->text[o->used] = '\0';
}

static void put_text(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

/* Whole or not at all: half an escape is none. */
static void put_whole(struct out *o, const char *text)
{
	if (strlen(text) < o->size - o->used)
		put_text(o, text);
}

static int is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* ---- facts -------------------------------------------------------------------------------- */

static void put_escaped(struct out *o, const char *text)
{
	char escape[5];

	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			snprintf(escape, sizeof(escape), "\\%c", c);
		else if (c == '\n')
			snprintf(escape, sizeof(escape), "\\n");
		else if (is_control(c))
			snprintf(escape, sizeof(escape), "\\x%02x", c);
		else
			snprintf(escape, sizeof(escape), "%c", c);
		put_whole(o, escape);
	}
}

static int is_word(const char *text)
{
	for (const char *c = text; *c; c++)
		if (is_control((unsigned char)*c) || strchr(" \"\\=", *c))
			return 0;
	return *text != '\0';
}

/* @before: the character of the format in front of the %s. */
static void put_value(struct out *o, const char *text, int in_quotes, char before)
{
	if (in_quotes || is_word(text)) {
		if (in_quotes)
			put_escaped(o, text);
		else
			put_text(o, text);
		return;
	}
	if (before == '=')
		put_text(o, "\"");
	put_escaped(o, text);
	if (before == '=')
		put_text(o, "\"");
}

enum length { LENGTH_INT, LENGTH_LONG, LENGTH_LLONG, LENGTH_SIZE };

/* A conversion of a format: "%-8.3f". */
struct conversion {
	char text[32];
	enum length length;
	char kind;
};

/* Read the conversion at @format; '*' takes its number. Return: bytes of the format. */
static size_t read_conversion(struct conversion *c, const char *format, va_list values)
{
	size_t used = 1;
	struct out o = {c->text, 0, sizeof(c->text)};

	c->length = LENGTH_INT;
	put_text(&o, "%");
	for (; format[used] && strchr("-+ #0123456789.*lhz", format[used]); used++) {
		char number[16];

		if (format[used] == '*') {
			snprintf(number, sizeof(number), "%d", va_arg(values, int));
			put_text(&o, number);
			continue;
		}
		if (format[used] == 'l')
			c->length = c->length == LENGTH_LONG ? LENGTH_LLONG : LENGTH_LONG;
		else if (format[used] == 'z')
			c->length = LENGTH_SIZE;
		put(&o, &format[used], 1);
	}
	c->kind = format[used];
	put(&o, &c->kind, 1);
	return used + (c->kind != '\0');
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
/* NOLINTBEGIN(bugprone-branch-clone): the branches differ in the type that va_arg() takes */
static void convert(const struct conversion *c, char *out, size_t size, va_list values)
{
	switch (c->kind) {
	case 's':
		snprintf(out, size, c->text, va_arg(values, const char *));
		break;
	case 'f':
	case 'g':
		snprintf(out, size, c->text, va_arg(values, double));
		break;
	case 'p':
		snprintf(out, size, c->text, va_arg(values, void *));
		break;
	case '%':
	case '\0':
		snprintf(out, size, "%%");
		break;
	default:
		if (c->length == LENGTH_INT)
			snprintf(out, size, c->text, va_arg(values, int));
		else if (c->length == LENGTH_LLONG)
			snprintf(out, size, c->text, va_arg(values, long long));
		else
			snprintf(out, size, c->text, va_arg(values, long));
		break;
	}
}
/* NOLINTEND(bugprone-branch-clone) */
#pragma GCC diagnostic pop

static void put_facts_as_they_are(struct out *o, const char *text)
{
	put_text(o, text);
	for (size_t i = 0; i < o->used; i++)
		if (is_control((unsigned char)o->text[i]))
			o->text[i] = ' ';
}

void log_facts(char *text, const char *format, va_list values)
{
	struct out o = {text, 0, LOG_FACTS_BYTES};
	const char *const begin = format;
	char value[LOG_FACTS_BYTES];
	struct conversion c;
	va_list rest;
	int in_quotes = 0;

	text[0] = '\0';
	va_copy(rest, values);
	if (strcmp(format, "%s") == 0) {
		put_facts_as_they_are(&o, va_arg(rest, const char *));
		format += 2;
	}
	while (*format) {
		const char before = format > begin ? format[-1] : '\0';

		if (*format != '%') {
			in_quotes ^= *format == '"';
			put(&o, format++, 1);
			continue;
		}
		format += read_conversion(&c, format, rest);
		convert(&c, value, sizeof(value), rest);
		if (c.kind == 's')
			put_value(&o, value, in_quotes, before);
		else
			put_text(&o, value);
	}
	va_end(rest);
}

/* ---- JSON --------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at @s, 0 when there is none. */
static size_t utf8_bytes(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead, low, high; /* low, high: of the second byte */
	} rows[] = {
		{0xe0, 0xc0, 0x80, 0xbf},
		{0xf0, 0xe0, 0x80, 0xbf},
		{0xf8, 0xf0, 0x80, 0xbf},
	};

	if (s[0] < 0x80)
		return 1;
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		if ((s[0] & rows[n].mask) != rows[n].lead)
			continue;
		for (size_t i = 1; i < n + 2; i++)
			if (s[i] < rows[n].low || s[i] > rows[n].high)
				return 0;
		/* Too long for what they say, surrogates, beyond U+10FFFF. */
		if (s[0] < 0xc2 || s[0] > 0xf4 || (s[0] == 0xe0 && s[1] < 0xa0) ||
		    (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
		    (s[0] == 0xf4 && s[1] > 0x8f))
			return 0;
		return n + 2;
	}
	return 0;
}

static void put_string(struct out *o, const char *text)
{
	char piece[8];

	put_text(o, "\"");
	while (*text) {
		const unsigned char *s = (const unsigned char *)text;
		size_t n = utf8_bytes(s);

		if (n == 0)
			snprintf(piece, sizeof(piece), "\\ufffd");
		else if (*s == '"' || *s == '\\')
			snprintf(piece, sizeof(piece), "\\%c", *s);
		else if (is_control(*s))
			snprintf(piece, sizeof(piece), "\\u%04x", *s);
		else
			snprintf(piece, sizeof(piece), "%.*s", (int)n, text);
		put_whole(o, piece);
		text += n ? n : 1;
	}
	put_text(o, "\"");
}

/* An integer that every reader of JSON takes. */
static int is_number(const char *text)
{
	const char *digits = text + (*text == '-');
	size_t n = strspn(digits, "0123456789");

	return n > 0 && n <= 15 && digits[n] == '\0' && (n == 1 || digits[0] != '0');
}

static void put_member(struct out *o, const char *key, const char *value, int quoted)
{
	put_text(o, ",");
	put_string(o, key);
	put_text(o, ":");
	if (!quoted && is_number(value))
		put_text(o, value);
	else
		put_string(o, value);
}

static int hex_of(char c)
{
	const char *const digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* One character of a quoted value; its escapes are those of put_escaped(). */
static const char *unescape(const char *text, char *c)
{
	*c = *text++;
	if (*c != '\\' || !*text)
		return text;
	*c = *text++;
	if (*c == 'n') {
		*c = '\n';
	} else if (*c == 'x' && hex_of(text[0]) >= 0 && hex_of(text[1]) >= 0) {
		*c = (char)(hex_of(text[0]) << 4 | hex_of(text[1]));
		text += 2;
	}
	return text;
}

/* The value at @text into @value (LOG_FACTS_BYTES). Return: what follows it. */
static const char *read_value(const char *text, char *value, int *quoted)
{
	size_t n = 0;

	*quoted = *text == '"';
	if (!*quoted) {
		n = strcspn(text, " ");
		memcpy(value, text, n);
		value[n] = '\0';
		return text + n;
	}
	for (text++; *text && *text != '"' && n < LOG_FACTS_BYTES - 1;) {
		text = unescape(text, &value[n]);
		n++;
	}
	value[n] = '\0';
	return *text == '"' ? text + 1 : text;
}

static size_t key_bytes(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && n < 64 && text[n] == '=' ? n : 0;
}

static void put_members(struct out *o, const char *facts)
{
	char value[LOG_FACTS_BYTES], key[64];
	int quoted;

	while (*facts) {
		size_t n = key_bytes(facts);

		if (n == 0) {
			put_member(o, "message", facts, 1);
			return;
		}
		snprintf(key, sizeof(key), "%.*s", (int)n, facts);
		facts = read_value(facts + n + 1, value, &quoted);
		put_member(o, key, value, quoted);
		facts += strspn(facts, " ");
	}
}

/* ---- lines -------------------------------------------------------------------------------- */

static void time_text(char *out, size_t size, uint64_t real_ns)
{
	const time_t seconds = (time_t)(real_ns / 1000000000);
	char text[24];
	struct tm utc;

	gmtime_r(&seconds, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(out, size, "%s.%03uZ", text, (unsigned int)(real_ns / 1000000 % 1000));
}

static void render_json(struct out *o, enum log_level level, const char *subject, const char *facts,
			const char *when)
{
	put_text(o, "{\"time\":");
	put_string(o, when);
	put_text(o, ",\"level\":");
	put_string(o, levels[level]);
	put_text(o, ",\"subject\":");
	put_string(o, subject);
	put_members(o, facts);
	put_text(o, "}");
}

size_t log_render(char *out, const struct log_style *style, enum log_level level,
		  const char *subject, const char *facts, uint64_t real_ns)
{
	/* syslog's numbers */
	static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
	/* A byte for the line's end. */
	struct out o = {out, 0, LOG_LINE_BYTES - 1};
	char when[32];

	out[0] = '\0';
	time_text(when, sizeof(when), real_ns);
	if (style->journal)
		put_text(&o, priorities[level]);
	if (style->format == LOG_FORMAT_JSON) {
		render_json(&o, level, subject, facts, when);
	} else {
		if (!style->journal) {
			put_text(&o, when);
			put_text(&o, " ");
		}
		put_text(&o, levels[level]);
		put_text(&o, " ");
		put_text(&o, subject);
		put_text(&o, " ");
		put_facts_as_they_are(&o, facts);
	}
	out[o.used] = '\n';
	return o.used + 1;
}
