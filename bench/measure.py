"""What a mail system costs: CPU time and memory of all its processes, from /proc."""
import os
import re
import subprocess
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")


def stat_fields(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()


def process_tree(root):
    """The process and all that descend from it."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                children.setdefault(int(stat_fields(name)[1]), []).append(int(name))
            except (OSError, IndexError):
                continue
    tree, todo = [], [root]
    while todo:
        pid = todo.pop()
        tree.append(pid)
        todo.extend(children.get(pid, []))
    return tree


def cpu_seconds(root):
    """User and system time of the tree, ended children included (their parent has waited for them)."""
    ticks = 0
    for pid in process_tree(root):
        try:
            ticks += sum(int(value) for value in stat_fields(pid)[11:15])  # utime stime cutime cstime
        except OSError:
            continue
    return ticks / TICKS


def pss_megabytes(root):
    kilobytes = 0
    for pid in process_tree(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                kilobytes += int(re.search(r"^Pss:\s+(\d+)", file.read(), re.MULTILINE).group(1))
        except (OSError, AttributeError):
            continue
    return kilobytes / 1024


class PeakMemory:
    """The highest PSS while the block runs, looked at once a second (reading it is not free)."""

    def __init__(self, root):
        self.root, self.megabytes, self.stopping = root, 0.0, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def watch(self):
        while not self.stopping.wait(1.0):
            self.megabytes = max(self.megabytes, pss_megabytes(self.root))

    def __exit__(self, *exception):
        self.stopping.set()
        self.thread.join()
        self.megabytes = max(self.megabytes, pss_megabytes(self.root))


class SystemCalls:
    """Counts the system calls of the tree with strace; the run is slow meanwhile, so its speed means nothing."""

    def __init__(self, root, output):
        self.root, self.output, self.total, self.by_name = root, output, 0, {}

    def __enter__(self):
        pids = [word for pid in process_tree(self.root) for word in ("-p", str(pid))]
        self.strace = subprocess.Popen(["strace", "-f", "-c", "-q", "-o", self.output, *pids],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        return self

    def __exit__(self, *exception):
        self.strace.terminate()
        self.strace.wait()
        with open(self.output) as file:
            for line in file:
                fields = line.split()
                if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
                    self.by_name[fields[-1]] = int(fields[3])
        self.total = sum(self.by_name.values())
