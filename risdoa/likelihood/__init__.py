"""The likelihood of the measurements, from small Gram matrices.

With V_l = G_l [A, ∂A] of a scene (M × 4K: the K observed steering vectors and their derivatives in
φ, θ and w of every source), everything that estimation and bounds need is in

    Γ_l = V_lᴴ V_l  (4K × 4K),   z_l = V_lᴴ y_l  (4K),   e_l = ‖y_l‖²,

so that M does not appear behind this module, and N only in second derivatives. Columns are ordered
b_1 … b_K, then source by source ∂φ, ∂θ, ∂w.

Two likelihoods: the *conditional* one, in which the signals are unknown constants (shared within
blocks of snapshots), and the *stochastic* one, s_l ~ CN(0, diag(p)), R_l = B_l P B_lᴴ + σ²I.
"""

from risdoa.likelihood.conditional import conditional, deterministic_information
from risdoa.likelihood.evaluation import Evaluation
from risdoa.likelihood.statistics import Bends, Grams, bent_grams, block_sums, grams, observed
from risdoa.likelihood.stochastic import stochastic

__all__ = [
    "Bends",
    "Evaluation",
    "Grams",
    "bent_grams",
    "block_sums",
    "conditional",
    "deterministic_information",
    "grams",
    "observed",
    "stochastic",
]
