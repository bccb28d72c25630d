/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What status and health can say without weir-mgmt: intent from the effective document, observation
 * from the health page, and whether the processes live from their stats pages. The state and its
 * reasons are judged by management's own rules (mgmt/judge/observed.h), so that they do not change
 * because management is away; what only weir-mgmt knows (peers, store, versions) is left out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/believed.h"
#include "base/clock.h"
#include "mgmt/cli/cmd_status.h"
#include "mgmt/cli/health_detail.h"
#include "mgmt/cli/vips.h"
#include "mgmt/json/announcement.h"
#include "mgmt/json/command.h"
#include "mgmt/json/observed.h"
#include "mgmt/json/row.h"
#include "mgmt/json/listing.h"
#include "record/fields.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/ramp.h"

struct local_pages {
	struct model *model;
	struct observe_pages pages;
	uint64_t now_ms;
};

/* The key is not read: an operator may not, and nothing here needs it. */
static int pages_open(const struct cli *cli, struct local_pages *p)
{
	struct model_errors errors;
	char path[PATH_MAX];

	*p = (struct local_pages){ .now_ms = clock_mono_ms() };
	if (proc_path(cli->dirs.state, PROC_EFFECTIVE_FILE, path) != 0)
		return CLI_USAGE;
	int err = model_read_without_key(path, cli->dirs.node, &p->model, &errors);
	if (err)
		cli_fail(CLI_OK,
		         "management does not answer, and %s cannot be read: %s; check that weir "
		         "run runs with these directories",
		         path, errors.n_items ? errors.items[0].message : strerror(-err));
	bool denied = errors.denied;
	model_errors_free(&errors);
	if (err)
		return denied ? CLI_DENIED : CLI_UNREACHABLE;
	observe_open(cli->dirs.run, &p->pages);
	return CLI_OK;
}

static void pages_close(struct local_pages *p)
{
	observe_close(&p->pages);
	model_free(p->model);
}

/* What is seen of the processes, and the judgement by it and the pages. */
struct local_look {
	struct gather_process processes[OBSERVE_COUNT], supervisor;
	struct conditions conditions[OBSERVE_COUNT], supervisor_conditions;
	struct judge_verdict verdict;
};

static void look_at_processes(const struct cli *cli, const struct model *m, struct local_look *l)
{
	for (int i = 0; i < OBSERVE_COUNT; i++)
		gather_process(cli->dirs.run, observe_name((enum observe_process)i), NULL,
		               &l->processes[i], &l->conditions[i]);
	l->processes[OBSERVE_ANNOUNCE].announces = announcements_apply(m);
	gather_process(cli->dirs.run, OBSERVE_SUPERVISOR, NULL, &l->supervisor,
	               &l->supervisor_conditions);
}

int pages_health(const struct cli *cli)
{
	struct local_pages p;
	int status = pages_open(cli, &p);

	if (status)
		return status;
	json_t *body =
	        json_with(json_object(), "items", observed_targets_json(p.model, &p.pages, false));
	health_detail_join(cli, json_at(body, "items"));
	api_print_body(cli, body, health_print);
	json_decref(body);
	pages_close(&p);
	return CLI_OK;
}

/* The level in force: a step has its own. */
static uint32_t override_level(const struct model_override *o, const struct ramp_record *r,
                               int64_t at_ms)
{
	return r && r->level_known ? r->level_ppm : model_override_ppm(o, at_ms);
}

/* An operation's end is in its record, which management alone can read. */
static const char *until_word(const struct model_override *o, char text[CLOCK_TEXT_MAX])
{
	if (o->until_ms != MODEL_TIME_NEVER)
		return clock_text(o->until_ms, text);
	return o->operation && *o->operation ? "(not known)" : "never";
}

#define OVERRIDE_SHOWN_ROWS(X, t)                                                                  \
	X(t, const char *, id)                                                                     \
	X(t, const char *, action, .shown = "do")                                                  \
	X(t, const char *, pool)                                                                   \
	X(t, const char *, name)                                                                   \
	X(t, uint32_t, level_ppm, KNOWN_IF(t, level_known))                                        \
	X(t, bool, level_known, HIDDEN) /* how far a node is, weir-mgmt alone looks at */          \
	X(t, const char *, from)                                                                   \
	X(t, const char *, until)                                                                  \
	X(t, const char *, author)                                                                 \
	X(t, const char *, reason)
RECORD_SHOWN(override_shown, "override", OVERRIDE_SHOWN_ROWS);

/* A ramp that was held goes by weir-dns's record of it (weir/ramp.h) instead of the wall clock. */
static json_t *overrides_json(const struct cli *cli, const struct model *m, int64_t wall_clock_ms)
{
	struct ramp_record *ramps = calloc(RAMP_RECORDS_MAX, sizeof(*ramps));
	int n = ramps ? ramp_read(cli->dirs.state, ramps) : 0;
	json_t *list = json_array();
	char from[CLOCK_TEXT_MAX], until[CLOCK_TEXT_MAX];

	for (size_t i = 0; i < m->n_overrides; i++) {
		const struct model_override *o = &m->overrides[i];
		const struct ramp_record *r = ramp_find(ramps, n > 0 ? (size_t)n : 0, o);
		int64_t at_ms = r && r->how != RAMP_FREE ? r->at_ms : wall_clock_ms;
		uint32_t ppm = override_level(o, r, at_ms);

		if (o->ended || (ppm == 0 && at_ms >= o->until_ms))
			continue;
		json_array_append_new(
		        list,
		        SHOWN(override_shown, .id = o->id, .action = override_kind_text(o->kind),
		              .pool = o->pool, .name = o->name, .level_ppm = ppm,
		              .level_known = o->target != MODEL_TARGET_NODE,
		              .from = clock_text(o->from_ms, from), .until = until_word(o, until),
		              .author = o->author, .reason = o->reason));
	}
	free(ramps);
	return list;
}

/* Says first that management does not answer, because the rest is less than usual. */
static void print_pages_status(const json_t *body)
{
	row_show(stdout, body,
	         "{node|?} (cluster {cluster|?}) {state|?}: management does not answer; these "
	         "values come from the pages of the processes\n{*why}[ ! {}\n]{/}"
	         "document {document:n|0} of version {version:n|0}, written {written|?}\n"
	         "{*processes}  {-10 process} {state}\n{/}");
	vips_print_summary(body);
	health_print_briefly(body);
	listing_print(&listing_announcements, body);
	row_show(stdout, body,
	         "{*overrides}{do} [{pool}/]{name}: {level_ppm:ppm|?}, until {until}, by {author}: "
	         "{reason}\n{/}weir drain --offline works without management; to get management "
	         "back: weir run, or start weir-mgmt\n");
}

/* What this node announces; nothing without a routing daemon. */
static void add_announcements(const struct cli *cli, const struct local_pages *p, json_t *body)
{
	const struct announcement_filter filter = { .wall_clock_ms = clock_believed_ms() };
	struct announcements a;

	if (!announcements_apply(p->model))
		return;
	if (!announcements_read(cli->dirs.run, p->model, p->now_ms, &a))
		json_object_set_new(body, "announcements", announcements_to_json(&a, &filter));
	announcements_fini(&a);
}

static int copy_overrides(const struct model *m, struct overrides *out)
{
	out->items = calloc(m->n_overrides + 1, sizeof(*out->items));
	if (!out->items)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_overrides; i++)
		if (!override_from(&m->overrides[i], &out->items[out->n_items]))
			out->n_items++;
	return 0;
}

/*
 * weir-mgmt counts as not running, whatever its page says: it does not answer. Whether weir-dataplane has the document is not
 * judged: the writer is away. @return 0 or -ENOMEM
 */
static int judge_pages(const struct local_pages *p, struct local_look *l)
{
	struct gather_process seen[OBSERVE_COUNT];
	struct overrides overrides = { .n_items = 0 };
	const struct observe_node node = { .m = p->model,
		                           .overrides = &overrides,
		                           .now_ms = clock_believed_ms(),
		                           .pages = &p->pages,
		                           .processes = seen,
		                           .conditions = l->conditions,
		                           .supervisor = &l->supervisor,
		                           .supervisor_conditions = &l->supervisor_conditions };
	struct observe_memory memory = { .pools = NULL };
	struct judge_facts f = { .has_configuration = true };
	int err = copy_overrides(p->model, &overrides);

	memcpy(seen, l->processes, sizeof(seen));
	seen[OBSERVE_MGMT].running = false;
	seen[OBSERVE_DATAPLANE].document = p->model->meta.document;
	if (!err)
		err = observe_facts(&node, &memory, &f);
	if (!err)
		judge(&f, &l->verdict);
	observe_forget(&memory);
	free(overrides.items);
	return err;
}

#define PAGES_SHOWN_ROWS(X, t)                                                                     \
	X(t, const char *, state)                                                                  \
	X(t, json_t *, texts, .shown = "why")                                                      \
	X(t, json_t *, reasons)                                                                    \
	X(t, const char *, node)                                                                   \
	X(t, const char *, cluster)                                                                \
	X(t, const char *, source)                                                                 \
	X(t, uint64_t, document)                                                                   \
	X(t, uint64_t, version)                                                                    \
	X(t, const char *, written)                                                                \
	X(t, json_t *, processes)                                                                  \
	X(t, json_t *, targets)                                                                    \
	X(t, json_t *, overrides)
RECORD_SHOWN(pages_shown, "status", PAGES_SHOWN_ROWS);

/* State and reasons by the pages; degraded without reasons when memory is short. */
static json_t *local_json(const struct cli *cli, const struct local_pages *p, struct local_look *l)
{
	struct judge_verdict *v = &l->verdict;
	const struct model *m = p->model;
	char written[CLOCK_TEXT_MAX];

	if (judge_pages(p, l))
		*v = (struct judge_verdict){ .state = JUDGE_DEGRADED };
	return SHOWN(pages_shown, .state = judge_state_text(v->state),
	             .texts = judged_texts_json(v),
	             .reasons = judged_reasons_json(v->reasons, v->n_reasons, false),
	             .node = cli->dirs.node, .cluster = m->cluster, .source = "pages",
	             .document = m->meta.document, .version = m->meta.version,
	             .written = clock_text(m->meta.written_ms, written),
	             .processes = observed_processes_json(l->processes, false),
	             .targets = observed_targets_json(m, &p->pages, false),
	             .overrides = overrides_json(cli, m, clock_believed_ms()));
}

int pages_status(const struct cli *cli)
{
	struct local_pages p;
	int status = pages_open(cli, &p);

	if (status)
		return status;
	believed_once(cli->dirs.run);

	struct local_look *l = calloc(1, sizeof(*l));
	if (!l) {
		pages_close(&p);
		return cli_fail(CLI_UNREACHABLE, "out of memory");
	}
	look_at_processes(cli, p.model, l);
	json_t *body = local_json(cli, &p, l);
	add_announcements(cli, &p, body);
	status = l->verdict.state == JUDGE_DOWN ? CLI_DOWN : CLI_DEGRADED;
	api_print_body(cli, body, print_pages_status);
	json_decref(body);
	free(l);
	pages_close(&p);
	return status;
}
