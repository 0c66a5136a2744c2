"""A real Slurm to measure beside: the one that SLURM_CONF names, with 8 nodes of 4 GPUs each, on this machine.

What is submitted has a name of its own, and cancel() ends all of it and nothing else.
"""
import os
import re
import subprocess
import sys

from server import wait_for

NODES, GPUS = 8, 4
NEEDED = ("SLURM_CONF has to name the slurm.conf of a Slurm that runs on this machine with nothing to do: "
          f"{NODES} nodes with {GPUS} GPUs each (docs/performance.md)")


def said(*command):
    """Standard output. Raises RuntimeError with what the command complained of."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)[:80]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


class Slurm:
    """Raises RuntimeError if it is another cluster than is compared with, or is not idle."""

    def __init__(self):
        self.name = f"reeve-bench-{os.getpid()}"
        idle = {line for line in said("sinfo", "-h", "-N", "-t", "idle", "-o", "%N %G").splitlines()
                if re.search(rf" gpu(:\w+)?:{GPUS}\b", line)}
        if len(idle) != NODES or said("squeue", "-h").strip():
            raise RuntimeError(f"{NEEDED}; of this one {len(idle)} such nodes are idle:\n{said('sinfo', '-N')}")
        wait_for("it has forgotten the jobs that ended (MinJobAge=2 in slurm.conf)", 120, self.has_forgotten, 1)
        self.ended_before = self.counters()

    @staticmethod
    def has_forgotten():
        try:
            return not said("squeue", "-h", "--states=all").strip()
        except RuntimeError:  # It answers nobody while it forgets 10,000.
            return False

    @staticmethod
    def version():
        return said("sinfo", "--version").strip()

    @staticmethod
    def parameters():
        return re.search(r"SchedulerParameters\s*=\s*(.*)", said("scontrol", "show", "config"))[1]

    def submit(self, script, *arguments, options=("--gres=gpu:1",)):
        said("sbatch", "--quiet", f"--job-name={self.name}", "--output=/dev/null", *options, script, *arguments)

    @staticmethod
    def counters():
        """(completed, other ends) since the controller began to count. It has no other memory of what ended."""
        text = said("sdiag")
        count = {name: int(value) for name, value in re.findall(r"Jobs (\w+):\s*(\d+)", text)}
        return count["completed"], count["failed"] + count["canceled"]

    def succeeded(self):
        """How many have ended since it was made. Raises RuntimeError if one failed."""
        completed, others = (now - before for now, before in zip(self.counters(), self.ended_before))
        if others:
            raise RuntimeError(f"{others} jobs of Slurm's failed or were cancelled: see SlurmctldLogFile")
        return completed

    def count(self, state):
        return len(said("squeue", "-h", f"--name={self.name}", f"--states={state}", "--array", "-o", "%i").split())

    @staticmethod
    def squeue(*arguments, stdout):
        subprocess.run(["squeue", *arguments], stdout=stdout, check=True, timeout=120)

    def cancel(self):
        for state in ("PENDING", "RUNNING"):
            try:
                said("scancel", f"--name={self.name}", f"--state={state}")
            except RuntimeError as error:
                print(f"cancel: {error}", file=sys.stderr)
