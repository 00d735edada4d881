"""The words of a call's pages in each language: data only. Texts in braces are filled in by `emergency.wording`."""

from dataclasses import dataclass

from core.wire.payloads import Direction, DoorState
from emergency.model import CallState, PageKind, Source


@dataclass(frozen=True, kw_only=True)
class Phrases:
    """One language."""

    drill: str
    """Stands before everything that is said of a drill."""
    drill_line: str
    openings: dict[PageKind, str]
    updates: dict[CallState, str]
    """What an update says first, by how the call stands; for any other state that of its kind."""
    title: str
    title_floor: str
    where: str
    building: str
    car: str
    floor: str
    doors: dict[DoorState, str]
    directions: dict[Direction, str]
    someone: str
    no_one: str
    people: str
    rescue_code: str
    caller: str
    text: str
    source: str
    sources: dict[Source, str]
    since: str
    answered: str
    dispatched: str
    on_the_way: str
    arrives: str
    on_site: str
    freed: str
    rescue_by: str
    overdue: str
    step: str
    to_dial: str
    next_step: str
    take_lift: str
    take_place: str
    go: str
    update_steps: dict[CallState, str]
    half_time: str
    call_out: str
    again: str
    left_open: str
    dial: str
    in_a_drill: str
    link: str
    comma: str
    short_floor: str
    short_people: str
    short_code: str
    short_since: str
    short_dial: str


ZH = Phrases(
    drill="【演练】",
    drill_line="【演练】这是演练，没有人被困：按流程操作，不要拨打 96333 或 119",
    openings={
        PageKind.CALL: "紧急呼叫",
        PageKind.DISPATCH: "请前往救援",
        PageKind.UPDATE: "呼叫有进展",
        PageKind.HALF_TIME: "救援时间过半，无人到场",
        PageKind.OVERDUE: "救援超时，无人到场",
        PageKind.AGAIN: "再次求助",
        PageKind.REMINDER: "呼叫尚未关闭",
        PageKind.DIAL: "请立即拨打电话",
    },
    updates={
        CallState.ANSWERED: "呼叫已接听",
        CallState.DISPATCHED: "已派人前往",
        CallState.ON_THE_WAY: "救援人员在路上",
        CallState.ON_SITE: "救援人员已到场",
        CallState.FREED: "人员已救出",
        CallState.ABANDONED: "呼叫人已取消，请核实",
        CallState.CLOSED: "呼叫已结束",
    },
    title="{opening}：{place}",
    title_floor=" {floor} 层",
    where="地点：{place}",
    building="（楼栋 {building}）",
    car="轿厢：{facts}",
    floor="{floor} 层",
    doors={
        DoorState.CLOSED: "门关",
        DoorState.OPENING: "门正在开",
        DoorState.OPEN: "门开",
        DoorState.CLOSING: "门正在关",
    },
    directions={Direction.STOPPED: "停止", Direction.UP: "上行", Direction.DOWN: "下行"},
    someone="轿厢有人",
    no_one="轿厢未检测到人",
    people="人数：{people}",
    rescue_code="救援码：{code}",
    caller="呼叫人：{caller}",
    text="留言：{text}",
    source="来源：{source}",
    sources={
        Source.RESIDENT: "住户扫码",
        Source.APP: "物业应用",
        Source.CAR_BUTTON: "轿厢报警按钮",
        Source.ALERT: "困人告警",
        Source.STAFF: "值班人员登记",
        Source.DRILL: "演练",
    },
    since="呼叫时间：{at}",
    answered="接听：{name}",
    dispatched="已派：{name}",
    on_the_way="在路上：{name}",
    arrives="{name}，预计 {at} 到达",
    on_site="到场：{at}",
    freed="救出：{at}",
    rescue_by="救援时限：{at} 前到场",
    overdue="救援时限：应于 {at} 前到场，已超时",
    step="呼叫对象：{step}",
    to_dial="需人工拨打（系统不会自动拨打）：{numbers}",
    next_step="处置：{step}",
    take_lift="立即接听，安抚被困人员，问清人数和身体状况，告诉对方不要扒门；去不了请立即按“无法前往”，转给下一位",
    take_place="立即接听，问清情况和位置；去不了请立即按“无法前往”，转给下一位",
    go="立即出发，并按“已出发”；去不了请立即按“无法前往”，转给下一位",
    update_steps={
        CallState.ANSWERED: "已有人接听，请保持电话畅通",
        CallState.DISPATCHED: "已派人前往，请保持电话畅通",
        CallState.ON_THE_WAY: "已有人前往，请保持电话畅通",
        CallState.ON_SITE: "已有人到场，不必再前往",
        CallState.FREED: "不必再前往；电梯查明原因前不得恢复运行",
        CallState.ABANDONED: "回拨呼叫人或到现场核实，然后关闭呼叫",
        CallState.CLOSED: "不必再前往",
    },
    half_time="核实救援人员到了哪里，必要时加派人手",
    call_out="立即联系救援人员，同时拨打 96333 或 119",
    again="同一地点再次求助：核实是否仍有人被困，必要时加派人手",
    left_open="核实人员是否已全部救出，然后关闭呼叫",
    dial="立即拨打上面的电话，说明地点和救援码，并在值班台按“已拨打”",
    in_a_drill="按演练流程操作，并在系统上确认",
    link="详情：{link}",
    comma="，",
    short_floor="{floor}层",
    short_people="，{people}人",
    short_code="，救援码{code}",
    short_since="，{at}起",
    short_dial="，请拨{phone}",
)

EN = Phrases(
    drill="[DRILL] ",
    drill_line="[DRILL] This is a drill, nobody is trapped: do as you would, but do not ring 96333 or 119",
    openings={
        PageKind.CALL: "Emergency call",
        PageKind.DISPATCH: "Please go and help",
        PageKind.UPDATE: "News of a call",
        PageKind.HALF_TIME: "Half the rescue time gone, nobody on site",
        PageKind.OVERDUE: "Rescue overdue, nobody on site",
        PageKind.AGAIN: "Asks for help again",
        PageKind.REMINDER: "Call not closed yet",
        PageKind.DIAL: "Please dial by hand",
    },
    updates={
        CallState.ANSWERED: "Call answered",
        CallState.DISPATCHED: "Somebody was sent",
        CallState.ON_THE_WAY: "Rescuer on the way",
        CallState.ON_SITE: "Rescuer on site",
        CallState.FREED: "Everybody is out",
        CallState.ABANDONED: "Taken back by the caller, please check",
        CallState.CLOSED: "Call closed",
    },
    title="{opening}: {place}",
    title_floor=", floor {floor}",
    where="Where: {place}",
    building=" (building {building})",
    car="Car: {facts}",
    floor="floor {floor}",
    doors={
        DoorState.CLOSED: "doors closed",
        DoorState.OPENING: "doors opening",
        DoorState.OPEN: "doors open",
        DoorState.CLOSING: "doors closing",
    },
    directions={Direction.STOPPED: "not moving", Direction.UP: "going up", Direction.DOWN: "going down"},
    someone="someone inside",
    no_one="nobody detected inside",
    people="People: {people}",
    rescue_code="Rescue code: {code}",
    caller="Caller: {caller}",
    text="Says: {text}",
    source="By: {source}",
    sources={
        Source.RESIDENT: "a resident, QR code",
        Source.APP: "property app",
        Source.CAR_BUTTON: "alarm button in the car",
        Source.ALERT: "alert of a trapped passenger",
        Source.STAFF: "staff",
        Source.DRILL: "drill",
    },
    since="Since: {at}",
    answered="Answered by: {name}",
    dispatched="Sent: {name}",
    on_the_way="On the way: {name}",
    arrives="{name}, there at {at}",
    on_site="On site: {at}",
    freed="Freed: {at}",
    rescue_by="Rescue clock: on site by {at}",
    overdue="Rescue clock: was due on site by {at}, overdue",
    step="Asked now: {step}",
    to_dial="To be dialled by hand (Anju dials nobody): {numbers}",
    next_step="Do first: {step}",
    take_lift="answer now, calm those inside, ask how many and how they are, tell them not to force the door; if you "
    'cannot, say "cannot come" at once: it goes to the next person',
    take_place='answer now, ask what and where; if you cannot, say "cannot come" at once: it goes to the next person',
    go='leave now and say "on the way"; if you cannot, say "cannot come" at once: it goes to the next person',
    update_steps={
        CallState.ANSWERED: "somebody has answered; keep your phone at hand",
        CallState.DISPATCHED: "somebody was sent; keep your phone at hand",
        CallState.ON_THE_WAY: "somebody is on the way; keep your phone at hand",
        CallState.ON_SITE: "somebody is there; you need not go",
        CallState.FREED: "you need not go; the lift stays out of service until the cause is known",
        CallState.ABANDONED: "ring the caller back or look on site, then close the call",
        CallState.CLOSED: "you need not go",
    },
    half_time="find out where the rescuers are, send more if need be",
    call_out="reach the rescuers now, and ring 96333 or 119 as well",
    again="help is asked for again at this place: find out whether people are still inside, send more if need be",
    left_open="make sure that everybody is out, then close the call",
    dial='dial the number above now, say place and rescue code, then press "dialled" at the desk',
    in_a_drill="do as the drill asks, and confirm it in the system",
    link="Details: {link}",
    comma=", ",
    short_floor=" fl. {floor}",
    short_people=", {people} people",
    short_code=", code {code}",
    short_since=", since {at}",
    short_dial=", dial {phone}",
)
