/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bad luck: weir-announce ends and starts in any state, while facts come and go, the kernel refuses,
 * and somebody deletes routes. What may never happen:
 *
 * - an address is withdrawn for a shared cause without a confirmation that counted, or for lost
 *   information;
 * - it is announced without all being proved;
 * - it stays while this node forwards nothing.
 *
 * The same seeds in each run.
 */
#include "base/log.h"
#include "round_scene.h"
#include "tests/unit/suite.h"

#define SEEDS      50u
#define ROUNDS     1200u
#define CONFIRM_MS 2000u
#define REFUSAL_MS 12000u /* after the kernel's last refusal: then each move was tried again */

static uint64_t random_state;
static uint64_t confirmed_ms, refused_ms; /* when it last was so; 0: never */
static struct intended it;

static uint32_t draw_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

/* One time in @p n. */
static bool draw_chance(uint32_t n)
{
	return draw_below(n) == 0;
}

/* The next process: of the one before there are the kernel's routes and the page. */
static void restart_process(void)
{
	struct kernel_table tables[3];

	memcpy(tables, a.kernel, sizeof(tables));
	free(a.left);
	proof_close(a.proof);
	a = (struct announcer){ .loop = a.loop,
		                .model = &model,
		                .rows = &row,
		                .n_rows = 1,
		                .own = a.own,
		                .daemon = a.daemon,
		                .dataplane_fd = -1,
		                .incarnation = a.incarnation + 1,
		                .page = a.page,
		                .counters = a.counters,
		                .node = "mid" };
	snprintf(a.run_dir, sizeof(a.run_dir), "%s", run_dir);
	for (int t = 0; t < 3; t++)
		a.kernel[t].addresses = tables[t].addresses;
	row = (struct announce_row){ .intended = it, .since_ms = now_ms };
	left_read(&a);
	kernel_use_tables(&a, NORMAL_TABLE, SHUTDOWN_TABLE, now_ms);
}

/* Something changes, or nothing does. */
static void change_world(void)
{
	if (draw_chance(40))
		proved.is_there = !proved.is_there;
	else if (!proved.is_there && draw_chance(5))
		proved.is_there = true;
	if (draw_chance(60))
		proved.node.ports[0].up = (uint8_t)draw_below(PROOF_YES + 1);
	else if (draw_chance(10))
		proved.node.ports[0].up = PROOF_YES;
	if (draw_chance(30))
		proved.vip.n_serving = draw_below(2);
	if (draw_chance(30))
		proved.vip.state = (uint8_t)draw_below(PROOF_STATE_REFUSED + 1);
	else if (draw_chance(10))
		proved.vip.state = PROOF_STATE_FORWARDED;
	if (draw_chance(30))
		model.meta.document++;
	if (draw_chance(4))
		proved.node.document = model.meta.document;
	if (draw_chance(50))
		own_kernel.list_error = own_kernel.list_error ? 0 : -ENOBUFS;
	if (draw_chance(50))
		own_kernel.change_error = own_kernel.change_error ? 0 : -ENOBUFS;
	if (draw_chance(100))
		empty_table(NORMAL_TABLE);
	if (draw_chance(20))
		routing->facts.state = draw_chance(3) ? DAEMON_ABSENT : DAEMON_ANSWERS;
}

/* What other nodes say. */
static void hear_others(void)
{
	char line[256];

	if (draw_chance(10))
		free(send_request("{\"do\":\"others\",\"heard\":[\"ann\",\"zoe\"],\"silent\":[],"
		                  "\"addresses\":{\"192.0.2.1\":[]}}"));
	if (draw_chance(200))
		free(send_request("{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
		                  "\"incarnation\":\"0000000000000001\",\"sent_ms\":5}"));
	if (!row.query_ms || !draw_chance(5))
		return;
	snprintf(line, sizeof(line),
	         "{\"do\":\"confirmed\",\"address\":\"192.0.2.1\",\"by\":\"zoe\","
	         "\"incarnation\":\"%016llx\",\"sent_ms\":%llu}",
	         (unsigned long long)a.incarnation, (unsigned long long)row.query_ms);
	char *text = send_request(line);

	if (strstr(text, "\"counts\":true"))
		confirmed_ms = now_ms;
	free(text);
}

static bool forwards_nothing(void)
{
	return proved.is_there && proved.node.ports[0].up == PROOF_NO;
}

static bool has_shared_cause(void)
{
	return proved.is_there &&
	       (proved.vip.state == PROOF_STATE_REFUSED || !proved.vip.n_serving);
}

static bool is_all_proved(void)
{
	return proved.is_there && proved.node.ports[0].up == PROOF_YES && proved.vip.n_serving &&
	       proved.vip.state == PROOF_STATE_FORWARDED &&
	       proved.node.document == model.meta.document;
}

/* Whether it is announced, and shall be: a withdrawal that the kernel refuses is made later. */
static bool is_kept(void)
{
	return is_in(NORMAL_TABLE) && (!row.is_found || row.state.table == ANNOUNCE_NORMAL);
}

static void check_round(unsigned seed, unsigned round, bool was_in, bool was_kept)
{
	bool confirmed = confirmed_ms && now_ms - confirmed_ms <= CONFIRM_MS;
	bool may_go = forwards_nothing() || (has_shared_cause() && confirmed);

	if (was_kept && !is_kept() && !may_go)
		fail_msg("seed %u, round %u: withdrawn without a reason", seed, round);
	if (!was_in && is_in(NORMAL_TABLE) && !is_all_proved())
		fail_msg("seed %u, round %u: announced without a proof", seed, round);
	if (forwards_nothing() && is_in(NORMAL_TABLE) &&
	    (!refused_ms || now_ms - refused_ms > REFUSAL_MS))
		fail_msg("seed %u, round %u: announced, and nothing is forwarded", seed, round);
}

static void run_seed(unsigned seed)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		change_world();
		if (draw_chance(250))
			restart_process();
		bool was_in = is_in(NORMAL_TABLE), was_kept = is_kept();

		hear_others();
		run_rounds(1);
		if (own_kernel.change_error)
			refused_ms = now_ms;
		check_round(seed, round, was_in, was_kept);
	}
}

static void a_restart_in_any_state_breaks_no_promise(void **state)
{
	unsigned n_announced = 0, n_confirmed = 0;

	log_level(LOG_EMERG);

	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		assert_int_equal(start_scene(state), 0);
		random_state = seed;
		confirmed_ms = refused_ms = 0;
		it = row.intended;
		run_rounds(150);
		run_seed(seed);
		n_announced += is_in(NORMAL_TABLE);
		n_confirmed += confirmed_ms != 0;
		assert_int_equal(end_scene(state), 0);
	}
	/* else the runs show nothing */
	assert_in_range(n_announced, SEEDS / 10, SEEDS);
	assert_in_range(n_confirmed, SEEDS / 4, SEEDS);
}

SUITE(restarts)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restart_in_any_state_breaks_no_promise),
	};

	if (!enter_namespace())
		return SKIPPED;
	return cmocka_run_group_tests_name("announce restarts", tests, NULL, NULL);
}
