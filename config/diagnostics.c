/* SPDX-License-Identifier: Apache-2.0 */
#include "config/diagnostics.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_COUNT };

static const char *const severity_names[SEVERITY_COUNT] = {"error", "warning"};

struct diagnostic {
	uint32_t line;
	uint32_t column;
	enum severity severity;
	char text[DIAGNOSTIC_BYTES];
};

struct diagnostics {
	char *file;
	size_t count[SEVERITY_COUNT]; /* those beyond DIAGNOSTICS_KEPT included */
	size_t kept;
	struct diagnostic entries[SEVERITY_COUNT * DIAGNOSTICS_KEPT];
	size_t sorted[SEVERITY_COUNT * DIAGNOSTICS_KEPT]; /* entries by position, then arrival */
};

struct diagnostics *diagnostics_create(const char *file)
{
	struct diagnostics *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->file = strdup(file);
	if (d->file == NULL) {
		free(d);
		return NULL;
	}
	return d;
}

void diagnostics_free(struct diagnostics *d)
{
	if (d == NULL)
		return;
	free(d->file);
	free(d);
}

size_t diagnostics_errors(const struct diagnostics *d)
{
	return d->count[SEVERITY_ERROR];
}

bool diagnostics_full(const struct diagnostics *d)
{
	return d->count[SEVERITY_ERROR] >= DIAGNOSTICS_KEPT;
}

const char *diagnostics_file(const struct diagnostics *d)
{
	return d->file;
}

static bool stands_before(const struct diagnostic *a, const struct diagnostic *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

__attribute__((format(printf, 5, 0))) static void diagnostics_add(struct diagnostics *d,
								  enum severity severity,
								  uint32_t line, uint32_t column,
								  const char *format, va_list args)
{
	struct diagnostic *entry;
	size_t place = d->kept;

	if (d->count[severity]++ >= DIAGNOSTICS_KEPT)
		return;
	entry = &d->entries[d->kept];
	entry->line = line;
	entry->column = column;
	entry->severity = severity;
	vsnprintf(entry->text, sizeof(entry->text), format, args);
	for (; place > 0 && stands_before(entry, &d->entries[d->sorted[place - 1]]); place--)
		d->sorted[place] = d->sorted[place - 1];
	d->sorted[place] = d->kept++;
}

void diagnostics_error(struct diagnostics *d, uint32_t line, uint32_t column, const char *format,
		       ...)
{
	va_list args;

	va_start(args, format);
	diagnostics_add(d, SEVERITY_ERROR, line, column, format, args);
	va_end(args);
}

void diagnostics_warning(struct diagnostics *d, uint32_t line, uint32_t column, const char *format,
			 ...)
{
	va_list args;

	va_start(args, format);
	diagnostics_add(d, SEVERITY_WARNING, line, column, format, args);
	va_end(args);
}

void diagnostics_print(const struct diagnostics *d, FILE *out)
{
	for (size_t i = 0; i < d->kept; i++) {
		const struct diagnostic *e = &d->entries[d->sorted[i]];

		fprintf(out, "%s:", d->file);
		if (e->line != 0)
			fprintf(out, "%u:%u:", e->line, e->column);
		fprintf(out, " %s: %s\n", severity_names[e->severity], e->text);
	}
	for (size_t s = 0; s < SEVERITY_COUNT; s++) {
		if (d->count[s] > DIAGNOSTICS_KEPT)
			fprintf(out, "%s: and %zu more %ss\n", d->file,
				d->count[s] - DIAGNOSTICS_KEPT, severity_names[s]);
	}
}

char *diagnostics_text(const struct diagnostics *d)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (out == NULL)
		return NULL;
	diagnostics_print(d, out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
