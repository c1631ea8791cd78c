"""The workloads of bench/compare, as a table.

A workload is a command that runs the same way in the guest and natively: both have the same tree, made by root.py. Its standard output is its
result: whatever differs from QEMU's is an error. {n} is its size; `full` sizes take QEMU some 5 to 30 s, `quick` ones about a second.

  programs   files of the Debian trees to take along, with the libraries they need
  trees      folders or files of the Debian trees they read; {triple} is the architecture's folder
  own        programs built from bench/src
  inputs     file under /bench/in -> how it is made, called with (path, trees, n)
  prepare    a command run before, not measured
  native     what the native column needs another spelling for; None: there is no such thing natively
"""

import inputs


class Workload:
    def __init__(self, name, group, command, full, quick, *, programs=(), trees=(), own=(), files=None, prepare=None, native=True, operations=None, title=""):
        self.name = name
        self.group = group
        self.command = command
        self.size = {"full": full, "quick": quick}
        self.programs = programs
        self.trees = trees
        self.own = own
        self.files = files or {}
        self.prepare = prepare
        self.native = native
        self.operations = operations or (lambda n: None)  # how many of what the row is about a run does
        self.title = title

    def command_line(self, mode, machine):
        command = self.native if machine == "native" and isinstance(self.native, str) else self.command
        return command.format(n=self.size[mode])


GROUPS = {
    "integer": "integer programs",
    "float": "floating-point programs",
    "system": "operating system work",
    "micro": "single mechanisms, user mode",
    "bare": "single mechanisms, bare metal",
}
# The classes whose time is the processor's alone.
CPU_BOUND = ("integer", "float")

CC1_FLAGS = "-quiet -O2 -fpreprocessed -march=armv7-a+fp -mfloat-abi=hard -mthumb -fno-dwarf2-cfi-asm -w"


def one(count):
    return count


WORKLOADS = [
    Workload("perl", "integer", "perl /bench/in/words.pl {n}",
             90000, 4500, programs=["usr/bin/perl"], trees=["usr/lib/{triple}/perl-base/strict.pm"],
             files={"words.pl": lambda path, trees, n: inputs.script(path, "words.pl")}, title="text, hashes, matching"),
    Workload("bzip2", "integer", "bzip2 -9 -c /bench/in/data.bz >/tmp/x.bz2 && bzip2 -dc /tmp/x.bz2 | cmp - /bench/in/data.bz && md5sum </tmp/x.bz2",
             12288, 512,
             programs=["bin/bzip2"], files={"data.bz": lambda path, trees, n: inputs.archive(path, trees, n)}, title="compress and decompress"),
    Workload("gcc", "integer", f"/usr/lib/gcc/arm-linux-gnueabihf/12/cc1 {CC1_FLAGS} /bench/in/stb.i -o /tmp/x.s && md5sum </tmp/x.s", 3, 1,
             native=f"/usr/lib/gcc-cross/arm-linux-gnueabihf/12/cc1 {CC1_FLAGS} /bench/in/stb.i -o /tmp/x.s && md5sum </tmp/x.s",
             programs=["usr/lib/gcc/arm-linux-gnueabihf/12/cc1", "usr/lib/gcc-cross/arm-linux-gnueabihf/12/cc1"],
             files={"stb.i": lambda path, trees, n: inputs.preprocessed(path, trees, ["stb_ds", "stb_image_write", "stb_truetype"][:n])},
             title="cc1 of gcc 12, -O2"),
    Workload("gnugo", "integer", "gnugo --mode gtp --level 4 --seed 1 </bench/in/game.gtp",
             16, 6, programs=["usr/games/gnugo"],
             files={"game.gtp": lambda path, trees, n: inputs.go_game(path, n)}, title="moves on a 13x13 board"),
    Workload("sjeng", "integer", "sh /bench/in/chess.sh",
             9, 6, programs=["usr/games/sjeng"],
             files={"game.xb": lambda path, trees, n: inputs.chess_game(path, n), "chess.sh": lambda path, trees, n: inputs.script(path, "chess.sh")}, title="chess search"),
    Workload("hmmer", "integer", "hmm2calibrate --seed 1 --num {n} /tmp/m.hmm | grep -vi date; grep -E '^(EVD|LENG|CKSUM)' /tmp/m.hmm",
             2500, 150,
             programs=["usr/bin/hmm2calibrate", "usr/bin/hmm2build"], prepare="hmm2build -F /tmp/m.hmm /bench/in/family.sto >/dev/null",
             files={"family.sto": lambda path, trees, n: inputs.alignment(path, 160)}, title="profile HMM calibration"),
    Workload("libquantum", "integer", "OMP_NUM_THREADS=1 shor {n}",
             "221 3", "33 5", own=["shor"], title="Shor's algorithm, simulated"),
    Workload("x264", "integer", "video {n}",
             120, 8, own=["video"], title="H.264 encoding, 352x288"),
    Workload("xalan", "integer", "Xalan /bench/in/people.xml /bench/in/records.xsl | md5sum",
             14000, 2000, programs=["usr/bin/Xalan"],
             files={"people.xml": lambda path, trees, n: inputs.people(path, n), "records.xsl": lambda path, trees, n: inputs.script(path, "records.xsl")},
             title="XSLT of records"),
    Workload("mcf", "integer", "network {n}",
             "40000 320000", "5000 40000", own=["network"], title="network simplex (lemon)"),
    Workload("zstd", "integer", "zstd -q -13 --single-thread -c /bench/in/data.zst >/tmp/x.zst && zstd -dc /tmp/x.zst | cmp - /bench/in/data.zst && md5sum </tmp/x.zst",
             9216, 512, programs=["usr/bin/zstd"], files={"data.zst": lambda path, trees, n: inputs.archive(path, trees, n)}, title="compress and decompress"),
    Workload("python3", "integer", "python3 -S -E /bench/in/mixed.py {n}",
             300, 20, programs=["usr/bin/python3.11"], trees=["usr/lib/python3.11", "usr/bin/python3"],
             files={"mixed.py": lambda path, trees, n: inputs.script(path, "mixed.py")}, title="objects, dictionaries, strings"),
    Workload("sqlite3", "integer", "sqlite3 -batch :memory: </bench/in/mixed.sql",
             160000, 12000, programs=["usr/bin/sqlite3"],
             files={"mixed.sql": lambda path, trees, n: inputs.script(path, "mixed.sql", n)}, title="SQL in memory"),

    Workload("povray", "float", "povray +I/bench/in/scene.pov +W{n} +H{n} +A0.3 +WT1 +FP8 -D +O/tmp/x.ppm -GA >/dev/null 2>&1; tail -c $(({n}*{n}*3)) /tmp/x.ppm | md5sum",
             110, 32,
             programs=["usr/bin/povray"], trees=["usr/share/povray-3.7/include", "etc/povray"],
             files={"scene.pov": lambda path, trees, n: inputs.script(path, "scene.pov")}, title="ray tracing"),
    Workload("lame", "float", "lame --quiet -b 160 -q 2 /bench/in/sound.wav - | md5sum",
             16, 2, programs=["usr/bin/lame"],
             files={"sound.wav": lambda path, trees, n: inputs.sound(path, n)}, title="MP3 encoding"),
    Workload("glpk", "float", "glpsol --lp /bench/in/cover.lp -o /tmp/x.sol >/dev/null && cat /tmp/x.sol",
             600, 200, programs=["usr/bin/glpsol"],
             files={"cover.lp": lambda path, trees, n: inputs.linear_program(path, n)}, title="simplex method, double precision"),
    Workload("fft", "float", "fft {n}",
             "16 150", "14 60", own=["fft"], title="complex FFT, double precision"),
    Workload("matmul", "float", "matmul {n}", "384 28", "256 5", own=["matmul"], title="dense product, double precision"),
    Workload("lbm", "float", "lbm {n}",
             "32 160", "24 16", own=["lbm"], title="lattice-Boltzmann stencil"),

    Workload("boot", "system", None, 1, 1, native=None, title="power-on to init"),
    Workload("fork-static", "system", "system fork {n} /bench/bin/nothing-static", 1200, 150, own=["system", "nothing-static"], operations=one,
             title="fork, exec, wait; static program"),
    Workload("fork-dynamic", "system", "system fork {n} /bench/bin/nothing", 500, 70, own=["system", "nothing"], operations=one,
             title="fork, exec, wait; dynamic program"),
    Workload("syscall", "system", "system syscall {n}", 12000000, 1500000, own=["system"], operations=one, title="getppid()"),
    Workload("pipe", "system", "system pipe {n}", 60000, 8000, own=["system"], operations=one, title="a byte to another process and back"),
    Workload("mmap", "system", "system mmap {n}", 9000, 1000, own=["system"], operations=lambda n: 64 * n, title="map 64 pages, touch, unmap; per page"),
    Workload("switch-2", "system", "system switch {n} 2", 100000, 12000, own=["system"], operations=one, title="context switch among 2 processes"),
    Workload("switch-8", "system", "system switch {n} 8", 100000, 12000, own=["system"], operations=one, title="among 8"),
    Workload("switch-32", "system", "system switch {n} 32", 100000, 12000, own=["system"], operations=one, title="among 32"),
    Workload("signal", "system", "system signal {n}", 400000, 50000, own=["system"], operations=one, title="signal sent and handled"),
    Workload("find", "system", "for i in $(seq {n}); do /usr/bin/find /tmp/tree -name '*7' -size -2k; done | md5sum", 40, 6, own=["system"], programs=["usr/bin/find"],
             prepare="rm -rf /tmp/tree && system tree 3000", title="find over 3 000 files"),
    Workload("tar", "system", "for i in $(seq {n}); do /bin/tar -C /tmp -cf /tmp/x.tar --sort=name --mtime=@0 tree && rm -rf /tmp/y && mkdir /tmp/y && "
             "/bin/tar -C /tmp/y -xf /tmp/x.tar; done; md5sum </tmp/x.tar", 6, 1, own=["system"], programs=["bin/tar"],
             prepare="rm -rf /tmp/tree && system tree 3000", title="tar of 3 000 files, made and unpacked"),

    Workload("direct", "micro", "micro direct {n}", 300000000, 30000000, own=["micro"], title="direct branches"),
    Workload("indirect", "micro", "micro indirect {n}", 100000000, 10000000, own=["micro"], title="indirect branches"),
    Workload("call", "micro", "micro call {n}", 9000, 900, own=["micro"], title="calls and returns"),
    Workload("hit", "micro", "micro hit {n}", 150000, 20000, own=["micro"], title="loads and stores, 16 KiB"),
    Workload("stride", "micro", "micro stride {n}", 400, 50, own=["micro"], title="a word of each page of 64 MiB"),
    Workload("chase", "micro", "micro chase {n}", 30000000, 3000000, own=["micro"], title="dependent loads over 16 MiB"),
    Workload("copy", "micro", "micro copy {n}", 60000, 6000, own=["micro"], title="memset and memcpy, 64 KiB"),
    Workload("loop", "micro", "micro loop {n}", 2000000000, 200000000, own=["micro"], title="loop of two instructions"),
]
BARE = [
    # name, full, quick, what
    ("tlb-all", 3000000, 300000, "TLBIALL, then reads of four pages"),
    ("tlb-va", 3000000, 300000, "TLBIMVA, then reads of four pages"),
    ("tlb-asid", 3000000, 300000, "TLBIASID, then reads of four pages"),
    ("tlb-vaa", 3000000, 300000, "TLBIMVAA, then reads of four pages"),
    ("ttbr", 3000000, 300000, "switch of table and ASID, then reads of four pages"),
    ("mmio", 3000000, 200000, "read of a device register"),
    ("mmio-write", 1000000, 200000, "write of a device register"),
    ("gic", 10000000, 1000000, "read of an interrupt controller register"),
    ("svc", 8000000, 800000, "supervisor call and return"),
    ("undef", 5000000, 500000, "undefined instruction and return"),
    ("dabt", 3000000, 300000, "data abort and return"),
    ("pabt", 3000000, 300000, "prefetch abort and return"),
    ("irq", 3000000, 300000, "interrupt sent to itself, taken, acknowledged"),
    ("smc", 300000, 30000, "instruction changed and executed"),
]
WORKLOADS += [Workload(name, "bare", name + " {n}", full, quick, native=None, operations=one, title=title) for name, full, quick, title in BARE]
BY_NAME = {w.name: w for w in WORKLOADS}
