"""What bench/compare's data say: medians, ratios, geometric means; as Markdown and as one HTML page with SVG bar charts."""

import math
import re
import statistics

from workloads import GROUPS


def field(data):
    return "cpu_seconds" if data["clock"] == "cpu" else "seconds"


def values(data, workload, machine):
    return [sample[field(data)] for sample in workload["samples"].get(machine, [])]


def median(data, workload, machine):
    found = values(data, workload, machine)
    return statistics.median(found) if found else None


def ratio(data, workload, machine, base):
    """How many times faster MACHINE is than BASE: median over median, and the least and greatest of the pairs of one run. None when one of them
    was not measured, or was over before the clock moved."""
    a, b = values(data, workload, base), values(data, workload, machine)
    pairs = [x / y for x, y in zip(a, b) if x > 0 and y > 0]
    if not pairs or not statistics.median(a) or not statistics.median(b):
        return None
    return statistics.median(a) / statistics.median(b), min(pairs), max(pairs)


def geometric_mean(numbers):
    numbers = [n for n in numbers if n]
    return math.exp(sum(math.log(n) for n in numbers) / len(numbers)) if numbers else None


def instructions(workload, machine):
    counts = workload["counts"].get(machine) or next(iter(workload["counts"].values()), None)
    return counts.get("guest instructions") if counts else None


def mips(data, workload, machine):
    n, seconds = instructions(workload, machine), median(data, workload, machine)
    return n / seconds / 1e6 if n and seconds else None


def number(x, digits=2):
    return "" if x is None else f"{x:.{digits}f}"


def rows(data):
    """Cells of each workload, in the order of columns()."""
    guests = [m for m in data["machines"] if m != "native"]
    armlets = [m for m in guests if m != "qemu"]
    for group in GROUPS:
        members = [w for w in data["workloads"] if w["class"] == group]
        if not members:
            continue
        yield group, None, None
        for w in members:
            cells = [number(median(data, w, m), 3 if (median(data, w, m) or 9) < 1 else 2) for m in data["machines"]]
            for m in armlets:
                r = ratio(data, w, m, "qemu")
                cells.append(f"{r[0]:.2f} ({r[1]:.2f}-{r[2]:.2f})" if r else "")
            for m in armlets:
                r = ratio(data, w, m, "native")
                cells.append(number(1 / r[0]) if r else "")
            n = instructions(w, "hosted")
            cells.append(f"{n / 1e6:.0f}" if n else "")
            cells += [number(mips(data, w, m), 0) for m in guests]
            yield group, w["name"], cells
        cells = ["" for _ in data["machines"]]
        for m in armlets:
            cells.append(number(geometric_mean([r[0] for w in members if (r := ratio(data, w, m, "qemu"))])))
        for m in armlets:
            cells.append(number(geometric_mean([1 / r[0] for w in members if (r := ratio(data, w, m, "native"))])))
        cells.append("")
        cells += [number(geometric_mean([mips(data, w, m) for w in members]), 0) for m in guests]
        yield group, "geometric mean", cells


def columns(data):
    guests = [m for m in data["machines"] if m != "native"]
    armlets = [m for m in guests if m != "qemu"]
    return ([f"{m}, s" for m in data["machines"]] + [f"{m} is x QEMU" for m in armlets] + [f"{m} / native" for m in armlets] +
            ["M insns"] + [f"{m} MIPS" for m in guests])


def preamble(data):
    return (f"{data['processor']}, {data['cpus']} CPUs, Linux {data['kernel']}; {data['qemu']}; medians of {data['runs']} interleaved runs, {data['mode']} inputs, "
            f"{'processor time' if data['clock'] == 'cpu' else 'wall clock'}.")


def events(data):
    """Events a row's operation costs, where operations are counted."""
    wanted = ("window faults", "pages mapped", "software TLB misses", "view switches", "views synchronised", "TLB maintenance operations", "requests to CPL 0", "device reads", "device writes")
    lines = []
    for w in data["workloads"]:
        if not w["operations"]:
            continue
        for machine, counts in w["counts"].items():
            n = w["operations"]
            lines.append(f"| {w['name']} | {machine} | " + " | ".join(number(counts.get(key, 0) / n, 3) for key in wanted) + " |")
    if not lines:
        return ""
    return "\nPer operation:\n\n| | | " + " | ".join(wanted) + " |\n|---|---|" + "---:|" * len(wanted) + "\n" + "\n".join(lines) + "\n"


def text(data):
    lines = [preamble(data), "", "| | " + " | ".join(columns(data)) + " |", "|---|" + "---:|" * len(columns(data))]
    for group, name, cells in rows(data):
        if name is None:
            lines.append(f"| **{GROUPS[group]}** |" + " |" * len(columns(data)))
        else:
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for e in data["errors"]:
        lines.append(f"\nERROR {e['workload']} under {e['machine']}: {e['error'].splitlines()[0]}")
    return "\n".join(lines) + "\n" + events(data)


# --- the page ---

COLOURS = {"qemu": "#9aa5b1", "hosted": "#1f77b4", "kvm": "#e6862b", "native": "#4c9f70"}
STYLE = """body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;color:#1c2733}
table{border-collapse:collapse;font-size:12px;margin:1em 0}td,th{padding:2px 8px;text-align:right;border-bottom:1px solid #e4e8ec}
td:first-child,th:first-child{text-align:left}tr.group td{font-weight:600;padding-top:10px}tr.mean td{font-weight:600;background:#f4f6f8}
svg text{font:11px system-ui,sans-serif;fill:#1c2733}.legend span{display:inline-block;width:11px;height:11px;margin:0 4px 0 14px}"""


def escape(s):
    return str(s).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def chart(data, group, base="qemu"):
    """Bars: how many times faster than QEMU each machine is, whiskers from least to greatest; logarithmic."""
    members = [w for w in data["workloads"] if w["class"] == group]
    shown = [m for m in data["machines"] if m != base]
    bars = [(w, [(m, ratio(data, w, m, base)) for m in shown]) for w in members]
    bars = [(w, [(m, r) for m, r in found if r]) for w, found in bars]
    bars = [(w, found) for w, found in bars if found]
    if not bars:
        return ""
    low = min(1.0, min(r[1] for _, found in bars for _, r in found))
    high = max(2.0, max(r[2] for _, found in bars for _, r in found))
    left, width, bar = 110, 820, 12
    span = math.log(high / low)

    def x(value):
        return left + width * math.log(value / low) / span

    ticks = [t * 10 ** e for e in range(-3, 5) for t in (1, 2, 5) if low <= t * 10 ** e <= high]
    height = sum(len(found) * bar + 8 for _, found in bars) + 24
    out = [f'<svg viewBox="0 0 {left + width + 60} {height}" width="100%" role="img" aria-label="{escape(GROUPS[group])}">']
    for t in ticks:
        out.append(f'<line x1="{x(t):.1f}" x2="{x(t):.1f}" y1="0" y2="{height - 20}" stroke="{"#8894a0" if t == 1 else "#e4e8ec"}"/>'
                   f'<text x="{x(t):.1f}" y="{height - 6}" text-anchor="middle">{t:g}x</text>')
    y = 2
    for w, found in bars:
        out.append(f'<text x="{left - 8}" y="{y + len(found) * bar / 2 + 4:.1f}" text-anchor="end">{escape(w["name"])}</text>')
        for m, (middle, least, most) in found:
            from_x, to_x = sorted((x(1) if low <= 1 else left, x(middle)))
            out.append(f'<rect x="{from_x:.1f}" y="{y}" width="{max(to_x - from_x, 1):.1f}" height="{bar - 2}" fill="{COLOURS[m]}">'
                       f'<title>{escape(w["name"])} {m}: {middle:.2f}x ({least:.2f}-{most:.2f})</title></rect>'
                       f'<line x1="{x(least):.1f}" x2="{x(most):.1f}" y1="{y + bar / 2 - 1}" y2="{y + bar / 2 - 1}" stroke="#1c2733"/>'
                       f'<text x="{x(max(middle, most, 1)) + 4:.1f}" y="{y + bar - 3}">{middle:.1f}</text>')
            y += bar
        y += 8
    out.append("</svg>")
    return "\n".join(out)


def svg(data):
    """The charts of all classes one below the other, as a file of their own."""
    parts, y, width = [], 0, 0
    for group, title in GROUPS.items():
        drawing = chart(data, group)
        if not drawing:
            continue
        w, h = (int(n) for n in re.search(r'viewBox="0 0 (\d+) (\d+)"', drawing).groups())
        parts.append(f'<text x="4" y="{y + 18}" font-weight="bold">{escape(title)}</text>')
        parts.append(drawing.replace("<svg ", f'<svg y="{y + 26}" height="{h}" ', 1).replace('width="100%"', f'width="{w}"', 1))
        y, width = y + h + 40, max(width, w)
    legend, x = [], 110
    for m in data["machines"]:
        if m != "qemu":
            name = "armlet -accel " + m if m != "native" else "native x86-64"
            legend.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{COLOURS[m]}"/><text x="{x + 18}" y="{y + 11}">{name}</text>')
            x += 190
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y + 20}" font-family="sans-serif" font-size="12">'
            f'<title>times faster than qemu-system-arm</title><rect width="{width}" height="{y + 20}" fill="#fff"/>\n' + "\n".join(parts + legend) + "\n</svg>\n")


def html(data):
    out = ["<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8"><title>armlet beside QEMU</title>', f"<style>{STYLE}</style></head><body>",
           "<h1>armlet beside QEMU</h1>", f"<p>{escape(preamble(data))}</p>",
           "<p>Bars: how many times faster than qemu-system-arm (logarithmic); lines: from the least to the greatest of the runs.</p>", '<p class="legend">']
    for m in data["machines"]:
        if m != "qemu":
            out.append(f'<span style="background:{COLOURS[m]}"></span>{"armlet -accel " + m if m != "native" else "native x86-64"}')
    out.append("</p>")
    for group, title in GROUPS.items():
        drawing = chart(data, group)
        if drawing:
            out += [f"<h2>{escape(title)}</h2>", drawing]
    out += [f"<p><b>error: {escape(e['workload'])} under {escape(e['machine'])}: {escape(e['error'].splitlines()[0])}</b></p>" for e in data["errors"]]
    out += ["<h2>Numbers</h2><table><tr><th></th>" + "".join(f"<th>{escape(c)}</th>" for c in columns(data)) + "</tr>"]
    for group, name, cells in rows(data):
        if name is None:
            out.append(f'<tr class="group"><td colspan="{len(columns(data)) + 1}">{escape(GROUPS[group])}</td></tr>')
        else:
            kind = ' class="mean"' if name == "geometric mean" else ""
            out.append(f"<tr{kind}><td>{escape(name)}</td>" + "".join(f"<td>{escape(c)}</td>" for c in cells) + "</tr>")
    out.append("</table></body></html>")
    return "\n".join(out) + "\n"
