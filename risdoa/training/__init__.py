"""Training a covariance network."""
