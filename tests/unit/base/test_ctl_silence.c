/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a control socket's client may be silent: each byte that it sends counts as life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/loop.h"

static unsigned n_set;
static uint64_t set_ms;

static int fake_set(struct loop *l, struct loop_timer *t, uint64_t at_ms)
{
	(void)l;
	(void)t;
	n_set++;
	set_ms = at_ms;
	return 0;
}

static uint64_t fake_now(const struct loop *l)
{
	(void)l;
	return 5000;
}

/* The private parts too. */
#define loop_timer_set fake_set
#define loop_now_ms    fake_now
#include "base/ctl.c"

static void a_slow_client_that_sends_is_not_cut_off(void **state)
{
	static struct ctl ctl;
	static char in[REQUEST_MAX + 1];
	struct ctl_client c = { .ctl = &ctl, .in = in };
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	c.fd = ends[1];
	assert_int_equal(read_client(&c), -EAGAIN); /* silence is no life */
	assert_int_equal(n_set, 0);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(send(ends[0], "x", 1, MSG_NOSIGNAL), 1);
		assert_int_equal(read_client(&c), 0);
		assert_int_equal(n_set, i);
		assert_int_equal(set_ms, 5000 + SILENCE_MS);
		assert_int_equal(c.in_bytes, i);
	}
	close(ends[0]);
	assert_int_equal(read_client(&c), -EPIPE);
	assert_int_equal(n_set, 3);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_client_that_sends_is_not_cut_off),
	};

	return cmocka_run_group_tests_name("ctl silence", tests, NULL, NULL);
}
