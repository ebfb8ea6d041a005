"""Models: from measurements to the covariance of the field."""
