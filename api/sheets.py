"""QR codes of call points, and sheets of A6 to print and hang on the wall. Pure."""

import io
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from ipaddress import ip_address
from urllib.parse import urlsplit

import segno
from msgspec import Struct

from api.resident_page import ALWAYS, Html, Phone, filled
from emergency.model import Place

# A quarter of the code may be scratched or dirty (level Q of ISO/IEC 18004): sheets hang in lifts for years.
_ERROR_CORRECTION = "q"
_QUIET_MODULES = 4
# Where a number no longer fits the width of the sheet in the largest type.
_LONG_NUMBER = 12
_WARNING_STYLE = (
    ".warning{background:#b3121d;color:#fff;font-weight:700;padding:4mm 5mm}.warning span{display:block;margin:1mm 0}"
    "@media print{.warning{display:none}}"
)
_FOLDER = files("api").joinpath("pages/resident")


class Sheet(Struct, frozen=True):
    """What one sheet shows. ``duty`` is the number of the duty room, ``None`` where the plan has none."""

    place: Place
    address: str
    duty: Phone | None = None


class Document(Struct, frozen=True):
    """Sheets to print, and the style that has to be allowed for them."""

    html: str
    style: str


def code_svg(address: str, title: str = "") -> str:
    """Return the QR code of ``address`` as SVG that fills whatever it is put into, with the quiet zone it needs."""
    code = segno.make(address, error=_ERROR_CORRECTION, micro=False, boost_error=False)
    drawn = io.BytesIO()
    code.save(
        drawn,
        kind="svg",
        border=_QUIET_MODULES,
        xmldecl=False,
        omitsize=True,
        light="#fff",
        title=title or address,
        nl=False,
    )
    return drawn.getvalue().decode()


def is_for_phones(address: str) -> bool:
    """Tell whether the phones of residents can use the page at ``address``: over HTTPS, and not on this machine."""
    parts = urlsplit(address)
    return parts.scheme == "https" and not _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def printed(sheets: Sequence[Sheet], lang: str, *, doubtful: str = "") -> Document:
    """Return ``sheets``, one to a page, with the language ``lang`` (``zh`` or ``en``) above the other.

    With ``doubtful``, where their codes lead to, a warning stands above them on the screen, not on paper.
    """
    style = _FOLDER.joinpath("sheet.css").read_text(encoding="utf-8") + (_WARNING_STYLE if doubtful else "")
    template = _FOLDER.joinpath("sheet.html").read_text(encoding="utf-8")
    head = (
        f'<!doctype html>\n<html lang="{"zh-CN" if lang == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<title>一键呼叫 Call for help</title><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{style}</style></head>\n<body>{_warning(doubtful, lang) if doubtful else ''}"
    )
    return Document(f"{head}{''.join(_one(template, sheet, lang) for sheet in sheets)}</body></html>\n", style)


def _one(template: str, sheet: Sheet, lang: str) -> str:
    place, duty = sheet.place, sheet.duty or Phone(*ALWAYS[0])
    others = [phone for phone in (Phone(*each) for each in ALWAYS) if phone.href != duty.href]
    name_zh = place.name_zh or place.name_en or place.building or place.community
    values: dict[str, str] = {
        "call": _both("一键呼叫", "Call for help", lang),
        "name": _both(name_zh, place.name_en or name_zh, lang),
        "scan": _both("被困或需要救援，请扫码", "Trapped, or in need of help: scan", lang),
        "easy": _both("无需下载，无需登录", "No app, no log-in", lang),
        "code": Html(code_svg(sheet.address, "一键呼叫 Call for help")),
        "rescue": Html(_figure("救援识别码", "Rescue code", place.rescue_code, lang) if place.rescue_code else ""),
        "duty": Html(_figure(duty.title_zh, duty.title_en, duty.number, lang)),
        "others": Html(
            " ".join(f"<span>{_both(p.title_zh, p.title_en, lang)} <b>{p.number}</b></span>" for p in others)
        ),
        "address": sheet.address,
    }
    return filled(template, values)


def _warning(address: str, lang: str) -> str:
    zh = (
        f"请勿张贴：二维码指向 {address}，住户的手机用不了这个地址（须为 https，且不能是本机地址）。"
        "请先把 notify.base_url（ANJU_NOTIFY__BASE_URL）设为住户使用的 https 地址，再重新打开本页。"
    )
    en = (
        f"Do not hang these up: their codes lead to {address}, which is of no use to residents' phones (it has to be"
        " https, and not this machine). Set notify.base_url (ANJU_NOTIFY__BASE_URL) to the https address that residents"
        " use, then open this page again."
    )
    return f'<div class="warning" role="alert">{_both(zh, en, lang)}</div>'


def _figure(zh: str, en: str, figure: str, lang: str) -> str:
    size = "long" if len(figure) > _LONG_NUMBER else "large"
    return f'<p class="figure">{_both(zh, en, lang)}<b class="{size}">{escape(figure)}</b></p>'


def _both(zh: str, en: str, lang: str) -> Html:
    """Return both languages, ``lang`` first; what reads the same in both stands once."""
    parts = [f'<span lang="zh-CN">{escape(zh)}</span>', f'<span lang="en">{escape(en)}</span>']
    if zh == en:
        return Html(parts[0])
    return Html(" ".join(parts if lang == "zh" else reversed(parts)))
