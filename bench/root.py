"""The tree the workloads run in, for armhf (packed into an initramfs) and for amd64 (the native column): busybox, the runner as /init, the
programs chosen with the libraries they need, their inputs."""

import glob
import os
import re
import shutil
import stat
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "src")
ARCHES = {
    "armhf": {"prefix": "arm-linux-gnueabihf-", "triple": "arm-linux-gnueabihf"},
    "amd64": {"prefix": "", "triple": "x86_64-linux-gnu"},
}
# Programs built from bench/src: source, compiler, flags.
OWN = {
    "system": ("system.c", "gcc", []),
    "micro": ("micro.c", "gcc", []),
    "nothing": ("nothing.c", "gcc", []),
    "nothing-static": ("nothing.c", "gcc", ["-static"]),
    "fft": ("fft.c", "gcc", ["-lm"]),
    "matmul": ("matmul.c", "gcc", []),
    "lbm": ("lbm.c", "gcc", []),
    "network": ("network.cc", "g++", ["-w"]),
    "shor": ("shor.c", "gcc", ["-l:libquantum.so.8", "-Wl,--no-as-needed", "-l:libgomp.so.1", "-lm"]),
    "video": ("video.c", "gcc", ["-l:libx264.so.164", "-lm"]),
}
BUSYBOX = ("sh", "base64", "cat", "cmp", "cut", "cp", "echo", "grep", "head", "ls", "mkdir", "mkfifo", "md5sum", "rm", "sed", "seq", "sort", "tail", "true", "wc")


class RootError(Exception):
    """What could not be built, as one sentence."""


def trees(cache):
    found = {arch: os.path.join(cache, "bench", arch) for arch in ARCHES}
    for arch, tree in found.items():
        if not os.path.isdir(tree):
            raise RootError(f"no programs in {tree}; run bench/fetch first")
    return found


def bare_guest(output):
    """The bare-metal guest of bench/bare."""
    common = os.path.join(HERE, "..", "tests", "guests", "common")
    argv = ["arm-linux-gnueabihf-gcc", "-marm", "-march=armv7ve+vfpv3-d16", "-mfloat-abi=hard", "-mgeneral-regs-only", "-O2", "-std=gnu11", "-Wall", "-Wextra",
            "-ffreestanding", "-fno-pic", "-fno-stack-protector", "-fno-strict-aliasing", "-nostdlib", "-static", "-Wl,--build-id=none", "-Wl,-n",
            "-Wl,-z,noexecstack", "-Wl,--no-warn-rwx-segments", "-Wl,-T," + os.path.join(common, "guest.ld"), "-I", common, "-o", output,
            os.path.join(common, "start.S"), os.path.join(common, "lib.c"), os.path.join(HERE, "bare", "main.c"), "-lgcc"]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise RootError(f"cannot build the bare-metal guest: {done.stderr.strip()}")


class Root:
    def __init__(self, directory, arch, sources):
        self.directory = directory
        self.arch = arch
        self.trees = sources
        self.tree = sources[arch]
        self.triple = ARCHES[arch]["triple"]
        self.prefix = ARCHES[arch]["prefix"]
        for name in ("proc", "dev", "sys", "tmp", "bench/bin", "bench/in", "usr/bin", "usr/games", "bin", "lib", "etc"):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        shutil.copy2(os.path.join(self.tree, "bin/busybox"), os.path.join(directory, "bin/busybox"))
        for name in BUSYBOX:
            os.symlink("busybox", os.path.join(directory, "bin", name))
        with open(os.path.join(directory, "etc/passwd"), "w", encoding="ascii") as passwd:
            passwd.write("root:x:0:0:root:/tmp:/bin/sh\n")
        self.compile("runner", os.path.join(directory, "init"), "runner.c", "gcc", ["-static"])

    def compile(self, name, output, source, compiler, flags):
        tree = self.tree
        argv = [self.prefix + compiler, "-O2", "-Wall", "-Wextra", "-I", f"{tree}/usr/include/{self.triple}", "-I", f"{tree}/usr/include",
                "-I", f"{self.trees['amd64']}/usr/include", "-o", output, os.path.join(SOURCES, source), "-L", f"{tree}/usr/lib/{self.triple}"]
        # The Debian library's own dependencies are those of the tree, not of the machine that builds.
        argv += flags + ["-Wl,--unresolved-symbols=ignore-in-shared-libs"]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            raise RootError(f"cannot build {name} for {self.arch}: {done.stderr.strip()}")

    def own(self, name):
        source, compiler, flags = OWN[name]
        to = os.path.join(self.directory, "bench/bin", name)
        if not os.path.exists(to):
            self.compile(name, to, source, compiler, flags)
            self.libraries(to)

    def find_library(self, name):
        """Where the tree has a library: in the loader's folders, or in a private one that its user names by a run path."""
        own = f"usr/lib/{self.triple}"
        for folder in (f"lib/{self.triple}", own, "lib", "usr/lib", "lib64"):
            path = os.path.join(self.tree, folder, name)
            if os.path.exists(path):
                return path
        for path in sorted(glob.glob(os.path.join(self.tree, own, "*", name))):
            return path
        raise RootError(f"no library {name} in {self.tree}")

    def libraries(self, path):
        """Copy what an ELF file needs, and what that needs, into lib/TRIPLE and its interpreter to where it looks for it."""
        text = subprocess.run(["readelf", "-ld", path], capture_output=True, text=True, check=True).stdout
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", text):
            to = os.path.join(self.directory, "lib", self.triple, name)
            if name.startswith("ld-linux") or os.path.exists(to):
                continue
            source = self.find_library(name)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy(source, to)
            self.libraries(to)
        interpreter = re.search(r"program interpreter: (/.*)\]", text)
        if interpreter:
            to = self.directory + interpreter.group(1)
            if not os.path.exists(to):
                os.makedirs(os.path.dirname(to), exist_ok=True)
                shutil.copy(self.find_library(os.path.basename(to)), to)

    def program(self, path):
        source = os.path.join(self.tree, path)
        to = os.path.join(self.directory, path)
        if os.path.exists(to) or not os.path.exists(source): # cc1 lies elsewhere on each side
            return
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(source, to)
        self.libraries(to)

    def copy_tree(self, path):
        path = path.format(triple=self.triple)
        source = os.path.join(self.tree, path)
        to = os.path.join(self.directory, path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if os.path.islink(source):
            if not os.path.lexists(to):
                os.symlink(os.readlink(source), to)
        elif os.path.isdir(source):
            shutil.copytree(source, to, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy(source, to)

    def add(self, workload, mode, made):
        """Everything one workload needs. MADE: inputs made so far, by name, shared between the architectures."""
        for name in workload.own:
            self.own(name)
        for path in workload.programs:
            self.program(path)
        for path in workload.trees:
            self.copy_tree(path)
        for name, make in workload.files.items():
            to = os.path.join(self.directory, "bench/in", name)
            if name in made:
                shutil.copy(made[name], to)
            else:
                make(to, self.trees, workload.size[mode])
                made[name] = to

    def pack(self, output):
        """As an initramfs, not compressed: unpacking it is not what is measured."""
        names = []
        for folder, folders, files in os.walk(self.directory):
            for name in folders + files:
                names.append(os.path.relpath(os.path.join(folder, name), self.directory))
        with open(output, "wb") as target:
            subprocess.run(["cpio", "--null", "--create", "--quiet", "--format=newc", "--owner=0:0", "--reproducible"], cwd=self.directory,
                           input="\0".join(["."] + sorted(names)).encode(), stdout=target, check=True)

    def writable(self):
        for folder, _, _ in os.walk(self.directory):
            os.chmod(folder, os.stat(folder).st_mode | stat.S_IRWXU)
