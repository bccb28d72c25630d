#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The clusters' model of etcd (etcd_model.h) beside a real member: the same requests have the same answers.

usage: test_etcd_model.py TOOL [SEED]
"""
from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import typing
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
from etcd_cluster import Answer, Member, b64, running  # noqa: E402

REQUESTS = 400
KEYS = [f"k/{i}" for i in range(5)] + ["k", "l/1"]


class Model:
    """The tool, a request at a time."""

    def __init__(self, tool: str) -> None:
        self.process = subprocess.Popen([tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def send(self, **request: typing.Any) -> tuple[int, typing.Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["status"], answer["body"]

    def close(self) -> None:
        self.process.communicate()


class Pair:
    """Both, and the leases of each, which have ids of their own."""

    def __init__(self, real: Member, model: Model, seed: int) -> None:
        self.real, self.model, self.random = real, model, random.Random(seed)
        self.leases: list[tuple[str, str]] = []  # real, model
        self.revision = 1

    def plain(self, value: typing.Any, which: int) -> typing.Any:
        """An answer without what may differ: who answers, and ids of leases."""
        ids = {pair[which]: f"lease {i}" for i, pair in enumerate(self.leases)}
        if isinstance(value, list):
            return [self.plain(v, which) for v in value]
        if not isinstance(value, dict):
            return value
        return {k: ids.get(v, v) if k in ("lease", "ID") else self.plain(v, which) for k, v in value.items()
                if k not in ("cluster_id", "member_id", "raft_term")}

    def compare(self, path: str, real_body: Answer, model_body: Answer | None = None) -> Answer:
        status, answer = self.real.ask(path, real_body)
        if "text" in answer:
            answer = json.loads(answer["text"])
        model_status, model_answer = self.model.send(path=path, body=model_body or real_body)
        if path == "/v3/lease/grant":
            self.leases.append((answer["ID"], model_answer["ID"]))
        here, there = self.plain(answer, 0), self.plain(model_answer, 1)
        if status != model_status or here != there:
            raise AssertionError(f"{path} {real_body}\netcd:  {status} {here}\nmodel: {model_status} {there}")
        self.revision = max(self.revision, int(answer.get("header", {}).get("revision", 0)))
        return answer

    def range(self) -> Answer:
        r = self.random
        body: Answer = {"key": b64(r.choice(KEYS))}
        if r.random() < 0.6:
            body.update({"key": b64("k/"), "range_end": b64("k0")})
        if r.random() < 0.2:
            body["revision"] = str(r.randint(1, self.revision + 1))
        if r.random() < 0.3:
            body["limit"] = str(r.randint(1, 3))
        for name in ("keys_only", "count_only"):
            if r.random() < 0.1:
                body[name] = True
        if r.random() < 0.2 and "range_end" in body:
            body.update({"sort_order": "DESCEND", "sort_target": "MOD"})
        return body

    def compare_of(self) -> Answer:
        if self.random.random() < 0.3:
            revision = self.revision + 1 - self.random.choice([0, 0, 1, 5, 50])
            key, end = self.random.choice([("k/", "k0"), ("none/", "none0")])
            return {"key": b64(key), "range_end": b64(end), "target": "MOD", "result": "LESS", "mod_revision": str(max(0, revision))}
        key = self.random.choice(KEYS)
        kvs = self.real.good("/v3/kv/range", {"key": b64(key)}).get("kvs")
        now = kvs[0]["mod_revision"] if kvs else "0"
        return {"key": b64(key), "target": "MOD", "result": "EQUAL", "mod_revision": now if self.random.random() < 0.8 else str(self.revision)}

    def ops(self) -> tuple[list[Answer], list[Answer]]:
        """Operations of a list, for etcd and for the model: no key twice."""
        both: tuple[list[Answer], list[Answer]] = ([], [])
        for key in self.random.sample(KEYS, self.random.randint(1, 3)):
            kind = self.random.random()
            op: Answer = {"request_put": {"key": b64(key), "value": b64(self.random.choice(["", "v", "w" * 30]))}}
            twin = json.loads(json.dumps(op))
            if kind < 0.2 and self.leases:
                op["request_put"]["lease"], twin["request_put"]["lease"] = self.random.choice(self.leases)
            elif kind < 0.5:
                op = twin = {"request_delete_range": {"key": b64(key)}}
            elif kind < 0.6:
                op = twin = {"request_range": {"key": b64("k/"), "range_end": b64("k0")}}
            both[0].append(op)
            both[1].append(twin)
        return both

    def txn(self) -> None:
        compares = [self.compare_of() for _ in range(self.random.randint(1, 2))]
        success = self.ops()
        failure: list[Answer] = [{"request_range": {k: v for k, v in c.items() if k in ("key", "range_end")}} for c in compares]
        self.compare("/v3/kv/txn", {"compare": compares, "success": success[0], "failure": failure},
                     {"compare": compares, "success": success[1], "failure": failure})

    def lease(self) -> None:
        if self.random.random() < 0.4 or not self.leases:
            self.compare("/v3/lease/grant", {"TTL": "600"})
            return
        real, model = self.random.choice(self.leases)
        path = "/v3/lease/keepalive" if self.random.random() < 0.6 else "/v3/lease/revoke"
        self.compare(path, {"ID": real}, {"ID": model})

    def compact(self) -> None:
        revision = self.random.randint(max(1, self.revision - 20), self.revision)
        if self.real.ask("/v3/kv/compaction", {"revision": str(revision), "physical": True})[0] == 200:
            self.model.send(compact=revision)

    def watch(self, start: int) -> None:
        body = {"create_request": {"key": b64("k/"), "range_end": b64("k0"), "start_revision": str(start)}}
        lines = self.model.send(watch=body)[1]
        request = urllib.request.Request(self.real.url + "/v3/watch", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=5) as reply:
            real = [json.loads(reply.readline()) for _ in lines]
        for r in [*real, *lines]:  # a line's revision is that of the moment, of etcd's as of the model's
            r["result"]["header"].pop("revision", None)
        here, there = self.plain(real, 0), self.plain(lines, 1)
        if here != there:
            raise AssertionError(f"watch from {start}\netcd:  {here}\nmodel: {there}")

    def run(self) -> None:
        for i in range(REQUESTS):
            kind = self.random.random()
            if kind < 0.4:
                self.compare("/v3/kv/range", self.range())
            elif kind < 0.85:
                self.txn()
            elif kind < 0.98:
                self.lease()
            else:
                self.compact()
            if i % 50 == 49:
                self.watch(self.random.randint(max(1, self.revision - 60), self.revision + 1))


def main() -> None:
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    model = Model(sys.argv[1])
    with running(1) as etcd:
        Pair(etcd.members[0], model, seed).run()
    model.close()
    print(f"test_etcd_model: {REQUESTS} requests")


if __name__ == "__main__":
    main()
