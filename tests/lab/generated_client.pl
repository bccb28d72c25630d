#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# A client of the API that is made of its description alone, by Debian's OpenAPI::Client, which checks what it sends by it.
#
#   generated_client.pl DESCRIPTION BASE_URL TOKEN CA_FILE
#
# A line in: {"operation": "putPool", "parameters": {...}}. A line out: {"status": N, "headers": {...}, "body": ...}.
use Mojo::Base -strict;
use Mojo::JSON qw(decode_json encode_json);
use OpenAPI::Client;

my ($description, $base, $token, $ca) = @ARGV;
my $client = OpenAPI::Client->new("file://$description");
$client->base_url(Mojo::URL->new($base));
$client->ua->ca($ca)->request_timeout(60);
$client->ua->on(start => sub {
	my ($ua, $tx) = @_;
	$tx->req->headers->authorization("Bearer $token");
	# the only body of a PATCH that is described; the client makes application/json of all
	$tx->req->headers->content_type('application/merge-patch+json') if uc $tx->req->method eq 'PATCH';
});
STDOUT->autoflush(1);
while (my $line = <STDIN>) {
	my $asked = decode_json($line);
	my $answer = $client->call($asked->{operation} => $asked->{parameters})->res;
	print encode_json({status => $answer->code, headers => $answer->headers->to_hash, body => $answer->json}), "\n";
}
