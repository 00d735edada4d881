"""The notification desk: which of the alerts people are told of, who, when, and until when."""
