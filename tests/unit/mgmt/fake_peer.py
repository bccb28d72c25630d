# SPDX-License-Identifier: BSD-2-Clause
"""Another node of the cluster, as far as a node asks it: over TLS on loopback, with answers that the test gives."""
from __future__ import annotations

import http.server
import json
import os
import ssl
import threading
import typing

from api_node import Node

Answer = tuple[int, typing.Any]


class Peer(http.server.ThreadingHTTPServer):
    """@answers: by path without the query, a status and what is JSON, or bytes as they are; what is not there is not found.

    Behind the path of the exchange there is what is asked, as in "/v1/peer/exchange store"."""
    daemon_threads = True

    def __init__(self, port: int, node: Node) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, typing.Any]] = []
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                question = json.loads(raw) if raw else None
                path = self.path + (f" {question['query']}" if question and "query" in question else "")
                peer.requests.append((path, question))
                status, body = peer.answers.get(path.split("?")[0], (404, {"code": "not-found"}))
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(node.conf, "tls.crt"), os.path.join(node.conf, "tls.key"))
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """A client that went away."""

    def bodies(self, path: str) -> list[typing.Any]:
        return [body for p, body in self.requests if p.split("?")[0] == path]

    def close(self) -> None:
        self.shutdown()
        self.server_close()
