"""Reads a page as a browser's parser does, and names everything in it that could run."""

from __future__ import annotations

from html.parser import HTMLParser

ADDRESSES = ("href", "src", "action", "formaction", "xlink:href", "data", "srcdoc", "poster")
ELEMENTS = {
    "a", "body", "br", "button", "circle", "code", "dd", "details", "div", "dl", "dt", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "head", "header", "html", "input", "label", "li", "link",
    "main", "meta", "nav", "ol", "option", "p", "path", "polyline", "pre", "rect", "script", "section",
    "select", "span", "strong", "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "time",
    "title", "tr", "ul",
}  # fmt: skip
"""The elements that the templates use. Any other one came out of a text."""


class _Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ELEMENTS:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            text = (value or "").strip().lower()
            own = text.startswith(("/", "#")) and not text.startswith("//")
            outside = tag == "a" and text.startswith(("https://", "http://"))
            if name.startswith("on") or name == "style" or (name in ADDRESSES and not (own or outside)):
                self.found.append(f"<{tag} {name}={value!r}>")
            if tag == "script" and (name, text.startswith("/static/")) == ("src", False):
                self.found.append(f"<script src={value!r}>")


def foreign_markup(page: str) -> list[str]:
    """The elements, handlers and addresses of a page that its templates do not make."""
    parser = _Markup()
    parser.feed(page)
    parser.close()
    return parser.found
