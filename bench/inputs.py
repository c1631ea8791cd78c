"""Inputs of the workloads, made from nothing or from files of the measured packages; the same size gives the same bytes."""

import array
import math
import os
import random
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
AMINO = "ACDEFGHIKLMNPQRSTVWY"


def script(path, name, n=None):
    """A script of bench/scripts, with @N@ replaced."""
    with open(os.path.join(HERE, "scripts", name), encoding="utf-8") as source:
        text = source.read()
    with open(path, "w", encoding="utf-8") as output:
        output.write(text.replace("@N@", str(n)))


def archive(path, trees, kib):
    """Data with the mix of code and text that archives have: pieces of the compiler proper and of a shared library with text between them."""
    rng = random.Random(5)
    with open(os.path.join(trees["armhf"], "usr/lib/gcc/arm-linux-gnueabihf/12/cc1"), "rb") as source:
        source.seek(4 << 20)
        code = source.read(kib * 512)
    words = ["".join(rng.choice("etaoinshrdlu") for _ in range(rng.randint(2, 9))) for _ in range(3000)]
    with open(path, "wb") as output:
        for at in range(0, len(code), 65536):
            output.write(code[at:at + 65536])
            text = ""
            while len(text) < 65536:
                text += " ".join(words[int(rng.paretovariate(0.7)) % 3000] for _ in range(200)) + "\n"
            output.write(text[:65536].encode())


def preprocessed(path, trees, files):
    """C from stb's headers, as the compiler proper reads it."""
    stb = os.path.join(trees["armhf"], "usr/include/stb")
    text = "".join(f'#define {name.upper()}_IMPLEMENTATION\n#include "{name}.h"\n' for name in files)
    subprocess.run(["arm-linux-gnueabihf-gcc", "-E", "-P", "-DSTBI_NO_SIMD", "-DSTBIR_NO_SIMD", "-I", stb, "-x", "c", "-", "-o", path], input=text, text=True,
                   check=True)


def go_game(path, moves):
    with open(path, "w", encoding="ascii") as output:
        output.write("boardsize 13\nclear_board\nset_random_seed 1\n")
        for n in range(moves):
            output.write(f"genmove {'black' if n % 2 == 0 else 'white'}\n")
        output.write("showboard\nquit\n")


def chess_game(path, depth):
    with open(path, "w", encoding="ascii") as output:
        output.write(f"xboard\nnew\nsd {depth}\nst 1000\nforce\n")
        output.write("setboard r1bq1rk1/pp2bppp/2n1pn2/2pp4/3P1B2/2PBPN2/PP1N1PPP/R2Q1RK1 w - - 0 1\ngo\n")


def alignment(path, columns):
    """A protein family: one ancestor, 20 descendants with substitutions."""
    rng = random.Random(1)
    ancestor = [rng.choice(AMINO) for _ in range(columns)]
    with open(path, "w", encoding="ascii") as output:
        output.write("# STOCKHOLM 1.0\n\n")
        for n in range(20):
            output.write(f"seq{n:02d} " + "".join(a if rng.random() < 0.7 else rng.choice(AMINO) for a in ancestor) + "\n")
        output.write("//\n")


def proteins(path, n):
    rng = random.Random(2)
    with open(path, "w", encoding="ascii") as output:
        for i in range(n):
            text = "".join(rng.choices(AMINO, k=350))
            output.write(f">p{i:04d}\n" + "\n".join(text[k:k + 60] for k in range(0, 350, 60)) + "\n")


def people(path, n):
    rng = random.Random(3)
    towns = ["town%03d" % i for i in range(60)]
    with open(path, "w", encoding="ascii") as output:
        output.write('<?xml version="1.0"?>\n<people>\n')
        for _ in range(n):
            name = "".join(rng.choice(("ka", "lo", "mi", "ra", "be", "tu")) for _ in range(rng.randint(2, 4)))
            output.write(f"<person><name>{name}</name><age>{rng.randint(1, 99)}</age><town>{rng.choice(towns)}</town>"
                         f"<mail>{name}@example.org</mail></person>\n")
        output.write("</people>\n")


def sound(path, seconds):
    """Stereo at 44.1 kHz: chords that change, a sweep, noise."""
    rng = random.Random(4)
    rate = 44100
    noise = [rng.randint(-600, 600) for _ in range(4096)]
    table = [math.sin(2 * math.pi * i / 4096) for i in range(4096)]
    samples = array.array("h")
    phase = [0, 0, 0]
    for i in range(int(seconds * rate)):
        chord = i // rate % 4
        for k in range(3):
            phase[k] = (phase[k] + (20, 25, 30)[k] + 4 * chord + (i >> 14 if k == 2 else 0)) & 4095
        left = 7000 * table[phase[0]] + 5000 * table[phase[1]]
        samples.append(int(left) + noise[i & 4095])
        samples.append(int(6000 * table[phase[2]] + 0.3 * left) - noise[i * 7 & 4095])
    data = samples.tobytes()
    with open(path, "wb") as output:
        output.write(b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little") + b"\1\0\2\0" + rate.to_bytes(4, "little") +
                     (rate * 4).to_bytes(4, "little") + b"\4\0\x10\0data" + len(data).to_bytes(4, "little") + data)


def linear_program(path, size):
    """A dense-ish covering problem in CPLEX LP form: SIZE rows, 2 SIZE columns."""
    rng = random.Random(6)
    with open(path, "w", encoding="ascii") as output:
        output.write("Minimize\n cost: " + " + ".join(f"{rng.randint(1, 99)} x{j}" + ("\n" if j % 8 == 7 else "") for j in range(2 * size)) + "\nSubject To\n")
        for i in range(size):
            terms = [f"{rng.randint(1, 20)} x{j}" for j in sorted(rng.sample(range(2 * size), max(4, size // 5)))]
            output.write(f" r{i}: " + " + ".join(t + ("\n" if k % 10 == 9 else "") for k, t in enumerate(terms)) + f" >= {rng.randint(50, 500)}\n")
        output.write("Bounds\n" + "".join(f" 0 <= x{j} <= {rng.randint(2, 30)}\n" for j in range(2 * size)) + "End\n")


def copy(path, source):
    shutil.copyfile(source, path)
