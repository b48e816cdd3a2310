/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/capture.h"

#include <string.h>

#include "shm/reasons.h"

enum { RECORD_WORDS = sizeof(struct capture_record) / sizeof(uint64_t) };

_Static_assert((CAPTURE_RECORDS & (CAPTURE_RECORDS - 1)) == 0, "a number names its record");
_Static_assert(__builtin_offsetof(struct capture_record, seq) == 0, "seq is the first word");

void capture_write(struct capture_ring *ring, const struct capture_record *record)
{
	const uint64_t number = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
	uint64_t *to = (uint64_t *)&ring->record[number % CAPTURE_RECORDS];
	uint64_t words[RECORD_WORDS];

	memcpy(words, record, sizeof(words));
	/* Odd before the words change, even after: release, for capture_read()'s two looks. */
	__atomic_store_n(to, 2 * number + 1, __ATOMIC_RELAXED);
	for (unsigned int i = 1; i < RECORD_WORDS; i++)
		__atomic_store_n(&to[i], words[i], __ATOMIC_RELEASE);
	__atomic_store_n(to, 2 * number + 2, __ATOMIC_RELEASE);
	__atomic_store_n(&ring->head, number + 1, __ATOMIC_RELEASE);
}

static int is_sound(const struct capture_record *r)
{
	return r->data_bytes <= CAPTURE_SNAP && r->reason < REASON_SLOTS &&
	       (r->interface < MAX_INTERFACES || r->interface == CAPTURE_NO_INTERFACE) &&
	       r->direction <= CAPTURE_SENT && r->verdict < CAPTURE_VERDICTS;
}

/* The words are read with acquire: a new one shows the odd seq that was stored before it. */
static int copy(const struct capture_ring *ring, uint64_t number, struct capture_record *out)
{
	const uint64_t *from = (const uint64_t *)&ring->record[number % CAPTURE_RECORDS];
	uint64_t words[RECORD_WORDS];

	words[0] = __atomic_load_n(from, __ATOMIC_ACQUIRE);
	if (words[0] != 2 * number + 2)
		return 0;
	for (unsigned int i = 1; i < RECORD_WORDS; i++)
		words[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
	if (__atomic_load_n(from, __ATOMIC_RELAXED) != words[0])
		return 0;
	memcpy(out, words, sizeof(words));
	return is_sound(out);
}

int capture_read(const struct capture_ring *ring, uint64_t *next, struct capture_record *out,
		 uint64_t *lost)
{
	/* Pairs with the last store of capture_write(). */
	const uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);

	/* Another ring than before: what it holds is not known to be new. */
	if (*next > head)
		*next = head;
	if (head - *next > CAPTURE_RECORDS) {
		*lost += head - *next - CAPTURE_RECORDS;
		*next = head - CAPTURE_RECORDS;
	}
	while (*next < head) {
		if (copy(ring, (*next)++, out))
			return 1;
		++*lost;
	}
	return 0;
}

const char *capture_verdict_name(unsigned int verdict)
{
	static const char *const names[CAPTURE_VERDICTS] = {
		[CAPTURE_FORWARDED] = "forwarded",   [CAPTURE_CONSUMED] = "consumed",
		[CAPTURE_DROPPED_FOR] = "dropped",   [CAPTURE_TRANSMITTED] = "transmitted",
		[CAPTURE_ORIGINATED] = "originated",
	};

	return verdict < CAPTURE_VERDICTS ? names[verdict] : "unknown";
}
