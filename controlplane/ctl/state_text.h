/* SPDX-License-Identifier: Apache-2.0 */
/* Words for the states in the API's rows. Pure. */
#ifndef FENDER_CONTROLPLANE_CTL_STATE_TEXT_H
#define FENDER_CONTROLPLANE_CTL_STATE_TEXT_H

#include <jansson.h>

#include "controlplane/ctl/format.h"
#include "controlplane/ctl/terminal.h"

/**
 * state_of_endpoint() - what of an endpoint stands in the way of its use, most telling first
 * @row: of GET /endpoints or /stats
 * Return: how good that is.
 */
enum colour state_of_endpoint(char out[FORMAT_BYTES], const json_t *row);

/**
 * state_of_breaker() - "closed", "open 3s", "half_open", "forced open", "-"; what is only
 * observed "would open"
 * @breaker: such an object, or a row of GET /breakers
 */
enum colour state_of_breaker(char out[FORMAT_BYTES], const json_t *breaker);

#endif
