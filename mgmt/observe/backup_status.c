/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The effect page has a row for each table, which is a pool with a backup or without; services that
 * share a table have rows of their own here, because people name services.
 */
#include "mgmt/observe/backup_status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "weir/effect.h"
#include "weir/fwd/encap.h"
#include "weir/health.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/probe.h"

/* --- why a backup is not ready --- */

/*
 * Each backend has one cause, the first of these that holds:
 *
 * | cause  | seen by                                    | meant                                       |
 * |--------|--------------------------------------------|---------------------------------------------|
 * | way    | tables: no next hop                        | no route, or its next hop is silent         |
 * | room   | tables: what fits in the tunnel            | the way's MTU, as routers told              |
 * | size   | probe: connected, a full packet is lost    | the way's MTU, and no router tells          |
 * | vip    | probe: "unreachable" from behind the tunnel| VIP missing on the loopback (TTL 1)         |
 * | port   | probe: refused                             | the VIP is there, and nothing listens       |
 * | answer | probe: reset, or a wrong answer            | the service itself                          |
 * | silent | probe: no answer                           | VIP, agent, encapsulation, filters          |
 * | unseen | probe: none, or not sent                   | not probed so far                           |
 */

#define CAUSE_MAX     900u /* bytes of a sentence, with its NUL */
#define DETAIL_MAX    (CAUSE_MAX + 256u)
#define CAUSES_SHOWN  3u
#define SOURCES_SHOWN 4u

enum cause { WAY, ROOM, SIZE, VIP, PORT, ANSWER, SILENT, UNSEEN, NONE };

/* What the causes of all backends add up to. */
struct causes {
	size_t n[NONE + 1];
	unsigned room;             /* the smallest that fits */
	enum effect_reason way;    /* of the last backend without a way */
	enum health_reason answer; /* of the last one that answers badly */
};

__attribute__((format(printf, 2, 3))) static void add_words(char *out, const char *format, ...)
{
	size_t n = strlen(out);
	va_list list;

	va_start(list, format);
	vsnprintf(out + n, CAUSE_MAX - n, format, list);
	va_end(list);
	plain_cut(out, CAUSE_MAX);
}

/* --- one backend --- */

/* The longest packet of a client that the tunnel to @p b must carry. */
static unsigned needed_mtu(const struct backup_evidence *evidence, const struct model_backend *b)
{
	return probe_backup_mtu(evidence->m, b->pool) -
	       fwd_outer_len(addr_is4(&b->address), b->pool->mode == MODEL_MODE_GUE);
}

static enum cause cause_in_tables(const struct backup_evidence *evidence,
                                  const struct model_backend *b, uint64_t table, struct causes *all)
{
	struct effect_backend row;

	if (!evidence->effect || effect_table_backend(evidence->effect, table, b->id, &row))
		return NONE;
	if (!row.next_hop || effect_reason_is_path((enum effect_reason)row.reason)) {
		all->way = (enum effect_reason)row.reason;
		return WAY;
	}
	if (!row.inner_mtu || row.inner_mtu >= needed_mtu(evidence, b))
		return NONE;
	if (!all->room || row.inner_mtu < all->room)
		all->room = row.inner_mtu;
	return ROOM;
}

static enum cause cause_by_probe(const struct backup_evidence *evidence,
                                 const struct model_backend *b, struct causes *all)
{
	int at = evidence->health ? health_find_index(evidence->health,
	                                              health_target_backend(b->pool->name, b->id))
	                          : -1;
	health_word word = at >= 0 ? health_read(evidence->health, at) : 0;

	if (health_state(word) == HEALTH_UP)
		return NONE;
	switch (health_reason(word)) {
	case HEALTH_REASON_FULL_SIZE:
		return SIZE;
	case HEALTH_REASON_UNREACHABLE:
		return VIP;
	case HEALTH_REASON_REFUSED:
		return PORT;
	case HEALTH_REASON_TIMEOUT:
		return SILENT;
	case HEALTH_REASON_RESET:
	case HEALTH_REASON_BAD_STATUS:
	case HEALTH_REASON_BAD_ANSWER:
		all->answer = health_reason(word);
		return ANSWER;
	default:
		return UNSEEN;
	}
}

/* --- words --- */

static const char *mode_text(const struct model_pool *pool)
{
	return pool->mode == MODEL_MODE_GUE ? "GUE" : "IP in IP";
}

/* The tunnel sources of the own site's nodes. */
static void add_sources(const struct backup_evidence *evidence, char *out)
{
	const struct model *m = evidence->m;
	char text[ADDR_LONG_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct prefix *sources[2] = { &m->nodes[i].tunnel_source4,
			                            &m->nodes[i].tunnel_source6 };

		for (size_t k = 0; m->nodes[i].site == m->self->site && k < 2; k++)
			if (sources[k]->bits && n++ < SOURCES_SHOWN)
				add_words(out, "%s%s", n > 1 ? ", " : "",
				          prefix_text(sources[k], text));
	}
	if (n > SOURCES_SHOWN)
		add_words(out, " and %zu more", n - SOURCES_SHOWN);
}

static void add_silence(const struct backup_evidence *evidence, const struct model_at *at,
                        char *out)
{
	add_words(out,
	          "no answer through the tunnel; likely, in this order: VIP %s is missing on "
	          "their loopback; their agents do not accept %s from ",
	          at->vip->name, mode_text(at->backup));
	add_sources(evidence, out);
	add_words(out,
	          "; they take another encapsulation than %s; a filter drops it on the way, or "
	          "replies with this VIP as source at site %s",
	          mode_text(at->backup), at->backup->site->name);
}

static void add_cause(const struct backup_evidence *evidence, const struct model_at *at,
                      const struct causes *all, enum cause cause, char *out)
{
	const struct model_backend *first = &at->backup->backends[0];

	switch (cause) {
	case WAY:
		add_words(out, "no way to them from this node (%s)", effect_reason_text(all->way));
		break;
	case ROOM:
		add_words(
		        out,
		        "only packets of %u bytes fit in the tunnel, and %u are needed: raise the "
		        "MTU of the way, or set backup_mtu to what it carries",
		        all->room, needed_mtu(evidence, first));
		break;
	case SIZE:
		add_words(
		        out,
		        "they answer small packets, and none of %u bytes: the way has a smaller MTU; "
		        "raise it, or set backup_mtu to what it carries",
		        needed_mtu(evidence, first));
		break;
	case VIP:
		add_words(out, "they say \"unreachable\": VIP %s is missing on their loopback",
		          at->vip->name);
		break;
	case PORT:
		add_words(out, "nothing listens at the addresses of VIP %s there", at->vip->name);
		break;
	case ANSWER:
		add_words(out, "the service answers badly at VIP %s (%s)", at->vip->name,
		          health_reason_text(all->answer));
		break;
	case SILENT:
		add_silence(evidence, at, out);
		break;
	default:
		add_words(out, "no probe has had a result so far");
		break;
	}
}

/* Without the table nobody can say more. @return whether it is there */
static bool has_table(const struct backup_evidence *evidence, uint64_t table, char *out)
{
	struct effect_total total;
	struct effect_pool row;

	if (!evidence->effect) {
		add_words(out,
		          "weir-dataplane does not say what is in its tables (weir processes)");
		return false;
	}
	if (!effect_table(evidence->effect, table, &row))
		return true;
	if (!effect_total(evidence->effect, &total) && total.refused)
		add_words(out,
		          "weir-dataplane has refused the document: slots or backends do not fit "
		          "(weir status says which)");
	else
		add_words(out, "the backup is not in the tables so far");
	return false;
}

/*
 * What keeps the backup of @p at from serving, of a service at the own site. @param table  id of the service's table
 * (model_table.id). @return @p out: "" when each of its backends answers and can be reached
 */
static const char *describe_cause(const struct backup_evidence *evidence, const struct model_at *at,
                                  uint64_t table, char out[CAUSE_MAX])
{
	const struct model_pool *backup = at->backup;
	struct causes all = { .room = 0 };
	unsigned shown = 0;

	out[0] = '\0';
	if (!has_table(evidence, table, out))
		return out;
	if (backup->check && !evidence->health)
		add_words(out, "weir-health does not say what its probes find (weir processes); ");
	for (size_t i = 0; i < backup->n_backends; i++) {
		enum cause cause = cause_in_tables(evidence, &backup->backends[i], table, &all);

		if (cause == NONE && backup->check && evidence->health)
			cause = cause_by_probe(evidence, &backup->backends[i], &all);
		all.n[cause]++;
	}
	for (enum cause cause = WAY; cause < NONE; cause++) {
		if (!all.n[cause] || shown++ >= CAUSES_SHOWN)
			continue;
		add_words(out, "%zu of %zu backends: ", all.n[cause], backup->n_backends);
		add_cause(evidence, at, &all, cause, out);
		add_words(out, "; ");
	}
	if (strlen(out) > 2 && !strcmp(out + strlen(out) - 2, "; "))
		out[strlen(out) - 2] = '\0';
	return out;
}

static bool is_ready(enum effect_backup_unused obstacle, const struct model_pool *backup)
{
	return obstacle == EFFECT_BACKUP_USABLE && backup->check;
}

/* The obstacle that the tables name; then what is known of its backends where that matters. */
static void explain_obstacle(enum effect_backup_unused obstacle,
                             const struct backup_evidence *evidence, const struct model_at *at,
                             uint64_t table, char out[DETAIL_MAX])
{
	const char *reason = obstacle != EFFECT_BACKUP_USABLE ? effect_backup_unused_text(obstacle)
	                     : at->backup->check
	                             ? ""
	                             : "its pool has no check: whether it is up is not known";
	bool by_backends = obstacle == EFFECT_BACKUP_POOL_DOWN ||
	                   obstacle == EFFECT_BACKUP_UNPROVEN || !at->backup->check;
	char cause[CAUSE_MAX];
	bool known = by_backends && *describe_cause(evidence, at, table, cause);

	snprintf(out, DETAIL_MAX, "%s%s%s", reason, known ? "; " : "", known ? cause : "");
}

/* Of a backup at a site, for who knows of which service it is. */
struct backup_row {
	const char *service, *site, *pool, *backup;
	const char *class; /* NULL: not known */
	bool ready_known, ready, has_evidence, has_effect;
	uint32_t backup_slots, refused_slots; /* if has_effect */
	char detail[DETAIL_MAX];              /* if has_evidence */
};

const struct record_kind backup_status_record = RECORD_OF(
        struct backup_row, "backup", NULL, SHOW(struct backup_row, backup),
        SHOW(struct backup_row, class), SHOW_KNOWN(struct backup_row, "ready", ready, ready_known),
        SHOW_KNOWN(struct backup_row, "backup_slots", backup_slots, has_effect, .spare = true),
        SHOW_KNOWN(struct backup_row, "refused_slots", refused_slots, has_effect, .spare = true),
        SHOW_KNOWN(struct backup_row, "detail", detail, has_evidence, .spare = true));
static const struct record_kind service_record =
        RECORD_OF(struct backup_row, "backup of a service", NULL, SHOW(struct backup_row, service),
                  SHOW(struct backup_row, site), SHOW(struct backup_row, pool),
                  { .flat = true, .kind = FIELD_RECORD, .of = &backup_status_record });

/* A backup that nothing probes may be ready: nobody knows. */
static void add_effect(struct backup_row *row, const struct effect_pool *p,
                       const struct backup_evidence *evidence, const struct model_at *at,
                       uint64_t table)
{
	enum effect_backup_unused obstacle = (enum effect_backup_unused)p->backup_obstacle;

	explain_obstacle(obstacle, evidence, at, table, row->detail);
	row->class = effect_class_text((enum effect_class)p->class);
	row->ready = is_ready(obstacle, at->backup);
	row->ready_known = obstacle != EFFECT_BACKUP_UNPROVEN &&
	                   (obstacle != EFFECT_BACKUP_USABLE || at->backup->check);
	row->has_effect = true;
	row->backup_slots = p->backup_slots;
	row->refused_slots = p->refused_slots;
}

int backup_tables_init(struct backup_tables *tables, const struct model *m)
{
	*tables = (struct backup_tables){ .items = calloc(model_tables_max(m) + 1,
		                                          sizeof(*tables->items)) };
	if (!tables->items)
		return -ENOMEM;
	tables->n = m->self ? model_tables(m, m->self->site, tables->items) : 0;
	return 0;
}

void backup_tables_fini(struct backup_tables *tables)
{
	free(tables->items);
	*tables = (struct backup_tables){ .n = 0 };
}

/* The id of the table that a service leads to; 0: none. */
static uint64_t table_id(const struct backup_tables *tables, const struct model_at *at)
{
	const struct model_table *t = model_table(tables->items, tables->n, at->pool, at->backup);

	return t ? t->id : 0;
}

static bool is_own_site(const struct model *m, const struct model_at *at)
{
	return m->self && at->site == m->self->site;
}

/* @p evidence  NULL: this node knows nothing of this site */
static struct backup_row row_of(const struct model_service *s, const struct model_at *at,
                                const struct backup_evidence *evidence, uint64_t id)
{
	struct backup_row row = { .service = s->name,
		                  .site = at->site->name,
		                  .pool = at->pool->name,
		                  .backup = at->backup->name,
		                  .has_evidence = evidence };
	struct effect_pool p;

	if (evidence && evidence->effect && !effect_table(evidence->effect, id, &p) && p.has_backup)
		add_effect(&row, &p, evidence, at, id);
	else if (evidence)
		describe_cause(evidence, at, id, row.detail);
	return row;
}

json_t *backup_status_json(const struct backup_evidence *evidence)
{
	const struct model *m = evidence->m;
	struct backup_tables tables;

	if (backup_tables_init(&tables, m))
		return NULL;
	json_t *rows = json_array();
	for (size_t i = 0; rows && i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++) {
			const struct model_at *at = &m->services[i].at[k];

			if (!is_own_site(m, at) || !at->backup)
				continue;
			struct backup_row row =
			        row_of(&m->services[i], at, evidence, table_id(&tables, at));
			json_array_append_new(rows, record_shown(&service_record, &row));
		}
	backup_tables_fini(&tables);
	return rows;
}

json_t *backup_status_of(const struct backup_evidence *evidence, const struct backup_tables *tables,
                         const struct model_service *service, const struct model_at *at)
{
	bool own = is_own_site(evidence->m, at);
	struct backup_row row =
	        row_of(service, at, own ? evidence : NULL, own ? table_id(tables, at) : 0);

	return record_shown(&backup_status_record, &row);
}

bool backup_status_is_odd(const struct backup_evidence *evidence,
                          const struct backup_tables *tables, const struct model_at *at)
{
	struct effect_pool p;

	if (!at->backup || !is_own_site(evidence->m, at))
		return false;
	return !evidence->effect || effect_table(evidence->effect, table_id(tables, at), &p) ||
	       !p.has_backup || !is_ready((enum effect_backup_unused)p.backup_obstacle, at->backup);
}

void backup_status_add_row(const json_t *row, struct backup_sum *sum)
{
	const json_t *ready = json_object_get(row, "ready");
	const json_t *slots = json_object_get(row, "backup_slots");
	const char *class = json_get_text(row, "class");

	sum->n++;
	sum->n_ready += json_is_true(ready);
	sum->n_refused += json_is_false(ready);
	if (!class || !json_is_integer(slots))
		return;
	bool left = json_integer_value(slots) == 0 && !strcmp(class, "own");
	sum->n_left += left;
	sum->n_serving += !left;
}
