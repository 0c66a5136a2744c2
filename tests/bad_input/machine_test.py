#!/usr/bin/env python3
"""A machine, clients and jobs that behave badly: the server says what is wrong, or goes on.

    REEVE_BINARY=build/release/reeve tests/bad_input/machine_test.py
"""
import contextlib
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "live"))
from server import Server, is_done, wait_for  # noqa: E402

BINARY = os.environ["REEVE_BINARY"]
IS_ROOT = os.geteuid() == 0


@contextlib.contextmanager
def small_disk(size):
    """A folder on a file system of its own. Skips the test where that cannot be made."""
    folder = tempfile.mkdtemp(prefix="reeve-")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "reeve-test", folder], capture_output=True, check=False)
    if mounted.returncode != 0:
        os.rmdir(folder)
        raise unittest.SkipTest(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield pathlib.Path(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)
        os.rmdir(folder)


class Refusal(unittest.TestCase):
    """What keeps a server from starting is said in words, and nothing is damaged."""

    def setUp(self):
        self.server = Server(BINARY)
        self.addCleanup(self.server.close)

    def refused(self, *words, server=None):
        server = server or self.server
        server.launch()
        self.assertNotEqual(server.process.wait(20), 0)
        for word in words:
            self.assertIn(word, server.said())
        self.assertNotIn("terminate called", server.said())

    def test_two_servers_on_one_data_directory(self):
        self.server.start()
        job = self.server.client.submit({"command": ["/bin/true"]})
        second = Server(BINARY, folder=self.server.folder)
        self.refused(str(self.server.process.pid), server=second)
        self.assertTrue(self.server.is_ready())
        self.assertEqual(self.server.client.job(job)["id"], job)

    def test_a_port_in_use(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            command = self.server.command
            self.server.command = lambda: [
                f"127.0.0.1:{port}" if i and command()[i - 1] == "--listen" else word for i, word in enumerate(command())]
            self.refused(str(port), f"in use by {pathlib.Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()})")

    def test_a_read_only_data_directory(self):
        if IS_ROOT:  # To whom modes do not apply.
            with small_disk("8m") as folder:
                (folder / "data").mkdir()
                subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
                self.refused("data", server=Server(BINARY, folder=self.server.folder, data=folder / "data"))
        else:
            self.server.data.mkdir()
            self.server.data.chmod(0o500)
            self.refused("data")

    def test_a_corrupt_database_is_refused_and_left_as_it_is(self):
        self.server.start()
        for _ in range(50):
            self.server.client.submit({"command": ["/bin/true"], "hold": True})
        self.server.stop()
        databases = [file for file in self.server.data.iterdir()
                     if file.is_file() and file.read_bytes()[:15] == b"SQLite format 3"]
        self.assertEqual(len(databases), 1)
        bytes_ = bytearray(databases[0].read_bytes())
        for at in range(4096, len(bytes_), 4096):  # Every page but the first, which names the format.
            bytes_[at:at + 512] = b"\xa5" * 512
        databases[0].write_bytes(bytes_)
        self.refused("corrupt")
        self.assertEqual(databases[0].read_bytes(), bytes(bytes_))

    def test_no_database_at_all(self):
        self.server.start()
        self.server.stop()
        database = next(file for file in self.server.data.iterdir()
                        if file.is_file() and file.read_bytes()[:15] == b"SQLite format 3")
        database.write_bytes(b"this is no database" * 1000)
        self.refused()
        self.assertTrue(database.read_bytes().startswith(b"this is no database"))

    def test_an_emptied_database_is_not_taken_for_a_new_one(self):
        self.server.start()
        self.server.stop()
        database = self.server.data / "reeve.db"
        database.write_bytes(b"")
        self.refused("is empty", "restore a backup", "begin anew")
        self.assertEqual(database.read_bytes(), b"")

    def test_a_missing_database_is_a_new_cluster_that_takes_nothing_of_the_old_one(self):
        self.server.start()
        client = self.server.client
        old = client.submit({"command": ["/bin/sh", "-c", "echo old; exit 3"]})
        wait_for("it ends", 20, lambda: is_done(client.job(old)))
        running = client.submit({"command": ["/bin/sleep", "1000"]})
        wait_for("it runs", 20, lambda: client.job(running)["state"] == "running")
        task = self.server.processes_of(running)
        self.addCleanup(lambda: [os.kill(pid, signal.SIGKILL) for pid in task])
        self.server.stop()
        for file in self.server.data.glob("reeve.db*"):
            file.unlink()
        self.server.start()
        self.assertIn("other clusters have tasks in", self.server.said())
        self.assertIn(": 1, of which 1 run.", self.server.said())
        new = client.submit({"command": ["/bin/echo", "new"]})
        self.assertEqual(new, old)
        wait_for("it ends", 20, lambda: is_done(client.job(new)))
        self.assertEqual((client.job(new)["state"], client.log(new)), ("succeeded", b"new\n"))
        same = client.submit({"command": ["/bin/sleep", "1000"]})
        self.assertEqual(same, running)
        wait_for("it runs", 20, lambda: client.job(same)["state"] == "running")
        client.post(f"/api/v1/jobs/{same}:stop")
        wait_for("it ends", 20, lambda: is_done(client.job(same)))
        self.assertTrue(task)
        for pid in task:
            os.kill(pid, 0)  # It is there.


class OtherUsers(unittest.TestCase):
    @staticmethod
    def see_as_nobody(server):
        """Does not return: 0 if the server answers and its folder cannot be listed."""
        status = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            if server.client.get("/api/v1/me").status == 200:
                os.listdir(server.data)
                status = 2
        except PermissionError as error:
            status = 0 if error.filename == str(server.data) else 3
        finally:
            os._exit(status)

    def test_they_reach_roots_server_and_see_no_file_of_it(self):
        if not IS_ROOT:
            self.skipTest("a server of a user serves that user alone")
        server = Server(BINARY)
        server.folder.chmod(0o711)
        try:
            server.start()
            job = server.client.submit({"command": ["/bin/echo", "secret"], "env": {"KEY": "secret"}})
            wait_for("it ends", 20, lambda: is_done(server.client.job(job)))
            self.assertEqual(server.client.post(
                "/api/v1/server:backup", {"path": str(server.data / "copy")}).status, 200)
            self.assertEqual(server.data.stat().st_mode & 0o7777, 0o711)
            open_to_all = {"reeve.sock", "gpus.sim", "gpus.sim.lock", "simulations"}  # Jobs read what they are simulated on.
            for path in server.data.iterdir():
                if path.name not in open_to_all:
                    self.assertEqual(path.stat().st_mode & 0o077, 0, path)
            child = os.fork()
            if child == 0:
                self.see_as_nobody(server)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        finally:
            server.close()


class FullDisk(unittest.TestCase):
    def test_it_is_said_nothing_is_lost_and_it_goes_on_when_there_is_room(self):
        with small_disk("24m") as folder:
            server = Server(BINARY, folder=folder)
            server.start()
            try:
                running = server.client.submit({"command": ["/bin/sh", "-c", "sleep 4; echo ended; exit 7"]})
                wait_for("it runs", 20, lambda: server.client.job(running)["state"] == "running")
                ballast = folder / "ballast"
                with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * 65536)
                acknowledged, refusal = [], None
                for _ in range(2000):
                    answer = server.client.post(
                        "/api/v1/jobs", {"command": ["/bin/true"], "hold": True, "labels": {"pad": "x" * 200}})
                    if answer.status != 201:
                        refusal = answer
                        break
                    acknowledged.append(answer.json["id"])
                self.assertIsNotNone(refusal, "the disk never filled up")
                self.assertEqual((refusal.status, refusal.json["code"]), (503, "STORAGE_FULL"))
                self.assertEqual(server.client.job(running)["id"], running)  # Reads go on.
                # It ends while nothing can be written: the shim has taken the room for it before.
                wait_for("the job has ended", 20, lambda: not server.processes_of(running))
                ballast.unlink()
                wait_for("it writes again", 30, lambda: server.client.post(
                    "/api/v1/jobs", {"command": ["/bin/true"], "hold": True}).status == 201)
                wait_for("the job's end is known", 30, lambda: is_done(server.client.job(running)))
                self.assertEqual(server.client.job(running)["exit_code"], 7)
                server.kill()
                server.start()
                self.assertEqual(server.client.job(running)["exit_code"], 7)
                for job in acknowledged:
                    server.client.job(job)
            finally:
                server.close(keep=True)


class Connections(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(BINARY).start()
        cls.port = cls.server.port

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def answers(self, limit_s=2):
        limit_s *= int(os.environ.get("REEVE_PATIENCE", "1"))
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.port), limit_s) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            line = connection.makefile("rb").readline()
        self.assertIn(b" 200 ", line)
        self.assertLess(time.monotonic() - start, limit_s)

    def test_10000_idle_connections(self):
        wanted = 10_000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < wanted + 200:
            self.skipTest(f"this process may open {hard} files at most")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted + 200, hard))
        connections = []
        try:
            for _ in range(wanted):
                connection = socket.socket()
                connections.append(connection)
                connection.settimeout(5)
                connection.connect(("127.0.0.1", self.port))
            self.answers(5)
            self.assertTrue(self.server.is_ready())
        finally:
            for connection in connections:
                connection.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.answers()

    def test_slow_clients_are_cut_off_and_keep_nobody_waiting(self):
        slow = [socket.create_connection(("127.0.0.1", self.port), 5) for _ in range(200)]
        try:
            for connection in slow:
                connection.sendall(b"GET /livez HTTP/1.1\r\n")
            cut_off, deadline = set(), time.monotonic() + 40
            while len(cut_off) < len(slow) and time.monotonic() < deadline:
                for number, connection in enumerate(slow):
                    if number not in cut_off:
                        try:
                            connection.sendall(b"A")
                            connection.setblocking(False)
                            connection.recv(4096)  # An answer or the end: it waits no longer.
                            cut_off.add(number)
                        except BlockingIOError:
                            connection.setblocking(True)
                        except OSError:
                            cut_off.add(number)
                self.answers()
                time.sleep(0.5)
            self.assertEqual(len(cut_off), len(slow))
        finally:
            for connection in slow:
                connection.close()


class Jobs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(BINARY).start()
        cls.client = cls.server.client

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def running(self, spec):
        job = self.client.submit(spec)
        wait_for("it runs", 20, lambda: self.client.job(job)["state"] == "running")
        return job

    def ended(self, job, limit_s=30):
        return wait_for(f"job {job} has ended", limit_s, lambda: (
            lambda found: found if is_done(found) else None)(self.client.job(job)))

    def test_a_job_that_forks_without_end_is_stopped_whole(self):
        # Each process makes the next and ends: no list of pids is ever complete. Ten chains of it.
        chain = "import os, time\nwhile True:\n    if os.fork():\n        os._exit(0)\n    os.setsid()\n    time.sleep(0.002)\n"
        script = f"#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9 10; do python3 -c '{chain}' & done\nsleep 600\n"
        job = self.running({"script": script})
        wait_for("it forks", 10, lambda: len(self.server.processes_of(job)) > 3)
        self.assertTrue(self.server.is_ready())
        self.assertEqual(self.client.post(f"/api/v1/jobs/{job}:stop", {"force": True}).status, 200)
        self.assertEqual(self.ended(job)["state"], "cancelled")
        self.assertEqual(self.server.processes_of(job), [])

    def test_a_job_that_ignores_sigterm_is_killed_after_its_grace(self):
        job = self.running({"script": "#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 0.1; done\n", "stop": {"grace_s": 1}})
        wait_for("it has set its trap", 10, lambda: self.client.log(job) == b"ready\n")
        start = time.monotonic()
        self.assertEqual(self.client.post(f"/api/v1/jobs/{job}:stop").status, 200)
        self.assertEqual(self.ended(job)["state"], "cancelled")
        self.assertGreaterEqual(time.monotonic() - start, 0.9)
        self.assertEqual(self.server.processes_of(job), [])

    def test_a_job_that_writes_10_gb_keeps_a_bounded_log(self):
        free = shutil.disk_usage(self.server.folder).free
        if free < 4 << 30:
            self.skipTest(f"only {free >> 20} MiB free here")
        job = self.client.submit({"command": ["/bin/sh", "-c", "echo first; head -c 10G /dev/zero | tr '\\0' x; echo; echo last"]})
        self.assertEqual(self.ended(job, 300)["state"], "succeeded")
        on_disk = sum(file.stat().st_blocks * 512 for file in self.server.data.rglob("log") if file.is_file())
        self.assertLess(on_disk, (1 << 30) + (64 << 20))
        first = self.client.get(f"/api/v1/jobs/{job}/logs", limit=6)
        last = self.client.get(f"/api/v1/jobs/{job}/logs", offset=-6)
        self.assertEqual((first.body, last.body), (b"first\n", b"\nlast\n"))


if __name__ == "__main__":
    unittest.main()
