/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From where new flows come, as all nodes sampled it: rows that are malformed, or of services that the
 * document does not have, are left out.
 */
#include "mgmt/controller/operation_snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "mgmt/controller/operation_measure.h"
#include "weir/steering.h"

#define COUNT_END ((json_int_t)1 << 50)

static const json_t *sources_of(const struct operation_report *report)
{
	return json_object_get(json_object_get(report->measure, "flows"), "sources");
}

/* Services of a document are few beside the rows, and rows of one service are neighbours. */
static bool find_service(const struct model *m, const char *name, uint32_t *service)
{
	if (*service < m->n_services && !strcmp(m->services[*service].name, name))
		return true;
	for (uint32_t i = 0; i < m->n_services; i++)
		if (!strcmp(m->services[i].name, name)) {
			*service = i;
			return true;
		}
	return false;
}

/* The key that the prefix's clients would have. */
static bool read_key(const char *text, uint8_t key[8])
{
	struct steering_key own;
	struct prefix prefix;

	if (prefix_parse(text, &prefix))
		return false;
	own = steering_key_of(&prefix.addr);
	memcpy(key, own.bytes, sizeof(own.bytes));
	return prefix.bits == own.bits;
}

static bool read_row(const struct model *m, const json_t *row, struct projection_arrival *out)
{
	const char *service = json_get_text(row, "service");
	const char *prefix = json_get_text(row, "prefix");
	json_int_t flows = json_integer_value(json_object_get(row, "flows"));
	json_int_t sampled = json_integer_value(json_object_get(row, "sampled"));

	if (!service || !prefix || flows <= 0 || flows >= COUNT_END || sampled <= 0 ||
	    sampled > flows || sampled > UINT32_MAX || !find_service(m, service, &out->service) ||
	    !read_key(prefix, out->key))
		return false;
	out->flows = (uint64_t)flows;
	out->sampled = (uint32_t)sampled;
	return true;
}

int operation_sources_add(const struct operation_snapshot *v, struct projector *p)
{
	struct projection_arrival *list;
	bool whole = true;
	size_t n = 0, n_rows = 0;
	int err;

	for (size_t i = 0; i < v->n_reports; i++)
		n_rows += json_array_size(sources_of(&v->reports[i]));
	list = calloc(n_rows + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < v->n_reports; i++) {
		const json_t *rows = sources_of(&v->reports[i]);
		struct projection_arrival one = { .site = v->reports[i].node->site->index };

		whole &= json_is_array(rows) &&
		         json_array_size(rows) < OPERATION_MEASURE_SOURCES_MAX;
		for (size_t k = 0; k < json_array_size(rows); k++)
			if (read_row(v->m, json_array_get(rows, k), &one))
				list[n++] = one;
	}
	err = projector_set_arrivals(p, list, n, whole);
	free(list);
	return err;
}
