/* SPDX-License-Identifier: BSD-2-Clause */
/* Effective documents of a small cluster: node ams-1 with a service, made from a configuration. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_DOCUMENT_H
#define WEIR_TESTS_UNIT_DATAPLANE_DOCUMENT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "weir/model.h"

/* What a test changes in the document. */
struct scene_document {
	const char *driver, *ports, *checks, *pools, *services; /* the last: beside "web" */
	const char *announce;                                   /* of the node; "": nothing */
	const char *nodes;                                      /* beside "ams-1"; NULL: none */
};

static const struct scene_document scene_plain = {
	.driver = "xdp",
	.ports = "{ interface = \"v0\"; }",
	.checks = "",
	.pools =
	        "{ name = \"web\"; site = \"ams\"; mode = \"ipip\"; max_backends = 9; backends = ( "
	        "{ name = \"b1\"; address = \"10.1.0.5\"; }, { name = \"b2\"; address = \"10.2.0.9\"; } ); }",
	.services = "",
	.announce = "",
};

/* As scene_plain, with a check by the tunnel, whose verdicts count at once. */
static const __attribute__((unused)) struct scene_document scene_checked = {
	.driver = "xdp",
	.ports = "{ interface = \"v0\"; }",
	.checks = "{ name = \"c\"; type = \"tcp\"; port = 80; via = \"tunnel\"; }",
	.pools =
	        "{ name = \"web\"; site = \"ams\"; mode = \"gue\"; max_backends = 9; check = \"c\"; min_healthy = \"0%\"; "
	        "max_remove = \"100%\"; backends = ( { name = \"b1\"; address = \"10.1.0.5\"; }, "
	        "{ name = \"b2\"; address = \"10.2.0.9\"; } ); }",
	.services = "",
	.announce = "",
};

static inline void scene_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

/* Make the directories of a node below ROOT, and the key. */
static inline void document_place(const char *root)
{
	char path[128];

	for (const char *const *name = (const char *const[]){ "run", "state", "conf", NULL }; *name;
	     name++) {
		snprintf(path, sizeof(path), "%s/%s", root, *name);
		if (mkdir(path, 0700))
			abort();
	}
	snprintf(path, sizeof(path), "%s/conf/hash.key", root);
	scene_write(path, "00112233445566778899aabbccddeeff\n");
}

/*
 * Make the effective document of @p d as number @p number, as weir-mgmt does: ROOT/state/effective.conf from
 * ROOT/conf, where hash.key is.
 */
static inline void document_write(const char *root, const struct scene_document *d, uint64_t number)
{
	struct model_errors errors;
	struct model *m = NULL;
	char text[4096], conf[128], effective[128];

	snprintf(
	        text, sizeof(text),
	        "schema = 1; cluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k\"; };\n"
	        "sites = ( { name = \"ams\"; } );\n"
	        "nodes = ( { name = \"ams-1\"; site = \"ams\"; driver = \"%s\"; ports = ( %s ); "
	        "tunnel_source = [ \"10.1.255.0/24\" ]; %s }%s );\n"
	        "checks = ( %s );\npools = ( %s );\n"
	        "vips = ( { name = \"shop\"; site = \"ams\"; addresses = [ \"203.0.113.10\" ]; } );\n"
	        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80; vip_check = \"none\"; "
	        "at = ( { site = \"ams\"; vip = \"shop\"; pool = \"web\"; } ); }%s );\n",
	        d->driver, d->ports, d->announce, d->nodes ? d->nodes : "", d->checks, d->pools,
	        d->services);
	snprintf(conf, sizeof(conf), "%s/conf/weir.conf", root);
	snprintf(effective, sizeof(effective), "%s/state/effective.conf", root);
	scene_write(conf, text);
	if (model_read_config(conf, "ams-1", &m, &errors)) {
		for (size_t i = 0; i < errors.n_items; i++)
			fprintf(stderr, "%u: %s: %s\n", errors.items[i].line, errors.items[i].field,
			        errors.items[i].message);
		abort();
	}
	model_errors_free(&errors);
	m->meta.document = number;
	m->meta.version = 7;
	if (model_write_effective(m, effective))
		abort();
	model_free(m);
}

#endif
