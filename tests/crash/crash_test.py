#!/usr/bin/env python3
"""kill -9 of the real server and of shims, at random, while several clients submit and cancel.

    tests/crash/crash_test.py BINARY [--kills 50] [--seed N] [--clients 4] [--keep]

What has to hold when it is over:
  - each acknowledged job is there, once, and reached exactly one end
  - no job ran twice at once, and none started more often than it had attempts
  - none was claimed by a node after its cancel was acknowledged
  - a job whose shim was left alone ended with its own exit code, and its log is whole
  - of a job whose shim was killed the log has every line that the job had written, whether a server
    ran at that moment or not
  - all GPUs are free, and no process is left

The seed decides who is killed and when the next kill comes; how far everybody has got by then is up to the machine.
"""
import argparse
import http.client
import os
import pathlib
import random
import sys
import threading
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "live"))
from server import Server, is_done, wait_for  # noqa: E402

LINES = 12
# From the moment when an agent begins a start until its claim is on the disk: that start is not called back.
START_BEGUN_S = 0.25
ENDS = {"element.succeeded", "element.failed", "element.cancelled", "element.timed_out"}
DRAIN_LIMIT_S = 180
WENT_AWAY = (OSError, http.client.HTTPException)

# Holds a lock while it lives: the kernel frees it with the last process of the job, so a second one
# that gets no lock runs beside the first. Notes each line beside the log once it is written.
JOB = r"""#!/bin/bash
exec 9>"$NOTES/lock.$NONCE"
flock --nonblock 9 || echo "$NONCE" >>"$NOTES/twice"
echo "$NONCE $REEVE_ATTEMPT $EPOCHREALTIME" >>"$NOTES/started"
for ((i = 0; i < COUNT; ++i)); do
    echo "$NONCE line $i of $COUNT, which has some length so that it is worth losing"
    echo x >>"$NOTES/lines.$NONCE.$REEVE_ATTEMPT"
    ((i % 4)) || sleep "$PAUSE"
done
exit "$CODE"
"""


def expected_log(nonce):
    return b"".join(
        b"%s line %d of %d, which has some length so that it is worth losing\n" % (nonce.encode(), i, LINES)
        for i in range(LINES)
    )


class Run:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.server = Server(options.binary)
        self.notes = self.server.folder / "notes"
        self.notes.mkdir()
        self.mark = uuid.uuid4().hex  # In the environment of each job of this run, and of no other.
        self.lock = threading.Lock()
        self.jobs = {}  # nonce -> (id, code, retries)
        self.cancelled = {}  # id -> when its cancel was acknowledged
        self.asked_to_stop = set()  # ids; the answer may have been lost with the server
        self.shim_killed = set()  # nonces
        self.both_gone = 0  # How many of them were killed together with the server.
        self.over = threading.Event()
        self.kills = {"server": 0, "shim": 0}
        self.problems = []

    # ---- Clients.

    def insist(self, method, path, body=None, headers=None):
        """The same request until it is answered. None when all is over before."""
        while not self.over.is_set():
            try:
                answer = self.server.client.request(method, path, body, headers, timeout=10)
                if answer.status != 503:
                    return answer
            except WENT_AWAY:
                pass
            time.sleep(0.02)
        return None

    def submit_and_cancel(self, number):
        choose = random.Random(self.options.seed * 1000 + number)
        while not self.over.is_set():
            nonce, code, retries = uuid.UUID(int=choose.getrandbits(128)).hex, choose.choice((0, 0, 3)), choose.choice((0, 0, 2))
            spec = {
                "name": "crash", "script": JOB, "labels": {"nonce": nonce},
                "env": {"NONCE": nonce, "NOTES": str(self.notes), "MARK": self.mark, "CODE": str(code),
                        "COUNT": str(LINES), "PAUSE": choose.choice(("0.01", "0.1", "0.4"))},
                "resources": {"gpus": choose.choice((0, 1, 0.25)), "cpus": 0.01},
                "retries": {"max": retries, "backoff_s": 0},
            }
            answer = self.insist("POST", "/api/v1/jobs", spec, {"Idempotency-Key": nonce})
            if answer is None:
                return
            if answer.status != 201:
                self.problem(f"refused: {answer}")
                return
            job_id = answer.json["id"]
            with self.lock:
                self.jobs[nonce] = (job_id, code, retries)
            if choose.random() < 0.15:
                self.asked_to_stop.add(job_id)
                answer = self.insist("POST", f"/api/v1/jobs/{job_id}:stop")
                if answer is not None and answer.status == 200:
                    self.cancelled[job_id] = time.time()
            time.sleep(choose.uniform(0.05, 0.3))  # Load that two cores can drain.

    # ---- Killers.

    def shims(self):
        """(pid of a shim, nonce of its job) for every job of this run whose shim lives."""
        found = {}
        for folder in pathlib.Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                environment = dict(
                    entry.split(b"=", 1) for entry in (folder / "environ").read_bytes().split(b"\0") if b"=" in entry
                )
                if environment.get(b"MARK") != self.mark.encode():
                    continue
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                theirs = pathlib.Path(f"/proc/{parent}/environ").read_bytes()
                if b"MARK=" + self.mark.encode() not in theirs and parent > 1:
                    found[parent] = environment[b"NONCE"].decode()
            except (OSError, ValueError):
                continue
        found.pop(self.server.process.pid, None)
        return sorted(found.items())

    def kill_one(self):
        dice = self.random.random()
        shims = self.shims() if dice < 0.45 else []
        if shims and dice < 0.3:
            self.kill_shim(shims)
            return
        self.server.kill()
        self.kills["server"] += 1
        if shims and self.kill_shim(shims):
            self.both_gone += 1
        # Now and then before it is ready again.
        self.server.launch()
        if self.random.random() < 0.8:
            wait_for("the server is ready again", 30, self.is_up)

    def kill_shim(self, shims):
        pid, nonce = self.random.choice(shims)
        self.shim_killed.add(nonce)
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            return False
        self.kills["shim"] += 1
        return True

    def is_up(self):
        if self.server.process.poll() is not None:
            raise AssertionError(f"it does not start again: {self.server.process.returncode}\n{self.server.said()}")
        return self.server.is_ready()

    # ---- The whole.

    def problem(self, text):
        with self.lock:
            self.problems.append(text)

    def run(self):
        self.server.start()
        clients = [
            threading.Thread(target=self.submit_and_cancel, args=(number,)) for number in range(self.options.clients)
        ]
        for client in clients:
            client.start()
        try:
            while sum(self.kills.values()) < self.options.kills:
                time.sleep(self.random.uniform(0.05, 1.0))
                self.kill_one()
            wait_for("the server is ready at the end", 30, self.is_up)
        finally:
            self.over.set()
            for client in clients:
                client.join()
        client = self.server.client
        wait_for("every acknowledged job has ended", DRAIN_LIMIT_S, lambda: not next(
            iter(client.pages("/api/v1/jobs", state="pending,scheduled,running,stopping")), None))
        self.check()

    def check(self):
        client = self.server.client
        starts, started_at = {}, {}
        started = self.notes / "started"
        for line in started.read_text().splitlines() if started.exists() else []:
            nonce, attempt, at = line.split()
            starts[(nonce, attempt)] = starts.get((nonce, attempt), 0) + 1
            started_at.setdefault(nonce, []).append(float(at))
        for key, count in starts.items():
            if count > 1:
                self.problem(f"attempt {key} was started {count} times")
        if (self.notes / "twice").exists():
            self.problem(f"ran twice at once: {(self.notes / 'twice').read_text().split()}")

        listed = {}
        for job in client.pages("/api/v1/jobs", name="crash", limit=1000):
            listed.setdefault(job["labels"]["nonce"], []).append(job)
        for nonce, (job_id, code, _) in self.jobs.items():
            there = listed.get(nonce, [])
            if [job["id"] for job in there] != [job_id]:
                self.problem(f"job {job_id} ({nonce}) was acknowledged; listed are {[job['id'] for job in there]}")
                continue
            self.check_job(there[0], nonce, code, started_at.get(nonce, []))
        for nonce in set(listed) - set(self.jobs):
            if len(listed[nonce]) > 1:
                self.problem(f"{nonce} is there {len(listed[nonce])} times")

        for gpu in client.pages("/api/v1/gpus"):
            if gpu["allocations"]:
                self.problem(f"still held: {gpu}")
        left = self.shims()
        if left:
            self.problem(f"processes left: {left}")

    def check_job(self, job, nonce, code, started_at):
        job_id, client = job["id"], self.server.client
        kinds = [change["kind"] for change in client.pages(f"/api/v1/jobs/{job_id}/timeline", limit=1000)]
        if not is_done(job) or kinds.count("job.ended") != 1 or sum(kind in ENDS for kind in kinds) > 1:
            self.problem(f"job {job_id}: {job['state']}, after {kinds}")
        if job_id in self.cancelled:
            self.check_cancelled(job_id, bool(started_at))
        was_stopped = job_id in self.cancelled or (job_id in self.asked_to_stop and job["state"] == "cancelled")
        if not started_at:
            if not was_stopped and nonce not in self.shim_killed:
                self.problem(f"job {job_id} never ran: {job}")
            return
        log, whole = client.log(job_id), expected_log(nonce)
        notes = self.notes / f"lines.{nonce}.{job.get('attempt', 1)}"
        written = len(notes.read_bytes().splitlines()) if notes.exists() else 0
        is_short = log.count(b"\n") < written
        if not whole.startswith(log) or is_short:
            self.problem(f"job {job_id}: the log has {len(log)} bytes, "
                         f"{written} of {LINES} lines were written")
        if nonce in self.shim_killed or was_stopped:
            return
        if log != whole or job.get("exit_code") != code or job["state"] != ("failed" if code else "succeeded"):
            self.problem(f"job {job_id} should have ended with {code} and {len(whole)} bytes: "
                         f"{job['state']} {job.get('end_reason')} {job.get('signal')} {job.get('message')}, {len(log)} bytes")


    def check_cancelled(self, job_id, has_started):
        """A start that has begun may arrive; none begins after the acknowledgement."""
        claims = list(self.server.data.glob(f"nodes/*/tasks/*/{job_id}.*/order.json"))
        if has_started and not claims:
            self.problem(f"job {job_id} has run, and no node has its directory")
        for claim in claims:
            late_s = claim.stat().st_mtime - self.cancelled[job_id]
            if has_started and late_s > START_BEGUN_S:
                self.problem(f"{claim.parent.name} was claimed {late_s:.3f} s after its cancel was acknowledged")


def main():
    parser = argparse.ArgumentParser(description="kill -9 at random")
    parser.add_argument("binary")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--keep", action="store_true", help="leave the data directory")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    run = Run(options)
    failed = True
    try:
        run.run()
        failed = bool(run.problems)
    finally:
        for problem in run.problems[:40]:
            print(f"PROBLEM {problem}")
        print(f"{run.kills['server']} kills of the server, {run.kills['shim']} of shims ({run.both_gone} together with the server), "
              f"{len(run.jobs)} jobs acknowledged, {len(run.cancelled)} cancelled, {len(run.problems)} problems")
        if failed:
            print(f"what the server said last:\n{run.server.said()}")
        run.server.close(keep=options.keep)
        if options.keep:
            print(f"kept: {run.server.folder}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
