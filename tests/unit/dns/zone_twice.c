/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/dns/zone_twice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/zone/image.h"

const char *zone_twice_text;

/* Reports go on to the test; all of them are summed up. */
struct reports {
	zones_report *to;
	void *arg;
	uint64_t sum, n;
	char all[2048]; /* the first of them */
};

static void take_report(void *arg, const struct zones_message *m)
{
	struct reports *r = arg;

	size_t used = strlen(r->all);

	r->n++;
	snprintf(r->all + used, sizeof(r->all) - used, "  line %u: %s\n", m->line, m->text);
	r->sum = r->sum * 31 + m->line;
	for (const char *c = m->text; *c; c++)
		r->sum = r->sum * 31 + (unsigned char)*c;
	if (r->to)
		r->to(r->arg, m);
}

static void must_hold(bool holds, const char *what, const struct reports *ours,
                      const struct reports *others)
{
	if (holds)
		return;
	fprintf(stderr, "ldns alone gives other %s\n%sours:\n%sldns:\n%s", what,
	        zone_twice_text ? zone_twice_text : "", ours->all, others->all);
	abort();
}

int zone_compile_twice(const struct zone_input *in, zones_report *report, void *arg,
                       struct image **out)
{
	struct zone_input by_ldns = *in;
	struct reports ours = { .to = report, .arg = arg }, others = { 0 };
	struct image *image = NULL, *other = NULL;
	int err = zone_compile(in, take_report, &ours, &image);

	by_ldns.by_ldns = true;
	must_hold(zone_compile(&by_ldns, take_report, &others, &other) == err, "results", &ours,
	          &others);
	must_hold(ours.n == others.n && ours.sum == others.sum, "reports", &ours, &others);
	if (err == 0) {
		must_hold(image->size_bytes == other->size_bytes, "sizes", &ours, &others);
		must_hold(memcmp(image, other, image->size_bytes) == 0, "bytes", &ours, &others);
		*out = image;
	}
	free(other);
	return err;
}
