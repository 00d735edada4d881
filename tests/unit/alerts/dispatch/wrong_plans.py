"""Ways in which a plan can be wrong: what is put in the place of what, and what the refusal says."""

ROTA = """rotas:
  - name: duty
    layers: [{start: 2026-01-05, people: [li, wang]}]
policies:"""
INHIBITIONS = """inhibitions:
  - source: [{label: rule, value: gateway-offline}]
    target: [{label: rule, value: "*-offline", operator: like}]
    equal: [gateway]
    grace: 2m
"""
FIRE_AND_DOOR = """inhibitions:
  - {source: [{label: rule, value: fire}], target: [{label: rule, value: door}], equal: [device]}
  - {source: [{label: rule, value: door}], target: [{label: rule, value: fire}], equal: [building]}
"""
ROUND_THREE = """inhibitions:
  - {source: [{label: rule, value: a}], target: [{label: rule, value: b}]}
  - {source: [{label: rule, value: b}], target: [{label: rule, value: "c*", operator: like}]}
  - {source: [{label: rule, value: "c,d", operator: in}], target: [{label: rule, value: a}]}
"""
WRONG: dict[str, tuple[str, str, str]] = {
    "not yaml": ("version: 1", "version: }", "not YAML"),
    "another version": ("version: 1", "version: 2", "version: Invalid enum value 2"),
    "an unknown key": ("flood: null", "floods: null", "unknown field `floods`"),
    "no receivers": ("receivers:\n", "receivers: []\nunused:\n", "receivers: Expected `array` of length >= 1"),
    "a receiver without a channel": (
        "{name: wall, mqtt: {topic: anju/notifications}}",
        "{name: wall}",
        "wall: none: expected exactly one of apprise, webhook, mqtt",
    ),
    "a receiver with two channels": (
        "mqtt: {topic: anju/notifications}",
        'mqtt: {topic: a}, apprise: {url: "${A}"}',
        "apprise and mqtt: expected exactly one",
    ),
    "a receiver twice": ("name: phone-li,", "name: phone-wang,", "name 'phone-wang' is used twice"),
    "a person twice": ("{name: li,", "{name: wang,", "people: name 'wang' is used twice"),
    "a policy twice": (
        "routes:",
        "  - {name: ladder, steps: [{after: 0s, notify: [receiver:wall]}]}\nroutes:",
        "policies: name 'ladder' is used twice",
    ),
    "a route twice": ("name: offline", "name: critical", "routes: name 'critical' is used twice"),
    "a name with capitals": ("{name: li,", "{name: Li,", "people.0.name: Expected letters a-z"),
    "an apprise url in plain": ('"${LI}"', "wecom://secret", "an Apprise URL in plain: expected a reference"),
    "a half reference": ('"${LI}"', '"wecom://${LI}"', "an Apprise URL in plain"),
    "a webhook secret in plain": (
        "mqtt: {topic: anju/notifications}",
        "webhook: {url: http://x, secret: s3cret}",
        "a signing secret in plain",
    ),
    "a webhook without http": (
        "mqtt: {topic: anju/notifications}",
        'webhook: {url: "ftp://x", secret: "${S}"}',
        "expected a URL with http:// or https://",
    ),
    "a topic that devices speak on": (
        "topic: anju/notifications",
        "topic: anju/v1/demo/gate/g/event",
        "devices speak below anju/v1/",
    ),
    "a topic with a wildcard": ("topic: anju/notifications", '"topic": "anju/#"', "expected one to publish on"),
    "a language nobody speaks": (
        "{name: wall,",
        "{name: wall, language: fr,",
        "receivers.0.language: Invalid enum value 'fr'",
    ),
    "a person whose receiver is unknown": (
        "receivers: [phone-li]",
        "receivers: [phone]",
        "receiver 'phone' is unknown: expected one of phone-li, phone-wang, wall",
    ),
    "a person without receivers": (
        "receivers: [phone-li]",
        "receivers: []",
        "people.0.receivers: Expected `array` of length >= 1",
    ),
    "a test at no time": (
        "receivers: [phone-li]",
        "receivers: [phone-li], weekly_test: monday",
        'Expected a day and a time in quotes such as "mon 10:00"',
    ),
    "a step to somebody unknown": ("person:wang", "person:zhao", "person 'zhao' is unknown: expected one of li, wang"),
    "a step to a rota unknown": (
        "person:wang",
        "rota:duty",
        "rota 'duty' is unknown: expected one of (none is defined)",
    ),
    "a step to neither": ("person:wang", "wang", "notify.0: Expected rota:NAME, person:NAME or receiver:NAME"),
    "a ladder back in time": ("after: 10m", "after: 4m", "step 2 at 4m is before the step above it"),
    "a wait that is no duration": ("after: 5m", "after: 5 minutes", "Expected a duration such as 45s"),
    "a ladder without steps": (
        "policies:",
        "policies:\n  - {name: empty, steps: []}",
        "steps: Expected `array` of length >= 1",
    ),
    "a repeat of nothing": ("repeat: 30m", "repeat: 0s", "Expected a duration such as 45s"),
    "unattended by an unknown severity": ("critical: 15m", "fatal: 15m", "Invalid enum value 'fatal'"),
    "a route to nowhere": (
        "critical, policy: ladder",
        "critical, policy: nobody",
        "a route to nowhere: policy 'nobody' is unknown",
    ),
    "a route for severities unknown": ("group_by: [building]", "group_by: [floor]", "Invalid enum value 'floor'"),
    "no route for everything": (
        "{name: rest,",
        "{name: rest, kind: gate,",
        "alerts that match no route would be told to nobody",
    ),
    "a last route by hours": ("{name: rest,", '{name: rest, schedule: {hours: "08:00-20:00"},', "told to nobody"),
    "a route behind one for everything": (
        "{name: critical, severity: critical,",
        "{name: critical,",
        "takes every alert",
    ),
    "a matcher on a label unknown": (
        'rule: "*-offline"',
        "match: [{label: colour, value: red}]",
        "matcher on 'colour': expected a label",
    ),
    "a matcher that cannot compare": (
        'rule: "*-offline"',
        "match: [{label: tag, value: x, operator: like}]",
        "expected `=` or `!=` for a tag",
    ),
    "hours without quotes": (
        'rule: "*-offline"',
        "rule: x, schedule: {hours: 20:00}",
        'expected hours in quotes such as "08:00-20:00"',
    ),
    "a day unknown": ('rule: "*-offline"', "rule: x, schedule: {days: [funday]}", "Invalid enum value 'funday'"),
    "an inhibition without a target": (
        "target: [{label: rule",
        "targets: [{label: rule",
        "missing required field `target`",
    ),
    "an inhibition of everything": (
        'target: [{label: rule, value: "*-offline", operator: like}]',
        "target: []",
        "length >= 1",
    ),
    "an inhibition with a wrong label": ("equal: [gateway]", "equal: [floor]", "Invalid enum value 'floor'"),
    "two inhibitions of each other": (
        INHIBITIONS,
        FIRE_AND_DOOR,
        "a cycle: inhibition 1 → inhibition 2 → inhibition 1",
    ),
    "three inhibitions in a circle": (INHIBITIONS, ROUND_THREE, "a cycle: inhibition 1 → inhibition 2 → inhibition 3"),
    "the broker held back by silence": (
        INHIBITIONS,
        "inhibitions:\n  - {source: [{label: rule, value: gate-offline}], target: [{label: kind, value: system}]}\n",
        "a cycle: inhibition 1 → built-in",
    ),
    "a flood of nothing": ("flood: null", "flood: {over: 0}", "flood.over: Expected `int` >= 1"),
    "a zone unknown": ("version: 1", "version: 1\nzone: Asia/Peking", "zone 'Asia/Peking' is unknown"),
    "a rota without people": (
        "policies:",
        ROTA.replace("[li, wang]", "[]"),
        "rotas.0.layers.0.people: Expected `array` of length >= 1",
    ),
    "a rota of people unknown": ("policies:", ROTA.replace("[li, wang]", "[zhao]"), "person 'zhao' is unknown"),
    "a rota with a gap": (
        "policies:",
        ROTA.replace("[li, wang]", '[li, wang], hours: "08:00-20:00"'),
        "nobody is on duty 20:00-08:00",
    ),
    "a rota in a zone unknown": (
        "policies:",
        ROTA.replace("name: duty", "name: duty\n    zone: nowhere"),
        "zone 'nowhere' is unknown",
    ),
    "a rota with a wrong turn": ("policies:", ROTA.replace("[li, wang]", "[li], every: 2w"), "Invalid enum value '2w'"),
    "a rota from no day": ("policies:", ROTA.replace("2026-01-05", "monday"), "rotas.0.layers.0.start: Invalid"),
}
