/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parse.h"

#include <errno.h>
#include <string.h>

#include "config/parse_scalar.h"
#include "config/schema.h"
#include "config/suggest.h"

struct parse {
	struct arena *arena;
	struct diagnostics *d;
	bool out_of_memory;
};

static void parse_map(struct parse *p, const struct yaml_node *node, const struct schema_map *map,
		      void *object);

/* One element of a set; a lone scalar is a set of one. */
static void parse_member(struct parse *p, const struct yaml_node *node,
			 const struct schema_key *key, uint64_t *mask)
{
	struct schema_key element = *key;
	uint64_t bit = 0, value = UINT64_MAX;
	char found[YAML_QUOTE_BYTES];

	element.type = key->item;
	parse_scalar(p->d, node, &element, &value);
	if (value == UINT64_MAX)
		return;
	bit = key->item == SCHEMA_ENUM ? value : 1ull << value;
	if ((*mask & bit) != 0)
		yaml_error(p->d, node, "found %s a second time, expected it once",
			   yaml_quote(node, found));
	*mask |= bit;
}

static void parse_set(struct parse *p, const struct yaml_node *node, const struct schema_key *key,
		      uint64_t *field)
{
	uint64_t mask = 0;
	uint64_t least = key->item == SCHEMA_ENUM ? key->min : 0;

	if (node->kind == YAML_MAP) {
		yaml_found_instead(p->d, node, "a list", "");
		return;
	}
	if (node->kind == YAML_SCALAR)
		parse_member(p, node, key, &mask);
	else
		for (const struct yaml_node *n = node->first; n != NULL; n = n->next)
			parse_member(p, n, key, &mask);
	if (node->kind == YAML_LIST && node->count < least)
		yaml_error(p->d, node, "found an empty list, expected at least one element");
	if (mask != 0 || node->count == 0)
		*field = mask != 0 ? mask : key->fallback;
}

static void parse_element(struct parse *p, const struct yaml_node *node,
			  const struct schema_key *list, void *element)
{
	struct schema_key key = *list;

	key.type = list->item;
	if (list->item == SCHEMA_MAP) {
		parse_map(p, node, list->map, element);
		return;
	}
	((struct policy_address *)element)->node = node;
	parse_scalar(p->d, node, &key, &((struct policy_address *)element)->address);
}

static void parse_list(struct parse *p, const struct yaml_node *node, const struct schema_key *key,
		       void *field)
{
	POLICY_LIST(void) *list = field;
	size_t bytes = schema_item_bytes(key);
	char range[SCHEMA_TEXT_BYTES];
	uint8_t *element;
	size_t count = 1;

	if (node->kind == YAML_MAP || (node->kind == YAML_SCALAR && key->item == SCHEMA_MAP)) {
		yaml_found_instead(p->d, node, "a list", "");
		return;
	}
	if (node->kind == YAML_LIST)
		count = node->count;
	if (count < key->min || count > key->max) {
		yaml_error(p->d, node, "found %zu elements, expected %s", count,
			   schema_print_range(key, range));
		return;
	}
	element = arena_array(p->arena, count, bytes);
	if (element == NULL) {
		p->out_of_memory = true;
		return;
	}
	list->items = element;
	list->count = count;
	if (node->kind == YAML_SCALAR) {
		parse_element(p, node, key, element);
		return;
	}
	for (const struct yaml_node *n = node->first; n != NULL; n = n->next, element += bytes)
		parse_element(p, n, key, element);
}

/* @object: the structure of the map around the key. */
static void parse_value(struct parse *p, const struct yaml_node *node, const struct schema_key *key,
			void *object)
{
	void *field = (uint8_t *)object + key->offset;

	switch (key->type) {
	case SCHEMA_MAP:
		parse_map(p, node, key->map, field);
		break;
	case SCHEMA_LIST:
		if (node->kind == YAML_MAP && key->instead != NULL)
			parse_map(p, node, key->instead, (uint8_t *)object + key->instead_offset);
		else
			parse_list(p, node, key, field);
		break;
	case SCHEMA_SET:
		parse_set(p, node, key, field);
		break;
	default:
		parse_scalar(p->d, node, key, field);
		break;
	}
}

static void fill_defaults(const struct schema_map *map, void *object)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct schema_key *key = &map->keys[i];
		void *field = (uint8_t *)object + key->offset;

		switch (key->type) {
		case SCHEMA_MAP:
			fill_defaults(key->map, field);
			break;
		case SCHEMA_INTEGER:
		case SCHEMA_COUNT:
		case SCHEMA_SIZE:
		case SCHEMA_DURATION:
		case SCHEMA_PERCENT:
		case SCHEMA_FACTOR:
		case SCHEMA_BOOL:
		case SCHEMA_ENUM:
		case SCHEMA_SET:
			*(uint64_t *)field = key->fallback;
			break;
		case SCHEMA_PORTS:
			((struct value_port_range *)field)->low = (uint16_t)(key->fallback >> 16);
			((struct value_port_range *)field)->high = (uint16_t)key->fallback;
			break;
		case SCHEMA_WINDOW:
			*(struct value_window *)field =
				(struct value_window){.calls = key->fallback};
			break;
		case SCHEMA_LIST:
			if (key->instead != NULL)
				fill_defaults(key->instead,
					      (uint8_t *)object + key->instead_offset);
			break;
		default: /* zero, as allocated */
			break;
		}
	}
}

static size_t find_key(const struct schema_map *map, const char *name)
{
	size_t i = 0;

	while (i < map->count && strcmp(map->keys[i].name, name) != 0)
		i++;
	return i;
}

/* "path.key: message" where the key stands. */
static void key_error(struct parse *p, const struct yaml_node *node, const char *message,
		      const char *more)
{
	char path[YAML_PATH_BYTES];

	diagnostics_error(p->d, node->key_line, node->key_column, "%s: %s%s", yaml_path(node, path),
			  message, more);
}

static void unknown_key(struct parse *p, const struct yaml_node *node, const struct schema_map *map)
{
	char names[SCHEMA_TEXT_BYTES * 2] = "", *end = names;
	struct suggestion s;

	if (diagnostics_full(p->d)) {
		key_error(p, node, "unknown key", "");
		return;
	}
	suggest_start(&s, node->key);
	for (size_t i = 0; i < map->count; i++) {
		suggest_consider(&s, map->keys[i].name);
		if (i > 0)
			end = stpcpy(end, ", ");
		end = stpcpy(end, map->keys[i].name);
	}
	if (s.best != NULL) {
		stpcpy(stpcpy(names, s.best), "\"?");
		key_error(p, node, "unknown key; did you mean \"", names);
	} else {
		key_error(p, node, "unknown key; expected one of: ", names);
	}
}

static void missing_key(struct parse *p, const struct yaml_node *node, const struct schema_key *key)
{
	const char *type = schema_type_name(key->type);
	const char *example = key->example[0] != NULL ? key->example[0] : "";
	char path[YAML_PATH_BYTES], as[SCHEMA_TEXT_BYTES] = "";

	yaml_path(node, path);
	if (example[0] != '\0')
		snprintf(as, sizeof(as), ", for example %s: %s", key->name, example);
	diagnostics_error(p->d, node->line, node->column, "%s%s%s: found nothing, expected %s %s%s",
			  path, path[0] != '\0' ? "." : "", key->name,
			  strchr("aei", type[0]) != NULL ? "an" : "a", type, as);
}

static void parse_keys(struct parse *p, const struct yaml_node *node, const struct schema_map *map,
		       void *object)
{
	const struct yaml_node *seen[SCHEMA_MAX_KEYS] = {NULL};

	for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
		size_t i = find_key(map, n->key);
		char line[32];

		if (i == map->count) {
			unknown_key(p, n, map);
		} else if (seen[i] != NULL) {
			snprintf(line, sizeof(line), "%u", seen[i]->key_line);
			key_error(p, n, "duplicate key, first on line ", line);
		} else {
			seen[i] = n;
			parse_value(p, n, &map->keys[i], object);
		}
	}
	for (size_t i = 0; i < map->count; i++) {
		if (seen[i] == NULL && (map->keys[i].flags & SCHEMA_REQUIRED) != 0)
			missing_key(p, node, &map->keys[i]);
	}
}

static void parse_map(struct parse *p, const struct yaml_node *node, const struct schema_map *map,
		      void *object)
{
	struct policy_map *header = object;
	size_t errors = diagnostics_errors(p->d);

	fill_defaults(map, object);
	header->node = node;
	if (node->kind == YAML_MAP)
		parse_keys(p, node, map, object);
	else
		yaml_found_instead(p->d, node, "a map", "");
	header->errors = (uint32_t)(diagnostics_errors(p->d) - errors);
}

void *schema_parse(const struct schema_map *map, const struct yaml_node *root, struct arena *arena,
		   struct diagnostics *d)
{
	struct parse p = {.arena = arena, .d = d};
	void *object = arena_alloc(arena, map->bytes);

	if (object != NULL)
		parse_map(&p, root, map, object);
	if (object != NULL && !p.out_of_memory)
		return object;
	diagnostics_error(d, 0, 0, "out of memory");
	return NULL;
}

struct policy *policy_parse(const struct yaml_node *root, struct arena *arena,
			    struct diagnostics *d)
{
	return schema_parse(&schema_root, root, arena, d);
}

int schema_parse_list(const struct yaml_node *node, const struct schema_key *key, void *list,
		      struct arena *arena, struct diagnostics *d)
{
	struct parse p = {.arena = arena, .d = d};

	parse_list(&p, node, key, list);
	if (!p.out_of_memory)
		return 0;
	diagnostics_error(d, 0, 0, "out of memory");
	return -ENOMEM;
}
