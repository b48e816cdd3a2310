/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a YAML policy file to a policy image.
 *
 * file -> tree with positions (yaml_tree) -> checked struct policy (schema, checks)
 *      -> image (compile). All errors of a file are reported together.
 */
#ifndef FENDER_CONFIG_CONFIG_H
#define FENDER_CONFIG_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shm/image.h"

struct diagnostics; /* errors and warnings of one file, with positions */

struct diagnostics *diagnostics_create(const char *file);
void diagnostics_free(struct diagnostics *d);
size_t diagnostics_errors(const struct diagnostics *d);
/* One per line: "file:line:column: error: clusters[0].endpoints[1].weight: found 300, ...". */
void diagnostics_print(const struct diagnostics *d, FILE *out);
/* The same text in one malloc'ed string. */
char *diagnostics_text(const struct diagnostics *d);

/**
 * config_compile() - policy text to image
 * @text: YAML of @bytes bytes (need not be NUL-terminated)
 * Return: malloc'ed, sealed image (generation 0) that image_check() accepts; the caller frees
 * it. NULL with at least one error in @d. The same text always gives the same bytes.
 */
struct image_header *config_compile(const char *text, size_t bytes, struct diagnostics *d);

/* The same from a file of at most MAX_POLICY_FILE_BYTES; its name is d's. */
struct image_header *config_compile_file(const char *path, struct diagnostics *d);

/* What a policy needs: region bytes, packet buffers, for `fender check`. */
void config_print_needs(const struct image_header *image, FILE *out);

/* Generated from the schema table. */
void config_print_reference(FILE *out);   /* docs/policy.md */
void config_print_sample(FILE *out);      /* a complete commented policy */
void config_print_json_schema(FILE *out); /* for editors */

#endif
