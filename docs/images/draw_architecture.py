"""Draws docs/images/architecture.svg: `python docs/images/draw_architecture.py`."""

from __future__ import annotations

from html import escape
from pathlib import Path

WIDTH, HEIGHT = 1180, 640
INK, MUTED, LINE, PAPER = "#1c2530", "#5a6878", "#8b98a7", "#ffffff"
FILL = {"outside": "#f1f3f5", "shell": "#e3eefc", "core": "#e4f5e9", "store": "#fdf1dc"}


def box(x: int, y: int, width: int, height: int, kind: str, title: str, *lines: str) -> str:
    """A rounded box with a title and some lines below it."""
    parts = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{FILL[kind]}" stroke="{LINE}"/>',
        text(x + width // 2, y + 24, title, "title"),
    ]
    parts += [text(x + width // 2, y + 45 + 18 * number, line, "line") for number, line in enumerate(lines)]
    return "\n".join(parts)


def text(x: int, y: int, said: str, kind: str = "line", anchor: str = "middle") -> str:
    """One line of text."""
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(said)}</text>'


def arrow(*points: tuple[int, int], said: str = "", at: tuple[int, int] | None = None, dashed: bool = False) -> str:
    """A line through points with a head at its end, and what goes along it."""
    path = " ".join(f"{x},{y}" for x, y in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    line = f'<polyline points="{path}" fill="none" stroke="{INK}" stroke-width="1.6" marker-end="url(#head)"{dash}/>'
    return line + (text(*at, said, "note") if at else "")


def drawing() -> str:
    """The whole picture."""
    parts = [
        text(
            40,
            42,
            "One process, or one of each as often as needed; the log between is memory or Kafka",
            "head",
            "start",
        ),
        # a row of the way of the data
        box(40, 70, 150, 160, "outside", "Exporters", "OTel SDKs,", "Collectors,", "coding agents"),
        box(
            270,
            70,
            190,
            160,
            "shell",
            "receive",
            "OTLP gRPC :4317",
            "OTLP HTTP :4318",
            "identity, limits, bounds",
            "bytes, not attributes",
        ),
        box(
            540,
            70,
            170,
            160,
            "store",
            "log",
            "memory, bounded",
            "or Kafka topics",
            "otlp_spans, _logs,",
            "_metrics, .dlq",
        ),
        box(790, 70, 350, 160, "shell", "worker", "", "", "", ""),
        box(802, 112, 98, 100, "core", "decode", "OTLP bytes", "to columns"),
        box(908, 112, 116, 100, "core", "conventions", "what names", "a session"),
        box(1032, 112, 96, 100, "core", "roll up", "traces, then", "sessions"),
        # stores
        box(
            790,
            320,
            350,
            150,
            "store",
            "ClickHouse, or chDB in the process",
            "otel_traces, otel_logs: what was sent, whole",
            "session_spans: a span, narrow",
            "trace_sessions, session_traces, session_rollups",
            "sessions, threads, users: views",
        ),
        box(40, 320, 150, 150, "outside", "People", "page, CLI", "SQL, Grafana", "alerts"),
        box(
            270,
            320,
            440,
            150,
            "shell",
            "ask",
            "sessions_api :3000: page and REST",
            "clickhouse_http :8123: read-only SQL",
            "health_check :13133: live, ready",
            "metrics :8888: Prometheus",
        ),
        arrow((190, 150), (268, 150)),
        arrow((460, 150), (538, 150), said="append", at=(499, 140)),
        arrow((710, 150), (788, 150), said="poll", at=(749, 140)),
        arrow((900, 230), (900, 318), said="write", at=(926, 280)),
        arrow((1075, 318), (1075, 232), said="read back, seldom", at=(1015, 280), dashed=True),
        arrow((788, 395), (712, 395), said="query", at=(750, 385)),
        arrow((268, 395), (192, 395)),
        arrow(
            (625, 232),
            (625, 262),
            (365, 262),
            (365, 232),
            said="OK: the log has it (in memory: the store has it)",
            at=(495, 280),
            dashed=True,
        ),
        # legend and the law
        *legend(),
        text(
            40,
            575,
            "Every stored row is a pure function of the set of spans, under a key that makes writing again harmless:",
            "law",
            "start",
        ),
        text(
            40,
            599,
            "what is sent, delivered or rolled up twice, late, out of order or by two workers changes no total.",
            "law",
            "start",
        ),
    ]
    style = (
        f"text{{font-family:system-ui,sans-serif;fill:{INK}}}"
        ".head{font-size:17px;font-weight:600}.title{font-size:15px;font-weight:600}.law{font-size:14px}"
        f".line{{font-size:12.5px;fill:{MUTED}}}.note{{font-size:12px;fill:{MUTED}}}"
    )
    marker = '<marker id="head" markerWidth="9" markerHeight="9" refX="8" refY="4.5" orient="auto">'
    head = f'{marker}<path d="M0,0 L9,4.5 L0,9 z" fill="{INK}"/></marker>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Exporters send to receivers, these append to a log, workers write to a store, people ask it">\n'
        f'<style>{style}</style><defs>{head}</defs>\n<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def legend() -> list[str]:
    """What the colours mean."""
    meanings = (("outside", "not ours"), ("shell", "does I/O"), ("core", "pure: data in, data out"), ("store", "keeps"))
    parts = []
    for number, (kind, meaning) in enumerate(meanings):
        x = 40 + 210 * number
        parts.append(f'<rect x="{x}" y="512" width="22" height="16" rx="3" fill="{FILL[kind]}" stroke="{LINE}"/>')
        parts.append(text(x + 32, 525, meaning, "line", "start"))
    return parts


if __name__ == "__main__":
    Path(__file__).with_name("architecture.svg").write_text(drawing())
