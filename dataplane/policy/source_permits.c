/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A word is tag:32 permits:32. Adding and then summing are seq_cst: of all permits a source holds
 * at an instant one was added last, and its sum saw the others, in whichever words they are.
 */
#include "dataplane/policy/source_permits.h"

enum { NO_WORD = SOURCES_PER_LINE };

static uint32_t tag_of(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

static uint32_t permits_of(uint64_t word)
{
	return (uint32_t)word;
}

static uint64_t sum_of(const struct source_line *line, uint32_t tag)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < SOURCES_PER_LINE; i++) {
		uint64_t word = __atomic_load_n(&line->word[i], __ATOMIC_SEQ_CST);

		if (tag_of(word) == tag)
			sum += permits_of(word);
	}
	return sum;
}

/* The word to add to: one with the tag, else an empty one, else NO_WORD. */
static uint32_t find_word(const struct source_line *line, uint32_t tag, uint64_t *word)
{
	uint32_t found = NO_WORD;

	for (uint32_t i = 0; i < SOURCES_PER_LINE; i++) {
		uint64_t w = __atomic_load_n(&line->word[i], __ATOMIC_RELAXED);

		if (permits_of(w) != 0 && tag_of(w) != tag)
			continue;
		if (tag_of(w) == tag || found == NO_WORD) {
			found = i;
			*word = w;
		}
		if (permits_of(w) != 0)
			break;
	}
	return found;
}

/* Lock-free: a swap fails only after another worker's succeeded in this line. */
static uint32_t add_permit(struct source_line *line, uint32_t tag)
{
	uint64_t word = 0;
	uint32_t i;

	while ((i = find_word(line, tag, &word)) != NO_WORD) {
		uint64_t next = (uint64_t)tag << 32 | (permits_of(word) + 1);

		if (__atomic_compare_exchange_n(&line->word[i], &word, next, 0, __ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED))
			break;
	}
	return i;
}

static void return_permit(uint64_t *at)
{
	uint64_t word = __atomic_load_n(at, __ATOMIC_RELAXED);

	while (permits_of(word) != 0 &&
	       !__atomic_compare_exchange_n(at, &word, word - 1, 1, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
}

static uint64_t *word_at(const struct policy_state *s, uint32_t place)
{
	uint32_t line = place / SOURCES_PER_LINE;

	return line < s->source_lines ? &s->sources[line].word[place % SOURCES_PER_LINE] : NULL;
}

/* Multiplied and folded. */
uint64_t source_hash(uint64_t cluster_key, uint64_t source)
{
	const uint64_t x = (source ^ cluster_key) * 0x9e3779b97f4a7c15ull;

	return x ^ x >> 32;
}

enum source_admission source_enter(const struct policy_state *s, uint64_t hash, uint32_t limit,
				   uint32_t *place)
{
	const uint32_t number = (uint32_t)hash & (s->source_lines - 1);
	const uint32_t tag = (uint32_t)(hash >> 32);
	struct source_line *line = &s->sources[number];
	uint32_t i;

	/* A source at its limit writes nothing. */
	if (limit != 0 && sum_of(line, tag) >= limit)
		return SOURCE_REFUSE;
	i = add_permit(line, tag);
	if (i == NO_WORD)
		return SOURCE_LINE_FULL;
	if (limit != 0 && sum_of(line, tag) > limit) {
		return_permit(&line->word[i]);
		return SOURCE_REFUSE;
	}
	*place = number * SOURCES_PER_LINE + i;
	return SOURCE_ADMIT;
}

void source_leave(const struct policy_state *s, uint32_t place)
{
	uint64_t *word = word_at(s, place);

	if (word)
		return_permit(word);
}

void source_clear(const struct policy_state *s)
{
	for (uint32_t line = 0; line < s->source_lines; line++) {
		for (uint32_t i = 0; i < SOURCES_PER_LINE; i++) {
			uint64_t *word = &s->sources[line].word[i];
			uint64_t tag = __atomic_load_n(word, __ATOMIC_RELAXED) >> 32 << 32;

			__atomic_store_n(word, tag, __ATOMIC_RELAXED);
		}
	}
}

void source_recount(const struct policy_state *s, uint32_t place)
{
	uint64_t *word = word_at(s, place);

	if (word)
		__atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
}
