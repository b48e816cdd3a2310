/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/limiter_source.h"

_Static_assert(SOURCE_LIMITS_PER_LINE == 4, "two bits of a key choose one");

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { TRIES = 4, SLOT_BITS = 16 };

static uint64_t hash_of(const struct limiter_sources *s, const struct limiter_rules *rules,
			const struct limiter_source *source)
{
	/* a listener's successor in the slot, and another shape, have words of their own */
	return XXH3_64bits_withSeed(source->ip.b, sizeof(source->ip.b),
				    s->seed ^ rules->key ^ rules->source_shape);
}

/* Is nothing in use, so that a fresh word would say the same? */
static int is_full(const struct limit_rule *rule, uint64_t word, uint64_t now_ns)
{
	struct limit_window w;

	if (rule->algorithm == LIMIT_NONE)
		return 1;
	if (rule->algorithm < LIMIT_FIXED_WINDOW)
		return (int64_t)(word - limit_clock(rule->speed, now_ns)) <= 0;
	limit_window_read(rule, word, now_ns, &w);
	return w.count == 0 && w.previous == 0;
}

static int is_idle(const struct limiter_policy *rules, const struct source_limit *entry,
		   uint64_t key, uint64_t now_ns)
{
	uint16_t slot = (uint16_t)key;

	return key == 0 || slot >= rules->slots ||
	       is_full(&rules->rules[slot].source, __atomic_load_n(&entry->word, __ATOMIC_RELAXED),
		       now_ns);
}

/*
 * Take the place of @was. Another worker that has met the new key already may have taken from
 * the old word: then that one stays. Return 0 when another was quicker altogether.
 */
static int replace(struct source_limit *entry, uint64_t was, uint64_t key, uint64_t word)
{
	uint64_t old = __atomic_load_n(&entry->word, __ATOMIC_RELAXED);

	if (!__atomic_compare_exchange_n(&entry->key, &was, key, 0, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		return 0;
	__atomic_compare_exchange_n(&entry->word, &old, word, 0, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return 1;
}

static enum limiter_source_kind look(struct source_limit_line *line, uint64_t key,
				     const struct limiter_policy *rules,
				     const struct limiter_source *source, uint64_t **word)
{
	const struct limit_rule *rule = &rules->rules[source->slot].source;
	struct source_limit *idle = NULL, *victim;
	uint64_t was = 0, seen;

	for (uint32_t i = 0; i < SOURCE_LIMITS_PER_LINE; i++) {
		struct source_limit *entry = &line->entry[i];

		seen = __atomic_load_n(&entry->key, __ATOMIC_RELAXED);
		if (seen == key) {
			*word = &entry->word;
			return SOURCE_KNOWN;
		}
		if (!idle && is_idle(rules, entry, seen, source->now_ns)) {
			idle = entry;
			was = seen;
		}
	}
	if (idle) {
		*word = &idle->word;
		return replace(idle, was, key, limit_full(rule, source->now_ns)) ? SOURCE_NEW
										 : SOURCE_NONE;
	}
	victim = &line->entry[key >> 62]; /* one of four */
	was = __atomic_load_n(&victim->key, __ATOMIC_RELAXED);
	*word = &victim->word;
	return replace(victim, was, key, limit_empty(rule, source->now_ns)) ? SOURCE_COLD
									    : SOURCE_NONE;
}

enum limiter_source_kind limiter_source_word(const struct limiter_sources *s,
					     const struct limiter_policy *rules,
					     const struct limiter_source *source, uint64_t **word)
{
	uint64_t hash = hash_of(s, &rules->rules[source->slot], source);
	/* never 0, and no worse a hash */
	uint64_t key = (hash | 1ull << SLOT_BITS) >> SLOT_BITS << SLOT_BITS | source->slot;
	struct source_limit_line *line = &s->lines[hash & (s->count - 1)];
	enum limiter_source_kind kind = SOURCE_NONE;

	for (int i = 0; i < TRIES && kind == SOURCE_NONE; i++)
		kind = look(line, key, rules, source, word);
	return kind;
}
