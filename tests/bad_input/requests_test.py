#!/usr/bin/env python3
"""What a client may send that it should not: each is refused by name, and the server goes on.

    REEVE_BINARY=build/release/reeve tests/bad_input/requests_test.py
"""
import os
import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "live"))
from server import Server  # noqa: E402

OK = {"command": ["/bin/true"]}
JOBS = "/api/v1/jobs"
HUGE = 10**30


def with_(**fields):
    return {**OK, **fields}


class RequestsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(os.environ["REEVE_BINARY"]).start()
        cls.client = cls.server.client

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def tearDown(self):
        self.assertTrue(self.server.is_ready(), self.server.said())
        self.assertIsNone(self.server.process.poll())

    def refused(self, body, status, code, *words, path=JOBS, headers=None):
        """`body` is refused with this status and code, in words that name each of `words`."""
        before = len(list(self.client.pages(JOBS, limit=1000)))
        answer = self.client.post(path, body, headers)
        self.assertEqual(answer.status, status, answer)
        problem = answer.json
        self.assertEqual(problem["code"], code, problem)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        for word in words:
            self.assertIn(word, problem["detail"])
        self.assertEqual(len(list(self.client.pages(JOBS, limit=1000))), before, "and yet it was submitted")
        return problem

    def test_an_unknown_field_is_named(self):
        self.refused(with_(gpu=1), 400, "INVALID", "gpu")
        self.refused(with_(resources={"gpuz": 1}), 400, "INVALID", "gpuz")
        self.refused(with_(stop={"signals": "TERM"}), 400, "INVALID", "signals")

    def test_an_unknown_query_parameter_is_refused(self):
        answer = self.client.get(JOBS, stat="running")
        self.assertEqual((answer.status, answer.json["code"]), (400, "INVALID"))
        self.assertIn("stat", answer.json["detail"])

    def test_a_wrong_type_is_refused_and_its_field_named(self):
        cases = [
            ("command", "/bin/true"), ("command", [1]), ("command", {}), ("command", []), ("name", 1),
            ("priority", "high"), ("priority", 1.5), ("priority", True), ("env", []), ("env", {"A": 1}),
            ("resources", 3), ("resources", None), ("labels", "a=b"), ("array", "1-10"), ("after", {}),
            ("hold", "yes"), ("hold", 1), ("time_limit_s", "1h"), ("retries", 3), ("split_output", 0),
            ("output", 1), ("error", ["a"]),
        ]
        for field, value in cases:
            with self.subTest(field=field, value=value):
                self.refused(with_(**{field: value}), 400, "INVALID", field)

    def test_a_body_that_is_no_object_is_refused(self):
        for body in (b"", b"{", b"[]", b"null", b"1", b'"x"', b"{}{}", b'{"command": ["/bin/true"],}', b"\xff\xfe", b"nan"):
            with self.subTest(body=body):
                self.refused(body, 400, "INVALID")

    def test_a_key_that_comes_twice_is_refused(self):
        self.refused(b'{"command":["/bin/true"],"priority":1,"priority":2}', 400, "INVALID", "priority")

    def test_a_body_of_100_mb_is_refused_before_it_is_read(self):
        head = (
            f"POST {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {100 * 1000 * 1000}\r\n\r\n"
        )
        self.assertIn(b" 413 ", self.raw(head.encode() + b'{"name":"' + b"a" * 65536).split(b"\r\n")[0])

    def test_a_chunked_body_without_end_is_refused(self):
        head = f"POST {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
        first_line = self.raw(head.encode(), chunk, times=1600).split(b"\r\n")[0]
        self.assertIn(b" 413 ", first_line)

    def test_json_100000_levels_deep_is_refused(self):
        depth = 100_000
        self.refused(b"[" * depth + b"]" * depth, 400, "INVALID")
        self.refused(b'{"a":' * depth + b"1" + b"}" * depth, 400, "INVALID")

    def test_negative_and_huge_amounts_are_refused(self):
        cases = [
            {"gpus": -1}, {"gpus": 1025}, {"gpus": HUGE}, {"gpus": 1.5}, {"gpus": 0.0001}, {"gpus": -0.5},
            {"gpu_memory_mib": 0}, {"gpu_memory_mib": -1}, {"gpu_memory_mib": HUGE}, {"cpus": 0}, {"cpus": -1},
            {"cpus": HUGE}, {"memory_mib": 0}, {"memory_mib": -5}, {"memory_mib": 2**63}, {"memory_mib": HUGE},
        ]
        for resources in cases:
            with self.subTest(resources=resources):
                self.refused(with_(resources=resources), 400, "INVALID", next(iter(resources)))
        for fields in ({"time_limit_s": 0}, {"time_limit_s": -1}, {"time_limit_s": HUGE}, {"priority": 1001},
                       {"priority": -HUGE}, {"retries": {"max": -1}}, {"retries": {"backoff_s": 3601}},
                       {"stop": {"grace_s": -1}}, {"array": {"first": 5, "last": 4}},
                       {"array": {"first": 0, "last": 1, "step": 0}}, {"array": {"first": -1, "last": 1}}):
            with self.subTest(fields=fields):
                self.refused(with_(**fields), 400, "INVALID")

    def test_an_array_of_more_than_a_million_is_too_large(self):
        answer = self.client.post(JOBS, with_(array={"first": 0, "last": 1_000_000}))
        self.assertIn((answer.status, answer.json["code"]), ((413, "TOO_LARGE"), (400, "INVALID")))

    def test_one_and_a_half_gpus_are_refused_with_the_reason(self):
        self.refused(with_(resources={"gpus": 1.5}), 400, "INVALID", "1.5")

    def test_invalid_utf8_is_refused(self):
        for raw in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"):
            with self.subTest(raw=raw):
                self.refused(b'{"command":["/bin/true"],"name":"' + raw + b'"}', 400, "INVALID")
                self.refused(b'{"command":["/bin/echo","' + raw + b'"]}', 400, "INVALID")

    def test_nul_in_text_is_refused(self):
        self.refused(with_(command=["/bin/echo", "a\0b"]), 400, "INVALID", "command")
        self.refused(with_(env={"A": "x\0y"}), 400, "INVALID", "env")
        self.refused(with_(working_dir="/tmp\0/x"), 400, "INVALID", "working_dir")
        for path in ("", "/tmp\0/x", "logs/", "%t.out", "a%", "x" * 4096):
            self.refused(with_(output=path), 400, "INVALID", "output")
            self.refused(with_(error=path), 400, "INVALID", "error")
        self.refused({"script": "#!/bin/sh\necho \0"}, 400, "INVALID", "script")

    def test_a_dependency_on_an_unknown_job_is_refused(self):
        self.refused(with_(after=[{"kind": "ok", "job_id": 999_999}]), 400, "INVALID", "999999")

    def test_a_cycle_cannot_be_made(self):
        # A job can only name jobs that exist, so the one way to a cycle is to guess an id to come.
        first = self.client.submit({**OK, "hold": True})
        self.refused(with_(after=[{"kind": "any", "job_id": first + 1}]), 400, "INVALID", str(first + 1))
        batch = {"jobs": [with_(after=[{"kind": "ok", "job_id": first + 2}]), with_(after=[{"kind": "ok", "job_id": first + 1}])]}
        self.refused(batch, 400, "INVALID", path="/api/v1/jobs:batch")
        self.client.post(f"{JOBS}/{first}:stop")

    def test_what_no_node_can_ever_run_is_refused_and_the_largest_node_named(self):
        node = next(self.client.pages("/api/v1/nodes"))["name"]
        for resources in ({"gpus": 5}, {"gpus": 1, "gpu_model": "h100"}, {"gpu_memory_mib": 10_000_000}, {"cpus": 100_000}, {"memory_mib": 10**9}):
            with self.subTest(resources=resources):
                problem = self.refused(with_(resources=resources), 422, "UNSATISFIABLE")
                if "gpu_model" not in resources:
                    self.assertIn(node, problem["detail"])

    def test_an_unknown_project_is_refused(self):
        self.refused(with_(project="nosuch"), 404, "NOT_FOUND", "nosuch")

    def test_variables_that_a_user_may_not_set_are_refused_by_name(self):
        for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "CUDA_MPS_PIPE_DIRECTORY", "REEVE_JOB_ID"):
            with self.subTest(name=name):
                self.refused(with_(env={name: "1"}), 400, "INVALID", name)

    def test_a_batch_is_all_or_none_and_the_bad_one_is_named(self):
        self.refused({"jobs": [OK, OK, with_(nonsense=1)]}, 400, "INVALID", "jobs[2]", "nonsense", path="/api/v1/jobs:batch")
        self.refused({"jobs": []}, 400, "INVALID", path="/api/v1/jobs:batch")
        self.refused({"jobs": [OK] * 1001}, 400, "INVALID", "1000", path="/api/v1/jobs:batch")

    def test_an_unknown_host_or_origin_is_refused(self):
        self.refused(OK, 403, "FORBIDDEN", headers={"Origin": "https://evil.example"})
        with socket.create_connection(("127.0.0.1", self.server.port), 10) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            self.assertIn(b" 403 ", connection.recv(65536).split(b"\r\n")[0])

    def test_what_is_no_http_is_cut_off(self):
        for garbage in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n",
                        b"GET / HTTP/1.1\r\n" + b"A: " + b"a" * 20_000 + b"\r\n\r\n"):
            with self.subTest(garbage=garbage[:20]):
                answer = self.raw(garbage)
                self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:100])

    def test_the_same_key_with_another_body_conflicts(self):
        headers = {"Idempotency-Key": "bad-input-1"}
        first = self.client.post(JOBS, OK, headers)
        self.assertEqual(first.status, 201)
        again = self.client.post(JOBS, OK, headers)
        self.assertEqual((again.status, again.json["id"]), (201, first.json["id"]))
        self.refused(with_(name="other"), 409, "CONFLICT", headers=headers)

    def raw(self, start, more=b"", times=0):
        """Sends bytes as they are; what comes back until the server closes or has answered."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self.client.socket_path))
            try:
                connection.sendall(start)
                for _ in range(times):
                    connection.sendall(more)
            except (BrokenPipeError, ConnectionResetError):
                pass  # It has said enough already; what it said is read below.
            said = b""
            try:
                while b"\r\n\r\n" not in said:
                    part = connection.recv(65536)
                    if not part:
                        break
                    said += part
            except ConnectionResetError:
                pass
            return said


if __name__ == "__main__":
    unittest.main()
