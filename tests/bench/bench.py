#!/usr/bin/env python3
"""Measures what docs/performance.md says has to be reached, on a real server in a folder of its own.

    ./bench                    builds, then runs all of these
    ./bench submit latency     only these; ./bench --list names them
    ./bench --sbatch           sbatch beside it, against the Slurm that SLURM_CONF names
    ./bench slurm              jobs, starts and lists of that Slurm (idle, 8 nodes of 4 GPUs) and ours, in one run

Each figure is one line: its name, what was measured, what has to be reached, and whether it was.
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import pwd
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "live"))
from server import Server, is_done, wait_for  # noqa: E402
import slurm as peer  # noqa: E402

# At least 300 bytes of specification, as people really write them.
SPEC = {
    "name": "train-resnet50", "project": "default",
    "command": ["/usr/bin/python3", "train.py", "--data", "/data/imagenet", "--epochs", "90", "--batch", "256"],
    "working_dir": "/tmp", "env": {"OMP_NUM_THREADS": "8", "NCCL_DEBUG": "WARN", "RUN": "2026-11-24-a"},
    "resources": {"gpus": 4, "cpus": 0.001}, "time_limit_s": 14400, "labels": {"team": "vision", "paper": "x1"},
}
assert len(json.dumps(SPEC, separators=(",", ":"))) >= 300

rows = []


def figure(name, value, unit, wanted, is_met):
    rows.append((name, value, unit, wanted, is_met))
    print(f"{name:<46} {value:>12,.2f} {unit:<8} {wanted:<22} {'reached' if is_met else 'NOT REACHED'}", flush=True)


class Skipped(Exception):
    """What a figure needs is not on this machine: it is neither reached nor missed."""


def at_most(name, value, unit, limit):
    figure(name, value, unit, f"at most {limit:,}", value <= limit)


def at_least(name, value, unit, limit):
    figure(name, value, unit, f"at least {limit:,}", value >= limit)


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def occupied(options, **kwargs):
    """A server whose GPUs are all taken, so that what is submitted stays queued."""
    server = Server(options.binary, **kwargs).start()
    occupy(server)
    return server


def occupy(server, nodes=1):
    spec = {"command": ["/bin/sleep", "100000"], "resources": {"gpus": 4, "cpus": 0.001}}
    server.occupiers = [server.client.submit(spec) for _ in range(nodes)]
    wait_for("the GPUs are taken", 20, lambda: count_running(server) == nodes)


def end_occupied(server):
    """Ends what runs, starts nothing of what is queued, and removes all of it."""
    if not server.is_ready():
        server.start()
    for node in server.client.pages("/api/v1/nodes"):
        server.client.post(f"/api/v1/nodes/{node['name']}:drain")
    for job in server.occupiers:
        server.client.post(f"/api/v1/jobs/{job}:stop", {"force": True})
    wait_for("nothing runs", 20, lambda: all(is_done(server.client.job(job)) for job in server.occupiers))
    server.kill()
    server.close()


def resident_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wrk(server, path, body, connections, seconds):
    """(requests per second, p99 in ms). Every answer has to be 2xx."""
    token = server.make_token(pwd.getpwuid(os.geteuid()).pw_name)
    script = server.folder / "post.lua"
    script.write_text(
        'wrk.method = "POST"\n'
        f"wrk.body = [==[{body}]==]\n"
        'wrk.headers["Content-Type"] = "application/json"\n'
        f'wrk.headers["Authorization"] = "Bearer {token}"\n'
    )
    url = f"http://127.0.0.1:{server.port}{path}"
    said = subprocess.run(
        ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency", "-s", str(script), url],
        capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    return rate, float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def submit(options):
    """Durable submissions over 64 connections, and in bulk."""
    server = occupied(options)
    try:
        rate, p99 = wrk(server, "/api/v1/jobs", json.dumps(SPEC), 64, options.seconds)
        at_least("submissions, 64 connections", rate, "/s", 15_000)
        at_most("submissions, 64 connections, p99", p99, "ms", 50)
        batch = json.dumps({"jobs": [SPEC] * 1000}, separators=(",", ":"))
        rate, _ = wrk(server, "/api/v1/jobs:batch", batch, 4, options.seconds)
        at_least("submissions in bulk of 1,000", rate * 1000, "jobs/s", 80_000)
    finally:
        end_occupied(server)


def latency(options):
    """From the moment a client begins to submit until the process reads the clock."""
    server = Server(options.binary).start()
    try:
        taken = []
        for _ in range(200):
            begin = time.time_ns()
            job = server.client.submit({"command": ["/bin/date", "+%s%N"], "resources": {"gpus": 1}})
            log = wait_for("its output", 20, lambda: server.client.log(job))
            taken.append((int(log) - begin) / 1e6)
            wait_for("its end", 20, lambda: is_done(server.client.job(job)))
        at_most("submission to process start, p50", statistics.median(taken), "ms", 15)
        at_most("submission to process start, p99", percentile(taken, 99), "ms", 60)
    finally:
        server.close()


def throughput(options):
    """/bin/true, one GPU each, on 8 simulated ones."""
    server = Server(options.binary, gpus="8xH100").start()
    try:
        count = 4000
        begin = time.monotonic()
        spec = {**SPEC, "command": ["/bin/true"], "resources": {"gpus": 1, "cpus": 0.25}}
        for _ in range(count // 1000):
            assert server.client.post("/api/v1/jobs:batch", {"jobs": [spec] * 1000}).status == 201
        wait_for("all have ended", 120, lambda: not server.client.get(
            "/api/v1/jobs", state="pending,scheduled,running,stopping", limit=1).json["items"])
        at_least("/bin/true completed", count / (time.monotonic() - begin), "jobs/s", 400)
    finally:
        server.close()


def shims(options):
    """Private memory of the shims of 1,000 running tasks."""
    server = Server(options.binary).start()
    try:
        count = 1000
        spec = {"command": ["/bin/sleep", "600"], "resources": {"cpus": 0.001}, "env": {"BENCH": "shims"}}
        assert server.client.post("/api/v1/jobs:batch", {"jobs": [spec] * count}).status == 201
        wait_for("all run", 120, lambda: count_running(server) == count)
        parents = set()
        for folder in pathlib.Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    if b"BENCH=shims" in (folder / "environ").read_bytes().split(b"\0"):
                        parents.add(int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]))
                except OSError:
                    continue
        private = 0
        for parent in parents:
            text = pathlib.Path(f"/proc/{parent}/smaps_rollup").read_text()
            private += sum(int(kib) for kib in re.findall(r"Private_\w+:\s+(\d+) kB", text))
        assert len(parents) == count, f"{len(parents)} shims"
        at_most("private memory of a shim, mean of 1,000", private / 1024 / count, "MiB", 1)
    finally:
        server.close()


def count_running(server):
    return sum(1 for _ in server.client.pages("/api/v1/jobs", state="running", limit=1000))


def million(options):
    """A million queued jobs, each its own record."""
    server = occupied(options)
    try:
        single = json.dumps(SPEC)
        empty_rate, _ = wrk(server, "/api/v1/jobs", single, 64, options.seconds)
        batch = json.dumps({"jobs": [SPEC] * 1000}, separators=(",", ":")).encode()

        def send(_):
            answer = server.client.request("POST", "/api/v1/jobs:batch", batch)
            assert answer.status == 201, answer

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(send, range(options.million // 1000)))
        at_most("1,000,000 queued: resident", resident_mib(server.process.pid), "MiB", 953.7)
        times = []
        for _ in range(20):
            begin = time.monotonic()
            assert len(server.client.get("/api/v1/jobs", limit=100).json["items"]) == 100
            times.append((time.monotonic() - begin) * 1000)
        at_most("1,000,000 queued: first page, median", statistics.median(times), "ms", 20)
        full_rate, _ = wrk(server, "/api/v1/jobs", single, 64, options.seconds)
        at_least("1,000,000 queued: submission rate, of empty", full_rate / empty_rate * 100, "%", 80)
        server.kill()
        begin = time.monotonic()
        server.start()
        at_most("1,000,000 queued: restart to ready", time.monotonic() - begin, "s", 15)
    finally:
        end_occupied(server)


def idle(options):
    """A server that has nothing to do."""
    server = Server(options.binary).start()
    try:
        time.sleep(5)  # Past what starting costs; nothing is waited for.
        before, begin = cpu_seconds(server.process.pid), time.monotonic()
        time.sleep(20)
        used = (cpu_seconds(server.process.pid) - before) / (time.monotonic() - begin) * 100
        at_most("idle: CPU", used, "% of one", 0.5)
        at_most("idle: resident", resident_mib(server.process.pid), "MiB", 40)
    finally:
        server.close()


def status(options):
    """GET /status of the node, 1,000 times a second, evenly, over 4 connections."""
    server = Server(options.binary).start()
    try:
        taken, lock, rate, seconds, clients = [], threading.Lock(), 1000, 10, 4

        def ask(number):
            connection = socket.create_connection(("127.0.0.1", server.status_port), 5)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            mine, begin = [], time.monotonic() + number / rate
            for step in range(rate * seconds // clients):
                due = begin + step * clients / rate
                time.sleep(max(0, due - time.monotonic()))
                sent = time.monotonic()
                connection.sendall(b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert b" 200 " in connection.recv(65536)
                mine.append((time.monotonic() - sent) * 1000)
            with lock:
                taken.extend(mine)

        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            list(pool.map(ask, range(clients)))
        at_most("/status at 1,000/s, p99", percentile(taken, 99), "ms", 2)
    finally:
        server.close()


def sbatch(seconds):
    """Jobs per second of `sbatch` with 4 clients."""
    script = tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False)
    script.write("#!/bin/sh\nsleep 100000\n")
    script.close()
    deadline, done = time.monotonic() + seconds, []

    def client(_):
        count = 0
        while time.monotonic() < deadline:
            subprocess.run(["sbatch", "--hold", "--output=/dev/null", "--gres=gpu:1", script.name],
                           check=True, capture_output=True, timeout=60)
            count += 1
        done.append(count)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(client, range(4)))
    os.unlink(script.name)
    return sum(done) / seconds


def beside(name, ours, theirs, unit, least=None):
    """Two figures of one kind, and how often one is in the other: `least` times, at least. In "/s" more is better."""
    print(f"{name + ': Reeve':<46} {ours:>12,.2f} {unit}")
    print(f"{name + ': Slurm':<46} {theirs:>12,.2f} {unit}")
    times = ours / theirs if unit.endswith("/s") else theirs / ours
    if least:
        at_least(name, times, "times", least)
    else:
        print(f"{name:<46} {times:>12,.2f} times", flush=True)


class Ours:
    """Submits to a server as a program does, or (`by_command`) as people do, which is how `sbatch` is used."""

    def __init__(self, server, by_command):
        self.server, self.by_command = server, by_command
        self.environment = {**os.environ, "REEVE_SERVER": f"unix:{server.client.socket_path}", "NO_COLOR": "1"}

    def run(self, *arguments, stdout=subprocess.DEVNULL):
        subprocess.run([self.server.binary, *arguments], env=self.environment, stdout=stdout, check=True, timeout=120)

    def submit(self, script, *arguments, options=()):
        if self.by_command:
            self.run("run", "-d", "-q", "--gpus", "1", "--cpus", "0.25", *options, "--", script, *arguments)
        else:
            self.server.client.submit({"command": [script, *arguments], "resources": {"gpus": 1, "cpus": 0.25}})

    def jobs(self, state):
        return self.server.client.pages("/api/v1/jobs", state=state, limit=1000)

    def count(self, state):
        return sum(1 for _ in self.jobs(state))

    def succeeded(self):
        """How many elements have, once all have ended: what the server is asked meanwhile costs it next to nothing."""
        live = self.server.client.get("/api/v1/jobs", state="pending,scheduled,running,stopping", limit=1)
        return 0 if live.json["items"] else sum(job["elements"]["succeeded"] for job in self.jobs("succeeded"))


def with_clients(count, call):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: call(), range(count)))


def completed(side, submit, count, is_array=False):
    """Jobs per second, from the first submission to the last end."""
    before, begin = side.succeeded(), time.monotonic()
    with_clients(1 if is_array else count, submit)
    wait_for(f"{count} jobs have ended well", 120, lambda: side.succeeded() - before == count, 0.1)
    return count / (time.monotonic() - begin)


def start_of(side, script, note):
    """(ms from the call to what the job notes first, ms from the answer to it), on an idle cluster."""
    before, begin = side.succeeded(), time.time()
    side.submit(script, str(note))
    answered = time.time()
    wait_for("it noted its start", 20, lambda: note.exists() and note.read_text().endswith("\n"))
    at = float(note.read_text())
    note.unlink()
    wait_for("its end", 20, lambda: side.succeeded() - before == 1, 0.1)
    return (at - begin) * 1000, (at - answered) * 1000


def compare_completed(theirs, api, command, script):
    """4 clients of the API against the better of 4 of sbatch and an array; then command against command."""
    count, elements = 600, ("--array", "1-600")
    sbatch_rate = completed(theirs, lambda: theirs.submit(script), count)
    sbatch_array = completed(theirs, lambda: theirs.submit(script, options=("--gres=gpu:1", *elements)), count, True)
    beside("/bin/true completed, 4 clients", completed(api, lambda: api.submit(script), count),
           max(sbatch_rate, sbatch_array), "jobs/s", 5)
    beside("/bin/true completed, by commands", completed(command, lambda: command.submit(script), count),
           sbatch_rate, "jobs/s")
    beside("/bin/true completed, one array", completed(
        command, lambda: command.submit(script, options=elements), count, True), sbatch_array, "jobs/s")


def compare_starts(theirs, api, command, script, note):
    """From the call of the API, where of Slurm's nothing counts before sbatch's answer; then from command to start."""
    taken, pause = {side: [] for side in (theirs, api, command)}, random.Random(1)
    for _ in range(20):
        time.sleep(pause.random())  # Slurm looks at its queue once a second: every moment of that counts alike.
        for side, starts in taken.items():
            starts.append(start_of(side, script, note))
    p50 = {side: [statistics.median(each) for each in zip(*starts)] for side, starts in taken.items()}
    beside("submission to start, p50", p50[api][0], p50[theirs][1], "ms", 30)
    beside("submission to start, by commands, p50", p50[command][0], p50[theirs][0], "ms")


def compare_lists(theirs, ours, script, path):
    """10,000 that wait and 8 that run. What both commands print goes to a file."""
    server = ours.server
    occupy(server, peer.NODES)
    theirs.submit(script, options=(f"--array=1-{peer.NODES}", f"--gres=gpu:{peer.GPUS}"))
    wait_for("Slurm's GPUs are taken", 20, lambda: theirs.count("RUNNING") == peer.NODES, 0.5)
    with_clients(10_000, lambda: theirs.submit(script))
    spec = {**SPEC, "command": [script], "resources": {"gpus": 1, "cpus": 0.25}}
    for _ in range(10):
        assert server.client.post("/api/v1/jobs:batch", {"jobs": [spec] * 1000}).status == 201
    pending = {"ours": ours.count("pending"), "Slurm's": theirs.count("PENDING")}
    assert set(pending.values()) == {10_000}, pending

    commands = {
        ("JSON", "items"): lambda file: ours.run("q", "-o", "json", "--limit", "20000", stdout=file),
        ("JSON", "jobs"): lambda file: theirs.squeue("--json", stdout=file),
        ("a table", "items"): lambda file: ours.run("q", "--limit", "20000", stdout=file),
        ("a table", "jobs"): lambda file: theirs.squeue(stdout=file),
    }
    times = {name: [] for name in commands}
    for _ in range(3):
        for (form, member), run in commands.items():
            with open(path, "wb") as file:
                begin = time.monotonic()
                run(file)
                times[form, member].append((time.monotonic() - begin) * 1000)
            text = path.read_bytes()
            listed = json.loads(text)[member] if form == "JSON" else text.splitlines()[1:]
            assert len(listed) >= 10_000, f"{form}, {member}: {len(listed)} rows"
            if form == "JSON" and len(times[form, member]) == 1:
                print(f"{member} as JSON: {len(text) / len(listed):,.0f} bytes and {len(listed[-1])} fields each")
    for form, least in (("JSON", 20), ("a table", None)):
        ours_ms, theirs_ms = (statistics.median(times[form, member]) for member in ("items", "jobs"))
        beside(f"10,000 pending as {form}", ours_ms, theirs_ms, "ms", least)


def slurm(options):
    """Beside the Slurm that SLURM_CONF names: jobs completed, starts on an idle cluster, 10,000 pending listed."""
    if not os.environ.get("SLURM_CONF"):
        raise Skipped(peer.NEEDED)
    theirs = peer.Slurm()
    print(f"{theirs.version()}, SchedulerParameters={theirs.parameters()}", flush=True)
    server = Server(options.binary, nodes=f"{peer.NODES}x{peer.GPUS}xA30").start()
    server.occupiers = []
    try:
        scripts = {"true": "#!/bin/true\n", "sleep": "#!/bin/sh\nexec sleep 900\n",
                   "note": '#!/bin/bash\necho "${EPOCHREALTIME/,/.}" >"$1"\n'}  # Both sides run the same.
        for name, text in scripts.items():
            scripts[name] = str(server.folder / name)
            pathlib.Path(scripts[name]).write_text(text)
            os.chmod(scripts[name], 0o755)
        api, command = Ours(server, False), Ours(server, True)
        compare_completed(theirs, api, command, scripts["true"])
        compare_starts(theirs, api, command, scripts["note"], server.folder / "started")
        compare_lists(theirs, command, scripts["sleep"], server.folder / "list")
    finally:
        theirs.cancel()
        if server.occupiers:
            end_occupied(server)
        else:
            server.close()


# GPUs allocated at 130 % arrived, in %: fill value as our own experiment had it, others as published.
ALLOCATED = {
    "fill-value": {"default": 95.95, "cpu050": 95.95, "gpushare40": 94.64, "gpuspec10": 95.92, "multigpu20": 96.47},
    "fgd": {"default": 95.39, "cpu050": 95.21, "gpushare40": 94.15, "gpuspec10": 94.95, "multigpu20": 95.65},
    "best-fit": {"default": 93.08, "cpu050": 93.79, "gpushare40": 91.69, "gpuspec10": 93.30, "multigpu20": 93.93},
    "random": {"default": 87.47, "cpu050": 91.24, "gpushare40": 86.00, "gpuspec10": 87.43, "multigpu20": 88.69},
}
RATES = {"cold/openb": 100_000, "warm/openb": 200_000, "cold/10000x8": 50_000, "warm/10000x8": 100_000}


def scheduler_bench(options, *figures):
    traces = pathlib.Path(os.environ.get("REEVE_TRACES", "../shared/traces")).resolve()
    if not (traces / "openb").is_dir():
        raise Skipped(f"the traces of openb are not in {traces}; REEVE_TRACES names their folder")
    build = pathlib.Path(options.binary).parent
    subprocess.run(["ninja", "-C", str(build), "reeve_scheduler_bench"], check=True, capture_output=True)
    said = subprocess.run([next(build.rglob("reeve_scheduler_bench")), str(traces), *figures],
                          check=True, capture_output=True, text=True, timeout=1800).stdout
    return [line.split("\t") for line in said.splitlines()]


def departures(options):
    """openb as it came and went, on a quarter of its nodes, jobs coming faster: waits and use of GPUs by policy."""
    values = {}
    for name, value, unit in scheduler_bench(options, "departures"):
        print(f"{name:<58} {float(value):>10,.3f} {unit}")
        values[name] = float(value)
    for name, value in values.items():
        if "/fill-value/wait-mean" in name:
            others = min(values[name.replace("fill-value", policy)] for policy in ("fgd", "best-fit"))
            at_most(f"{name}, of FGD and best fit", value, "min", others)


def scheduler(options):
    """Placement over the openb traces in REEVE_TRACES (../shared/traces): GPUs allocated, decisions per second."""
    for name, value, unit in scheduler_bench(options):
        kind, _, rest = name.partition("/")
        if kind == "allocated":
            policy, workload = rest.split("/")
            wanted = ALLOCATED[policy][workload]
            if policy == "fill-value":
                least = 95.9 if workload == "default" else round(wanted - 0.1, 2)
                at_least(f"openb {workload}: {policy}", float(value), unit, least)
            else:
                figure(f"openb {workload}: {policy}", float(value), unit, f"{wanted} within 0.5",
                       abs(float(value) - wanted) <= 0.5)
        elif name in RATES:
            at_least(f"decisions, {rest}, {kind}", float(value), unit, RATES[name])
        else:
            print(f"{kind + ', ' + rest:<46} {float(value):>12,.2f} {unit}")


QUEUE = {"pass-10k": ("full pass over 10,000 that cannot start, 1,000 nodes", 10),
         "pass-1M": ("full pass over 1,000,000 in 20,000 groups", 200),
         "event-p99": ("a job ends, to the next start, 1,000,000 wait: p99", 1),
         "year": ("a year of 1,000,000 jobs on 6,000 GPUs, EASY", 60),
         "preempt-512": ("preemption for a gang of 512 GPUs, 1,000 full nodes", 100),
         "year-memory": ("the same: memory", 2048)}


def queue(options):
    """What a decision costs with a long queue; a year of jobs, replayed."""
    build = pathlib.Path(options.binary).parent
    subprocess.run(["ninja", "-C", str(build), "reeve_queue_bench"], check=True, capture_output=True)
    said = subprocess.run([next(build.rglob("reeve_queue_bench"))],
                          check=True, capture_output=True, text=True, timeout=600).stdout
    for line in said.splitlines():
        name, value, unit = line.split("\t")
        if name in QUEUE:
            title, most = QUEUE[name]
            at_most(title, float(value), unit, most)
        elif name == "year-busy":
            at_least("the same: GPUs in use", float(value), unit, 95)
        else:
            print(f"{name:<46} {float(value):>12,.4f} {unit}")


def what_if(options):
    """A simulation of the live queue: 10,000 jobs on 1,000 nodes, before and after."""
    build = pathlib.Path(options.binary).parent
    subprocess.run(["ninja", "-C", str(build), "reeve_what_if_bench"], check=True, capture_output=True)
    said = subprocess.run([next(build.rglob("reeve_what_if_bench"))], check=True, capture_output=True, text=True).stdout
    figures = {name: float(value) for name, value, _ in (line.split("\t") for line in said.splitlines())}
    at_most("10,000 queued on 1,000 nodes: both runs of a simulation", figures["what-if"], "s", 2)


def forecast(options):
    """When waiting jobs start, said beforehand: Philly in REEVE_TRACES (../shared/traces), replayed."""
    traces = pathlib.Path(os.environ.get("REEVE_TRACES", "../shared/traces")).resolve()
    trace = traces / "philly" / "philly.csv"
    if not trace.is_file():
        raise Skipped(f"the trace of Philly is not in {traces}; REEVE_TRACES names their folder")
    build = pathlib.Path(options.binary).parent
    subprocess.run(["ninja", "-C", str(build), "reeve_forecast_bench"], check=True, capture_output=True)
    said = subprocess.run([next(build.rglob("reeve_forecast_bench")), str(trace), "80x8xP100", "10800"],
                          check=True, capture_output=True, text=True, timeout=1800).stdout
    figures = {name: (float(value), unit) for name, value, unit in (line.split("\t") for line in said.splitlines())}
    inside = figures.pop("inside")[0]
    figure("Philly: starts inside the interval", inside, "%", "76 to 84", 76 <= inside <= 84)
    at_most("Philly: its width, of what time limits say", figures.pop("width-of-limits")[0], "", 0.333)
    for name, (value, unit) in figures.items():
        print(f"{'Philly: ' + name:<46} {value:>12,.3f} {unit}")


FIGURES = {f.__name__: f for f in (
    submit, latency, throughput, shims, idle, status, million, scheduler, departures, queue, what_if, forecast, slurm)}


def main():
    parser = argparse.ArgumentParser(description="figures of docs/performance.md")
    parser.add_argument("binary")
    parser.add_argument("figures", nargs="*", help=", ".join(FIGURES))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--seconds", type=int, default=8, help="of each load")
    parser.add_argument("--million", type=int, default=1_000_000)
    parser.add_argument("--sbatch", action="store_true")
    options = parser.parse_intermixed_args()
    if options.list:
        for name, each in FIGURES.items():
            print(f"{name:<12} {each.__doc__.splitlines()[0]}")
        return 0
    if "slurm" in options.figures and not os.environ.get("SLURM_CONF"):
        parser.error(f"slurm: {peer.NEEDED}")
    skipped = 0
    for name in options.figures or FIGURES:
        try:
            FIGURES[name](options)
        except Skipped as reason:
            skipped += 1
            print(f"{name:<46} skipped: {reason}", flush=True)
        except (AssertionError, OSError, RuntimeError, http.client.HTTPException, subprocess.SubprocessError) as error:
            figure(f"{name}: {error}"[:300], float("nan"), "", "", False)
    if options.sbatch:
        ours = next((value for name, value, *_ in rows if name == "submissions, 64 connections"), None)
        theirs = sbatch(options.seconds)
        print(f"{'sbatch, 4 clients':<46} {theirs:>12,.2f} /s")
        if ours:
            at_least("submissions, of sbatch's", ours / theirs, "times", 50)
    missed = sum(1 for row in rows if not row[4])
    print(f"{len(rows) - missed} reached, {missed} not" + (f", {skipped} skipped" if skipped else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
