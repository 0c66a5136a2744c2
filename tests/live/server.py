"""A real `reeve up` in a folder of its own, and a client of its API, for tests of the whole program.

Nothing but the standard library. Every path is in a temporary folder, every port is free by choice
of the kernel, every wait is for a condition and has a limit.
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

START_LIMIT_S = 30
REQUEST_LIMIT_S = 30


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=REQUEST_LIMIT_S):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class Client:
    """One request at a time over the Unix socket. Raises OSError or HTTPException when the server is
    not there, or went away before it had answered."""

    def __init__(self, socket_path):
        self.socket_path = socket_path

    def request(self, method, path, body=None, headers=None, timeout=REQUEST_LIMIT_S):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        connection = UnixConnection(self.socket_path, timeout)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **query):
        tail = "?" + urllib.parse.urlencode(query) if query else ""
        return self.request("GET", path + tail)

    def post(self, path, body=None, headers=None):
        return self.request("POST", path, body, headers)

    def submit(self, spec, key=None):
        """The id. Raises AssertionError when it is refused."""
        answer = self.post("/api/v1/jobs", spec, {"Idempotency-Key": key} if key else None)
        assert answer.status == 201, answer
        return answer.json["id"]

    def job(self, job_id):
        answer = self.get(f"/api/v1/jobs/{job_id}")
        assert answer.status == 200, answer
        return answer.json

    def pages(self, path, **query):
        """Every item of a list."""
        while True:
            answer = self.get(path, **query)
            assert answer.status == 200, answer
            page = answer.json
            yield from page["items"]
            if "next" not in page:
                return
            query["cursor"] = page["next"]

    def log(self, job_id):
        """All bytes of the log of its newest attempt."""
        offset, whole = 0, b""
        while True:
            answer = self.get(f"/api/v1/jobs/{job_id}/logs", offset=offset)
            assert answer.status == 200, answer
            if not answer.body:
                return whole
            whole += answer.body
            offset = int(answer.headers["X-Reeve-Next-Offset"])


def wait_for(what, limit_s, condition, every_s=0.02):
    """What `condition` returns once that is true. Raises AssertionError after the limit."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"after {limit_s} s still not: {what}"
        time.sleep(every_s)


def is_done(job):
    return job["state"] in ("succeeded", "failed", "cancelled", "timed_out")


class Server:
    """`reeve up` on a data directory. start(), kill() and stop() may be called again and again."""

    def __init__(self, binary, gpus="4xRTX5090", folder=None, data=None, nodes=None):
        self.binary = str(binary)
        self.simulated = ["--nodes-simulated", nodes] if nodes else ["--gpus-simulated", gpus]
        # Short: the path of a Unix socket has room for 107 bytes.
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="reeve-"))
        self.data = pathlib.Path(data or self.folder / "data")
        self.client = Client(self.data / "reeve.sock")
        self.process = None
        self.starts = 0

    def command(self):
        command = [self.binary, "up", "--data", str(self.data), "--listen", "127.0.0.1:0"]
        command += ["--status-listen", "127.0.0.1:0", *self.simulated]
        if os.geteuid() == 0:
            command.append("--allow-root-jobs")
        return command

    def environment(self):
        return {**os.environ, "NO_COLOR": "1", "XDG_STATE_HOME": str(self.folder / "state")}

    def launch(self):
        """Starts it and does not wait."""
        self.starts += 1
        with open(self.folder / "up.log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment(), start_new_session=True,
            )

    def is_ready(self):
        try:
            return self.client.request("GET", "/readyz", timeout=2).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def start(self):
        banners = self.banners()
        self.launch()

        def is_up():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.said()}"
            return self.is_ready() and self.banners() > banners  # It answers before it says so.

        wait_for("the server is ready", START_LIMIT_S, is_up)
        return self

    def address(self, word):
        """(host, port) of the line of `reeve up` that begins with `word`: "API" or "status"."""
        found = re.findall(rf"^  {word} +http://([^:/]+):(\d+)", self.said(), re.MULTILINE)
        assert found, f"no {word} address in:\n{self.said()}"
        return found[-1][0], int(found[-1][1])

    @property
    def port(self):
        return self.address("API")[1]

    @property
    def status_port(self):
        return self.address("status")[1]

    def make_token(self, user):
        """A bearer token for TCP."""
        made = subprocess.run([self.binary, "server", "token", "--user", user, "--data", str(self.data)],
                              capture_output=True, text=True, check=True, timeout=20)
        return made.stdout.strip()

    def said(self):
        log = self.folder / "up.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    def banners(self):
        """How often it said that it is up: the file goes on from one start to the next."""
        log = self.folder / "up.log"
        return log.read_bytes().count(b"reeve is up") if log.exists() else 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, limit_s=30):
        """Asks it to end. Its exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(limit_s)

    def processes_of(self, job_id):
        """The pids of the processes of a job."""
        cluster = self.client.get("/api/v1/me").json["server"]["cluster_id"]
        wanted = {f"REEVE_JOB_ID={job_id}".encode(), f"REEVE_CLUSTER_ID={cluster}".encode()}
        found = []
        for folder in pathlib.Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    if wanted <= set((folder / "environ").read_bytes().split(b"\0")):
                        found.append(int(folder.name))
                except OSError:
                    continue  # It ended, or is somebody else's.
        return found

    def close(self, keep=False):
        """Ends the server and whatever it started; removes the folder."""
        if self.process and self.process.poll() is None:
            try:
                for job in self.client.pages("/api/v1/jobs", state="pending,scheduled,running,stopping", limit=1000):
                    self.client.post(f"/api/v1/jobs/{job['id']}:stop", {"force": True})
                wait_for("nothing runs", 20, lambda: not list(
                    self.client.pages("/api/v1/jobs", state="scheduled,running,stopping")))
            except (OSError, http.client.HTTPException, AssertionError) as error:
                print(f"close: {error}")
            try:
                self.stop(10)
            except subprocess.TimeoutExpired:
                self.kill()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
