/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS on a socket pair with a real client: pairs that fit, versions, what each step returns, and how a connection ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "certificates.h"
#include "mgmt/http/tls.h"
#include "tests/unit/mgmt/mgmt_answers.h"
#include "tests/unit/suite.h"

static struct pem ours, other; /* two pairs */

/* A server's end as the API opens it, and a client as the test wants it. */
static struct {
	SSL_CTX *server_context, *client_context;
	SSL *server, *client;
	int server_fd, client_fd;
} ends;

static void open_ends(const char *cert)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
	                 0);
	ends.server_fd = pair[0];
	ends.client_fd = pair[1];
	assert_int_equal(http_tls_context(TLS_FILES(cert, ours.key), &ends.server_context), 0);
	assert_int_equal(http_tls_open(ends.server_context, ends.server_fd, &ends.server), 0);
	ends.client_context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(ends.client_context, 0); /* it would do what is forbidden */
	SSL_CTX_set_min_proto_version(ends.client_context, TLS1_VERSION);
	ends.client = SSL_new(ends.client_context);
	SSL_set_fd(ends.client, ends.client_fd);
	SSL_set_connect_state(ends.client);
}

static void close_ends(void)
{
	http_tls_close(ends.server);
	http_tls_context_free(ends.server_context);
	SSL_free(ends.client);
	SSL_CTX_free(ends.client_context);
	close(ends.server_fd);
	if (ends.client_fd >= 0)
		close(ends.client_fd);
}

/* The handshake. @return what http_tls_accept() returns at its end */
static int shake_hands(void)
{
	enum http_tls_want want;
	int err = -EAGAIN;

	for (int i = 0; i < 20 && err == -EAGAIN; i++) {
		SSL_do_handshake(ends.client);
		err = http_tls_accept(ends.server, &want);
	}
	if (!err)
		assert_int_equal(SSL_do_handshake(ends.client), 1);
	return err;
}

static void only_a_certificate_with_its_key_makes_a_context(void **state)
{
	const struct {
		const char *why, *cert, *key;
		int err;
	} rows[] = {
		{ "a pair", ours.cert, ours.key, 0 },
		{ "another", other.cert, other.key, 0 },
		{ "another's key", ours.cert, other.key, -EKEYREJECTED },
		{ "no certificate", "", ours.key, -EINVAL },
		{ "no key", ours.cert, "", -ENOKEY },
		{ "a key for a certificate", ours.key, ours.key, -EINVAL },
		{ "a certificate for a key", ours.cert, ours.cert, -ENOKEY },
		{ "text", "hello", "world", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ssl_ctx_st *context = NULL;

		if (http_tls_context(TLS_FILES(rows[i].cert, rows[i].key), &context) != rows[i].err)
			fail_msg("%s", rows[i].why);
		assert_int_equal(!context, !!rows[i].err);
		assert_int_equal(ERR_peek_error(), 0); /* nothing stays for the next step */
		http_tls_context_free(context);
	}
}

/* What a peer would say, before it connects. */
static void a_certificate_is_judged_as_peers_do(void **state)
{
	struct pem named, elsewhere;
	char both[2 * sizeof(named.cert)];
	const struct {
		const char *why, *cert, *key, *ca, *host, *says;
	} rows[] = {
		{ "it is trusted itself", named.cert, named.key, named.cert, "192.0.2.7", "" },
		{ "one of several", named.cert, named.key, both, "192.0.2.7", "" },
		{ "another one is trusted", named.cert, named.key, elsewhere.cert, "192.0.2.7",
		  "self" },
		{ "another address", named.cert, named.key, named.cert, "192.0.2.8",
		  "it does not name 192.0.2.8" },
		{ "it has ended: that is stated by itself", elsewhere.cert, elsewhere.key,
		  elsewhere.cert, "192.0.2.7", "" },
		{ "nothing is trusted", named.cert, named.key, "", "192.0.2.7",
		  "there is no certificate to trust" },
	};
	char text[HTTP_TLS_REASON_MAX];

	(void)state;
	make_pair(&named, "192.0.2.7", 0);
	make_pair(&elsewhere, "192.0.2.7", 1000000000); /* in 2001 */
	snprintf(both, sizeof(both), "%s%s", elsewhere.cert, named.cert);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ssl_ctx_st *context;

		assert_int_equal(http_tls_context(TLS_FILES(rows[i].cert, rows[i].key), &context),
		                 0);
		http_tls_context_verify(context, rows[i].ca, rows[i].host, text);
		if (*rows[i].says ? !strstr(text, rows[i].says) : *text)
			fail_msg("%s: %s", rows[i].why, text);
		assert_int_equal(ERR_peek_error(), 0);
		http_tls_context_free(context);
	}
}

static void the_certificates_that_follow_are_sent_too(void **state)
{
	char chain[3 * sizeof(ours.cert)];

	(void)state;
	for (int n = 1; n <= 3; n++) {
		snprintf(chain, sizeof(chain), "%s%s%s", ours.cert, n > 1 ? other.cert : "",
		         n > 2 ? ours.cert : "");
		open_ends(chain);
		assert_int_equal(shake_hands(), 0);
		assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(ends.client)), n);
		close_ends();
	}
}

static void only_present_versions_and_ciphers_are_spoken(void **state)
{
	static const struct {
		const char *why, *ciphers;
		int version, err;
	} rows[] = {
		{ "1.0", "ALL", TLS1_VERSION, -EPROTO },
		{ "1.1", "ALL", TLS1_1_VERSION, -EPROTO },
		{ "1.2", "ALL", TLS1_2_VERSION, 0 },
		{ "1.3", "ALL", TLS1_3_VERSION, 0 },
		{ "1.2, ChaCha", "ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_2_VERSION, 0 },
		{ "1.2, CBC", "ECDHE-ECDSA-AES256-SHA", TLS1_2_VERSION, -EPROTO },
		{ "1.2, anonymous", "aNULL", TLS1_2_VERSION, -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_ends(ours.cert);
		SSL_set_max_proto_version(ends.client, rows[i].version);
		SSL_set_cipher_list(ends.client, rows[i].ciphers);
		if (shake_hands() != rows[i].err)
			fail_msg("%s", rows[i].why);
		if (!rows[i].err)
			assert_int_equal(SSL_version(ends.server), rows[i].version);
		close_ends();
	}
}

static void a_handshake_waits_and_fails_as_it_should(void **state)
{
	enum http_tls_want want = HTTP_TLS_WRITE;

	(void)state;
	open_ends(ours.cert);
	assert_int_equal(http_tls_accept(ends.server, &want), -EAGAIN);
	assert_int_equal(want, HTTP_TLS_READ);
	http_tls_shutdown(ends.server); /* before it is done nothing is said */
	char byte;
	assert_int_equal(recv(ends.client_fd, &byte, 1, 0), -1);
	assert_int_equal(send(ends.client_fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	assert_int_equal(http_tls_accept(ends.server, &want), -EPROTO);
	assert_int_equal(ERR_peek_error(), 0);
	close_ends();

	open_ends(ours.cert);
	SSL_do_handshake(ends.client);
	assert_int_equal(http_tls_accept(ends.server, &want), -EAGAIN);
	close(ends.client_fd); /* half-way */
	ends.client_fd = -1;
	assert_int_equal(http_tls_accept(ends.server, &want), -EPROTO);
	close_ends();
}

static void bytes_come_as_they_were_sent(void **state)
{
	enum http_tls_want want = HTTP_TLS_WRITE;
	char text[16] = "";

	(void)state;
	open_ends(ours.cert);
	assert_int_equal(shake_hands(), 0);
	ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE); /* of another connection */
	assert_int_equal(http_tls_read(ends.server, text, sizeof(text), &want), -EAGAIN);
	assert_int_equal(want, HTTP_TLS_READ);
	assert_int_equal(SSL_write(ends.client, "hello", 5), 5);
	assert_int_equal(http_tls_read(ends.server, text, 2, &want), 2);
	assert_int_equal(http_tls_read(ends.server, text + 2, 10, &want), 3);
	assert_string_equal(text, "hello");
	assert_int_equal(http_tls_write(ends.server, "world!", 6, &want), 6);
	assert_int_equal(SSL_read(ends.client, text, sizeof(text)), 6);
	assert_memory_equal(text, "world!", 6);
	SSL_shutdown(ends.client);
	assert_int_equal(http_tls_read(ends.server, text, sizeof(text), &want), 0);
	close_ends();
}

/* Clients that only close their socket are as good as those that say so. */
static void an_end_without_goodbye_is_an_end(void **state)
{
	enum http_tls_want want;
	char byte;

	(void)state;
	open_ends(ours.cert);
	assert_int_equal(shake_hands(), 0);
	shutdown(ends.client_fd, SHUT_WR);
	assert_int_equal(http_tls_read(ends.server, &byte, 1, &want), 0);
	close_ends();

	open_ends(ours.cert);
	assert_int_equal(shake_hands(), 0);
	assert_int_equal(send(ends.client_fd, "damaged record", 14, 0), 14);
	assert_int_equal(http_tls_read(ends.server, &byte, 1, &want), -EPROTO);
	close_ends();

	open_ends(ours.cert);
	assert_int_equal(shake_hands(), 0);
	close(ends.client_fd);
	ends.client_fd = -1;
	assert_int_equal(http_tls_write(ends.server, "x", 1, &want), -EPROTO);
	close_ends();
}

static void the_client_hears_goodbye(void **state)
{
	char byte;

	(void)state;
	open_ends(ours.cert);
	assert_int_equal(shake_hands(), 0);
	http_tls_shutdown(ends.server);
	int err = SSL_read(ends.client, &byte, 1);
	assert_int_equal(SSL_get_error(ends.client, err), SSL_ERROR_ZERO_RETURN);
	close_ends();
}

/* Take in what has come. */
static size_t hear_all(char *out, size_t size)
{
	size_t n = 0;

	for (int got = 1; got > 0 && n<size; n += got> 0 ? (size_t)got : 0)
		got = SSL_read(ends.client, out + n, (int)(size - n));
	return n;
}

/* A client that does not read: what was not taken is sent again, from another place in memory. */
static void a_full_socket_is_waited_for(void **state)
{
	static char bytes[2][1 << 20], heard[sizeof(bytes[0])];
	enum http_tls_want want = HTTP_TLS_READ;
	size_t sent = 0, n = 0, n_full = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes[0]); i++)
		bytes[0][i] = bytes[1][i] = (char)(i * 31 + i / 251);
	open_ends(ours.cert);
	assert_int_equal(shake_hands(), 0);
	while (sent < sizeof(bytes[0])) {
		ssize_t err = http_tls_write(ends.server, bytes[n_full % 2] + sent,
		                             sizeof(bytes[0]) - sent, &want);

		if (err == -EAGAIN) {
			assert_int_equal(want, HTTP_TLS_WRITE);
			n += hear_all(heard + n, sizeof(heard) - n);
			n_full++;
		} else {
			assert_true(err > 0);
			sent += (size_t)err;
		}
	}
	n += hear_all(heard + n, sizeof(heard) - n);
	assert_true(n_full > 1);
	assert_int_equal(n, sizeof(heard));
	assert_memory_equal(heard, bytes[0], sizeof(heard));
	close_ends();
}

static void a_client_cannot_begin_again(void **state)
{
	enum http_tls_want want;
	char byte;

	(void)state;
	open_ends(ours.cert);
	SSL_set_max_proto_version(ends.client, TLS1_2_VERSION);
	assert_int_equal(shake_hands(), 0);
	assert_int_equal(SSL_renegotiate(ends.client), 1);
	SSL_do_handshake(ends.client);
	(void)http_tls_read(ends.server, &byte, 1, &want);
	assert_int_equal(SSL_do_handshake(ends.client), -1);
	assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
	ERR_clear_error();
	close_ends();
}

/* In the place of a step: it fails for these reasons; 0 ends them. */
static const int *reasons;
static int n_asked_for;

static int fail_step(int n)
{
	n_asked_for = n;
	for (const int *reason = reasons; *reason; reason++)
		ERR_raise(ERR_LIB_SSL, *reason);
	return -1;
}

static int own_SSL_read(SSL *tls, void *out, int n)
{
	return reasons ? fail_step(n) : __real_SSL_read(tls, out, n);
}

static int own_SSL_write(SSL *tls, const void *bytes, int n)
{
	return reasons ? fail_step(n) : __real_SSL_write(tls, bytes, n);
}

static void missing_memory_is_told_from_other_errors(void **state)
{
	static const struct {
		int reasons[3], err;
	} rows[] = { { { SSL_R_BAD_LENGTH }, -EPROTO },
		     { { ERR_R_MALLOC_FAILURE }, -ENOMEM },
		     { { ERR_R_MALLOC_FAILURE, SSL_R_BAD_LENGTH }, -ENOMEM },
		     { { SSL_R_BAD_LENGTH }, -EPROTO } };
	enum http_tls_want want;
	char byte = 'x';

	(void)state;
	open_ends(ours.cert);
	assert_int_equal(shake_hands(), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		reasons = rows[i].reasons;
		assert_int_equal(http_tls_read(ends.server, &byte, 1, &want), rows[i].err);
		assert_int_equal(ERR_peek_error(), 0);
		assert_int_equal(http_tls_write(ends.server, &byte, 1, &want), rows[i].err);
		assert_int_equal(ERR_peek_error(), 0);
	}
	reasons = NULL;
	close_ends();
}

/* The library's lengths are of type int. */
static void more_than_the_library_can_take_is_cut(void **state)
{
	static const struct {
		size_t n;
		int cut;
	} rows[] = { { 1, 1 },
		     { INT_MAX - (size_t)1, INT_MAX - 1 },
		     { INT_MAX, INT_MAX },
		     { (size_t)INT_MAX + 1, INT_MAX },
		     { SIZE_MAX, INT_MAX } };
	static const int failed[] = { SSL_R_BAD_LENGTH, 0 };
	enum http_tls_want want;
	char byte = 'x';

	(void)state;
	open_ends(ours.cert);
	reasons = failed;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)http_tls_read(ends.server, &byte, rows[i].n, &want);
		assert_int_equal(n_asked_for, rows[i].cut);
		n_asked_for = -1;
		(void)http_tls_write(ends.server, &byte, rows[i].n, &want);
		assert_int_equal(n_asked_for, rows[i].cut);
	}
	reasons = NULL;
	close_ends();
}

SUITE(http_tls)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_certificate_with_its_key_makes_a_context),
		cmocka_unit_test(a_certificate_is_judged_as_peers_do),
		cmocka_unit_test(the_certificates_that_follow_are_sent_too),
		cmocka_unit_test(only_present_versions_and_ciphers_are_spoken),
		cmocka_unit_test(a_handshake_waits_and_fails_as_it_should),
		cmocka_unit_test(bytes_come_as_they_were_sent),
		cmocka_unit_test(an_end_without_goodbye_is_an_end),
		cmocka_unit_test(the_client_hears_goodbye),
		cmocka_unit_test(a_full_socket_is_waited_for),
		cmocka_unit_test(a_client_cannot_begin_again),
		cmocka_unit_test(missing_memory_is_told_from_other_errors),
		cmocka_unit_test(more_than_the_library_can_take_is_cut),
	};

	answer_SSL_read = own_SSL_read;
	answer_SSL_write = own_SSL_write;
	signal(SIGPIPE, SIG_IGN);
	make_pair(&ours, "ours", 0);
	make_pair(&other, "other", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
