import xml.etree.ElementTree as ElementTree

FEEDS = {"news": "<rss><title>News</title></rss>", "empty": "<rss/>"}


def title(name):
    root = ElementTree.fromstring(FEEDS[name])
    return root.find("title").text
