/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of a document before it is applied: the compiler of weir-dns itself, without an image at the end. So the
 * check and weir-dns cannot disagree about a zone file.
 */
#include "weir/zones.h"

#include <errno.h>
#include <stdlib.h>

#include "dns/zone/image.h"
#include "dns/zone/zone.h"
#include "weir/model.h"

int zones_check(const struct model *m, zones_report *report, void *arg)
{
	struct zone_source *zones = calloc(m->n_zones + 1, sizeof(*zones));
	const char **names = calloc(m->n_dns_names + 1, sizeof(*names));
	struct zone_input in = {
		.zones = zones,
		.n_zones = m->n_zones,
		.dynamic = names,
		.n_dynamic = m->n_dns_names,
		.check_only = true,
	};
	struct image *image = NULL;
	int err = zones && names ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < m->n_zones; i++)
		zones[i] = (struct zone_source){ m->zones[i].name, m->zones[i].file };
	for (size_t i = 0; !err && i < m->n_dns_names; i++)
		names[i] = m->dns_names[i].name;
	if (!err && m->n_zones)
		err = zone_compile(&in, report, arg, &image);
	free(names);
	free(zones);
	return err;
}
