"""mixed.py: what Python programs spend their time on: method calls, dictionaries, lists, strings, generators, integers. mixed.py ROUNDS"""
import sys


class Task:
    def __init__(self, name, priority):
        self.name = name
        self.priority = priority
        self.done = 0

    def step(self, world):
        self.done += 1
        world[self.name] = world.get(self.name, 0) + self.priority
        return self.done % 7 != 0


def queens(n, row=0, columns=0, left=0, right=0):
    if row == n:
        return 1
    found = 0
    free = ~(columns | left | right) & ((1 << n) - 1)
    while free:
        bit = free & -free
        free ^= bit
        found += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
    return found


def primes(n):
    sieve = bytearray([1]) * n
    for i in range(2, int(n ** 0.5) + 1):
        if sieve[i]:
            sieve[i * i::i] = bytes(len(range(i * i, n, i)))
    return (i for i in range(2, n) if sieve[i])


def words(n):
    text = []
    x = 12345
    for _ in range(n):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        text.append("w" + str(x % 997))
    counts = {}
    for word in " ".join(text).split(" "):
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]


def main():
    total = 0
    for r in range(int(sys.argv[1])):
        world = {}
        tasks = [Task("task%d" % i, i % 5) for i in range(100)]
        for _ in range(40):
            tasks = [t for t in tasks if t.step(world)] or [Task("again%d" % r, 3)]
        total += sum(world.values()) + queens(7) + sum(primes(20000)) % 1000
        top = words(4000)
        total += len("".join(f"{w}:{c:03d};" for w, c in top)) + 3 ** (200 + r % 10) % 1009
    print(total, top)


main()
