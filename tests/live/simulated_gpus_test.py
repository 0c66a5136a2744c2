#!/usr/bin/env python3
"""What simulated GPUs of a real `reeve up` show: to jobs by NVML, and to people by events.

    tests/live/simulated_gpus_test.py build/release/reeve
"""
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from server import Server, UnixConnection, is_done, wait_for  # noqa: E402

BINARY = sys.argv.pop(1)
PRINT_GPUS = """
import ctypes
nvml = ctypes.CDLL("libnvidia-ml.so.1")
assert nvml.nvmlInit_v2() == 0
count = ctypes.c_uint()
assert nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0
for i in range(count.value):
    device, uuid = ctypes.c_void_p(), ctypes.create_string_buffer(96)
    assert nvml.nvmlDeviceGetHandleByIndex_v2(i, ctypes.byref(device)) == 0
    assert nvml.nvmlDeviceGetUUID(device, uuid, 96) == 0
    print(uuid.value.decode())
"""


class SimulatedGpus(unittest.TestCase):
    def serve(self, **options):
        server = Server(BINARY, **options)
        self.addCleanup(server.close)
        server.start()
        return server

    def reeve(self, server, *words):
        done = subprocess.run(
            [BINARY, "-s", f"unix:{server.client.socket_path}", *words], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def output_of(self, server, gpus, **spec):
        spec["command"] = [sys.executable, "-c", PRINT_GPUS]
        if gpus:
            spec["resources"] = {"gpus": gpus}
        job = server.client.submit(spec)
        ended = wait_for("it has ended", 30, lambda: next(
            (now for now in [server.client.job(job)] if is_done(now)), None))
        log = server.client.log(job).decode()
        self.assertEqual(ended["state"], "succeeded", log)
        return log.split()

    def events(self, server, kind):
        """Those of the kind that there are by now."""
        connection = UnixConnection(server.client.socket_path, timeout=2)
        connection.request("GET", "/api/v1/events", headers={"Last-Event-ID": "1:0"})
        answer, found = connection.getresponse(), []
        self.assertRegex(answer.headers["RateLimit"], r'^"event-streams";r=\d+$')
        try:
            while line := answer.readline():
                if line.startswith(b"data: {"):
                    found.append(json.loads(line[len("data: "):]))
        except TimeoutError:
            pass  # It has no end.
        connection.close()
        return [event for event in found if event.get("kind") == kind]

    def gpu(self, server, uuid):
        return next(gpu for gpu in server.client.get("/api/v1/gpus").json["items"] if gpu["uuid"] == uuid)

    def test_a_job_sees_what_it_was_granted(self):
        for options in {"gpus": "4xA30"}, {"nodes": "2x4xA30"}:
            with self.subTest(**options):
                server = self.serve(**options)
                all_of_them = {gpu["uuid"] for gpu in server.client.get("/api/v1/gpus").json["items"]}
                two = self.output_of(server, 2)
                self.assertEqual(len(set(two)), 2)
                self.assertLess(set(two), all_of_them)
                self.assertEqual(self.output_of(server, 0), [])
                self.assertEqual(
                    len(self.output_of(server, 4, env={"LD_LIBRARY_PATH": "/opt/mine"})), 4)

    def test_what_happens_to_gpus_of_simulated_nodes_is_told(self):
        server = self.serve(nodes="3x2xA30")
        listed = json.loads(self.reeve(server, "gpu", "sim", "list", "-o", "json"))["items"]
        self.assertEqual([gpu["node"] for gpu in listed], ["sim1", "sim1", "sim2", "sim2", "sim3", "sim3"])
        second, last = listed[2]["uuid"], listed[5]["uuid"]
        self.reeve(server, "gpu", "sim", "xid", "sim2/0", "48")
        self.reeve(server, "gpu", "sim", "lose", last)
        wait_for("it is lost", 30, lambda: self.gpu(server, last).get("trouble"))
        wait_for("it has an XID", 30, lambda: self.gpu(server, second).get("xids"))
        self.assertEqual(self.gpu(server, second)["xids"][0]["xid"], 48)
        self.assertEqual(self.gpu(server, last)["xids"][0]["xid"], 79)
        seen = [(event["object"], event["payload"]["node"], event["payload"]["xid"])
                for event in self.events(server, "gpu.xid")]
        self.assertEqual(sorted(seen), sorted([(f"gpu/{second}", "sim2", 48), (f"gpu/{last}", "sim3", 79)]))
        self.assertEqual([event["object"] for event in self.events(server, "gpu.lost")], [f"gpu/{last}"])
        refused = server.client.post(
            "/api/v1/jobs", {"command": ["true"], "resources": {"gpus": 2}, "on": "node.name==sim3"})
        self.assertEqual(refused.status, 201, refused)  # It may come back.
        self.assertEqual(server.client.job(refused.json["id"])["state"], "queued")
        self.reeve(server, "gpu", "sim", "restore", "sim3/1")
        wait_for("it runs there then", 30, lambda: is_done(server.client.job(refused.json["id"])))
        self.assertEqual([event["object"] for event in self.events(server, "gpu.restored")], [f"gpu/{last}"])

    def test_use_outside_the_queue_of_a_gpu_that_is_granted_is_a_conflict(self):
        server = self.serve(gpus="1xA30")
        job = server.client.submit({"command": ["sleep", "60"], "resources": {"gpus": 1}})
        wait_for("it runs", 30, lambda: server.client.job(job)["state"] == "running")
        outsider = subprocess.Popen(["sleep", "60"])
        self.addCleanup(outsider.wait)
        self.addCleanup(outsider.kill)
        self.reeve(server, "gpu", "sim", "set", "0", "--pid", str(outsider.pid), "--mem", "4G", "--util", "50")
        waiting = server.client.submit({"command": ["true"], "resources": {"gpus": 1}})
        conflict = wait_for("a conflict", 30, lambda: [
            blocker for blocker in server.client.get(f"/api/v1/jobs/{waiting}/why").json["blockers"]
            if blocker.get("what") == "conflict"])
        self.assertIn("is granted, and used outside the queue, too", conflict[0]["text"])
        told = self.events(server, "gpu.conflict")
        self.assertEqual([event["payload"]["job"] for event in told], [job])


unittest.main(verbosity=2)
