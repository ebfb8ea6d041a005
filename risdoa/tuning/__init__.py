"""Search for the best training and the best chain behind it, by Optuna."""
