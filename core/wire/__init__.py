"""The native wire contract: topics and JSON payloads (docs/reference/asyncapi.yaml says the same in AsyncAPI)."""
