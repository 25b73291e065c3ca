"""Named hyper-parameters with their reasons: whatever changes the result of a training stands here."""
