"""The charset label that a page's bytes declare: `<meta>` and the XML declaration.

HTML standard, section 13.2.3.2, "prescan a byte stream to determine its encoding" and "get an XML
encoding". One difference: what stands in scripts and styles is no tag here, as in browsers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARK = re.compile(rb"<(?:(?P<comment>!--)|(?P<tag>/?[A-Za-z][^\t\n\f\r />]*)|[!/?])")
# The dashes that begin a comment may be those that end it: `<!-->` is a whole comment.
_COMMENT_END = re.compile(rb"-->")
_ATTRIBUTE = re.compile(
    rb"""[\t\n\f\r /]*+
    (?: (?P<end>>)
      | (?P<name>=?[^\t\n\f\r />=]++|=)
        (?: [\t\n\f\r ]*+=[\t\n\f\r ]*+
            (?: "(?P<double>[^"]*)" | '(?P<single>[^']*)' | (?P<open>["'])
              | (?P<bare>[^\t\n\f\r >"'][^\t\n\f\r >]*+) | (?=>) ) )?+ )""",
    re.VERBOSE,
)
_RAW_END = {
    tag: re.compile(rb"</" + tag + rb"[\t\n\f\r />]", re.IGNORECASE)
    for tag in (b"script", b"style", b"title", b"textarea")
}
_CONTENT_CHARSET = re.compile(
    rb"""charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r ;"'][^\t\n\f\r ;]*))"""
)
_XML = re.compile(
    rb"""<\?xml[^>]*?encoding[\x00-\x20]*=[\x00-\x20]*(?:"([^"\x00-\x20>]*)"|'([^'\x00-\x20>]*)')"""
)
_WIDE_XML = ((b"<\0?\0x\0", "utf-16le"), (b"\0<\0?\0x", "utf-16be"))


def meta_labels(data: bytes) -> Iterator[str]:
    """Labels of the `<meta>` elements in `data`, lower-cased, in order.

    An element cut off at the end of `data` is none.
    """
    for attributes in _meta_attributes(data):
        label = attributes.get(b"charset")
        if label is None and attributes.get(b"http-equiv") == b"content-type":
            label = _content_label(attributes.get(b"content", b""))
        if label:
            yield label.decode("ascii", "replace")


def xml_label(data: bytes) -> str | None:
    """Label of the XML declaration at the beginning of `data`; None where there is none."""
    match = _XML.match(data)
    label = (match[1] or match[2]) if match else None
    return label.decode("ascii", "replace").lower() if label else None


def wide_xml_label(data: bytes) -> str | None:
    """`utf-16le` or `utf-16be` where `data` begins with `<?x` in two-byte characters."""
    return next((label for start, label in _WIDE_XML if data.startswith(start)), None)


def _meta_attributes(data: bytes) -> Iterator[dict[bytes, bytes]]:
    position: int | None = 0
    while position is not None and (mark := _MARK.search(data, position)):
        if mark["comment"]:
            position = _end(_COMMENT_END, data, mark.start() + 2)
        elif mark["tag"] is None:
            position = data.find(b">", mark.end()) + 1 or None
        else:
            attributes, position = _attributes(data, mark.end())
            tag = mark["tag"].lower()
            if position is not None and tag == b"meta":
                yield attributes
            if position is not None and tag in _RAW_END:
                position = _end(_RAW_END[tag], data, position)


def _attributes(data: bytes, position: int) -> tuple[dict[bytes, bytes], int | None]:
    """Names and values, lower-cased, of the tag whose name ends at `position`, and where it ends.

    None where `data` ends before the tag does. Of equal names the first counts.
    """
    attributes: dict[bytes, bytes] = {}
    while match := _ATTRIBUTE.match(data, position):
        position = match.end()
        if match["end"]:
            return attributes, position
        if match["open"]:
            break
        value = match["double"] or match["single"] or match["bare"] or b""
        attributes.setdefault(match["name"].lower(), value.lower())
    return attributes, None


def _content_label(content: bytes) -> bytes | None:
    match = _CONTENT_CHARSET.search(content)
    return (match[1] or match[2] or match[3]) if match else None


def _end(pattern: re.Pattern[bytes], data: bytes, position: int) -> int | None:
    match = pattern.search(data, position)
    return match.end() if match else None
