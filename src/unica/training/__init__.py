"""Training, for any engine that has a `TrainingConfig`. Begin with `loop`; the other modules serve it."""
