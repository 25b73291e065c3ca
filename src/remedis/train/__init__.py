"""Training: views, objectives, optimisers, one life-cycle for pretraining and fine-tuning."""
