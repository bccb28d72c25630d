/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line grows by words that fit; what is named at most fits (see the assertion), so none is cut.
 */
#include "mgmt/controller/operation_command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "weir/json.h"

/* Sites, nodes and a service, a reason of apostrophes alone, and all guards with all options. */
_Static_assert(OPERATION_COMMAND_MAX >
                       (OPERATION_TARGETS_MAX + OPERATION_WITHOUT_MAX + 2) * MODEL_NAME_MAX +
                               4 * OVERRIDE_REASON_MAX +
                               OPERATION_GUARD_COUNT * OPERATION_CODE_MAX + 512,
               "a command line has room for all that it can name");

/* --- lines --- */

struct command_text {
	char *text; /* [OPERATION_COMMAND_MAX] */
	size_t n;
};

static void __attribute__((format(printf, 2, 3)))
add_text(struct command_text *line, const char *format, ...)
{
	size_t room = OPERATION_COMMAND_MAX - line->n;
	va_list list;

	va_start(list, format);
	int n = vsnprintf(line->text + line->n, room, format, list);
	va_end(list);
	if (n > 0)
		line->n += (size_t)n < room ? (size_t)n : room - 1;
}

/* A word in quotes, whatever is in it. */
static void add_quoted(struct command_text *line, const char *word)
{
	add_text(line, "'");
	for (; *word; word++)
		add_text(line, *word == '\'' ? "'\\''" : "%c", *word);
	add_text(line, "'");
}

/* A reason that is not known yet is for who gives the command. */
static void add_reason(struct command_text *line, const char *reason)
{
	add_text(line, " --reason ");
	if (*reason)
		add_quoted(line, reason);
	else
		add_text(line, "TEXT");
}

static void add_sites(struct command_text *line, const struct operation *op)
{
	for (uint32_t i = 0; i < op->n_targets; i++)
		add_text(line, " %s", op->targets[i].site);
	if (*op->service)
		add_text(line, " --service %s", op->service);
}

/* "30%", "33.3333%" */
static void add_level(struct command_text *line, uint32_t ppm)
{
	unsigned digits = 4;
	uint32_t fraction = ppm % 10000;

	for (; fraction && fraction % 10 == 0; fraction /= 10)
		digits--;
	add_text(line, " %u", ppm / 10000);
	if (fraction)
		add_text(line, ".%0*u", (int)digits, fraction);
	add_text(line, "%%");
}

/* How it was asked for: pace, end, announcements. */
static void add_shape(struct command_text *line, const struct operation *op)
{
	char until[CLOCK_TEXT_MAX];

	if (op->now)
		add_text(line, " --now");
	if (op->over_ms > 0)
		add_text(line, op->over_ms % 1000 ? " --over %lldms" : " --over %llds",
		         (long long)(op->over_ms % 1000 ? op->over_ms : op->over_ms / 1000));
	if (op->until_ms != MODEL_TIME_NEVER)
		add_text(line, " --until %s", clock_text(op->until_ms, until));
	else if (op->kind == OPERATION_SHIFT)
		add_text(line, " --until never");
	if (op->withdraw)
		add_text(line, " --withdraw");
}

/* " --OPTION NAME,NAME", or nothing. */
static void add_names(struct command_text *line, const char *option, const json_t *names)
{
	for (size_t i = 0; i < json_array_size(names); i++)
		add_text(line, "%s%s%s", i ? "," : " ", i ? "" : option,
		         json_string_value(json_array_get(names, i)));
}

/* --- refusals --- */

#define SHOWN_GUARD_ROWS(X, t)                                                                     \
	X(t, const char *, guard)                                                                  \
	X(t, bool, ok)                                                                             \
	X(t, bool, overridden)                                                                     \
	X(t, bool, unknown)                                                                        \
	X(t, const char *, state)                                                                  \
	X(t, bool, may_be_overridden)                                                              \
	X(t, struct operation_value, margin_percent, .kind = FIELD_KNOWN)                          \
	X(t, const char *, detail)
RECORD_ANSWER(shown_guard, "guard", SHOWN_GUARD_ROWS);

json_t *operation_guards_json(const struct operation_verdict *verdicts)
{
	struct shown_guard shown[OPERATION_GUARD_COUNT];

	for (int g = 0; g < OPERATION_GUARD_COUNT; g++) {
		const struct operation_verdict *v = &verdicts[g];

		shown[g] = (struct shown_guard){
			.guard = rule_rows[g].name,
			.ok = v->ok || v->overridden,
			.overridden = v->overridden && !v->ok,
			.unknown = v->unknown || !v->checked,
			.state = v->overridden && !v->ok ? "overridden"
			         : v->unknown            ? "unknown"
			         : !v->ok                ? "refused"
			         : !v->checked           ? "not_checked"
			                                 : "ok",
			.may_be_overridden = rule_may_override(g),
			.margin_percent = v->margin,
			.detail = v->detail,
		};
	}
	return record_list_shown(&shown_guard_kind, shown, OPERATION_GUARD_COUNT);
}

/* Whether a person may name the node absent. */
static bool is_unreached(const struct operation *op, const struct operation_node *node)
{
	return !node->reached && !operation_is_without(op, node->name);
}

static bool has_unreached(const struct operation *op, const struct operation_facts *facts)
{
	for (size_t i = 0; op->n_without < OPERATION_WITHOUT_MAX && i < facts->n_nodes; i++)
		if (is_unreached(op, &facts->nodes[i]))
			return true;
	return false;
}

/* Whether names go past all that refuses: without a node there is a majority of the others. */
static bool is_passable(const struct operation_verdict *verdicts, const struct operation *op,
                        const struct operation_facts *facts)
{
	for (int g = 0; g < OPERATION_GUARD_COUNT; g++) {
		bool refuses = !verdicts[g].ok && !verdicts[g].overridden;

		if (refuses && !rule_may_override(g) &&
		    (g != OPERATION_GUARD_MAJORITY || !has_unreached(op, facts)))
			return false;
	}
	return true;
}

/* Those that tripped and may be overridden, and those given with the request; what the record has need not be given again. */
static json_t *guards_to_name(const struct operation *was, const struct operation *op,
                              const struct operation_verdict *verdicts)
{
	json_t *list = json_array();

	for (int g = 0; g < OPERATION_GUARD_COUNT; g++) {
		enum rule_id guard = (enum rule_id)g;

		if (rule_may_override(guard) && !(was && was->overridden[g]) &&
		    (op->overridden[g] || !verdicts[g].ok))
			json_array_append_new(list, json_string(rule_rows[guard].name));
	}
	return list;
}

/* Those named with the request; with all that are not reached where that makes the majority. */
static json_t *nodes_to_name(const struct operation *was, const struct operation *op,
                             const struct operation_verdict *verdicts,
                             const struct operation_facts *facts)
{
	const bool names_all = !verdicts[OPERATION_GUARD_MAJORITY].ok;
	json_t *list = json_array();
	size_t n = op->n_without;

	for (uint32_t i = 0; i < op->n_without; i++)
		if (!was || !operation_is_without(was, op->without[i]))
			json_array_append_new(list, json_string(op->without[i]));
	for (size_t i = 0; names_all && i < facts->n_nodes && n < OPERATION_WITHOUT_MAX; i++)
		if (is_unreached(op, &facts->nodes[i])) {
			json_array_append_new(list, json_string(facts->nodes[i].name));
			n++;
		}
	return list;
}

#define SHOWN_REFUSAL_ROWS(X, t)                                                                   \
	X(t, json_t *, guards, .each = &shown_guard_kind)                                          \
	X(t, const char *, override, .spare = true) /* NULL: no command goes past */               \
	X(t, json_t *, override_guards, .spare = true)                                             \
	X(t, json_t *, without, .spare = true)
RECORD_ANSWER(shown_refusal, "refusal", SHOWN_REFUSAL_ROWS);

/* End @p line with the names that go past, and make the refusal of it. */
static json_t *make_refusal(struct command_text *line, const struct operation *was,
                            const struct operation *op, const char *reason,
                            const struct operation_verdict *verdicts,
                            const struct operation_facts *facts)
{
	struct shown_refusal r = { .guards = operation_guards_json(verdicts) };

	if (is_passable(verdicts, op, facts)) {
		r.override_guards = guards_to_name(was, op, verdicts);
		r.without = nodes_to_name(was, op, verdicts, facts);
		add_names(line, "--override ", r.override_guards);
		add_names(line, "--without ", r.without);
		add_reason(line, reason);
		r.override = line->text;
	}
	return record_shown(&shown_refusal_kind, &r);
}

json_t *operation_begin_refusal(const struct operation *op,
                                const struct operation_verdict *verdicts,
                                const struct operation_facts *facts)
{
	char text[OPERATION_COMMAND_MAX];
	struct command_text line = { .text = text };

	add_text(&line, "weir %s site", operation_kind_text(op->kind));
	if (op->kind == OPERATION_SHIFT) {
		add_text(&line, " %s", op->targets[0].site);
		add_level(&line, op->goal_ppm);
		if (*op->service)
			add_text(&line, " --service %s", op->service);
	} else {
		add_sites(&line, op);
	}
	add_shape(&line, op);
	return make_refusal(&line, NULL, op, op->reason, verdicts, facts);
}

json_t *operation_order_refusal(const struct operation *was, const struct operation *op,
                                const char *verb, const char *reason,
                                const struct operation_verdict *verdicts,
                                const struct operation_facts *facts)
{
	char text[OPERATION_COMMAND_MAX];
	struct command_text line = { .text = text };

	add_text(&line, "weir operation %s %s", op->id, verb);
	return make_refusal(&line, was, op, reason, verdicts, facts);
}

/* --- what may be done --- */

/* Whether a hold may be about this node: it is not reached, or a new owner cannot read its level. */
static bool is_missed(const struct operations_node *node, bool lost, bool unread)
{
	if (node->absent)
		return false;
	return node->reached ? unread && !node->level_known : lost;
}

static void add_missed(struct command_text *line, const struct operations_item *item)
{
	const struct operation *op = &item->op;
	bool lost = rule_is(OPERATION_HOLD_NODE_LOST, op->hold.code) ||
	            rule_is(OPERATION_GUARD_MAJORITY, op->hold.code);
	bool first = true;

	for (size_t i = 0; i < item->n_nodes; i++) {
		if (!is_missed(&item->nodes[i], lost, op->reads_levels))
			continue;
		add_text(line, "%s%s", first ? " --without " : ",", item->nodes[i].node);
		first = false;
	}
}

/* Its document is gone: all that is left is to end it. */
static bool is_gone(const struct operation *op)
{
	return rule_is(OPERATION_HOLD_SITE_GONE, op->hold.code) ||
	       rule_is(OPERATION_HOLD_SERVICE_GONE, op->hold.code);
}

const char *operation_resume_verb(const struct operation *op)
{
	return is_gone(op)                                            ? "abort"
	       : rule_is(OPERATION_HOLD_OWNER_REMOVED, op->hold.code) ? "take"
	                                                              : "resume";
}

const char *operation_resume_text(const struct operations_item *item,
                                  char out[OPERATION_COMMAND_MAX])
{
	const struct operation *op = &item->op;
	int guard = rule_find(RULE_OPERATION, op->hold.code);
	struct command_text line = { .text = out };

	add_text(&line, "weir operation %s %s", op->id, operation_resume_verb(op));
	/* what has passed since need not be overridden, as an unconfirmed version that is confirmed now */
	if (rule_may_override(guard) && !(item->judged && item->verdicts[guard].ok))
		add_text(&line, " --override %s", op->hold.code);
	add_missed(&line, item);
	add_reason(&line, "");
	return out;
}

/* Back to where its way began, or a return. */
static const char *write_back(const struct operation *op, bool aborts, char *out)
{
	struct command_text line = { .text = out };

	if (aborts) {
		add_text(&line, "weir operation %s abort", op->id);
	} else {
		add_text(&line, "weir undrain site");
		add_sites(&line, op);
	}
	add_reason(&line, "");
	return out;
}

const char *operation_back_text(const struct operation *op, char out[OPERATION_COMMAND_MAX])
{
	if (operation_goes_back(op) && !is_gone(op))
		return NULL;
	return write_back(op, is_gone(op) || operation_may_abort(op), out);
}

const char *operation_clocked_text(const struct operation *op, char out[OPERATION_COMMAND_MAX])
{
	struct command_text line = { .text = out };

	add_text(&line, "weir undrain site");
	add_sites(&line, op);
	add_text(&line, " --scheduled");
	add_reason(&line, "");
	return op->n_targets == 1 ? out : NULL;
}

const char *operation_undo_text(const struct operation *op, char out[OPERATION_COMMAND_MAX])
{
	if (is_gone(op) && operation_is_over(op)) /* its level stays, and no operation finds it */
		return operation_clocked_text(op, out);
	return write_back(op, is_gone(op) || operation_unheld_state(op) == OPERATION_RETURNING,
	                  out);
}
