"""Pages behind signed links: Chinese first, no script. Here the one by which a person says that a test arrived."""

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


def headers_of(style: str) -> dict[str, str]:
    """Return the headers of a page that may use ``style``, submit its forms to us, and nothing else."""
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{style_hash}'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }


def document_of(title: str, body: str, style: str, *, look_again_seconds: int | None = None) -> str:
    """Return a whole page; the browser asks for it again, without its query, after ``look_again_seconds``."""
    again = "" if look_again_seconds is None else f'<meta http-equiv="refresh" content="{look_again_seconds};url=?">'
    return (
        f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{again}<style>{style}</style></head>'
        f"<body><main>{body}</main></body></html>"
    )


def bilingual(zh: str, en: str) -> str:
    """Return a paragraph in both languages; texts become no markup."""
    return f'<p>{escape(zh)}</p><p lang="en">{escape(en)}</p>'


HEADERS = headers_of(_STYLE)


def asking(person: str) -> str:
    """Return the page with the button."""
    return _page(
        "确认收到测试 / Confirm the test",
        bilingual(
            f"{person}：请按下按钮，确认您收到了每周测试消息。", f"{person}: press the button to confirm the test."
        )
        + '<form method="post"><button type="submit">我已收到 / I got it</button></form>',
    )


def thanks(person: str) -> str:
    """Return the page after it."""
    told = bilingual(
        f"已确认，谢谢 {person}。可以关闭此页。", f"Confirmed, thank you {person}. You can close this page."
    )
    return _page("已确认 / Confirmed", told)


def unknown() -> str:
    """Return the page for a link that is none of ours."""
    zh, en = "链接无效。请从最新的测试消息中重新打开。", "This link is not valid. Open it from the newest test message."
    return _page("链接无效 / Not valid", bilingual(zh, en))


def _page(title: str, body: str) -> str:
    return document_of(title, f"<h1>Anju 安居</h1>{body}", _STYLE)
