"""The verbs: each takes one options object, joins parts, and returns a small result; no algorithm."""
