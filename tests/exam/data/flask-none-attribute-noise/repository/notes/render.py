from html import escape


def as_html(note):
    title = escape(note["title"])
    body = paragraphs(note["body"])
    return f"<h1>{title}</h1>{body}"


def paragraphs(text):
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n"))
