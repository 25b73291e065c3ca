"""Probes and statistics: what embeddings tell about a label, and how sure that is. Without torch."""
