"""The text of the sample crawl: sentences with alternatives (Markdown) and page designs (Jinja)."""
