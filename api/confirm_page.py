"""The few words of the page by which a person says that a weekly test arrived: Chinese first, no script."""

import base64
import hashlib
from html import escape

_STYLE = (
    "body{font:1.25rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:28rem;padding:0 1rem;"
    "color:#111;background:#fff}"
    "button{font:inherit;font-weight:bold;width:100%;padding:1rem;border:0;border-radius:.5rem;"
    "color:#fff;background:#0a5c36}"
    "p[lang=en]{font-size:1rem;color:#444}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def asking(person: str) -> str:
    """Return the page with the button."""
    return _page(
        "确认收到测试 / Confirm the test",
        _told(f"{person}：请按下按钮，确认您收到了每周测试消息。", f"{person}: press the button to confirm the test.")
        + '<form method="post"><button type="submit">我已收到 / I got it</button></form>',
    )


def thanks(person: str) -> str:
    """Return the page after it."""
    told = _told(f"已确认，谢谢 {person}。可以关闭此页。", f"Confirmed, thank you {person}. You can close this page.")
    return _page("已确认 / Confirmed", told)


def unknown() -> str:
    """Return the page for a link that is none of ours."""
    zh, en = "链接无效。请从最新的测试消息中重新打开。", "This link is not valid. Open it from the newest test message."
    return _page("链接无效 / Not valid", _told(zh, en))


def _told(zh: str, en: str) -> str:
    return f'<p>{escape(zh)}</p><p lang="en">{escape(en)}</p>'


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>Anju 安居</h1>{body}</main></body></html>"
    )
