/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing documents, so that the parser reads back the same model: every value is written, texts
 * are escaped, large numbers are texts, times are RFC 3339 with milliseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/replace.h"
#include "model/quantity.h"
#include "weir/model.h"

static void put_escaped(FILE *f, const char *name, const char *text)
{
	fprintf(f, " %s = \"", name);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(f, "\\x%02x", c);
		else
			fputc(c, f);
	}
	fputs("\";", f);
}

static void put_uint(FILE *f, const char *name, uint64_t n)
{
	fprintf(f, " %s = %" PRIu64 ";", name, n);
}

static void put_quantity(FILE *f, const char *name, enum schema_kind kind, uint64_t n)
{
	char text[QUANTITY_TEXT_MAX];

	fprintf(f, " %s = \"%s\";", name, quantity_text(kind, n, text));
}

static void put_time(FILE *f, const char *name, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	fprintf(f, " %s = \"%s\";", name, ms == MODEL_TIME_NEVER ? "never" : clock_text(ms, text));
}

static void put_address(FILE *f, const char *name, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	fprintf(f, " %s = \"%s\";", name, addr_text(a, text));
}

static void put_address_list(FILE *f, const char *name, const struct addr *all, size_t n)
{
	char text[ADDR_TEXT_MAX];

	fprintf(f, " %s = [", name);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s \"%s\"", i ? "," : "", addr_text(&all[i], text));
	fputs(" ];", f);
}

static void put_macs(FILE *f, const struct model_port *p)
{
	fputs(" macs = [", f);
	for (size_t i = 0; i < p->n_macs; i++) {
		const uint8_t *m = p->macs[i].bytes;

		fprintf(f, "%s \"%02x:%02x:%02x:%02x:%02x:%02x\"", i ? "," : "", m[0], m[1], m[2],
		        m[3], m[4], m[5]);
	}
	fputs(" ];", f);
}

/* The word of an enum's row. */
static void put_enum(FILE *f, const char *name, enum schema_id id, unsigned word_index)
{
	const char *word = model_schema[id].type + strlen("enum ");

	for (; word_index > 0; word_index--)
		word = strchr(word, '|') + 1;
	fprintf(f, " %s = \"%.*s\";", name, (int)strcspn(word, "|"), word);
}

/* The separator after item @p i of @p n. */
static const char *list_separator(size_t i, size_t n)
{
	return i + 1 < n ? ",\n" : "\n";
}

static void put_cluster(FILE *f, const struct model *m)
{
	fputs("schema = 1;\ncluster = {", f);
	put_escaped(f, "name", m->cluster);
	put_escaped(f, "hash_key_file", m->hash_key_file);
	put_escaped(f, "hash_key_id", m->hash_key_id);
	put_uint(f, "max_sites_out", m->max_sites_out);
	fputs(" };\nlimits = {", f);
	put_uint(f, "services", m->limits.services);
	put_uint(f, "backends", m->limits.backends);
	put_uint(f, "slots", m->limits.slots);
	put_uint(f, "exceptions", m->limits.exceptions);
	fputs(" };\n", f);
}

/* Labels and capacity are written only where something is known of them. */
static void put_sites(FILE *f, const struct model *m)
{
	fputs("sites = (\n", f);
	for (size_t i = 0; i < m->n_sites; i++) {
		const struct model_site *s = &m->sites[i];

		fputs("  {", f);
		put_escaped(f, "name", s->name);
		put_uint(f, "weight", s->weight);
		if (s->region[0]) {
			fputs(" labels = {", f);
			put_escaped(f, "region", s->region);
			fputs(" };", f);
		}
		if (s->capacity_flows || s->capacity_bits) {
			fputs(" capacity = {", f);
			if (s->capacity_flows)
				put_quantity(f, "new_flows", KIND_RATE, s->capacity_flows);
			if (s->capacity_bits)
				put_quantity(f, "bits", KIND_BITS, s->capacity_bits);
			fputs(" };", f);
		}
		fprintf(f, " }%s", list_separator(i, m->n_sites));
	}
	fputs(");\n", f);
}

static void put_tunnel_sources(FILE *f, const struct model_node *node)
{
	const struct prefix *both[2] = { &node->tunnel_source4, &node->tunnel_source6 };
	char text[ADDR_LONG_TEXT_MAX];
	const char *separator = "";

	fputs(" tunnel_source = [", f);
	for (int i = 0; i < 2; i++) {
		if (!both[i]->bits)
			continue;
		fprintf(f, "%s \"%s\"", separator, prefix_text(both[i], text));
		separator = ",";
	}
	fputs(" ];", f);
}

static void put_dpdk(FILE *f, const struct model_dpdk *dpdk)
{
	fputs(" dpdk = {", f);
	if (dpdk->n_cores) {
		fputs(" cores = \"", f);
		for (uint32_t i = 0; i < dpdk->n_cores; i++)
			fprintf(f, "%s%u", i ? "," : "", dpdk->cores[i]);
		fputs("\";", f);
	}
	put_enum(f, "hugepages", SCHEMA_NODES_DPDK_HUGEPAGES, dpdk->hugepages);
	put_uint(f, "memory", dpdk->memory_mb);
	fputs(" };", f);
}

/* Names of VIPs that the document lists, none of which may be meant, too. */
static void put_announced_vips(FILE *f, const struct model_announce *a)
{
	fputs(" vips = [", f);
	for (size_t i = 0; i < a->n_vips; i++)
		fprintf(f, "%s \"%s\"", i ? "," : "", a->vips[i]->name);
	fputs(" ];", f);
}

static void put_announce(FILE *f, const struct model_announce *a)
{
	fputs(" announce = {", f);
	put_enum(f, "daemon", SCHEMA_NODES_ANNOUNCE_DAEMON, a->daemon);
	put_uint(f, "table", a->table);
	put_uint(f, "gshut_table", a->gshut_table);
	if (a->lists_vips)
		put_announced_vips(f, a);
	put_address_list(f, "dns", a->dns, a->n_dns);
	if (*a->socket)
		put_escaped(f, "socket", a->socket);
	fputs(" };", f);
}

static void put_nodes(FILE *f, const struct model *m)
{
	fputs("nodes = (\n", f);
	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct model_node *n = &m->nodes[i];

		fputs("  {", f);
		put_escaped(f, "name", n->name);
		put_escaped(f, "site", n->site->name);
		put_enum(f, "driver", SCHEMA_NODES_DRIVER, n->driver);
		fputs(" ports = (", f);
		for (size_t j = 0; j < n->n_ports; j++) {
			fputs(j ? ", {" : " {", f);
			put_escaped(f, "interface", n->ports[j].interface);
			if (*n->ports[j].device)
				put_escaped(f, "device", n->ports[j].device);
			put_macs(f, &n->ports[j]);
			fputs(" }", f);
		}
		fputs(" );", f);
		put_dpdk(f, &n->dpdk);
		put_tunnel_sources(f, n);
		put_uint(f, "mtu", n->mtu);
		put_address_list(f, "dns_listen", n->dns_listen, n->n_dns_listen);
		put_escaped(f, "api", n->api);
		put_address_list(f, "controls", n->controls, n->n_controls);
		put_enum(f, "clock", SCHEMA_NODES_CLOCK, n->clock);
		if (n->capacity_bits) {
			fputs(" capacity = {", f);
			put_quantity(f, "bits", KIND_BITS, n->capacity_bits);
			fputs(" };", f);
		}
		put_announce(f, &n->announce);
		fprintf(f, " }%s", list_separator(i, m->n_nodes));
	}
	fputs(");\n", f);
}

/* Durations are texts with a unit and numbers are bare, as the parser requires. */
static void put_check_list(FILE *f, const struct model *m)
{
	fputs("checks = (\n", f);
	for (size_t i = 0; i < m->n_checks; i++) {
		const struct model_check *c = &m->checks[i];

		fputs("  {", f);
		put_escaped(f, "name", c->name);
		put_enum(f, "type", SCHEMA_CHECKS_TYPE, c->type);
		put_uint(f, "port", c->port);
		put_escaped(f, "path", c->path);
		put_escaped(f, "host", c->host);
		put_uint(f, "expect", c->expect);
		put_enum(f, "via", SCHEMA_CHECKS_VIA, c->via);
		put_quantity(f, "interval", KIND_DURATION, c->interval_ms);
		put_quantity(f, "fast_interval", KIND_DURATION, c->fast_interval_ms);
		put_quantity(f, "timeout", KIND_DURATION, c->timeout_ms);
		put_uint(f, "rise", c->rise);
		put_uint(f, "fall", c->fall);
		put_uint(f, "damp_turns", c->damp_turns);
		put_quantity(f, "damp_half_life", KIND_DURATION, c->damp_half_life_ms);
		put_quantity(f, "damp_max", KIND_DURATION, c->damp_max_ms);
		fprintf(f, " }%s", list_separator(i, m->n_checks));
	}
	fputs(");\n", f);
}

static void put_pool_backends(FILE *f, const struct model_pool *p)
{
	fputs("\n    backends = (\n", f);
	for (size_t i = 0; i < p->n_backends; i++) {
		const struct model_backend *b = &p->backends[i];

		fputs("      {", f);
		put_escaped(f, "name", b->name);
		put_address(f, "address", &b->address);
		put_uint(f, "port", b->port);
		put_uint(f, "weight", b->weight);
		fprintf(f, " }%s", list_separator(i, p->n_backends));
	}
	fputs("    );", f);
}

/* Settings that a pool may lack (check, agent) are written only if it has them. */
static void put_pools(FILE *f, const struct model *m)
{
	char percent[QUANTITY_TEXT_MAX];

	fputs("pools = (\n", f);
	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *p = &m->pools[i];

		fputs("  {", f);
		put_escaped(f, "name", p->name);
		put_escaped(f, "site", p->site->name);
		if (p->check)
			put_escaped(f, "check", p->check->name);
		put_enum(f, "mode", SCHEMA_POOLS_MODE, p->mode);
		if (p->agent)
			fputs("agent = true; ", f);
		put_uint(f, "max_backends", p->max_backends);
		put_escaped(f, "min_healthy",
		            quantity_text(KIND_PERCENT, p->min_healthy_percent, percent));
		put_escaped(f, "max_remove",
		            quantity_text(KIND_PERCENT, p->max_remove_percent, percent));
		put_quantity(f, "settle_time", KIND_DURATION, p->settle_ms);
		put_quantity(f, "idle_time", KIND_DURATION, p->idle_ms);
		put_pool_backends(f, p);
		fprintf(f, " }%s", list_separator(i, m->n_pools));
	}
	fputs(");\n", f);
}

static void put_vip_sites(FILE *f, const struct model_vip *v)
{
	fputs(" sites = [", f);
	for (size_t i = 0; i < v->n_sites; i++)
		fprintf(f, "%s \"%s\"", i ? "," : "", v->sites[i]->name);
	fputs(" ];", f);
}

static void put_vips(FILE *f, const struct model *m)
{
	fputs("vips = (\n", f);
	for (size_t i = 0; i < m->n_vips; i++) {
		const struct model_vip *v = &m->vips[i];

		fputs("  {", f);
		put_escaped(f, "name", v->name);
		put_vip_sites(f, v);
		put_address_list(f, "addresses", v->addresses, v->n_addresses);
		put_enum(f, "announce_when", SCHEMA_VIPS_ANNOUNCE_WHEN, v->announce_when);
		fprintf(f, " }%s", list_separator(i, m->n_vips));
	}
	fputs(");\n", f);
}

static void put_backup(FILE *f, const struct model_at *at)
{
	if (!at->backup)
		return;
	put_escaped(f, "backup", at->backup->name);
	fputs(" backup_max = {", f);
	put_quantity(f, "new_flows", KIND_RATE, at->backup_max_flows);
	put_quantity(f, "bits", KIND_BITS, at->backup_max_bits);
	fputs(" };", f);
	if (at->backup_mtu)
		put_uint(f, "backup_mtu", at->backup_mtu);
}

static void put_at(FILE *f, const struct model_service *s)
{
	fputs("\n    at = (\n", f);
	for (size_t i = 0; i < s->n_at; i++) {
		fputs("      {", f);
		put_escaped(f, "site", s->at[i].site->name);
		put_escaped(f, "vip", s->at[i].vip->name);
		put_escaped(f, "pool", s->at[i].pool->name);
		put_uint(f, "weight", s->at[i].weight);
		put_backup(f, &s->at[i]);
		fprintf(f, " }%s", list_separator(i, s->n_at));
	}
	fputs("    );", f);
}

/* The default check of VIPs is not written: it has no name (vip_check.c). */
static void put_services(FILE *f, const struct model *m)
{
	fputs("services = (\n", f);
	for (size_t i = 0; i < m->n_services; i++) {
		const struct model_service *s = &m->services[i];

		fputs("  {", f);
		put_escaped(f, "name", s->name);
		put_enum(f, "protocol", SCHEMA_SERVICES_PROTOCOL, s->protocol == MODEL_UDP);
		put_uint(f, "port", s->port);
		put_enum(f, "hash", SCHEMA_SERVICES_HASH, s->hash);
		if (s->vip_check_from == MODEL_VIP_CHECK_GIVEN && s->vip_check)
			put_escaped(f, "vip_check", s->vip_check->name);
		if (s->vip_check_from == MODEL_VIP_CHECK_OFF)
			put_escaped(f, "vip_check", MODEL_NO_CHECK);
		put_enum(f, "on_all_down", SCHEMA_SERVICES_ON_ALL_DOWN, s->on_all_down);
		put_quantity(f, "udp_idle", KIND_DURATION, s->udp_idle_ms);
		put_enum(f, "udp_policy", SCHEMA_SERVICES_UDP_POLICY, s->udp_policy);
		put_at(f, s);
		fprintf(f, " }%s", list_separator(i, m->n_services));
	}
	fputs(");\n", f);
}

/*
 * Digests of zone files belong to effective documents: in a configuration they would be an unknown
 * setting.
 */
static void put_dns(FILE *f, const struct model *m, bool effective)
{
	fputs("dns = {\n ", f);
	if (m->dns_threads)
		put_uint(f, "threads", m->dns_threads);
	fputs(" zones = (\n", f);
	for (size_t i = 0; i < m->n_zones; i++) {
		fputs("    {", f);
		put_escaped(f, "name", m->zones[i].name);
		put_escaped(f, "file", m->zones[i].file);
		if (effective)
			put_escaped(f, "digest", m->zones[i].digest);
		fprintf(f, " }%s", list_separator(i, m->n_zones));
	}
	fputs("  );\n  names = (\n", f);
	for (size_t i = 0; i < m->n_dns_names; i++) {
		const struct model_dns_name *n = &m->dns_names[i];

		fputs("    {", f);
		put_escaped(f, "name", n->name);
		put_escaped(f, "service", n->service->name);
		put_enum(f, "policy", SCHEMA_DNS_NAMES_POLICY, n->policy);
		fputs(" ttl = {", f);
		put_quantity(f, "min", KIND_DURATION, n->ttl_min_s * UINT64_C(1000));
		put_quantity(f, "max", KIND_DURATION, n->ttl_max_s * UINT64_C(1000));
		fprintf(f, " }; }%s", list_separator(i, m->n_dns_names));
	}
	fputs("  );\n};\n", f);
}

static void put_configuration(FILE *f, const struct model *m, bool effective)
{
	put_cluster(f, m);
	put_sites(f, m);
	put_nodes(f, m);
	put_check_list(f, m);
	put_pools(f, m);
	put_vips(f, m);
	put_services(f, m);
	put_dns(f, m, effective);
}

static void put_member_set(FILE *f, const struct model_pool *p, const struct model_set *s)
{
	fputs("  {", f);
	put_escaped(f, "pool", p->name);
	put_time(f, "from", s->from_ms);
	put_time(f, "until", s->until_ms);
	fputs(" members = (\n", f);
	for (size_t i = 0; i < s->n_members; i++) {
		fputs("    {", f);
		put_address(f, "address", &s->members[i].address);
		put_uint(f, "port", s->members[i].port);
		put_uint(f, "weight", s->members[i].weight);
		fprintf(f, " }%s", list_separator(i, s->n_members));
	}
	fputs("  ); }", f);
}

static void put_member_sets(FILE *f, const struct model *m)
{
	const char *separator = "";

	fputs("member_sets = (\n", f);
	for (size_t i = 0; i < m->n_pools; i++)
		for (size_t j = 0; j < m->pools[i].n_member_sets; j++) {
			fputs(separator, f);
			put_member_set(f, &m->pools[i], &m->pools[i].member_sets[j]);
			separator = ",\n";
		}
	fputs("\n);\n", f);
}

static void put_number(FILE *f, const char *name, uint64_t n)
{
	char text[QUANTITY_TEXT_MAX];

	put_escaped(f, name, quantity_text(KIND_NUMBER, n, text));
}

/* Only of a step or drill. */
static void put_step(FILE *f, const struct model_override *o)
{
	char text[ADDR_LONG_TEXT_MAX];

	if (o->is_step)
		put_uint(f, "to_ppm", o->to_ppm);
	if (o->epoch) {
		put_number(f, "epoch", o->epoch);
		put_number(f, "step", o->step);
	}
	if (o->service && *o->service)
		put_escaped(f, "service", o->service);
	if (o->operation && *o->operation)
		put_escaped(f, "operation", o->operation);
	if (o->late_from_ms)
		put_time(f, "late_from", o->late_from_ms);
	if (o->own_vips)
		put_enum(f, "own_vips", SCHEMA_OVERRIDES_OWN_VIPS, o->own_vips);
	if (o->shared_vips)
		put_enum(f, "shared_vips", SCHEMA_OVERRIDES_SHARED_VIPS, o->shared_vips);
	if (o->kind == MODEL_OVERRIDE_DRILL)
		put_escaped(f, "clients", prefix_text(&o->clients, text));
}

/*
 * Times are absolute, so that all nodes get the same level from one document, whenever they read
 * it.
 */
static void put_override_group(FILE *f, const struct model_override *o)
{
	fputs("  {", f);
	put_escaped(f, "id", o->id);
	put_enum(f, "kind", SCHEMA_OVERRIDES_KIND, o->kind);
	put_enum(f, "target", SCHEMA_OVERRIDES_TARGET, o->target);
	if (o->pool[0])
		put_escaped(f, "pool", o->pool);
	put_escaped(f, "name", o->name);
	put_number(f, "generation", o->generation);
	put_time(f, "created", o->created_ms);
	put_time(f, "from", o->from_ms);
	put_quantity(f, "over", KIND_DURATION, (uint64_t)o->over_ms);
	put_time(f, "until", o->until_ms);
	put_uint(f, "from_ppm", o->from_ppm);
	fprintf(f, " ended = %s;", o->ended ? "true" : "false");
	put_escaped(f, "author", o->author);
	put_escaped(f, "reason", o->reason);
	put_escaped(f, "node", o->node);
	put_step(f, o);
	fputs(" }", f);
}

/* The first lines warn a person who opens the file with an editor. */
static void put_effective(FILE *f, const struct model *m)
{
	fputs("# The effective document of this node, written by weir: do not edit. Change the\n"
	      "# configuration with weir apply, drain and undrain with weir drain and undrain.\n"
	      "effective = {",
	      f);
	put_number(f, "version", m->meta.version);
	put_escaped(f, "digest", m->meta.digest);
	if (m->meta.hash_key && *m->meta.hash_key)
		put_escaped(f, "hash_key", m->meta.hash_key);
	put_number(f, "document", m->meta.document);
	put_time(f, "written", m->meta.written_ms);
	fputs(" };\n", f);
	put_configuration(f, m, true);
	put_member_sets(f, m);
	fputs("overrides = (\n", f);
	for (size_t i = 0; i < m->n_overrides; i++) {
		put_override_group(f, &m->overrides[i]);
		fputs(list_separator(i, m->n_overrides), f);
	}
	fputs(");\n", f);
}

static char *to_text(const struct model *m, void (*put)(FILE *, const struct model *), size_t *n)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, n);

	if (!f)
		return NULL;
	put(f, m);
	bool failed = ferror(f) != 0;
	if (fclose(f) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}

int model_write_effective(const struct model *m, const char *path)
{
	size_t n = 0;
	char *text = to_text(m, put_effective, &n);

	if (!text)
		return -ENOMEM;
	int err = replace_file(path, 0640, text, n, REPLACE_SYNC_NAME);
	free(text);
	return err;
}

static void put_plain_configuration(FILE *f, const struct model *m)
{
	put_configuration(f, m, false);
}

char *model_text(const struct model *m)
{
	size_t n;

	return to_text(m, put_plain_configuration, &n);
}
