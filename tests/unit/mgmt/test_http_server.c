/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole server of the API on loopback: who gets in, what is answered, and the end. */
#include "server_world.h"
#include "tests/unit/suite.h"

static void each_request_of_a_connection_is_answered_over_tls(void **state)
{
	static char request[100000];
	struct client *a = &clients[0], *b = &clients[1];
	int n = snprintf(request, sizeof(request),
	                 "POST /p HTTP/1.1\r\nHost: weir\r\nContent-Type: application/json\r\n"
	                 "Content-Length: 90000\r\n\r\n");

	(void)state;
	memset(request + n, 'x', 90000);
	with_tls = true;
	begin_server(AF_INET);
	connect_client(a, 1);
	connect_client(b, 2);
	assert_int_equal(get_path(b, "/b", ""), 200);
	assert_non_null(strstr(b->text, "\"/b\""));
	assert_int_equal(get_path(a, "/a", ""), 200);
	assert_non_null(strstr(a->text, "\"/a\""));
	send_text(a, request, (size_t)n + 90000);
	assert_int_equal(read_answer(a), 200);
	assert_non_null(strstr(a->text, "\"body\": 90000"));
	assert_int_equal(get_path(a, "/c", "Authorization: Bearer wrong\r\n"), 401);
	assert_int_equal(read_answer(a), 0); /* and the end */
	assert_int_equal(read_counter("weir_mgmt_requests_total", "status=\"200\""), 3);
	assert_int_equal(read_counter("weir_mgmt_requests_total", "status=\"401\""), 1);
	assert_int_equal(read_counter("weir_mgmt_logins_failed_total", ""), 1);
	assert_int_equal(count_refused(), 0);
}

/* A client that does not speak TLS is closed; nobody else feels it. */
static void without_tls_nothing_is_said(void **state)
{
	(void)state;
	with_tls = true;
	begin_server(AF_INET);
	with_tls = false;
	connect_client(&clients[0], 1);
	assert_int_equal(get_path(&clients[0], "/a", ""), 0);
	with_tls = true;
	assert_int_equal(join_many(1, 1, 1), 1);
}

static void read_long(struct client *c)
{
	static char heard[16 << 20];
	size_t n = 0, whole = SIZE_MAX;
	const char *body = NULL;

	while (n < whole) {
		ssize_t got = take_bytes(c, heard + n, sizeof(heard) - 1 - n);

		assert_true(got > 0);
		n += (size_t)got;
		if (body || !(body = strstr(heard, "\r\n\r\n")))
			continue;
		whole = (size_t)(body + 4 - heard) + strlen(long_text);
	}
	assert_int_equal(n, whole);
	assert_memory_equal(body + 4, long_text, strlen(long_text));
	memset(heard, 0, n);
}

/* Longer than all that the kernel holds: the rest goes when the client reads, and others are served meanwhile. */
static void a_long_answer_waits_for_its_reader(void **state)
{
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		with_tls = tls;
		begin_server(AF_INET);
		connect_client(&clients[0], 1);
		send_request(&clients[0], "/long", "");
		assert_int_equal(join_many(1, 1, 1), 1);
		read_long(&clients[0]);
		assert_int_equal(get_path(&clients[0], "/a", ""), 200);
		close_client(&clients[0]);
		close_client(&clients[1]);
		http_stop(server);
		server = NULL;
	}
}

static void a_new_certificate_is_for_new_connections(void **state)
{
	(void)state;
	with_tls = true;
	begin_server(AF_INET);
	connect_client(&clients[0], 1);
	assert_int_equal(http_renew(server, TLS_FILES(pairs[1].cert, pairs[0].key)), -EKEYREJECTED);
	connect_client(&clients[1], 1);
	assert_int_equal(http_renew(server, TLS_FILES(pairs[0].cert, pairs[0].key)),
	                 0); /* in vain */
	assert_int_equal(http_renew(server, TLS_FILES(pairs[1].cert, pairs[1].key)), 0);
	assert_in_range(http_certificate_end_ms(server), clock_realtime_ms() + 86000000,
	                clock_realtime_ms() + 86401000);
	connect_client(&clients[2], 1);
	for (size_t i = 0; i < 3; i++) {
		char name[64] = "";
		X509 *cert = SSL_get1_peer_certificate(clients[i].tls);

		assert_int_equal(get_path(&clients[i], "/a", ""), 200);
		X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name,
		                          sizeof(name));
		assert_string_equal(name, i == 2 ? "second" : "first");
		X509_free(cert);
	}
}

/* 32 of one address, 256 of all strangers; who has most gives way to another. */
static void strangers_have_their_limits(void **state)
{
	(void)state;
	begin_server(AF_INET);
	assert_int_equal(join_many(0, 33, 1), 32);
	assert_int_equal(count_refused(), 1);
	for (unsigned host = 2; host < 9; host++)
		assert_int_equal(join_many(host * 33, 32, host), 32);
	assert_int_equal(count_refused(), 1);
	assert_int_equal(join_many(9 * 33, 2, 9), 2);
	assert_int_equal(count_refused(), 3);
	assert_int_equal(get_path(&clients[0], "/a", ""),
	                 0); /* the oldest of who has most, twice */
	assert_int_equal(get_path(&clients[66], "/a", ""), 0);
	assert_int_equal(get_path(&clients[1], "/a", ""), 200);
	close_client(&clients[1]);
	close_client(&clients[67]);
	assert_int_equal(join_many(10 * 33, 2, 10), 2); /* as they go others come */
	assert_int_equal(count_refused(), 3);
}

/* 256 of one address, which strangers' do not count against; who shows the token is one from then on. */
static void peers_have_limits_of_their_own(void **state)
{
	struct addr peers[2];

	(void)state;
	assert_int_equal(addr_parse("127.0.0.8", &peers[0]), 0);
	assert_int_equal(addr_parse("127.0.0.9", &peers[1]), 0);
	begin_server(AF_INET);
	assert_int_equal(join_many(0, 32, 1), 32);
	http_set_peers(server, peers, 2);
	assert_int_equal(join_many(40, 257, 9), 256);
	assert_int_equal(count_refused(), 1);
	assert_int_equal(join_many(300, 1, 8), 1);
	assert_int_equal(join_many(301, 1, 1), 0);
	assert_int_equal(get_path(&clients[0], "/a", "Authorization: Bearer peer\r\n"), 200);
	assert_int_equal(join_many(302, 10, 1), 10);
	assert_int_equal(count_refused(), 2);
	http_set_peers(server, peers, 1); /* the second is one no more */
	close_client(&clients[40]);
	assert_int_equal(join_many(312, 1, 9), 0);
	assert_int_equal(join_many(313, 1, 8), 1);
}

/* Strangers of one IPv6 network share its room; a peer of it has its own, as long as it is one. */
static void a_source_is_a_network_and_a_peer_itself(void **state)
{
	struct addr peer;

	(void)state;
	assert_int_equal(addr_parse("2001:db8::9", &peer), 0);
	begin_server(AF_INET);
	accepts_from = "2001:db8::1:2:3:4";
	assert_int_equal(join_many(0, 16, 1), 16);
	accepts_from = "2001:db8::9";
	assert_int_equal(join_many(16, 17, 1), 16);
	http_set_peers(server, &peer, 1);
	assert_int_equal(join_many(40, 33, 1), 33);
	http_set_peers(server, &peer, 0);
	assert_int_equal(join_many(80, 1, 1), 0);
	accepts_from = "2001:db8:0:1:2::3";
	assert_int_equal(join_many(81, 1, 1), 1);
	assert_int_equal(count_refused(), 2);
}

/* Each is counted; one line in ten seconds has their number. */
static void refusals_are_counted_and_seldom_logged(void **state)
{
	static const struct {
		uint64_t later_ms;
		unsigned n;
		const char *words; /* of the line; NULL: there is none */
	} rows[] = { { 0, 1, "listener=tcp last_source=127.0.0.1 refused=1\n" },
		     { 9999, 5, NULL },
		     { 1, 1, "listener=tcp last_source=127.0.0.1 refused=6\n" },
		     { 0, 1, NULL } };
	unsigned n = 0;

	(void)state;
	told_ms = 1000000;
	begin_server(AF_INET);
	assert_int_equal(join_many(0, 32, 1), 32);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		told_ms += rows[i].later_ms;
		assert_int_equal(get_path(&clients[0], "/a", ""),
		                 200); /* the server has heard it */
		refusals[0] = '\0';
		assert_int_equal(join_many(40 + 10 * i, rows[i].n, 1), 0);
		n += rows[i].n;
		assert_int_equal(count_refused(), n);
		if (rows[i].words)
			assert_non_null(strstr(refusals, rows[i].words));
		else
			assert_string_equal(refusals, "");
	}
}

/* The kernel gives the peers' connections to their own listener. */
static void peers_have_a_queue_of_their_own(void **state)
{
	struct addr peer, another;

	(void)state;
	assert_int_equal(addr_parse("127.0.0.9", &peer), 0);
	assert_int_equal(addr_parse("127.0.0.8", &another), 0);
	begin_server(AF_INET);
	http_set_peers(server, &peer, 1);
	assert_int_equal(join_many(0, 8, 1), 8);
	assert_int_equal(n_by_peers, 0);
	assert_int_equal(join_many(8, 8, 9), 8);
	assert_int_equal(n_by_peers, 8);
	http_set_peers(server, &another, 1); /* as many as before */
	assert_int_equal(join_many(16, 8, 8), 8);
	assert_int_equal(n_by_peers, 16);
	http_set_peers(server, &peer, 0);
	assert_int_equal(join_many(24, 8, 9), 8);
	assert_int_equal(n_by_peers, 16);
}

/* Without descriptors the server looks again ten times a second, and takes what waits as soon as it can. */
static void a_lack_of_descriptors_is_waited_for(void **state)
{
	static const int lacks[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM };
	struct timespec from, to;

	(void)state;
	begin_server(AF_INET);
	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		accept_error = lacks[i];
		n_accepts = 0;
		clock_gettime(CLOCK_MONOTONIC, &from);
		connect_client(&clients[i], 1);
		for (int k = 0; k < WAIT_S * 1000 && n_accepts < 2; k++)
			usleep(1000);
		clock_gettime(CLOCK_MONOTONIC, &to);
		assert_int_equal(n_accepts, 2);
		assert_true((to.tv_sec - from.tv_sec) * 1000 +
		                    (to.tv_nsec - from.tv_nsec) / 1000000 >=
		            90);
		accept_error = 0;
		assert_int_equal(get_path(&clients[i], "/a", ""), 200);
	}
	assert_int_equal(join_many(8, 4, 1), 4);
}

/* Eight requests of one stranger at once, 24 of all; peers have threads apart. What waits is done in its turn. */
static void strangers_have_so_many_threads(void **state)
{
	(void)state;
	begin_server(AF_INET);
	for (unsigned i = 0; i < 27; i++) {
		connect_client(&clients[i], 1 + i / 9);
		send_request(&clients[i], "/wait", "");
	}
	await_running(24); /* of each address one waits */
	connect_client(&clients[27], 4);
	send_request(&clients[27], "/a", "");
	connect_client(&clients[28], 4);
	assert_int_equal(get_path(&clients[28], "/a", "Authorization: Bearer peer\r\n"), 200);
	assert_int_equal(n_running, 24);
	assert_int_equal(recv(clients[27].fd, clients[27].text, 1, MSG_DONTWAIT), -1);
	may_answer = true;
	for (unsigned i = 0; i < 28; i++)
		assert_int_equal(read_answer(&clients[i]), 200);
}

static void *stop_server(void *arg)
{
	(void)arg;
	http_stop(server);
	return NULL;
}

/* The listeners go first; who waits is released, who idles is closed, and what is being sent is sent. */
static void a_stop_sends_what_is_under_way(void **state)
{
	pthread_t thread;
	int error = 0;

	(void)state;
	begin_server(AF_INET);
	assert_int_equal(join_many(0, 1, 1), 1);
	connect_client(&clients[1], 1);
	send_request(&clients[1], "/wait", "");
	connect_client(&clients[4], 1);
	send_request(&clients[4], "/hold", "");
	await_running(2);
	connect_client(&clients[2], 1);
	send_request(&clients[2], "/long", "");
	assert_int_equal(recv(clients[2].fd, clients[2].text, 1, MSG_PEEK), 1);
	assert_int_equal(pthread_create(&thread, NULL, stop_server, NULL), 0);
	for (int i = 0; i < WAIT_S * 1000 && error != ECONNREFUSED; i++) {
		usleep(1000);
		connect_client(&clients[3], 1);
		error = clients[3].error;
		close_client(&clients[3]);
	}
	assert_int_equal(error, ECONNREFUSED);
	read_long(&clients[2]);
	assert_int_equal(read_answer(&clients[2]), 0);
	assert_int_equal(read_answer(&clients[1]), 200);
	assert_non_null(strstr(clients[1].text, "Connection: close"));
	assert_int_equal(read_answer(&clients[0]), 0);
	(void)read_answer(&clients[4]);
	pthread_join(thread, NULL);
	server = NULL;
	assert_string_equal(clients[4].text, ""); /* there was none yet */
	http_stop(NULL);
}

/* A client that does not read has three seconds. */
static void a_stop_does_not_wait_for_ever(void **state)
{
	pthread_t thread;
	int error = 0;

	(void)state;
	told_ms = 1000000;
	begin_server(AF_INET);
	connect_client(&clients[0], 1);
	send_request(&clients[0], "/long", "");
	assert_int_equal(recv(clients[0].fd, clients[0].text, 1, MSG_PEEK), 1);
	assert_int_equal(pthread_create(&thread, NULL, stop_server, NULL), 0);
	for (int i = 0; i < WAIT_S * 1000 && error != ECONNREFUSED; i++) {
		usleep(1000);
		connect_client(&clients[1], 1);
		error = clients[1].error;
		close_client(&clients[1]);
	}
	told_ms += 2999;
	assert_int_equal(pthread_tryjoin_np(thread, NULL), EBUSY);
	told_ms += 1;
	pthread_join(thread, NULL);
	server = NULL;
}

/* The UNIX socket: root has its place whatever other users do, of whom each has 64, and all have 128. */
static void users_have_their_limits(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	begin_server(AF_UNIX);
	chmod(((struct sockaddr_un *)&bound)->sun_path, 0777);
	assert_int_equal(join_many(0, 65, 1001), 64);
	assert_int_equal(join_many(65, 65, 1002), 64);
	assert_int_equal(count_refused(), 2);
	assert_int_equal(join_many(130, 1, 1003), 1);
	assert_int_equal(count_refused(), 3);
	assert_int_equal(get_path(&clients[0], "/a", ""), 0); /* it gave way */
	assert_int_equal(join_many(140, 129, 0), 128);
	assert_int_equal(count_refused(), 4);
	/* a login means nothing here: who connects says it all */
	assert_int_equal(get_path(&clients[1], "/a", "Authorization: Bearer wrong\r\n"), 200);
	assert_int_equal(read_counter("weir_mgmt_logins_failed_total", ""), 0);
}

static void users_have_so_many_threads(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	begin_server(AF_UNIX);
	chmod(((struct sockaddr_un *)&bound)->sun_path, 0777);
	for (unsigned i = 0; i < 27; i++) {
		connect_client(&clients[i], i < 17 ? 1001 : 1002);
		send_request(&clients[i], "/wait", "");
	}
	await_running(24); /* 16 of one, 8 of the other */
	connect_client(&clients[28], 0);
	assert_int_equal(get_path(&clients[28], "/a", ""), 200);
	assert_int_equal(n_running, 24);
	may_answer = true;
	for (unsigned i = 0; i < 27; i++)
		assert_int_equal(read_answer(&clients[i]), 200);
}

static int option_of(const struct http_conn *c, int level, int name)
{
	int value = -1;
	socklen_t n = sizeof(value);

	getsockopt(c->fd, level, name, &value, &n);
	return value;
}

/* Hosts that vanish are found; strangers have little room in the kernel. */
static void connections_have_their_options(void **state)
{
	struct addr peer;

	(void)state;
	assert_int_equal(addr_parse("127.0.0.9", &peer), 0);
	begin_server(AF_INET);
	http_set_peers(server, &peer, 1);
	assert_int_equal(join_many(0, 1, 9), 1);
	assert_int_equal(join_many(1, 1, 1), 1);
	const struct http_conn *known = server->oldest, *stranger = server->newest;
	for (int i = 0; i < 2; i++) {
		const struct http_conn *c = i ? stranger : known;

		assert_int_equal(option_of(c, IPPROTO_TCP, TCP_NODELAY), 1);
		assert_int_equal(option_of(c, SOL_SOCKET, SO_KEEPALIVE), 1);
		assert_int_equal(option_of(c, IPPROTO_TCP, TCP_KEEPIDLE), 20);
		assert_int_equal(option_of(c, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
		assert_true(fcntl(c->fd, F_GETFD) & FD_CLOEXEC);
	}
	assert_int_equal(option_of(stranger, SOL_SOCKET, SO_RCVBUF),
	                 2 * 65536); /* doubled: socket(7) */
	/* whether it stays so: since Linux 5.14 */
	assert_true(option_of(stranger, SOL_SOCKET, SO_BUF_LOCK) & 2 ||
	            option_of(stranger, SOL_SOCKET, SO_BUF_LOCK) < 0);
	assert_true(option_of(known, SOL_SOCKET, SO_BUF_LOCK) <= 0);
	/* a body that is wanted has the kernel's own room again */
	send_text(&clients[1],
	          "POST /p HTTP/1.1\r\nHost: weir\r\nContent-Type: application/json\r\n"
	          "Content-Length: 2\r\n\r\n{}",
	          85);
	assert_int_equal(read_answer(&clients[1]), 200);
	assert_true(option_of(stranger, SOL_SOCKET, SO_BUF_LOCK) <= 0);
}

/* Whatever fails, the listeners are closed: the address can be had again. */
static void what_cannot_be_served_leaves_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct http_options o = open_listeners(AF_INET);
		int null = i ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
		int *unfit = i == 2 ? &o.peers_fd : &o.listen_fd;

		if (i) { /* epoll(7) takes no such file */
			close(*unfit);
			*unfit = null;
		}
		o.tls.cert = pairs[0].cert;
		o.tls.key = i == 0 ? pairs[1].key : pairs[0].key;
		assert_int_equal(http_serve(&o, &server), i == 0 ? -EKEYREJECTED : -EPERM);
		assert_null(server);
		assert_int_equal(fcntl(o.listen_fd, F_GETFD), -1);
		assert_int_equal(fcntl(o.peers_fd, F_GETFD), -1);
	}
}

SUITE(http_server)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_request_of_a_connection_is_answered_over_tls),
		T(without_tls_nothing_is_said),
		T(a_long_answer_waits_for_its_reader),
		T(a_new_certificate_is_for_new_connections),
		T(strangers_have_their_limits),
		T(peers_have_limits_of_their_own),
		T(a_source_is_a_network_and_a_peer_itself),
		T(refusals_are_counted_and_seldom_logged),
		T(peers_have_a_queue_of_their_own),
		T(a_lack_of_descriptors_is_waited_for),
		T(strangers_have_so_many_threads),
		T(a_stop_sends_what_is_under_way),
		T(a_stop_does_not_wait_for_ever),
		T(users_have_their_limits),
		T(users_have_so_many_threads),
		T(connections_have_their_options),
		T(what_cannot_be_served_leaves_nothing),
	};

	answer_accept4 = own_accept4;
	told_time_begin(TOLD_BOOT);
	answer_write = own_write;
	signal(SIGPIPE, SIG_IGN);
	make_pair(&pairs[0], "first", 0);
	make_pair(&pairs[1], "second", 0);
	client_context = SSL_CTX_new(TLS_client_method());
	long_text = malloc((12 << 20) + 1);
	for (size_t i = 0; i < 12 << 20; i++)
		long_text[i] = (char)('a' + i % 23);
	long_text[12 << 20] = '\0';
	int failed = cmocka_run_group_tests_name("http server", tests, NULL, NULL);
	free(long_text);
	SSL_CTX_free(client_context);
	return failed;
}
