"""Networks and their weights: encoders, checkpoints, conversion, proofs, exports."""
