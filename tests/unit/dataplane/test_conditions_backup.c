/* SPDX-License-Identifier: BSD-2-Clause */
/* What is stated of backup pools (dataplane/conditions_backup.c), to the letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/conditions.h"
#include "dataplane/process.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/model.h"
#include "weir/stats.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char web[] = "web-ams", far_away[] = "web-fra";
static struct model_pool own = { .name = web }, backup = { .name = far_away };
static struct plan_pool plan = { .model = &own, .backup = &backup };

/* All that is stated of @p pools: "LEVEL CODE SUBJECT: TEXT", a line each. */
static void state_backups(struct compiler_pool *pools, size_t n, char out[2000])
{
	static struct process process;
	char dir[] = "/tmp/weir-backups-XXXXXX", command[64];
	struct conditions found;
	struct stats *s;

	process.node.pools = pools;
	process.node.n_pools = n;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(stats_create(dir, "dataplane", 16, &s), 0);
	conditions_begin(s, 1);
	conditions_state_backups(&process, s);
	conditions_end(s);
	assert_int_equal(conditions_read(dir, "dataplane", &found), 0);
	stats_close(s);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	out[0] = '\0';
	for (uint32_t i = 0; i < found.n; i++) {
		const struct condition *c = &found.items[i];
		size_t at = strlen(out);

		snprintf(out + at, 2000 - at, "%s %s %s: %s\n",
		         c->level == CONDITION_DEGRADED ? "degraded"
		         : c->level == CONDITION_NOTE   ? "note"
		                                        : "?",
		         c->code, c->subject, c->text);
	}
}

static void each_state_is_stated_to_the_letter(void **state)
{
	static const struct {
		struct backup_state is;
		const char *text;
	} rows[] = {
		{ { .class = EFFECT_CLASS_OWN }, "" },
		{ { .class = EFFECT_CLASS_OWN, .cause = EFFECT_BACKUP_FAILED }, "" },
		{ { .class = EFFECT_CLASS_OWN,
		    .cause = EFFECT_BACKUP_FAILED,
		    .obstacle = EFFECT_BACKUP_SITE_DOWN },
		  "" },
		{ { .class = EFFECT_CLASS_BACKUP, .cause = EFFECT_BACKUP_LATE, .share = 1024 },
		  "note backup-serves web-ams: new flows go to backup pool web-fra: this site is drained, late clients are served by the backup\n" },
		{ { .class = EFFECT_CLASS_BACKUP,
		    .cause = EFFECT_BACKUP_FAILED,
		    .unused = EFFECT_BACKUP_SITE_DOWN },
		  "degraded backup-serves web-ams: new flows go to backup pool web-fra: less than min_healthy of its own backends is up\n" },
		{ { .class = EFFECT_CLASS_BACKUP, .cause = EFFECT_BACKUP_NOT_NEEDED },
		  "degraded backup-serves web-ams: new flows go to backup pool web-fra: its own backends are up again, and take them in some seconds\n" },
		{ { .class = EFFECT_CLASS_LIMITED, .cause = EFFECT_BACKUP_FAILED, .share = 512 },
		  "degraded backup-serves web-ams: new flows go to backup pool web-fra: less than min_healthy of its own backends is up\n"
		  "degraded backup-limited web-ams: backup pool web-fra gets as much as backup_max allows (50 % of the slots); flows of the others stay with own backends, or are dropped if none is up (reason backup_full): raise backup_max if the other site has room\n" },
		{ { .class = EFFECT_CLASS_LIMITED, .cause = EFFECT_BACKUP_LATE, .share = 1023 },
		  "note backup-serves web-ams: new flows go to backup pool web-fra: this site is drained, late clients are served by the backup\n"
		  "degraded backup-limited web-ams: backup pool web-fra gets as much as backup_max allows (99 % of the slots); flows of the others stay with own backends, or are dropped if none is up (reason backup_full): raise backup_max if the other site has room\n" },
		{ { .class = EFFECT_CLASS_OWN,
		    .cause = EFFECT_BACKUP_FAILED,
		    .unused = EFFECT_BACKUP_SITE_DRAINED },
		  "degraded backup-unused web-ams: backup pool web-fra is needed (less than min_healthy of its own backends is up) and not used: the backup's site is drained\n" },
		{ { .class = EFFECT_CLASS_OWN,
		    .cause = EFFECT_BACKUP_FAILED,
		    .unused = EFFECT_BACKUP_SITE_DOWN },
		  "degraded backup-unused web-ams: backup pool web-fra is needed (less than min_healthy of its own backends is up) and not used: the VIPs of the backup's site do not answer this node\n" },
		{ { .class = EFFECT_CLASS_OWN,
		    .cause = EFFECT_BACKUP_FAILED,
		    .unused = EFFECT_BACKUP_POOL_DOWN },
		  "degraded backup-unused web-ams: backup pool web-fra is needed (less than min_healthy of its own backends is up) and not used: less than min_healthy of the backup is up\n" },
		{ { .class = EFFECT_CLASS_OWN,
		    .cause = EFFECT_BACKUP_FAILED,
		    .unused = EFFECT_BACKUP_UNPROVEN },
		  "degraded backup-unused web-ams: backup pool web-fra is needed (less than min_healthy of its own backends is up) and not used: no probe of this node has shown that the backup serves this VIP\n" },
		{ { .class = EFFECT_CLASS_OWN,
		    .cause = EFFECT_BACKUP_LATE,
		    .unused = EFFECT_BACKUP_SITE_DRAINED },
		  "degraded backup-unused web-ams: backup pool web-fra is needed (this site is drained, late clients are served by the backup) and not used: the backup's site is drained\n" },
		{ { .class = EFFECT_CLASS_OWN,
		    .cause = EFFECT_BACKUP_NOT_NEEDED,
		    .obstacle = EFFECT_BACKUP_SITE_DOWN },
		  "degraded backup-refuses web-ams: backup pool web-fra would not serve if it were needed now: the VIPs of the backup's site do not answer this node. weir status says of each service what is missing\n" },
		{ { .class = EFFECT_CLASS_OWN,
		    .cause = EFFECT_BACKUP_NOT_NEEDED,
		    .obstacle = EFFECT_BACKUP_POOL_DOWN },
		  "degraded backup-refuses web-ams: backup pool web-fra would not serve if it were needed now: less than min_healthy of the backup is up. weir status says of each service what is missing\n" },
		{ { .class = EFFECT_CLASS_OWN,
		    .cause = EFFECT_BACKUP_NOT_NEEDED,
		    .obstacle = EFFECT_BACKUP_SITE_DRAINED },
		  "note backup-unready web-ams: backup pool web-fra would not serve if it were needed now: the backup's site is drained. weir status says of each service what is missing\n" },
		{ { .class = EFFECT_CLASS_OWN, .cause = EFFECT_BACKUP_NOT_NEEDED, .obstacle = EFFECT_BACKUP_UNPROVEN }, "note backup-unready web-ams: backup pool web-fra would not serve if it were needed now: no probe of this node has shown that the backup serves this VIP. weir status says of each service what is missing\n" },
	};
	char text[2000];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct compiler_backup b = { .state = rows[i].is };
		struct compiler_pool pool = { .plan = &plan, .backup = &b };

		state_backups(&pool, 1, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void each_pool_with_a_backup_is_looked_at(void **state)
{
	struct compiler_backup used = { .state = { .class = EFFECT_CLASS_BACKUP,
		                                   .cause = EFFECT_BACKUP_LATE } };
	struct compiler_pool pools[] = { { .plan = &plan }, { .plan = &plan, .backup = &used } };
	char text[2000];

	(void)state;
	state_backups(pools, 0, text);
	assert_string_equal(text, "");
	state_backups(pools, 1, text);
	assert_string_equal(text, "");
	state_backups(pools, 2, text);
	assert_int_equal(strncmp(text, "note backup-serves web-ams: ", 28), 0);
}

SUITE(conditions_backup)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_is_stated_to_the_letter),
		cmocka_unit_test(each_pool_with_a_backup_is_looked_at),
	};

	return cmocka_run_group_tests_name("conditions backup", tests, NULL, NULL);
}
