/* SPDX-License-Identifier: Apache-2.0 */
/* One worker's histograms added to another's, perhaps of another region; private to shm/. */
#ifndef FENDER_SHM_HISTOGRAM_MERGE_H
#define FENDER_SHM_HISTOGRAM_MERGE_H

#include "shm/histogram.h"

/*
 * Add the histograms of slot @from_slot to those of @to_slot. Neither has a writer. Values of
 * octaves for which the pool of @to has no block left are in `lost`. Nothing of @from is believed.
 */
void histogram_merge(const struct histograms *to, uint32_t to_slot, const struct histograms *from,
		     uint32_t from_slot);

/* Likewise the times of the limiter's verdicts: once for each worker of @from. */
void histogram_merge_verdicts(const struct histograms *to, const struct histograms *from);

#endif
