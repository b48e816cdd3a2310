/* SPDX-License-Identifier: Apache-2.0 */
#include "config/diagnostics.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_COUNT };

static const char *const severity_names[SEVERITY_COUNT] = {"error", "warning"};

struct diagnostic {
	uint32_t file;
	uint32_t line;
	uint32_t column;
	enum severity severity;
	char text[DIAGNOSTIC_BYTES];
};

struct diagnostics {
	char **files; /* the policy's own first */
	uint32_t file_count;
	uint32_t file;                /* number of the one being read */
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
	if (diagnostics_open(d, file) != 0) {
		diagnostics_free(d);
		return NULL;
	}
	return d;
}

int diagnostics_open(struct diagnostics *d, const char *file)
{
	char **files = realloc(d->files, (d->file_count + 1) * sizeof(*files));
	char *name = strdup(file);

	if (files != NULL)
		d->files = files;
	if (files == NULL || name == NULL) {
		free(name);
		return -ENOMEM;
	}
	d->files[d->file_count] = name;
	d->file = d->file_count++;
	return 0;
}

void diagnostics_close(struct diagnostics *d)
{
	d->file = 0;
}

uint32_t diagnostics_number(const struct diagnostics *d)
{
	return d->file;
}

void diagnostics_free(struct diagnostics *d)
{
	if (d == NULL)
		return;
	for (uint32_t i = 0; i < d->file_count; i++)
		free(d->files[i]);
	free(d->files);
	free(d);
}

size_t diagnostics_errors(const struct diagnostics *d)
{
	return d->count[SEVERITY_ERROR];
}

int diagnostics_blame(const struct diagnostics *d, const char *file)
{
	for (size_t i = 0; i < d->kept; i++)
		if (d->entries[i].severity == SEVERITY_ERROR &&
		    strcmp(d->files[d->entries[i].file], file) == 0)
			return 1;
	return 0;
}

bool diagnostics_full(const struct diagnostics *d)
{
	return d->count[SEVERITY_ERROR] >= DIAGNOSTICS_KEPT;
}

const char *diagnostics_file(const struct diagnostics *d)
{
	return d->files[0];
}

static bool stands_before(const struct diagnostic *a, const struct diagnostic *b)
{
	if (a->file != b->file)
		return a->file < b->file;
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

__attribute__((format(printf, 4, 0))) static void diagnostics_add(struct diagnostics *d,
								  enum severity severity,
								  struct position at,
								  const char *format, va_list args)
{
	struct diagnostic *entry;
	size_t place = d->kept;

	if (d->count[severity]++ >= DIAGNOSTICS_KEPT)
		return;
	entry = &d->entries[d->kept];
	entry->file = at.file;
	entry->line = at.line;
	entry->column = at.column;
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
	diagnostics_add(d, SEVERITY_ERROR, (struct position){d->file, line, column}, format, args);
	va_end(args);
}

void diagnostics_error_at(struct diagnostics *d, struct position at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diagnostics_add(d, SEVERITY_ERROR, at, format, args);
	va_end(args);
}

void diagnostics_warning_at(struct diagnostics *d, struct position at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diagnostics_add(d, SEVERITY_WARNING, at, format, args);
	va_end(args);
}

void diagnostics_print(const struct diagnostics *d, FILE *out)
{
	for (size_t i = 0; i < d->kept; i++) {
		const struct diagnostic *e = &d->entries[d->sorted[i]];

		fprintf(out, "%s:", d->files[e->file]);
		if (e->line != 0)
			fprintf(out, "%u:%u:", e->line, e->column);
		fprintf(out, " %s: %s\n", severity_names[e->severity], e->text);
	}
	for (size_t s = 0; s < SEVERITY_COUNT; s++) {
		if (d->count[s] > DIAGNOSTICS_KEPT)
			fprintf(out, "%s: and %zu more %ss\n", d->files[0],
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
