"""The drawings of the page, as inline SVG: no script, no network; colours come from the page's style sheet."""

import math
from html import escape

TIERS = ("premium", "grace_period", "basic", "trial")
EVERY_TIER = "every_tier"               # the crisis lane looks up no tier
CLASSES = ("emergency", "safety", "control", "session", "interactive", "standard", "bulk", "background")
LEVELS = ((1, "background"), (2, "bulk"), (3, "reduced"), (4, "standard"), (5, "standard raised"), (6, "interactive"),
          (7, "interactive raised"), (8, "control"), (9, "crisis data"), (10, "crisis emergency"))


def milliseconds(value):
    """A latency as people write it."""
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.2f} ms"
    if value < 100:
        return f"{value:.1f} ms"
    if value < 1_000:
        return f"{value:.0f} ms"
    return f"{value / 1000:.2f} s" if value < 10_000 else f"{value / 1000:,.1f} s"


def owed(value):
    """A target, which is a round number."""
    return "–" if value is None else f"{value:g} ms" if value < 1_000 else f"{value / 1000:g} s"


def share(value):
    """Attainment, a fraction, as a percentage that never rounds up to 100."""
    if value is None:
        return "–"
    percent = value * 100
    for digits in (1, 2, 3, 4):
        if percent >= 100 or round(percent, digits) < 100:
            return "100 %" if percent >= 100 else f"{percent:.{digits}f} %"
    return "> 99.999 %"


def words(name):
    return name.replace("_", " ")


def text(x, y, content, css="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{escape(str(content))}</text>'


def line(x1, y1, x2, y2, css):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css}"/>'


def frame(width, height, label, parts):
    return (f'<div class="scroll"><svg viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{escape(label)}">'
            + "".join(parts) + "</svg></div>")


# -- latency and attainment -------------------------------------------------------------------------

LEFT, LOG_WIDTH, BAR_LEFT, BAR_WIDTH, ROW = 178, 560, 784, 150, 19
LOG_FROM, LOG_TO = -1, 5                # 0.1 ms to 100 s


def log_x(value):
    exponent = math.log10(max(value, 10 ** LOG_FROM))
    return LEFT + (min(exponent, LOG_TO) - LOG_FROM) / (LOG_TO - LOG_FROM) * LOG_WIDTH


def latency_row(y, row):
    """Percentiles of one class and tier, its target, and how often it was met."""
    tier = row["tier"]
    x = {name: log_x(row[name]) for name in ("p50", "p95", "p99", "p999", "max", "target")}
    tip = (f"{words(row['class'])}, {words(tier)}: {row['count']:,} operations; p50 {milliseconds(row['p50'])}, "
           f"p95 {milliseconds(row['p95'])}, p99 {milliseconds(row['p99'])}, p99.9 {milliseconds(row['p999'])}, "
           f"max {milliseconds(row['max'])}; target {owed(row['target'])}, met {share(row['attainment'])}")
    met = row["attainment"]
    bar = BAR_WIDTH * min(1.0, met)
    return "".join((
        f"<g><title>{escape(tip)}</title>",
        f'<rect x="{LEFT}" y="{y - ROW / 2:.1f}" width="{LOG_WIDTH}" height="{ROW}" class="hit"/>',
        text(LEFT - 12, y + 4, words(tier), "label", "end"),
        f'<rect x="{x["target"]:.1f}" y="{y - 8:.1f}" width="{LEFT + LOG_WIDTH - x["target"]:.1f}" height="16"'
        ' class="late"/>',
        f'<g class="ink-{tier}">',
        line(x["p50"], y, x["max"], y, "thin"),
        line(x["p50"], y, x["p99"], y, "thick"),
        f'<circle cx="{x["p50"]:.1f}" cy="{y:.1f}" r="4.2" class="full"/>',
        line(x["p95"], y - 4, x["p95"], y + 4, "tick"),
        f'<circle cx="{x["p99"]:.1f}" cy="{y:.1f}" r="4.2" class="open"/>',
        line(x["p999"], y - 5, x["p999"], y + 5, "tick"),
        f'<path d="M{x["max"] - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6" class="cross"/>',
        "</g>",
        line(x["target"], y - 8, x["target"], y + 8, "target"),
        f'<rect x="{BAR_LEFT}" y="{y - 6:.1f}" width="{BAR_WIDTH}" height="12" rx="2" class="track"/>',
        f'<rect x="{BAR_LEFT}" y="{y - 6:.1f}" width="{bar:.1f}" height="12" rx="2" class="fill-{tier}"/>',
        text(BAR_LEFT + BAR_WIDTH + 10, y + 4, share(met), "number" if met >= 0.99 else "number warn"),
        "</g>"))


def latency_key(y):
    """How to read a row, drawn as a row."""
    x = LEFT
    return "".join((
        '<g class="ink-key">', line(x, y, x + 230, y, "thin"), line(x, y, x + 120, y, "thick"),
        f'<circle cx="{x}" cy="{y}" r="4.2" class="full"/>', line(x + 70, y - 4, x + 70, y + 4, "tick"),
        f'<circle cx="{x + 120}" cy="{y}" r="4.2" class="open"/>', line(x + 175, y - 5, x + 175, y + 5, "tick"),
        f'<path d="M{x + 227} {y - 3}l6 6m0 -6l-6 6" class="cross"/></g>',
        line(x + 300, y - 8, x + 300, y + 8, "target"),
        *(text(x + dx, y - 12, name, "small", "middle") for dx, name in
          ((0, "p50"), (70, "p95"), (120, "p99"), (175, "p99.9"), (230, "max"), (300, "target"))),
        f'<rect x="{x + 300}" y="{y - 8}" width="60" height="16" class="late"/>',
        text(x + 366, y + 4, "too late", "small")))


def latency(rows):
    """Percentiles on a log axis against the target, with attainment beside them."""
    present = [row for row in rows if row["count"]]
    parts, y, top = [latency_key(22)], 74.0, 58.0
    body = []
    for klass in CLASSES:
        group = [row for tier in (*TIERS, EVERY_TIER) for row in present if row["class"] == klass and row["tier"] == tier]
        if not group:
            continue
        body.append(text(8, y + 4, words(klass), "group"))
        for row in group:
            body.append(latency_row(y, row))
            y += ROW
        y += 13
    bottom = y - 13
    for exponent in range(LOG_FROM, LOG_TO + 1):
        x = log_x(10 ** exponent)
        label = f"{10 ** exponent:g} ms" if exponent < 3 else f"{10 ** (exponent - 3):g} s"
        parts += [line(x, top, x, bottom, "grid"), text(x, bottom + 18, label, "axis", "middle")]
    for fraction in (0, 0.5, 1):
        x = BAR_LEFT + BAR_WIDTH * fraction
        parts += [line(x, top, x, bottom, "grid"), text(x, bottom + 18, f"{fraction * 100:.0f} %", "axis", "middle")]
    parts += [text(BAR_LEFT, 40, "Attainment: share of", "small"),
              text(BAR_LEFT, 53, "operations within target", "small")]
    return frame(1030, bottom + 28, "Latency percentiles by class and tier against their targets, and attainment",
                 parts + body)


# -- areas over the simulated day -------------------------------------------------------------------

AREA_WIDTH, AREA_HEIGHT, AREA_LEFT, AREA_TOP = 930, 250, 64, 34


def nice_top(value):
    """The next round number above, for the end of an axis."""
    if value <= 4:
        return 4
    scale = 10 ** math.floor(math.log10(value))
    return next(step * scale for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * scale >= value)


def hour_x(hour, last):
    return AREA_LEFT + hour / last * AREA_WIDTH


def axes(highest, last, unit):
    parts = []
    for step in range(5):
        value = highest * step / 4
        y = AREA_TOP + AREA_HEIGHT * (1 - step / 4)
        parts += [line(AREA_LEFT, y, AREA_LEFT + AREA_WIDTH, y, "grid"),
                  text(AREA_LEFT - 10, y + 4, f"{value:,.0f}", "axis", "end")]
    for hour in range(0, int(last) + 1, 3):
        x = hour_x(hour, last)
        label = f"{hour:02d}:00" if hour <= 24 else ""
        parts += [line(x, AREA_TOP + AREA_HEIGHT, x, AREA_TOP + AREA_HEIGHT + 5, "grid"),
                  text(x, AREA_TOP + AREA_HEIGHT + 20, label, "axis", "middle")]
    parts.append(text(4, 14, unit, "small"))
    return parts


def legend(shown, curve, y):
    """Names of the areas and of the line, wrapped; returns the parts and where they end."""
    parts, x = [], AREA_LEFT
    for name, css in shown + ([(curve, None)] if curve else []):
        width = 36 + 6.8 * len(name)
        if x + width > 1020:
            x, y = AREA_LEFT, y + 20
        parts.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" rx="2" class="area {css}"/>' if css
                     else line(x, y - 4, x + 14, y - 4, "curve"))
        parts.append(text(x + 18, y, name, "small"))
        x += width
    return parts, y


def stacked(series, hours, last, unit, label, extra=None):
    """Areas on top of each other. series: (name, css class, values at `hours`); extra: (name, values), a line."""
    totals = [sum(values[i] for _, _, values in series) for i in range(len(hours))]
    highest = nice_top(max(totals + (extra[1] if extra else []) + [1]))

    def y(value):
        return AREA_TOP + AREA_HEIGHT * (1 - value / highest)

    parts, floor, shown = axes(highest, last, unit), [0] * len(hours), []
    for name, css, values in series:
        if not any(values):
            continue
        upper = [low + value for low, value in zip(floor, values)]
        edge = [f"{hour_x(h, last):.1f} {y(v):.1f}" for h, v in zip(hours, upper)]
        back = [f"{hour_x(h, last):.1f} {y(v):.1f}" for h, v in zip(reversed(hours), reversed(floor))]
        parts.append(f'<path d="M{"L".join(edge + back)}Z" class="area {css}"><title>{escape(name)}</title></path>')
        floor = upper
        shown.append((name, css))
    if extra:
        path = "L".join(f"{hour_x(h, last):.1f} {y(v):.1f}" for h, v in zip(hours, extra[1]))
        parts.append(f'<path d="M{path}" class="curve"><title>{escape(extra[0])}</title></path>')
    if last > 24.4:
        x = hour_x(24, last)
        parts += [line(x, AREA_TOP, x, AREA_TOP + AREA_HEIGHT, "target"),
                  text(x - 4, AREA_TOP - 6, "the day ends", "small", "end")]
    names, bottom = legend(shown[::-1], extra and extra[0], AREA_TOP + AREA_HEIGHT + 46)
    return frame(1030, bottom + 12, label, parts + names)


def depth(samples):
    """Queue depth by level over the day, most urgent on top."""
    hours = [sample["hour"] for sample in samples]
    last = max(24.0, hours[-1])
    series = [(f"{level} {name}", f"level-{level}", [sample["depth"].get(str(level), 0) or 0 for sample in samples])
              for level, name in LEVELS]
    return stacked(series, hours, last, "operations waiting",
                   "Operations waiting in the queue by level over the simulated day")


def rate(classes, bucket_seconds, samples):
    """Accepted operations per real second, by class, and changes pulled per second as a line."""
    count = len(next(iter(classes.values())))
    hours = [(bucket + 0.5) * 24 / count for bucket in range(count)]
    series = [(words(klass), f"class-{klass}", [n / bucket_seconds for n in classes[klass]])
              for klass in reversed(CLASSES) if klass in classes]
    return stacked(series, hours, 24.0, "operations per second",
                   "Operations per second by class over the simulated day",
                   ("changes pulled by other devices", pulled(samples, hours)))


def pulled(samples, hours):
    """Changes pulled per second at the given hours, from cumulative samples."""
    rates = []
    for hour in hours:
        after = next((i for i, s in enumerate(samples) if s["hour"] >= hour), len(samples) - 1)
        first, second = samples[max(0, after - 2)], samples[min(len(samples) - 1, after + 1)]
        span = second["seconds"] - first["seconds"]
        rates.append((second["pulled"] - first["pulled"]) / span if span > 0 else 0)
    return rates
