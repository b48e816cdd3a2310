/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a YAML policy file to a policy image.
 *
 * file -> tree with positions (yaml_tree) -> struct policy (schema, parse) -> endpoints from
 * files and DNS -> checks -> image (compile). All errors of a file are reported together.
 */
#ifndef FENDER_CONFIG_CONFIG_H
#define FENDER_CONFIG_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/address.h"
#include "config/file_texts.h"

struct diagnostics; /* errors and warnings of one file, with positions */

struct diagnostics *diagnostics_create(const char *file);
void diagnostics_free(struct diagnostics *d);
size_t diagnostics_errors(const struct diagnostics *d);
/* 1 when an error that was kept stands in @file, the policy's or one that it names. */
int diagnostics_blame(const struct diagnostics *d, const char *file);
/* One per line: "file:line:column: error: clusters[0].endpoints[1].weight: found 300, ...". */
void diagnostics_print(const struct diagnostics *d, FILE *out);
/* The same text in one malloc'ed string. */
char *diagnostics_text(const struct diagnostics *d);

/**
 * config_compile() - policy text to image
 * @text: YAML of @bytes bytes (need not be NUL-terminated)
 * Return: malloc'ed, sealed image (generation 0) that image_check() accepts; the caller frees
 * it. NULL with at least one error in @d. The same text, endpoint files and sets always give the
 * same bytes. Endpoint files are relative to the folder of d's file.
 */
struct image_header *config_compile(const char *text, size_t bytes, struct diagnostics *d);

/* The same from a file of at most MAX_POLICY_FILE_BYTES; its name is d's. */
struct image_header *config_compile_file(const char *path, struct diagnostics *d);

/* What the endpoints of a cluster with `dns` were last resolved to. */
struct resolved_endpoint {
	struct address address; /* family, ip and port; what no endpoint may have is left out */
	uint32_t weight;        /* taken as 1 to MAX_WEIGHT */
	uint32_t priority;      /* 0, used first, to MAX_PRIORITIES - 1; more counts as that */
};
struct endpoint_set {
	const char *cluster; /* by name; one that has no `dns` or is not there is passed over */
	const struct resolved_endpoint *endpoints; /* in any order, equal ones count once */
	size_t count;
};
struct endpoint_sets {
	const struct endpoint_set *sets;
	size_t count;
};

/*
 * The same with names resolved; @sets may be NULL. A cluster with `dns` and no set is empty for
 * now. The order within a set changes nothing.
 */
struct image_header *config_compile_resolved(const char *text, size_t bytes,
					     const struct endpoint_sets *sets,
					     struct diagnostics *d);
struct image_header *config_compile_file_resolved(const char *path,
						  const struct endpoint_sets *sets,
						  struct diagnostics *d);

/* The same with all that may go into it. */
struct config_input {
	const char *text;
	size_t bytes;
	const struct endpoint_sets *sets; /* NULL: no name is resolved */
	const struct file_texts *instead; /* of endpoint files on the disk; NULL: of none */
	struct file_texts *read; /* zeroed: receives the texts of the endpoint files; or NULL */
};
struct image_header *config_compile_input(const struct config_input *in, struct diagnostics *d);

/*
 * Path of the endpoint file that the policy at @policy_path names as @file: beside the policy,
 * unless it is absolute. malloc'ed; NULL without memory.
 */
char *config_endpoint_file(const char *policy_path, const char *file);

/* What a policy needs: region bytes, packet buffers, for `fender check`. */
void config_print_needs(const struct image_header *image, FILE *out);

/* Generated from the schema table. */
void config_print_reference(FILE *out);   /* docs/policy.md */
void config_print_sample(FILE *out);      /* a complete commented policy */
void config_print_json_schema(FILE *out); /* for editors */

#endif
