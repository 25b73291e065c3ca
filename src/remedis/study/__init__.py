"""Studies: encoders, labels and numbers of labelled images crossed, and what must be right before they begin."""
