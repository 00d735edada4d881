"""Rule files: what they may say, their schema, and reading them with errors that name file and line."""

from alerts.rules.loading import load_rules as load_rules
from alerts.rules.model import Rule as Rule
from core.source import RuleError as RuleError
