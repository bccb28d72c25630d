/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/rules/rings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "weir/ring.h"

/* Whether programs alone fill it: no backend of the configuration has a weight (which is allowed with registration only). */
static bool is_filled_by_programs(const struct model_pool *p)
{
	for (size_t i = 0; i < p->n_backends; i++)
		if (p->backends[i].weight)
			return false;
	return true;
}

/* An owner is the backend's index + 1. */
static int fill_ring(const struct model_pool *p, const uint64_t key[2], uint16_t *slots)
{
	struct ring_backend *b = calloc(p->n_backends, sizeof(*b));

	for (size_t i = 0; b && i < p->n_backends; i++)
		b[i] = (struct ring_backend){ .key = p->backends[i].id,
			                      .weight = p->backends[i].weight,
			                      .id = (uint16_t)(i + 1) };
	int err = b ? ring_fill(slots, p->n_slots, b, p->n_backends, key) : -ENOMEM;
	free(b);
	return err;
}

/* A flow's slot is its hash modulo the number of slots, which is a power of two. */
static uint32_t compare_rings(const struct model_pool *a, const uint16_t *of_a,
                              const struct model_pool *b, const uint16_t *of_b)
{
	uint32_t n = a->n_slots > b->n_slots ? a->n_slots : b->n_slots;
	uint64_t moved = 0;

	for (uint32_t slot = 0; slot < n; slot++) {
		const struct model_backend *was = &a->backends[of_a[slot % a->n_slots] - 1];
		const struct model_backend *becomes = &b->backends[of_b[slot % b->n_slots] - 1];

		moved += was->id != becomes->id;
	}
	return (uint32_t)((moved * MODEL_PPM_ALL + n / 2) / n);
}

int rings_moved_ppm(const struct model_pool *a, const struct model_pool *b, const uint64_t key[2],
                    uint32_t *ppm)
{
	if (is_filled_by_programs(a) || is_filled_by_programs(b))
		return -ENODATA;
	uint16_t *of_a = calloc(a->n_slots, sizeof(*of_a));
	uint16_t *of_b = calloc(b->n_slots, sizeof(*of_b));
	int err = of_a && of_b ? fill_ring(a, key, of_a) : -ENOMEM;

	if (!err)
		err = fill_ring(b, key, of_b);
	if (!err)
		*ppm = compare_rings(a, of_a, b, of_b);
	free(of_a);
	free(of_b);
	return err;
}
