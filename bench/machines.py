"""A machine that takes orders: the guest under QEMU or armlet, or the host itself, all through src/runner.c's (or the bare-metal guest's) protocol."""

import os
import re
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "boot"))
import guest  # noqa: E402

GuestError = guest.GuestError
MACHINES = ("qemu", "hosted", "kvm", "native")


def task_seconds(pid):
    """Processor time of all threads of a process in seconds, to the nanosecond (time inside a VM included)."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
        except OSError:  # a thread that has just ended
            pass
    return total / 1e9


class Machine:
    """One running machine; use it in a with statement. COUNT: armlet counts instructions and events."""

    def __init__(self, args, kind, kernel, initrd=None, append="", count=False, native_root=None):
        self.kind = kind
        self.count = count
        if kind == "native":
            root = native_root
            # A mount and user namespace of its own: no root rights are needed, nothing stays mounted.
            script = 'mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && exec chroot "$0" /init'
            argv = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, root]
        else:
            if kind == "qemu":
                argv = ["qemu-system-arm", "-M", "virt", "-cpu", "cortex-a15"] + args.qemu_extra
            else:
                argv = [args.armlet, "-M", "virt", "-accel", kind] + (["--stats=insns"] if count else []) + args.armlet_extra
            argv += ["-m", args.memory, "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot", "-kernel", kernel]
            argv += ["-initrd", initrd] if initrd else []
            argv += ["-append", append] if append else []
        self.guest = guest.Guest(argv, 1e9, orders=True)
        self.timeout = args.timeout
        self.booted = self.expect(r"^bench: ready")[0]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.guest.__exit__(*exception)

    def expect(self, pattern):
        self.guest.deadline = time.monotonic() + self.timeout
        while True:
            at, found = self.guest.expect(pattern + r"|^bench: error (?P<error>.*)|Kernel panic|Internal error|Oops")
            if found.group("error") is not None or not found.group(0).startswith("bench:"):
                self.guest.fail(f"{self.kind}: {found.group(0)}")
            return at, found

    def order(self, name, command):
        """Run COMMAND; a dictionary of what was measured."""
        before = self.statistics() if self.count else None
        cpu = task_seconds(self.guest.process.pid)
        self.guest.order(f"run {name}\t{command}")
        begin, _ = self.expect(rf"^bench: begin {re.escape(name)}$")
        end, found = self.expect(rf"^bench: end {re.escape(name)} (\d+) ([\d.]+) ([\d.]+) ([\d.]+) (\S+) (\d+)")
        cpu = task_seconds(self.guest.process.pid) - cpu
        status, seconds, user, system, result, size = found.groups()[:6]
        if int(status):
            said = [text for _, text in self.guest.lines[-20:] if text.startswith("bench: stderr")]
            raise GuestError(f"{self.kind}: {name} failed with status {status}" + "".join("\n  " + text for text in said))
        if self.kind == "native":
            cpu = float(user) + float(system)
        measured = {"seconds": end - begin, "guest_seconds": float(seconds), "cpu_seconds": cpu, "guest_user": float(user), "guest_system": float(system),
                    "result": result, "bytes": int(size)}
        if before:
            after = self.statistics()
            measured["events"] = {key: after[key] - before.get(key, 0) for key in after}
        return measured

    def statistics(self):
        """armlet's counters so far, by the text --stats gives them."""
        # An idle guest waits for an interrupt within moments; the engine publishes its counters when it does.
        time.sleep(0.05)
        start = len(self.guest.errors)
        self.guest.process.send_signal(signal.SIGUSR2)
        deadline = time.monotonic() + 10
        while b"\n\n" not in self.guest.errors[start:]:
            if time.monotonic() > deadline or not self.guest.read(0.5):
                self.guest.fail("no statistics came")
        text = self.guest.errors[start:].decode(errors="replace")
        found = {}
        for line in text.splitlines():
            match = re.match(r"  (\S.*?)\s{2,}([\d.]+)(?: s\s.*)?$", line)
            if match:
                found[match.group(1)] = float(match.group(2)) if "." in match.group(2) else int(match.group(2))
        return found

    def quit(self):
        self.guest.order("quit")
        self.guest.deadline = time.monotonic() + 60
        code = self.guest.wait()
        if code:
            self.guest.fail(f"{self.kind} ended with code {code}")
