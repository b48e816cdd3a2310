/* SPDX-License-Identifier: Apache-2.0 */
/* What top shows. Main thread. */
#ifndef FENDER_CONTROLPLANE_CTL_TOP_DRAW_H
#define FENDER_CONTROLPLANE_CTL_TOP_DRAW_H

#include "controlplane/ctl/top_list.h"
#include "controlplane/ctl/top_state.h"

struct top_frame {
	const struct top_model *model;
	const struct top_list *list;
	const struct top_state *state;
	double away_s; /* for how long the instance has not answered; NAN: it does */
};

/* How many rows there is room for now. */
size_t top_draw_page(void);

void top_draw(const struct top_frame *frame);

#endif
