/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection of the API with TLS, on a socket pair and with the test's own clock: handshakes, their rate, what comes in pieces. */
#include "conn_pair.h"
#include "certificates.h"
#include "tests/unit/suite.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/ioctl.h>

/* The documented values, not the code's own. */
#define HANDSHAKE_MS 10000
#define HEAD_MS      10000
#define IDLE_MS      30000
#define PAUSE        50
#define HOST         "Host: weir\r\n"
#define GET          "GET /a HTTP/1.1\r\n" HOST "\r\n"

static struct pem pair;
static SSL_CTX *client_context;
static SSL *tls[2]; /* the clients', of memory: the test carries their bytes */
static BIO *from[2], *to[2];

static void begin_client(size_t i)
{
	tls[i] = SSL_new(client_context);
	to[i] = BIO_new(BIO_s_mem());
	from[i] = BIO_new(BIO_s_mem());
	SSL_set_bio(tls[i], from[i], to[i]);
	SSL_set_connect_state(tls[i]);
}

static int setup_tls(void **state)
{
	(void)setup(state);
	http_conn_close(conns[0]);
	close(clients[0]);
	assert_int_equal(http_tls_context(TLS_FILES(pair.cert, pair.key), &server.tls), 0);
	connect_one(0, false);
	begin_client(0);
	return 0;
}

static int teardown_tls(void **state)
{
	int err = teardown(state);

	http_tls_context_free(server.tls);
	server.tls = NULL;
	for (size_t i = 0; i < 2; i++) {
		SSL_free(tls[i]);
		tls[i] = NULL;
	}
	return err;
}

/* What the client has to send goes, in pieces of @p piece bytes; what has come is its. */
static void carry_bytes(size_t i, size_t piece)
{
	static char bytes[65536];
	int n;
	ssize_t got;

	while ((n = BIO_read(to[i], bytes, (int)(piece < sizeof(bytes) ? piece : sizeof(bytes)))) >
	       0) {
		for (int at = 0, idle = 0; at < n;) {
			got = send(clients[i], bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
			at += got > 0 ? (int)got : 0;
			idle = got > 0 ? 0 : idle + 1;
			assert_in_range(idle, 0, 1000);
			turn_loop();
			if (is_closed(i))
				return;
		}
	}
	while ((got = recv(clients[i], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		BIO_write(from[i], bytes, (int)got);
}

static bool shake_hands(size_t i, size_t piece)
{
	for (int k = 0; k < 10 && !is_closed(i) && !SSL_is_init_finished(tls[i]); k++) {
		SSL_do_handshake(tls[i]);
		carry_bytes(i, piece);
	}
	return SSL_is_init_finished(tls[i]);
}

/* All that has come by now. */
static const char *hear_tls(size_t i)
{
	static char text[65536];
	int n = 0, got;

	carry_bytes(i, SIZE_MAX);
	while ((got = SSL_read(tls[i], text + n, (int)sizeof(text) - 1 - n)) > 0)
		n += got;
	text[n] = '\0';
	return text;
}

static unsigned ask_tls(size_t i, const char *text, size_t piece)
{
	SSL_write(tls[i], text, (int)strlen(text));
	carry_bytes(i, piece);
	if (!is_closed(i) && conns[i]->state == HTTP_RUNNING)
		finish_request();
	turn_loop();
	return status_of(hear_tls(i));
}

/* In whatever pieces: a handshake takes one token, and its time is its own. */
static void a_handshake_may_come_in_pieces(void **state)
{
	static const size_t pieces[] = { SIZE_MAX, 100, 7, 1 };

	(void)state;
	for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
		source.handshakes = (struct http_tokens){ 0 };
		assert_true(shake_hands(0, pieces[p]));
		assert_int_equal(source.handshakes.used_milli, 1000);
		assert_int_equal(conns[0]->state, HTTP_HEAD);
		assert_int_equal(ask_tls(0, GET, pieces[p]), 200);
		assert_int_equal(ask_tls(0, GET, pieces[p]), 200);
		http_conn_close(conns[0]);
		close(clients[0]);
		SSL_free(tls[0]);
		connect_one(0, false);
		begin_client(0);
	}
}

static void a_handshake_has_ten_seconds(void **state)
{
	char byte;

	(void)state;
	SSL_do_handshake(tls[0]);
	assert_int_equal(BIO_read(to[0], &byte, 1), 1); /* the rest never goes */
	assert_int_equal(send(clients[0], &byte, 1, 0), 1);
	turn_loop();
	told_ms += HANDSHAKE_MS - 1;
	turn_loop();
	assert_false(is_closed(0));
	told_ms++;
	turn_loop();
	assert_true(is_closed(0));
	assert_string_equal(read_answer(0), "");
	assert_int_equal(*counted.timed_out, 1);
	/* what comes behind it has ten more */
	connect_one(1, false);
	begin_client(1);
	told_ms += HANDSHAKE_MS - 1;
	assert_true(shake_hands(1, SIZE_MAX));
	told_ms += HEAD_MS - 1;
	turn_loop();
	assert_false(is_closed(1));
	told_ms++;
	turn_loop();
	assert_true(is_closed(1));
	assert_int_equal(*counted.timed_out, 1); /* it had said nothing */
}

/* Who has none is looked at again in 50 ms; peers never wait. */
static void handshakes_wait_for_their_token(void **state)
{
	(void)state;
	source.handshakes = (struct http_tokens){ .used_milli = 40000, .at_ms = UINT64_MAX };
	SSL_do_handshake(tls[0]);
	carry_bytes(0, SIZE_MAX);
	assert_int_equal(conns[0]->state, HTTP_HANDSHAKE);
	assert_false(conns[0]->watched); /* epoll would report its bytes again and again */
	assert_int_equal(conns[0]->timer.at_ms, told_ms + PAUSE);
	connect_one(1, true);
	begin_client(1);
	assert_true(shake_hands(1, SIZE_MAX));
	told_ms += PAUSE - 1;
	turn_loop();
	assert_int_equal(conns[0]->timer.at_ms, told_ms + 1);
	told_ms++;
	source.handshakes.used_milli -= 1000;
	turn_loop();
	assert_true(conns[0]->watched);
	assert_true(shake_hands(0, SIZE_MAX));
	assert_int_equal(ask_tls(0, GET, SIZE_MAX), 200);
}

/* However often it waits, its time does not begin again. */
static void who_waits_for_a_token_has_ten_seconds(void **state)
{
	(void)state;
	SSL_do_handshake(tls[0]);
	for (int i = 0; i < HANDSHAKE_MS / PAUSE; i++) {
		source.handshakes =
		        (struct http_tokens){ .used_milli = 40000, .at_ms = UINT64_MAX };
		carry_bytes(0, SIZE_MAX);
		turn_loop();
		assert_false(is_closed(0));
		told_ms += PAUSE;
	}
	turn_loop();
	assert_true(is_closed(0));
	assert_int_equal(*counted.timed_out, 1);
}

static void what_is_no_handshake_is_closed(void **state)
{
	(void)state;
	say_on(0, GET);
	assert_true(is_closed(0));
	assert_int_equal(n_handled, 0);
	assert_int_equal(*counted.timed_out, 0);
}

/* TLS hands out 16 KiB at a time, and holds back what the socket no longer shows: nothing is left lying there. */
static void bodies_and_further_requests_are_whole(void **state)
{
	static const size_t lengths[] = { 1, 16383, 16384, 16385, 50000, 300000 };
	static char text[310000];

	(void)state;
	assert_true(shake_hands(0, SIZE_MAX));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		int n = snprintf(text, sizeof(text),
		                 "POST /p HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
		                 "Content-Length: %zu\r\n\r\n",
		                 lengths[i]);
		unsigned handled = n_handled;

		memset(text + n, 'x', lengths[i]);
		memcpy(text + n + lengths[i], GET, sizeof(GET));
		SSL_write(tls[0], text, n + (int)lengths[i] + (int)sizeof(GET) - 1);
		carry_bytes(0, SIZE_MAX);
		assert_int_equal(conns[0]->state, HTTP_RUNNING);
		finish_request();
		turn_loop();
		finish_request();
		turn_loop();
		assert_int_equal(n_handled, handled + 2);
		const char *heard = hear_tls(0), *second = strstr(heard + 9, "HTTP/1.1 200");
		assert_true(status_of(heard) == 200 && second && strstr(second, "\"/a\""));
		assert_int_equal(conns[0]->n_in, 0);
	}
}

/* A stranger's large body gives the others their turn: it goes on in the next one. */
static void a_large_body_gives_others_their_turn(void **state)
{
	static char body[300000];

	(void)state;
	assert_true(shake_hands(0, SIZE_MAX));
	assert_int_equal(ask_tls(0,
	                         "POST /p HTTP/1.1\r\n" HOST
	                         "Content-Type: application/json\r\nContent-Length: 300000\r\n\r\n",
	                         SIZE_MAX),
	                 0);
	SSL_write(tls[0], body, sizeof(body));
	static char bytes[160000];
	int n = BIO_read(to[0], bytes, sizeof(bytes));
	assert_int_equal(send(clients[0], bytes, (size_t)n, 0), n);
	http_conn_advance(conns[0]);
	assert_int_equal(conns[0]->n_body, 8 * 16384);
	assert_false(conns[0]->watched);
	assert_int_equal(conns[0]->timer.at_ms, told_ms); /* at once */
	turn_loop();
	assert_int_equal(conns[0]->n_body, 9 * 16384); /* of the next record a part has come */
	assert_true(conns[0]->watched);
	carry_bytes(0, SIZE_MAX);
	assert_int_equal(conns[0]->state, HTTP_RUNNING);
	finish_request();
	assert_int_equal(status_of(hear_tls(0)), 200);
}

/* New keys are no data: who sends nothing else gives the others their turn after each, and has its time. */
static void new_keys_give_others_their_turn(void **state)
{
	static char bytes[16384];
	int left[2];

	(void)state;
	assert_true(shake_hands(0, SIZE_MAX));
	for (int i = 0; i < 200; i++) {
		assert_int_equal(SSL_key_update(tls[0], SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(tls[0]), 1);
	}
	int n = BIO_read(to[0], bytes, sizeof(bytes));
	assert_int_equal(send(clients[0], bytes, (size_t)n, 0), n);
	for (int i = 0; i < 2; i++) {
		http_conn_advance(conns[0]);
		assert_int_equal(ioctl(fds[0], FIONREAD, &left[i]), 0);
		assert_true(conns[0]->watched && conns[0]->wants == EPOLLIN);
	}
	assert_in_range(left[0], n - 100, n - 1); /* one */
	assert_in_range(left[1], n - 200, left[0] - 1);
	told_ms += HEAD_MS - 1;
	for (n = 0; n < 4; n++) /* of 64 records */
		turn_loop();
	assert_int_equal(ask_tls(0, GET, SIZE_MAX), 200); /* with the last of the keys */
	SSL_key_update(tls[0], SSL_KEY_UPDATE_REQUESTED);
	assert_int_equal(ask_tls(0, GET, SIZE_MAX), 200);
	told_ms += IDLE_MS - 1;
	SSL_key_update(tls[0], SSL_KEY_UPDATE_NOT_REQUESTED);
	SSL_do_handshake(tls[0]);
	carry_bytes(0, SIZE_MAX);
	assert_false(is_closed(0));
	told_ms++;
	turn_loop();
	assert_true(is_closed(0));
}

/* The last answer is followed by a goodbye, so that a client knows that it is whole. */
static void an_end_says_goodbye(void **state)
{
	static const char last[] = "GET /a HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";

	(void)state;
	assert_true(shake_hands(0, SIZE_MAX));
	SSL_write(tls[0], last, sizeof(last) - 1);
	carry_bytes(0, SIZE_MAX);
	finish_request();
	turn_loop();
	assert_true(is_closed(0));
	const char *text = hear_tls(0);
	assert_int_equal(status_of(text), 200);
	assert_non_null(strstr(text, "Connection: close"));
	assert_true(SSL_get_shutdown(tls[0]) & SSL_RECEIVED_SHUTDOWN);
}

SUITE(http_conn_tls)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup_tls, teardown_tls)
	const struct CMUnitTest tests[] = {
		T(a_handshake_may_come_in_pieces),
		T(a_handshake_has_ten_seconds),
		T(handshakes_wait_for_their_token),
		T(who_waits_for_a_token_has_ten_seconds),
		T(what_is_no_handshake_is_closed),
		T(bodies_and_further_requests_are_whole),
		T(a_large_body_gives_others_their_turn),
		T(new_keys_give_others_their_turn),
		T(an_end_says_goodbye),
	};

	conn_pair_begin();
	signal(SIGPIPE, SIG_IGN);
	make_pair(&pair, NULL, 0);
	client_context = SSL_CTX_new(TLS_client_method());
	int failed = cmocka_run_group_tests_name("http connection with TLS", tests, NULL, NULL);
	SSL_CTX_free(client_context);
	return failed;
}
