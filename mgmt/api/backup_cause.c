/* SPDX-License-Identifier: BSD-2-Clause */
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
#include "mgmt/api/backup_cause.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "weir/effect.h"
#include "weir/fwd/encap.h"
#include "weir/health.h"
#include "weir/model.h"
#include "weir/probe.h"

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
	vsnprintf(out + n, BACKUP_CAUSE_MAX - n, format, list);
	va_end(list);
	plain_cut(out, BACKUP_CAUSE_MAX);
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

/* --- the whole --- */

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

const char *backup_cause(const struct backup_evidence *evidence, const struct model_at *at,
                         uint64_t table, char out[BACKUP_CAUSE_MAX])
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
