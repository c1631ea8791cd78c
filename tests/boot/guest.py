"""Start a guest under armlet or QEMU and read its console: what the boot tests, the nested tests and the benchmark share.

A machine is named "hosted", "kvm" or "auto" (armlet with that accelerator) or "qemu" (qemu-system-arm, the reference). Every line of the guest
gets a time stamp when it arrives, so that what happened when does not rest on the guest's own clock.
"""

import argparse
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import time

SKIP = 77  # the exit code ctest reads as "skipped"
KERNELS = ("armmp", "lpae", "rt")
INIT = "armlet-guest: init reached"
DONE = "armlet-guest: done"

# The rows of tools/guest-init and the one right result of each.
ROWS = {
    "loop": "200000",
    "fork": "500",
    "md5sum": "ed9b72646cbde8f64166daf37d741fca",
    "dynamic": "1000036000099: 1000003 1000033 21082008.973917928 1058",
    "idle": "slept",
}

# Lines by which a kernel says that something went wrong.
TROUBLE = re.compile(
    r"WARNING:|BUG:|Oops|Internal error|Call [Tt]race|Backtrace:|Unhandled|unhandled|undefined instruction|cut here|"
    r"Kernel panic|soft lockup|hard LOCKUP|\bstall|hung task|bad mode|Bad page|Segmentation fault|segfault|SError|"
    r"Illegal instruction|Bus error|not syncing|irq \d+: nobody cared|clocksource.*unstable")


# What a shell's line editor sends to the terminal beside text.
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class GuestError(Exception):
    """What the guest or the machine did wrong, as one sentence."""


def cache_dir():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("ARMLET_CACHE") or os.path.join(cache, "armlet")


def kernel_path(name):
    """The kernel of that flavour from the cache, or NAME itself where it is a file."""
    if os.path.sep in name:
        return name
    path = os.path.join(cache_dir(), "guest", "vmlinuz-" + name)
    if not os.path.exists(path):
        raise GuestError(f"no kernel {path}; run tools/fetch-guest {name}")
    return path


def kvm_missing():
    """Why KVM cannot be used here, or None."""
    KVM_GET_API_VERSION = 0xAE00
    try:
        fd = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return f"/dev/kvm: {error.strerror}"
    try:
        version = fcntl.ioctl(fd, KVM_GET_API_VERSION)
        return None if version == 12 else f"/dev/kvm has API version {version}"
    except OSError as error:
        return f"/dev/kvm: {error.strerror}"
    finally:
        os.close(fd)


def add_arguments(parser, initrd=True):
    """The options every driver has; INITRD: one must be given."""
    parser.add_argument("--armlet", default="build/armlet", help="the armlet binary")
    parser.add_argument("--machine", default="hosted", help="hosted, kvm, auto or qemu")
    parser.add_argument("--kernel", default="armmp", help="armmp, lpae, rt or a file")
    parser.add_argument("--initrd", required=initrd, help="initramfs made by tools/mkinitramfs")
    parser.add_argument("--memory", default="512M")
    parser.add_argument("--log", help="write the console output to this file")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for the whole run")


def command(args, machine, append, extra=()):
    if machine == "qemu":
        start = ["qemu-system-arm", "-M", "virt", "-cpu", "cortex-a15"]
    else:
        start = [args.armlet, "-M", "virt", "-accel", machine]
    return start + ["-m", args.memory, "-nographic", "-no-reboot", "-kernel", kernel_path(args.kernel), "-initrd", args.initrd,
                    "-append", append] + list(extra)


def text_of(line):
    return ESCAPES.sub("", line.decode(errors="replace")).rstrip("\r")


class Guest:
    """A running machine. Use it in a with statement: whatever is still running at its end is killed."""

    def __init__(self, argv, timeout, log=None, terminal=None, console=None, directory=None, orders=False):
        """TERMINAL: the slave side and master side of a pty that becomes the machine's terminal. CONSOLE: a descriptor on which the console's
        output arrives when it is not standard output; standard input is then held open. ORDERS: standard input is a pipe, to be written with
        order(). None of them: no input, output through a pipe."""
        self.argv = argv
        self.lines = []  # (seconds since start, text)
        self.partial = b""
        self.log = open(log, "wb") if log else None
        self.start = time.monotonic()
        self.deadline = self.start + timeout
        self.position = 0  # first line expect() has not looked at
        if terminal:
            slave, self.output = terminal
            self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=subprocess.PIPE, start_new_session=True)
        elif console is not None:
            self.output = console
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=directory,
                                            start_new_session=True)
        else:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE if orders else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                            start_new_session=True)
            self.output = self.process.stdout.fileno()
        self.errors = b""
        self.open = {self.output, self.process.stderr.fileno()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        if self.log:
            self.log.close()

    def now(self):
        return time.monotonic() - self.start

    def fail(self, what):
        tail = "\n".join("    " + text for _, text in self.lines[-15:])
        if self.partial:
            tail += "\n    " + self.partial.decode(errors="replace")
        errors = self.errors.decode(errors="replace").strip()
        raise GuestError(f"{what}\n  last output:\n{tail}" + (f"\n  standard error:\n    {errors}" if errors else ""))

    def read(self, seconds):
        """Take in what arrives within SECONDS; False when both outputs have ended."""
        if not self.open:
            return False
        ready, _, _ = select.select(list(self.open), [], [], max(0, seconds))
        for fd in ready:
            try:
                data = os.read(fd, 65536)
            except OSError:  # a pty whose other side is closed
                data = b""
            if not data:
                self.open.discard(fd)
            elif fd == self.output:
                self.take(data)
            else:
                self.errors += data
        return True

    def pending(self):
        """Is there output that read() would take in at once, the end of an output included?"""
        return bool(self.open and select.select(list(self.open), [], [], 0)[0])

    def take(self, data):
        if self.log:
            self.log.write(data)
            self.log.flush()
        at = self.now()
        *whole, self.partial = (self.partial + data).split(b"\n")
        self.lines += [(at, text_of(line)) for line in whole]

    def expect(self, pattern, partial=False):
        """Wait for a line that PATTERN finds, after those found before; its time and the match. PARTIAL looks at an unfinished line too."""
        expression = re.compile(pattern)
        while True:
            while self.position < len(self.lines):
                at, text = self.lines[self.position]
                self.position += 1
                found = expression.search(text)
                if found:
                    return at, found
            if partial:
                found = expression.search(text_of(self.partial))
                if found:
                    return self.now(), found
            left = self.deadline - time.monotonic()
            if left <= 0:
                self.fail(f"no line matched {pattern!r} in time")
            if self.process.poll() is not None and not self.pending():
                self.fail(f"ended with code {self.process.returncode} before a line matched {pattern!r}")
            if not self.read(min(left, 0.5)):
                time.sleep(0.05)

    def order(self, line):
        """Write a line to the machine's console."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def wait(self):
        """Wait for the machine's end; its exit code."""
        while self.process.poll() is None:
            if time.monotonic() > self.deadline:
                self.fail("did not end in time")
            if not self.read(0.2):
                time.sleep(0.05)
        while self.pending():
            self.read(0)
        if self.partial:
            self.take(b"\n")
        return self.process.returncode

    def cpu_seconds(self):
        """Processor time of the machine so far, user and system, time inside the VM included."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_rows(guest, rows):
    """Follow tools/guest-init through ROWS; host seconds from start to /init and of each row. Wrong results raise GuestError."""
    times = {"boot": guest.expect(re.escape(INIT))[0]}
    for row in rows:
        begin, _ = guest.expect(f"armlet-guest: {row} begin")
        end, found = guest.expect(rf"armlet-guest: {row} end (\S+) ?(.*)")
        if found.group(2) != ROWS[row]:
            guest.fail(f"row {row} gave {found.group(2)!r}, not {ROWS[row]!r}")
        times[row] = end - begin
    guest.expect(re.escape(DONE))
    code = guest.wait()
    if code != 0:
        guest.fail(f"powered off with exit code {code}, not 0")
    times["total"] = guest.now()
    return times


def trouble(lines):
    """Lines that tell of trouble, without their time stamps and numbers, so that two boots can be compared."""
    return [re.sub(r"0x[0-9a-f]+|\d+", "N", re.sub(r"^\[ *[\d.]+\] ", "", line)) for line in lines if TROUBLE.search(line)]


def main(run, description, arguments=None, initrd=True):
    """Run a driver: its function gets the parsed options; GuestError becomes one message and exit code 1."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, initrd)
    if arguments:
        arguments(parser)
    args = parser.parse_args()
    if args.machine == "kvm":
        reason = kvm_missing()
        if reason:
            print(f"skipped: no KVM here ({reason})")
            sys.exit(SKIP)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        run(args)
    except (GuestError, OSError) as error:
        print(f"FAILED: {error}")
        sys.exit(1)
