/* SPDX-License-Identifier: Apache-2.0 */
/* docs/policy.schema.json: the schema table as a JSON Schema, draft 2020-12, for editors. */
#include "config/config.h"

#include <stdbool.h>
#include <string.h>

#include "config/schema.h"

/*
 * Forms only: what a pattern cannot say well (IPv6 addresses, ranges of numbers with units,
 * rules across keys) is left to `fender check`.
 */
static const char *pattern_of(enum schema_type type)
{
	switch (type) {
	case SCHEMA_COUNT:
		return "^[0-9]+(\\\\.[0-9]+)?([kMG]|[KMG]i)?$";
	case SCHEMA_SIZE:
		return "^[0-9]+(\\\\.[0-9]+)?([KMG]i)?B$";
	case SCHEMA_DURATION:
		return "^([0-9]+(\\\\.[0-9]+)?(ns|us|ms|s|m|h|d)|0)$";
	case SCHEMA_PERCENT:
		return "^([0-9]+(\\\\.[0-9]+)?%|0)$";
	case SCHEMA_WINDOW:
		return "^[0-9]+( calls|(\\\\.[0-9]+)?(us|ms|s|m|h))?$";
	case SCHEMA_BURST:
		return "^[0-9]+(\\\\.[0-9]+)?(x|[kMG]|[KMG]i|B|[KMG]iB)?$";
	case SCHEMA_URL_PATH:
		return "^/";
	case SCHEMA_HOST:
	case SCHEMA_DNS:
		return "^[^ /]+$";
	case SCHEMA_FILE:
		return "^.+$";
	case SCHEMA_NAME:
		return "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$";
	case SCHEMA_DEVICE:
		return "^(af_xdp|pci|vdev):.+$";
	case SCHEMA_ADDRESS:
		return "^[0-9A-Fa-f.:]+$";
	case SCHEMA_INTERFACE:
	case SCHEMA_NETWORK:
		return "^[0-9A-Fa-f.:]+/[0-9]+$";
	case SCHEMA_ENDPOINT:
	case SCHEMA_BIND:
		return "^([0-9.]+|\\\\[[0-9A-Fa-f.:]+\\\\]):[0-9]+$";
	case SCHEMA_MAC:
		return "^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$";
	case SCHEMA_PORTS:
		return "^[0-9]+(-[0-9]+)?$";
	default:
		return "";
	}
}

static void print_map(FILE *out, const struct schema_map *map, int indent);

static void print_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void print_choices(FILE *out, const struct schema_key *key)
{
	fputs("\"enum\": [", out);
	for (const struct schema_choice *c = key->choices; c->name != NULL; c++)
		fprintf(out, "%s\"%s\"", c != key->choices ? ", " : "", c->name);
	fputc(']', out);
}

/* The members of the schema of one plain value, without braces. */
static void print_form(FILE *out, const struct schema_key *key, enum schema_type type)
{
	switch (type) {
	case SCHEMA_INTEGER:
		fprintf(out, "\"type\": \"integer\", \"minimum\": %llu, \"maximum\": %llu",
			(unsigned long long)key->min, (unsigned long long)key->max);
		break;
	case SCHEMA_COUNT:
		fprintf(out,
			"\"type\": [\"integer\", \"string\"], \"minimum\": %llu, "
			"\"maximum\": %llu, \"pattern\": \"%s\"",
			(unsigned long long)key->min, (unsigned long long)key->max,
			pattern_of(type));
		break;
	case SCHEMA_FACTOR:
		fprintf(out, "\"type\": \"number\", \"minimum\": %llu, \"maximum\": %llu",
			(unsigned long long)key->min / 100, (unsigned long long)key->max / 100);
		break;
	case SCHEMA_DURATION:
	case SCHEMA_PERCENT:
		fprintf(out,
			"\"type\": [\"integer\", \"string\"], \"maximum\": 0, \"pattern\": \"%s\"",
			pattern_of(type));
		break;
	case SCHEMA_WINDOW:
	case SCHEMA_PORTS:
		fprintf(out,
			"\"type\": [\"integer\", \"string\"], \"minimum\": %llu, "
			"\"maximum\": %llu, \"pattern\": \"%s\"",
			(unsigned long long)key->min, (unsigned long long)key->max,
			pattern_of(type));
		break;
	case SCHEMA_BURST:
		fprintf(out,
			"\"type\": [\"integer\", \"string\"], \"minimum\": 1, \"pattern\": \"%s\"",
			pattern_of(type));
		break;
	case SCHEMA_BOOL:
		fputs("\"type\": \"boolean\"", out);
		break;
	case SCHEMA_ENUM:
		print_choices(out, key);
		break;
	default:
		fprintf(out, "\"type\": \"string\", \"pattern\": \"%s\"", pattern_of(type));
		break;
	}
}

/* A list of plain values, or one of them alone. */
static void print_plain_list(FILE *out, const struct schema_key *key, int indent)
{
	uint64_t most = key->type == SCHEMA_LIST || key->item == SCHEMA_ENUM ? key->max : 64;
	uint64_t least = key->type == SCHEMA_LIST || key->item == SCHEMA_ENUM ? key->min : 0;

	fprintf(out, "%*s\"anyOf\": [\n%*s{", indent, "", indent + 2, "");
	print_form(out, key, key->item);
	fprintf(out,
		"},\n%*s{\"type\": \"array\", \"minItems\": %llu, \"maxItems\": %llu, \"items\": {",
		indent + 2, "", (unsigned long long)least, (unsigned long long)most);
	print_form(out, key, key->item);
	fprintf(out, "}%s}\n%*s]", key->type == SCHEMA_SET ? ", \"uniqueItems\": true" : "", indent,
		"");
}

/* A list of maps, or the map that may stand in its place. */
static void print_maps(FILE *out, const struct schema_key *key, int indent)
{
	int deeper = key->instead != NULL ? indent + 4 : indent;

	if (key->instead != NULL)
		fprintf(out, "%*s\"anyOf\": [\n%*s{\n", indent, "", indent + 2, "");
	fprintf(out,
		"%*s\"type\": \"array\",\n%*s\"minItems\": %llu,\n%*s\"maxItems\": %llu,\n"
		"%*s\"items\": {\n",
		deeper, "", deeper, "", (unsigned long long)key->min, deeper, "",
		(unsigned long long)key->max, deeper, "");
	print_map(out, key->map, deeper + 2);
	fprintf(out, "\n%*s}", deeper, "");
	if (key->instead == NULL)
		return;
	fprintf(out, "\n%*s},\n%*s{\n", indent + 2, "", indent + 2, "");
	print_map(out, key->instead, deeper);
	fprintf(out, "\n%*s}\n%*s]", indent + 2, "", indent, "");
}

static void print_key(FILE *out, const struct schema_key *key, int indent)
{
	char fallback[SCHEMA_TEXT_BYTES], text[2 * SCHEMA_TEXT_BYTES + 64];

	schema_print_fallback(key, fallback);
	snprintf(text, sizeof(text), "%s%s%s%s", key->description,
		 fallback[0] != '\0' ? " Default: " : "", fallback, fallback[0] != '\0' ? "." : "");
	fprintf(out, "%*s\"%s\": {\n%*s\"description\": ", indent, "", key->name, indent + 2, "");
	print_string(out, text);
	fputs(",\n", out);
	if (key->type == SCHEMA_MAP) {
		print_map(out, key->map, indent + 2);
	} else if (key->type == SCHEMA_LIST && key->item == SCHEMA_MAP) {
		print_maps(out, key, indent + 2);
	} else if (key->type == SCHEMA_LIST || key->type == SCHEMA_SET) {
		print_plain_list(out, key, indent + 2);
	} else {
		fprintf(out, "%*s", indent + 2, "");
		print_form(out, key, key->type);
	}
	fprintf(out, "\n%*s}", indent, "");
}

/* The members of an object's schema, without braces. */
static void print_map(FILE *out, const struct schema_map *map, int indent)
{
	bool first = true;

	fprintf(out, "%*s\"type\": \"object\",\n%*s\"additionalProperties\": false,\n", indent, "",
		indent, "");
	for (size_t i = 0; i < map->count; i++) {
		if ((map->keys[i].flags & SCHEMA_REQUIRED) == 0)
			continue;
		if (first)
			fprintf(out, "%*s\"required\": [", indent, "");
		fprintf(out, "%s\"%s\"", first ? "" : ", ", map->keys[i].name);
		first = false;
	}
	fprintf(out, "%s%*s\"properties\": {\n", first ? "" : "],\n", indent, "");
	for (size_t i = 0; i < map->count; i++) {
		print_key(out, &map->keys[i], indent + 2);
		fputs(i + 1 < map->count ? ",\n" : "\n", out);
	}
	fprintf(out, "%*s}", indent, "");
}

void config_print_json_schema(FILE *out)
{
	fputs("{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
	      "  \"title\": \"Fender policy\",\n",
	      out);
	print_map(out, &schema_root, 2);
	fputs("\n}\n", out);
}
