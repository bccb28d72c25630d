/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a zone may say although it does not work: servers that are aliases (RFC 2181, section 10.3),
 * and servers inside the zone without an address. Only warnings: the zone is served all the same.
 */
#include <string.h>

#include "dns/zone/image.h"
#include "dns/zone/build.h"

#define REPORT_WARNING(b, r, ...) BUILD_SAY_OF(b, r, ZONES_WARNING, __VA_ARGS__)

static bool has_type(const struct build *b, const struct build_node *node, uint16_t type)
{
	uint32_t first;

	return build_rrset(b, node, type, &first) > 0;
}

/* The node of a name. @return NULL if no zone has the name, or it does not exist */
static const struct build_node *find_name_node(const struct build *b, uint32_t name)
{
	uint32_t at = build_name_at(b, build_name_at(b, name)->fold)->node;

	return at == BUILD_NONE ? NULL : build_node_at(b, at);
}

/* Whether this zone must have the address of @p node's server: no other zone can have it. */
static bool must_have(const struct build *b, const struct build_node *node, uint32_t target)
{
	uint32_t name = build_name_at(b, target)->fold;

	if (node->cut != BUILD_NONE) /* a delegation: its own names alone are glue */
		return build_is_under(b, name, node->name);
	return build_zone_of(b, name) == node->zone + 1;
}

/*
 * A server's address may also come from a wildcard, a DNAME or a deeper delegation of @p node's
 * zone: then its name has no node, and the closest name above it decides.
 */
static bool is_answered_above(const struct build *b, const struct build_node *node, uint32_t target)
{
	const struct build_node *closest;

	if (node->zone + 1 != build_zone_of(b, build_name_at(b, target)->fold))
		return false;
	while (target != BUILD_ROOT && !find_name_node(b, target))
		target = build_name_at(b, target)->parent;
	closest = find_name_node(b, target);
	return closest && (closest->wildcard != BUILD_NONE || has_type(b, closest, DNS_DNAME) ||
	                   (closest->cut != BUILD_NONE && node->cut == BUILD_NONE));
}

/* There is a warning only where nothing can give the server an address. */
static void lint_server(struct build *b, const struct build_node *node,
                        const struct build_record *r)
{
	static const char *const kinds[] = { "MX", "NS" };
	const char *kind = kinds[r->type == DNS_NS];
	char text[NAME_TEXT_MAX];
	uint32_t target;

	memcpy(&target, build_bytes_at(b, r->data) + (r->type == DNS_MX ? 2 : 0), 4);
	if (target == BUILD_ROOT) /* "." says that there is none (RFC 7505) */
		return;

	const struct build_node *server = find_name_node(b, target);

	build_name_text(b, target, text);
	if (server && has_type(b, server, DNS_CNAME)) {
		REPORT_WARNING(b, r,
		               "%s %.300s is an alias (CNAME): many resolvers do not follow it",
		               kind, text);
		return;
	}
	if (!must_have(b, node, target))
		return;
	if (!server && is_answered_above(b, node, target))
		return;
	if (!server ||
	    (!server->dynamic && !has_type(b, server, DNS_A) && !has_type(b, server, DNS_AAAA) &&
	     (server->cut == BUILD_NONE || node->cut != BUILD_NONE)))
		REPORT_WARNING(b, r, "%s %.300s has no address here%s", kind, text,
		               node->cut != BUILD_NONE ? ": the delegation needs it as glue" : "");
}

void zone_lint(struct build *b)
{
	for (uint32_t i = 0; i < b->nodes.n; i++) {
		const struct build_node *node = build_node_at(b, i);
		bool below = node->cut != BUILD_NONE && node->cut != i;

		if (b->zones[node->zone].state & IMAGE_ZONE_EARLIER || below)
			continue;
		for (uint32_t k = node->first; k < node->first + node->n; k++) {
			const struct build_record *r = build_record_at(b, k);

			if (r->type == DNS_NS || (r->type == DNS_MX && node->cut == BUILD_NONE))
				lint_server(b, node, r);
		}
	}
}
