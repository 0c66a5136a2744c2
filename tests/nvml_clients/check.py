"""What nvidia-ml-py and nvitop see on simulated GPUs. Run by run.sh."""
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest

import pynvml as nvml

SIM_STATE = sys.argv.pop(1)
PRESETS = {  # preset: GPUs, name, MiB in all or None where NVML does not tell
    "1xRTX3080": (1, "NVIDIA GeForce RTX 3080", 10240),
    "4xRTX5090": (4, "NVIDIA GeForce RTX 5090", 32607),
    "1xA30": (1, "NVIDIA A30", 24576),
    "1xGB10": (1, "NVIDIA GB10", None),
    "8xH100": (8, "NVIDIA H100 80GB HBM3", 81559),
}
MIB = 1024 * 1024


class Machine:
    """A simulated machine, and a process that uses its first GPU."""

    def __init__(self, preset):
        self.folder = tempfile.TemporaryDirectory(prefix="reeve-nvml-")
        self.path = pathlib.Path(self.folder.name) / "gpus.json"
        os.environ["REEVE_NVML_SIM"] = str(self.path)
        self.sim("make", preset)
        self.user = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    def sim(self, verb, *arguments):
        subprocess.run([SIM_STATE, verb, self.path, *map(str, arguments)], check=True)

    def use(self):
        self.sim("use", 0, self.user.pid, 4096, 80)

    def end_user(self):
        self.user.kill()
        self.user.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end_user()
        self.user.stdin.close()
        self.folder.cleanup()


class Bindings(unittest.TestCase):
    def start(self, machine):
        nvml.nvmlInit()
        self.addCleanup(nvml.nvmlShutdown)
        return [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]

    def test_every_preset(self):
        for preset, (gpus, name, total_mib) in PRESETS.items():
            with self.subTest(preset=preset), Machine(preset) as machine:
                nvml.nvmlInit()
                try:
                    self.assertEqual(nvml.nvmlDeviceGetCount(), gpus)
                    self.check_device(machine, name, total_mib)
                finally:
                    nvml.nvmlShutdown()

    def check_device(self, machine, name, total_mib):
        device = nvml.nvmlDeviceGetHandleByIndex(0)
        self.assertEqual(nvml.nvmlDeviceGetName(device), name)
        uuid = nvml.nvmlDeviceGetUUID(device)
        self.assertEqual(nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByUUID(uuid)), uuid)
        self.assertEqual(nvml.nvmlDeviceGetUtilizationRates(device).gpu, 0)
        idle = nvml.nvmlDeviceGetPowerUsage(device)
        machine.use()
        self.assertEqual(nvml.nvmlDeviceGetUtilizationRates(device).gpu, 80)
        self.assertGreater(nvml.nvmlDeviceGetPowerUsage(device), idle)
        self.assertEqual(
            [(p.pid, p.usedGpuMemory) for p in nvml.nvmlDeviceGetComputeRunningProcesses(device)],
            [(machine.user.pid, 4096 * MIB)])
        samples = nvml.nvmlDeviceGetProcessUtilization(device, 0)
        self.assertEqual([(s.pid, s.smUtil) for s in samples], [(machine.user.pid, 80)])
        self.check_memory(device, total_mib)
        machine.end_user()
        self.assertEqual(nvml.nvmlDeviceGetComputeRunningProcesses(device), [])
        self.assertEqual(nvml.nvmlDeviceGetUtilizationRates(device).gpu, 0)

    def check_memory(self, device, total_mib):
        if total_mib is None:
            with self.assertRaises(nvml.NVMLError_NotSupported):
                nvml.nvmlDeviceGetMemoryInfo(device)
            return
        first = nvml.nvmlDeviceGetMemoryInfo(device)
        second = nvml.nvmlDeviceGetMemoryInfo(device, version=nvml.nvmlMemory_v2)
        self.assertEqual(first.total, total_mib * MIB)
        self.assertEqual(second.used, 4096 * MIB)
        self.assertEqual(first.used, second.used + second.reserved)

    def test_a_lost_gpu(self):
        with Machine("4xRTX5090") as machine:
            devices = self.start(machine)
            machine.sim("lose", 2)
            with self.assertRaises(nvml.NVMLError_GpuIsLost):
                nvml.nvmlDeviceGetPowerUsage(devices[2])
            nvml.nvmlDeviceGetPowerUsage(devices[1])
            machine.sim("restore", 2)
            nvml.nvmlDeviceGetPowerUsage(devices[2])

    def test_an_xid_ends_a_wait(self):
        with Machine("1xA30") as machine:
            device = self.start(machine)[0]
            events = nvml.nvmlEventSetCreate()
            nvml.nvmlDeviceRegisterEvents(device, nvml.nvmlEventTypeXidCriticalError, events)
            seen = []
            waits = threading.Thread(
                target=lambda: seen.append(nvml.nvmlEventSetWait_v2(events, 20000).eventData))
            waits.start()
            machine.sim("xid", 0, 48)
            waits.join()
            self.assertEqual(seen, [48])
            nvml.nvmlEventSetFree(events)


class Nvitop(unittest.TestCase):
    def run_once(self):
        nvitop = subprocess.run(
            [sys.executable, "-m", "nvitop", "-1", "--ascii"],
            capture_output=True,
            text=True,
            env={**os.environ, "COLUMNS": "120", "TERM": "dumb"},
        )
        self.assertEqual(nvitop.returncode, 0, nvitop.stderr)
        self.assertNotIn("Traceback", nvitop.stderr)
        self.assertNotIn("FunctionNotFound", nvitop.stdout + nvitop.stderr)
        return nvitop.stdout

    def test_every_preset(self):
        for preset, (gpus, name, total_mib) in PRESETS.items():
            with self.subTest(preset=preset), Machine(preset) as machine:
                machine.use()
                shown = self.run_once()
                short = name.removeprefix("NVIDIA ").removesuffix(" HBM3")
                self.assertEqual(shown.count(short), gpus, shown)
                self.assertIn("80%", shown)
                rows = [line for line in shown.splitlines() if f" {machine.user.pid} " in line]
                self.assertEqual(len(rows), 1, shown)
                self.assertIn("4096MiB", rows[0])
                if total_mib is not None:
                    self.assertIn("4096MiB /", shown)

    def test_a_lost_gpu_does_not_hide_the_others(self):
        with Machine("4xRTX5090") as machine:
            machine.use()
            machine.sim("lose", 3)
            shown = self.run_once()
            self.assertIn("4096MiB / ", shown)
            self.assertEqual(shown.count("GPU is Lost"), 1, shown)


if __name__ == "__main__":
    unittest.main(verbosity=2)
