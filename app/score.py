"""Scores: a corpus of known truth through the decoder, rules and the notification desk."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from alerts.dispatch.plan import Plan
from alerts.ports import Decoder
from alerts.rules import Rule
from alerts.scoring.figures import Scored
from alerts.scoring.replay import replay
from app.corpus import Corpus, entries
from ingest.decoders.native import NativeDecoder

# Pseudonyms are compared within one run and kept nowhere, so this key protects nothing.
_KEY = b"nothing is kept!"


def decoder(zone: str) -> Decoder:
    """Return the decoder of a run; ``zone`` reads device times that carry none."""
    return NativeDecoder(_KEY, ZoneInfo(zone))


def scored(rules: Sequence[Rule], corpus: Corpus, plan: Plan) -> Scored:
    """Return how ``rules`` did. Raises `CorpusError` at a message that cannot be read."""
    truth = corpus.truth
    replayed = replay(rules, corpus.inventory, entries(corpus.messages()), decoder(truth.zone), truth.until)
    return Scored(rules, list(corpus.devices), corpus.inventory, plan, truth, replayed)
