"""Templates, and how values look in them. Loaded with the first page, because Jinja takes megabytes.

Every value is escaped by the template engine; only the functions of this module return markup.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from receiver.page.assets import asset_path
from receiver.page.charts import draw
from workers.models.links import incident_path, rollback_path
from workers.runtime.text import format_duration, plural

TEMPLATES = Path(__file__).with_name("templates")
THOUSAND = 1_000  # from which counts are written with k
MILLION = 1_000_000  # from which they are written with M


def build_environment(zone: tzinfo) -> Environment:
    """The template environment.

    Args:
        zone: in which times are shown; their title has UTC.
    """

    @pass_context
    def age(context: Context, moment: datetime | None) -> Markup:
        return format_age(moment, context["now"])

    @pass_context
    def clock(context: Context, moment: datetime | None) -> Markup:
        return format_time(moment, zone, context["now"])

    environment = Environment(
        autoescape=True, loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.filters.update(
        age=age, amount=format_amount, clock=clock,
        clock_text=lambda moment: f"{moment.astimezone(zone):%H:%M}", compact=compact,
        duration=format_duration, link=web_link, pair=lambda text: (text, text),
        plural=lambda count, noun, nouns="": plural(count, noun, nouns),
        short_id=short_id, usd=format_usd,
    )  # fmt: skip
    environment.globals.update(
        asset=asset_path, draw=lambda chart: draw(chart, zone), incident_path=incident_path, nonce=new_nonce,
        rollback_path=rollback_path,
    )  # fmt: skip
    return environment


def new_nonce() -> str:
    """The id of one form: sent twice, it has one effect."""
    return f"page-{secrets.token_urlsafe(12)}"


def format_time(moment: datetime | None, zone: tzinfo, now: datetime) -> Markup:
    """A time as a `<time>`: local, with the day unless it is today, and UTC in the title; a dash without one."""
    if moment is None:
        return Markup("–")
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    day = "" if local.date() == today else f"{local.day} {local:%b} "
    year = "" if local.year == today.year else f"{local:%Y} "
    return _time(moment, f"{day}{year}{local:%H:%M}")


def format_age(moment: datetime | None, now: datetime) -> Markup:
    """The time since then, `3 min ago`, or until then, `in 7 min`. The script of the page keeps it current."""
    if moment is None:
        return Markup("–")
    seconds = (now - moment).total_seconds()
    text = f"{format_duration(seconds)} ago" if seconds >= 0 else f"in {format_duration(-seconds)}"
    return _time(moment, text, Markup(" data-age"))


def _time(moment: datetime, text: str, attribute: str = "") -> Markup:
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC"{}>{}</time>').format(
        f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M:%S}", attribute, text
    )


def web_link(url: str) -> str:
    """The address if it leads to a web page, else "": a `javascript:` address never becomes a link."""
    try:
        parts = urlsplit(url)
        is_web = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and not (set(url) & set("\\ \t\r\n"))
        )
    except ValueError:
        return ""
    return url if is_web else ""


def format_amount(value: float) -> str:
    """A measurement in at most three significant digits, without an exponent."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 0.01 else f"{value:.1g}" if value else "0"


def compact(count: int) -> str:
    """`950`, `38k`, `1.2M`."""
    if count < THOUSAND:
        return str(count)
    return f"{count / THOUSAND:.0f}k" if count < MILLION else f"{count / MILLION:.1f}M"


def format_usd(amount: float) -> str:
    """`$0.21`; `under $0.01` for less than a cent."""
    return "under $0.01" if 0 < amount < 0.01 else f"${amount:,.2f}"


def short_id(text: str) -> str:
    """The first eight characters of an id or a commit."""
    return text[:8]
