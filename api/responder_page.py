"""The page behind the link in a page of an emergency call: how it stands, and three answers."""

from html import escape

from api.confirm_page import bilingual, document_of, headers_of
from emergency.model import CallState, Words

MINUTES = (5, 10, 15, 20, 30, 45, 60)
_LOOK_AGAIN_SECONDS = 20
_STYLE = (
    "body{font:1.15rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:30rem;padding:1rem;color:#111;background:#fff}"
    "h1{font-size:1.4rem;line-height:1.3;margin:.2rem 0;text-wrap:balance}"
    "[lang=en]{color:#444;font-size:.95rem}"
    "form{margin:.8rem 0}"
    "button,select{font:inherit;width:100%;min-height:3.2rem;border-radius:.5rem;border:2px solid #1b4f8f}"
    "button{font-weight:bold;color:#fff;background:#1b4f8f}"
    "button.there{background:#0a5c36;border-color:#0a5c36}"
    "button.not{color:#8a0f18;background:#fff;border-color:#8a0f18}"
    "label{display:block;margin-bottom:.4rem}"
    ".said{padding:.6rem .8rem;border-radius:.5rem;background:#e6f2ec}"
    ".refused{background:#fbe9ea}"
    "ul{list-style:none;padding:0;margin:.5rem 0;border-top:1px solid #ccc}"
    "li{padding:.3rem 0;border-bottom:1px solid #ccc;overflow-wrap:anywhere}"
)
HEADERS = headers_of(_STYLE)
SAID = {
    "on-the-way": ("已记录：您已出发。", "Recorded: you are on the way."),
    "cannot-come": ("已记录：您无法前往，已通知下一位。", "Recorded: you cannot come. The next person is told."),
    "on-site": ("已记录：您已到场。", "Recorded: you are on site."),
    "refused": ("没有记录：求助的情况已变，请看下面。", "Not recorded: things have changed, see below."),
    "away": (
        "没有记录：系统暂时不可用，请再按一次或打电话。",
        "Not recorded: Anju is away for now. Press again, or phone.",
    ),
}
_COMING = (CallState.RINGING, CallState.ANSWERED, CallState.DISPATCHED, CallState.ON_THE_WAY)


def answering(state: CallState, words: tuple[Words, Words], said: str) -> str:
    """Return the page of an open call: what ``words`` say of it now, and what can be answered as it stands.

    ``said`` names what was answered just now, as in `SAID`; empty for nothing.
    """
    zh, en = words
    body = f'{_said(said)}<h1>{escape(zh.title)}</h1><p lang="en">{escape(en.title)}</p>'
    answers = (
        _on_the_way() + _button("on-site", "已到场", "I am on site", "there") if state is not CallState.FREED else ""
    )
    if state in _COMING:
        answers += _button("cannot-come", "无法前往", "I cannot come", "not")
    lines = "".join(f"<li>{escape(line)}</li>" for line in zh.body.splitlines())
    english = "".join(f"<li>{escape(line)}</li>" for line in en.body.splitlines())
    return _page(f'{body}{answers}<ul>{lines}</ul><ul lang="en">{english}</ul>', again=True)


def over(said: str = "") -> str:
    """Return the page of a call that is closed."""
    return _page(_said(said) + bilingual("求助已结束，不必再前往。", "The call is over, nobody need go any more."))


def unknown() -> str:
    """Return the page for a link that is none of ours."""
    return _page(
        bilingual(
            "链接无效。请从最新的呼叫消息中重新打开。", "This link is not valid. Open it from the newest message."
        )
    )


def away() -> str:
    """Return the page while it cannot be read how the call stands."""
    return _page(bilingual("系统暂时不可用，请打电话。", "Anju is away for now: please phone."), again=True)


def _on_the_way() -> str:
    options = "".join(f'<option value="{each}">{each}</option>' for each in MINUTES)
    return (
        '<form method="post"><label>预计几分钟到达（可不选）<span lang="en">minutes until you are there</span>'
        f'<select name="minutes"><option value="">—</option>{options}</select></label>'
        '<button name="answer" value="on-the-way">已出发 / On my way</button></form>'
    )


def _button(answer: str, zh: str, en: str, kind: str) -> str:
    return f'<form method="post"><button class="{kind}" name="answer" value="{answer}">{zh} / {en}</button></form>'


def _said(said: str) -> str:
    if said not in SAID:
        return ""
    kind = "said refused" if said in ("refused", "away") else "said"
    return f'<div class="{kind}" role="status">{bilingual(*SAID[said])}</div>'


def _page(body: str, *, again: bool = False) -> str:
    return document_of("Anju 安居", body, _STYLE, look_again_seconds=_LOOK_AGAIN_SECONDS if again else None)
