/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lookup of RFC 1034, section 4.3.2, with wildcards after RFC 4592 and referrals after RFC
 * 9471. One search finds the name or its closest encloser; all else the lookup needs (delegation,
 * wildcard, glue, alias targets) is linked in the image. Only the new name that a DNAME gives needs
 * another search. Additional data is given where it is needed (glue) and nowhere else.
 *
 * Each RRset is written whole or not at all: a mark is taken before it, and the message goes back
 * to the mark if the set does not fit. Loops of aliases end by remembering each name that was
 * looked up.
 */
#include "dns/answer/answer.h"

#include <string.h>

#include "dns/answer/message.h"
#include "dns/zone/image.h"
#include "dns/zone/wire.h"

#define OPT_FIXED     11                       /* bytes of an OPT record without options */
#define OPTION_HEADER 4                        /* bytes: code and length */
#define TTL_ANY       UINT32_MAX               /* no limit: the SOA's minimum decides */
#define NOT_A_NODE    0u                       /* image_name.node_off of a name without a node */
#define SPOTS_MAX     (ANSWER_ALIASES_MAX + 1) /* the question and the aliases that are followed */

/* One answer while it is made. */
struct work {
	const struct answer_env *env;
	const struct answer_query *in; /* the query's bytes and their sender */
	struct query q;                /* the query as it was parsed */
	struct message m;
	struct answer_info *info;
	struct answer_trace *trace;
	uint16_t flags; /* of the answer, rcode apart */
	uint8_t scope_bits;
	unsigned n_dnames;
	const struct image_rrset *dnames[SPOTS_MAX]; /* that the answer has */
};

/* Where the lookup is: a node, and the name that it answers for. */
struct spot {
	const struct image_node *node; /* NULL: in no zone of ours */
	bool exact;                    /* the node is the name itself, not its closest encloser */
	uint32_t owner_off; /* an alias's target, as in dns/answer/message.h; 0: the question */
};

static uint32_t offset_of(const struct work *w, const struct image_node *node)
{
	return node ? (uint32_t)((const uint8_t *)node - (const uint8_t *)w->env->image) : 0;
}

static struct answer_step *trace_step(struct work *w, enum answer_step_kind kind,
                                      const struct image_node *node)
{
	struct answer_trace *t = w->trace;

	if (!t || t->n == sizeof(t->steps) / sizeof(t->steps[0]))
		return NULL;
	t->steps[t->n] = (struct answer_step){ .kind = kind, .node_off = offset_of(w, node) };
	return &t->steps[t->n++];
}

static const struct image_zone *zone_of(const struct work *w, const struct image_node *node)
{
	return image_zone(w->env->image, node->zone);
}

/*
 * Take back a part that does not fit. A UDP answer is marked as truncated, so the client repeats
 * the query over TCP; a TCP answer leaves the part out.
 */
static void drop_rrset(struct work *w, const struct message_mark *mark)
{
	message_back(&w->m, mark);
	if (w->in->tcp)
		return;
	w->flags |= DNS_TC;
	w->info->truncated = true;
	trace_step(w, ANSWER_STEP_TRUNCATED, NULL);
}

/* Whether the answer has the DNAME already: aliases may go through one twice. If not, note it. */
static bool has_dname(struct work *w, const struct image_rrset *rrset)
{
	for (unsigned i = 0; i < w->n_dnames; i++)
		if (w->dnames[i] == rrset)
			return true;
	w->dnames[w->n_dnames++] = rrset;
	return false;
}

/* @return whether the answer may continue: also after a set that TCP leaves out */
static bool put_answer(struct work *w, const struct spot *at, const struct image_rrset *rrset)
{
	struct message_mark mark = message_mark(&w->m);

	if (rrset->type == DNS_DNAME && has_dname(w, rrset))
		return true; /* a record is given once (RFC 2181, section 5) */
	message_put_rrset(&w->m, SECTION_ANSWER, at->owner_off, rrset);
	if (w->m.w.failed)
		drop_rrset(w, &mark);
	return !w->info->truncated;
}

static void put_negative(struct work *w, const struct image_node *node, uint32_t ttl_most_s)
{
	struct message_mark mark = message_mark(&w->m);

	message_put_negative(&w->m, zone_of(w, node), ttl_most_s);
	if (w->m.w.failed)
		drop_rrset(w, &mark);
}

/* Write one server's addresses. @return whether they fitted */
static bool put_glue(struct work *w, const struct image_node *server)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA };
	struct message_mark mark = message_mark(&w->m);

	for (unsigned i = 0; i < 2; i++) {
		const struct image_rrset *rrset = image_rrset(server, types[i]);

		if (rrset)
			message_put_rrset(&w->m, SECTION_ADDITIONAL, server->name_off, rrset);
	}
	if (!w->m.w.failed)
		return true;
	message_back(&w->m, &mark);
	return false;
}

/*
 * Glue that the delegation needs must fit, else the answer is truncated; other glue is a courtesy.
 * Behind an alias the AA bit stays: it is about the first owner in the answer (RFC 1035, section
 * 4.1.1).
 */
static void put_referral(struct work *w, const struct image_node *cut)
{
	const struct image *image = w->env->image;
	const struct image_rrset *ns = image_rrset(cut, DNS_NS);
	const struct image_glue *glue = image_at(image, image_extra(image, cut)->glue_off);
	struct message_mark mark = message_mark(&w->m);

	trace_step(w, ANSWER_STEP_REFERRAL, cut);
	if (w->m.counts[SECTION_ANSWER] == 0)
		w->flags &= (uint16_t)~DNS_AA;
	message_put_rrset(&w->m, SECTION_AUTHORITY, cut->name_off, ns);
	if (w->m.w.failed) {
		drop_rrset(w, &mark);
		return;
	}
	mark = message_mark(&w->m);
	for (uint32_t i = 0; i < glue->n; i++) {
		if (put_glue(w, image_node(image, glue->nodes_off[i])))
			continue;
		if (i < glue->n_required) /* RFC 9471, section 3.1 */
			drop_rrset(w, &mark);
		return;
	}
}

/*
 * Steering is by the client subnet of the query, else by the resolver's address. The answer's scope
 * is the part of the subnet that was used (RFC 7871, section 7.2.1).
 */
static struct steering_key read_client_key(struct work *w, bool *is_subnet)
{
	*is_subnet = w->q.has_subnet && w->q.subnet.source_bits > 0;
	if (!*is_subnet)
		return steering_key_of(&w->in->client);

	struct addr subnet = query_subnet_addr(&w->q.subnet);
	struct steering_key key = steering_key_of(&subnet);

	w->scope_bits = key.bits;
	return key;
}

static void put_site_addresses(struct work *w, const struct spot *at,
                               const struct steering_choice *choice, uint32_t name, bool ip4)
{
	const struct steering_site *site =
	        &w->env->steering->names[name].service->sites[choice->site];
	struct message_mark mark = message_mark(&w->m);

	message_put_addresses(&w->m, SECTION_ANSWER, at->owner_off, choice->ttl_s,
	                      site->addresses[ip4], site->n_addresses[ip4]);
	if (w->m.w.failed)
		drop_rrset(w, &mark);
}

/* Answer with the addresses of the site that steering chooses; without a site there is no data. */
static void answer_dynamic(struct work *w, const struct spot *at, bool ip4)
{
	uint32_t name = image_extra(w->env->image, at->node)->dynamic - 1;
	bool is_subnet;
	struct steering_key key = w->info->key = read_client_key(w, &is_subnet);
	struct steering_choice choice = steering_choose(w->env->steering, w->env->state, name, ip4,
	                                                &key, w->env->wall_clock_ms);
	struct answer_step *step = trace_step(w, ANSWER_STEP_STEERED, at->node);

	if (step) {
		step->dynamic = name;
		step->key = key;
		step->key_is_subnet = is_subnet;
		step->choice = choice;
	}
	w->info->dynamic = (int32_t)name;
	w->info->ip4 = ip4;
	w->info->choice = choice;
	if (choice.site >= 0) {
		put_site_addresses(w, at, &choice, name, ip4);
		return;
	}
	trace_step(w, ANSWER_STEP_NODATA, at->node);
	put_negative(w, at->node, choice.ttl_s);
}

/*
 * Go to a CNAME's target, if this zone has it. The image links the target's name; where that name
 * does not exist, the first name above it that does is the closest encloser. @return whether to
 * continue there
 */
static bool follow_alias(struct work *w, struct spot *at, const struct image_rrset *alias)
{
	const struct image *image = w->env->image;
	const struct image_name *n;
	uint32_t target_off;

	memcpy(&target_off, (const uint8_t *)image_at(image, alias->data_off) + IMAGE_RECORD_FIXED,
	       4);
	n = image_name(image, image_name(image, target_off)->fold_off);
	at->owner_off = target_off;
	at->exact = n->node_off != NOT_A_NODE;
	while (n->node_off == NOT_A_NODE && n->n_labels)
		n = image_name(image, n->parent_off);
	if (n->node_off == NOT_A_NODE || image_node(image, n->node_off)->zone != at->node->zone)
		return false;
	at->node = image_node(image, n->node_off);
	return true;
}

/* Whether the lookup ends or continues at another name. */
enum next { DONE, FOLLOW };

/* The name that is looked up, in its original case. @return its length */
static size_t write_spot_name(const struct work *w, const struct spot *at,
                              uint8_t out[NAME_WIRE_MAX])
{
	const uint8_t *from = w->in->bytes + DNS_HEADER;
	size_t length = 0;

	if (at->owner_off && !MESSAGE_OWNER_IS_AT(at->owner_off))
		return image_name_wire(w->env->image, at->owner_off, out);
	if (at->owner_off)
		from = w->m.w.start + (at->owner_off >> 1);
	while (from[length])
		length += from[length] + 1u;
	memcpy(out, from, ++length);
	return length;
}

/* Write the new name: the labels below the DNAME, then its target. @return 0: over 255 bytes */
static size_t rename_spot(const struct work *w, const struct spot *at,
                          const struct image_rrset *dname, uint8_t out[2 * NAME_WIRE_MAX])
{
	const uint8_t *record = image_at(w->env->image, dname->data_off);
	const struct image_name *owner = image_name(w->env->image, at->node->name_off);
	size_t length = write_spot_name(w, at, out) - owner->wire_length;
	size_t n = wire_load16(record + 10);

	memcpy(out + length, record + IMAGE_RECORD_FIXED, n);
	length += n;
	return length <= NAME_WIRE_MAX ? length : 0;
}

/* Go to the new name, which the answer has at @p offset. @return whether this zone has it */
static bool go_to_renamed(struct work *w, struct spot *at, const uint8_t *wire, size_t length,
                          size_t offset)
{
	struct wire_reader r = { .start = wire, .length = length };
	struct name name;
	struct image_found found;

	if (offset > MESSAGE_POINTER_MAX || !name_read(&r, &name))
		return false;
	found = image_find(w->env->image, &name);
	if (!found.node || found.node->zone != at->node->zone)
		return false;
	*at = (struct spot){ .node = found.node,
		             .exact = found.skipped == 0,
		             .owner_off = MESSAGE_OWNER_AT(offset) };
	return true;
}

/*
 * The name lies below a DNAME, so it is an alias: the answer gets the DNAME and the CNAME that
 * follows from it (RFC 6672, section 3.2).
 */
static enum next answer_renamed(struct work *w, struct spot *at, const struct image_rrset *dname)
{
	uint32_t ttl_s = wire_load32((const uint8_t *)image_at(w->env->image, dname->data_off) + 6);
	const struct spot owner = { .owner_off = at->node->name_off };
	uint8_t wire[2 * NAME_WIRE_MAX];
	size_t length = rename_spot(w, at, dname, wire), offset;

	trace_step(w, ANSWER_STEP_DNAME, at->node);
	if (!put_answer(w, &owner, dname))
		return DONE;
	if (length == 0) {
		trace_step(w, ANSWER_STEP_TOO_LONG, at->node);
		w->info->rcode = DNS_YXDOMAIN;
		return DONE;
	}

	struct message_mark mark = message_mark(&w->m);

	offset = message_put_alias(&w->m, at->owner_off, ttl_s, wire, length);
	if (w->m.w.failed) {
		drop_rrset(w, &mark);
		return DONE;
	}
	if (w->q.type == DNS_CNAME)
		return DONE;
	if (go_to_renamed(w, at, wire, length, offset))
		return FOLLOW;
	trace_step(w, ANSWER_STEP_LEAVES, NULL);
	return DONE;
}

/* A zone without a usable file: SERVFAIL makes resolvers use another server. */
static enum next answer_broken(struct work *w, const struct image_node *node)
{
	trace_step(w, ANSWER_STEP_BROKEN, node);
	w->flags &= (uint16_t)~DNS_AA;
	w->info->rcode = DNS_SERVFAIL;
	return DONE;
}

static bool has_family(const struct steering_service *s, bool ip4)
{
	for (uint32_t k = 0; k < s->n_sites; k++)
		if (s->sites[k].n_addresses[ip4])
			return true;
	return false;
}

/* Of a dynamic name's addresses those of one family are answered; if no site has any, there are none, and nothing is chosen. */
static void answer_family(struct work *w, const struct spot *at, uint16_t type)
{
	uint32_t number = image_extra(w->env->image, at->node)->dynamic - 1;
	const struct steering_name *name = &w->env->steering->names[number];
	bool ip4 = type == DNS_A || (type == DNS_ANY && has_family(name->service, true));

	if (has_family(name->service, ip4)) {
		answer_dynamic(w, at, ip4);
		return;
	}
	trace_step(w, ANSWER_STEP_NODATA, at->node);
	put_negative(w, at->node, name->ttl_max_s);
}

/* Answer from the name's node (or its wildcard): data, an alias, or nothing of this type. */
static enum next answer_here(struct work *w, struct spot *at)
{
	const struct image_node *node = at->node;
	uint16_t type = w->q.type;
	const struct image_rrset *rrset = image_rrset(node, type);

	if (image_extra(w->env->image, node)->dynamic && w->env->steering &&
	    (type == DNS_A || type == DNS_AAAA || type == DNS_ANY)) {
		answer_family(w, at, type);
		return DONE;
	}
	if (!rrset && type == DNS_ANY && node->n_rrsets)
		rrset = &node->rrsets[0]; /* one RRset is enough (RFC 8482, section 4.1) */
	if (rrset) {
		trace_step(w, ANSWER_STEP_DATA, node);
		put_answer(w, at, rrset);
		return DONE;
	}
	rrset = image_rrset(node, DNS_CNAME);
	if (!rrset) {
		trace_step(w, ANSWER_STEP_NODATA, node);
		put_negative(w, node, TTL_ANY);
		return DONE;
	}
	trace_step(w, ANSWER_STEP_ALIAS, node);
	if (!put_answer(w, at, rrset))
		return DONE;
	if (follow_alias(w, at, rrset))
		return FOLLOW;
	trace_step(w, ANSWER_STEP_LEAVES, NULL);
	return DONE;
}

/*
 * Look up one name. The order matters: DS at the parent's side, a broken zone, a delegation, the
 * name itself, DNAME, wildcard.
 */
static enum next look_up_name(struct work *w, struct spot *at)
{
	const struct image *image = w->env->image;
	const struct image_node *node = at->node;
	const struct image_extra *extra = image_extra(image, node);
	const struct image_rrset *dname;
	bool ds = at->exact && w->q.type == DNS_DS;

	trace_step(w, at->exact ? ANSWER_STEP_NODE : ANSWER_STEP_ENCLOSER, node);
	if (ds && extra->above_off) { /* RFC 4035, section 3.1.4.1 */
		at->node = node = image_node(image, extra->above_off);
		extra = image_extra(image, node);
		trace_step(w, ANSWER_STEP_PARENT, node);
	}
	if (zone_of(w, node)->state & IMAGE_ZONE_BROKEN)
		return answer_broken(w, node);
	if (extra->cut_off && !(ds && extra->cut_off == offset_of(w, node))) {
		put_referral(w, image_node(image, extra->cut_off));
		return DONE;
	}
	if (at->exact)
		return answer_here(w, at);
	dname = image_rrset(node, DNS_DNAME);
	if (dname)
		return answer_renamed(w, at, dname);
	if (extra->wildcard_off) {
		at->node = image_node(image, extra->wildcard_off);
		trace_step(w, ANSWER_STEP_WILDCARD, at->node);
		return answer_here(w, at);
	}
	trace_step(w, ANSWER_STEP_NXDOMAIN, node);
	w->info->rcode = DNS_NXDOMAIN; /* also behind an alias (RFC 6604, section 3) */
	put_negative(w, node, TTL_ANY);
	return DONE;
}

/*
 * Whether an alias has led back to a name. Names that exist differ in their nodes; names that do
 * not exist share their encloser's node and are compared letter by letter.
 */
static bool is_same_name(const struct work *w, const struct spot *a, const struct spot *b)
{
	uint8_t names[2][NAME_WIRE_MAX];
	size_t length;

	if (a->node != b->node || a->exact != b->exact)
		return false;
	if (a->exact)
		return true;
	length = write_spot_name(w, a, names[0]);
	if (write_spot_name(w, b, names[1]) != length)
		return false;
	for (size_t i = 0; i < length; i++) /* a label's length is no letter */
		if (name_fold(names[0][i]) != name_fold(names[1][i]))
			return false;
	return true;
}

/*
 * Look up the question's name, then each alias's target in the same zone, until a name comes a
 * second time or there are too many. For a name in none of our zones, REFUSED tells the resolver
 * to use another server.
 */
static void resolve_name(struct work *w)
{
	struct spot seen[SPOTS_MAX];
	struct image_found found = image_find(w->env->image, &w->q.name);
	struct spot at = { .node = found.node, .exact = found.skipped == 0 };
	unsigned n = 0;
	bool again;

	if (!found.node) {
		trace_step(w, ANSWER_STEP_OUTSIDE, NULL);
		w->info->rcode = DNS_REFUSED;
		return;
	}
	w->m.closest = found.node;
	w->m.skipped = found.skipped;
	w->flags |= DNS_AA;
	do {
		seen[n++] = at;
		if (look_up_name(w, &at) == DONE)
			return;
		again = n == SPOTS_MAX;
		for (unsigned i = 0; i < n && !again; i++)
			again = is_same_name(w, &seen[i], &at);
	} while (!again);
	trace_step(w, ANSWER_STEP_LEAVES, NULL);
}

/*
 * Refuse zone transfers. Any other meta type is looked up like a type that a name does not have
 * (RFC 8906, section 3.1.4). @return whether the query is refused, here or by query_read()
 */
static bool is_refused(struct work *w)
{
	if (w->q.type == DNS_AXFR || w->q.type == DNS_IXFR)
		w->info->rcode = DNS_REFUSED;
	return w->info->rcode != DNS_NOERROR;
}

/* The size must be known before anything is written: other parts must leave room for the OPT. */
static size_t opt_size(const struct work *w)
{
	size_t n = OPT_FIXED;

	if (!w->q.has_edns)
		return 0;
	if (w->q.has_subnet)
		n += OPTION_HEADER + 4u + w->q.subnet.n_bytes;
	if (w->q.wants_nsid && w->env->nsid)
		n += OPTION_HEADER + w->env->nsid_length;
	return n;
}

/*
 * The room for it was kept free by open_message(): an answer to a query with EDNS always has its
 * OPT.
 */
static void put_answer_opt(struct work *w)
{
	struct wire_writer *o = &w->m.w;
	const struct query_subnet *subnet = &w->q.subnet;

	wire_put8(o, 0);
	wire_put16(o, DNS_OPT);
	wire_put16(o, EDNS_UDP_MAX);
	wire_put8(o, (uint8_t)(w->info->rcode >> 4));
	wire_put8(o, 0);
	wire_put16(o, w->q.dnssec_ok ? 0x8000 : 0);
	wire_put16(o, (uint16_t)(opt_size(w) - OPT_FIXED));
	if (w->q.has_subnet) {
		wire_put16(o, EDNS_OPT_SUBNET);
		wire_put16(o, (uint16_t)(4 + subnet->n_bytes));
		wire_put16(o, subnet->family);
		wire_put8(o, subnet->source_bits);
		wire_put8(o, w->scope_bits);
		wire_put(o, subnet->bytes, subnet->n_bytes);
	}
	if (w->q.wants_nsid && w->env->nsid) {
		wire_put16(o, EDNS_OPT_NSID);
		wire_put16(o, (uint16_t)w->env->nsid_length);
		wire_put(o, w->env->nsid, w->env->nsid_length);
	}
	w->m.counts[SECTION_ADDITIONAL]++;
}

/* Written last: counts, rcode and flags are known only now. */
static void put_header(struct work *w)
{
	uint8_t *h = w->m.w.start;
	/*
	 * CD is cleared (RFC 4035, section 3.1.6); what a bit means under another opcode is not
	 * known
	 */
	uint16_t echo = w->q.flags & DNS_OPCODE_MASK ? DNS_OPCODE_MASK : DNS_RD;

	wire_store16(h, w->q.id);
	wire_store16(h + 2,
	             (uint16_t)(DNS_QR | w->flags | (w->q.flags & echo) | (w->info->rcode & 0xf)));
	wire_store16(h + 4, w->q.has_question);
	for (unsigned i = 0; i < 3; i++)
		wire_store16(h + 6 + 2 * i, w->m.counts[i]);
}

/* Leave room for the header, copy the question, and limit what may be written behind it. */
static void open_message(struct work *w, uint8_t *out, size_t out_size)
{
	size_t question = w->q.has_question ? w->q.question_length + 4u : 0;
	size_t most = w->in->tcp ? ANSWER_MAX : w->q.udp_limit;

	w->m.image = w->env->image;
	w->m.query = &w->q;
	w->m.w = (struct wire_writer){ .start = out, .limit = out_size < most ? out_size : most };
	w->m.w.limit -= opt_size(w);
	w->m.w.at = DNS_HEADER + question;
	memcpy(out + DNS_HEADER, w->in->bytes + DNS_HEADER, question);
}

/* The parts of a message that must be clear at the start; `seen` is not, it is large. */
static void init_work(struct work *w)
{
	memset(&w->m, 0, offsetof(struct message, seen));
	memset(w->info, 0, sizeof(*w->info));
	w->info->dynamic = -1;
	w->flags = 0;
	w->scope_bits = 0;
	w->n_dnames = 0;
	if (w->trace)
		w->trace->n = 0;
}

size_t answer(const struct answer_env *env, const struct answer_query *query, uint8_t *out,
              size_t out_size, struct answer_info *info, struct answer_trace *trace)
{
	struct work w;
	enum query_verdict verdict;

	w.env = env;
	w.in = query;
	w.info = info;
	w.trace = trace;
	init_work(&w);
	verdict = query_read(query->bytes, query->length, &w.q, &info->rcode);
	if (verdict == QUERY_DROP)
		return 0;
	info->has_question = w.q.has_question;
	info->type = w.q.has_question ? w.q.type : 0;
	info->has_edns = w.q.has_edns;
	info->has_subnet = w.q.has_subnet;
	open_message(&w, out, out_size);
	if (verdict == QUERY_LOOKUP && !is_refused(&w)) {
		if (w.q.class == DNS_IN)
			resolve_name(&w);
		else
			info->rcode = DNS_REFUSED;
	}
	w.m.w.limit += opt_size(&w); /* the room that open_message() kept free for the OPT */
	if (w.q.has_edns)
		put_answer_opt(&w);
	put_header(&w);
	return w.m.w.at;
}
