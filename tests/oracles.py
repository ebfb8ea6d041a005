"""Naive NumPy versions of core formulas, loops and all, to compare the library with."""

from __future__ import annotations

import itertools

import numpy as np


def seed_steering(azimuth, elevation, range_m, elements, wavelength):
    """Return the steering vector as the design note writes it, for one source."""
    k0 = 2 * np.pi / wavelength
    x, y = elements[:, 0], elements[:, 1]
    sin_phi, cos_theta, sin_theta = np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    dist = range_m - x * sin_phi * cos_theta - y * sin_theta + (x**2 + y**2) / (2.0 * range_m)
    phase = k0 * (range_m - dist)
    a = np.exp(1j * phase)
    return a / np.sqrt(np.sum(np.abs(a) ** 2))


def seed_projection_loss(covariance, positions, elements, wavelength, epsilon=1e-6):
    """Return ‖P⊥RP⊥‖²/‖R‖² of one scene as the design note writes it, with dense matrices."""
    columns = [seed_steering(*position, elements, wavelength) for position in positions]
    a = np.stack(columns, axis=1)
    p = a @ np.linalg.inv(a.conj().T @ a + epsilon * np.eye(a.shape[1])) @ a.conj().T
    p_perp = np.eye(len(a)) - p
    numerator = np.linalg.norm(p_perp @ covariance @ p_perp, "fro") ** 2
    return numerator / np.linalg.norm(covariance, "fro") ** 2


def nmse(covariance, true):
    """Return ‖R - R_true‖²/‖R_true‖² of one scene."""
    return np.linalg.norm(covariance - true) ** 2 / np.linalg.norm(true) ** 2


def direction(azimuth, elevation):
    """Return (u, v, ζ) = (sin φ cos θ, sin θ, cos φ cos θ)."""
    return np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ]
    )


def spherical_steering(azimuth, elevation, range_m, elements, wavelength):
    """Return exp(-jk(ρ_n - r))/√N by the naive difference, in extended precision."""
    azimuth, elevation, range_m, wavelength = np.longdouble(
        [azimuth, elevation, range_m, wavelength]
    )
    elements = elements.astype(np.longdouble)
    source = range_m * direction(azimuth, elevation)
    rho = np.sqrt(((source - elements) ** 2).sum(1))
    k = 2 * np.longdouble("3.14159265358979323846264338327950288") / wavelength
    return np.exp(-1j * k * (rho - range_m)) / np.sqrt(np.longdouble(len(elements)))


def plane_wave_steering(azimuth, elevation, elements, wavelength):
    """Return exp(jk(x u + y v + z ζ))/√N."""
    k = 2 * np.pi / wavelength
    return np.exp(1j * k * elements @ direction(azimuth, elevation)) / np.sqrt(len(elements))


def projector(matrix):
    """Return A A⁺."""
    return matrix @ np.linalg.pinv(matrix)


def noise_subspace_spectrum(covariance, sources, steering):
    """Return ‖U_nᴴa‖² for the columns a, U_n the N - K smallest eigenvectors of R."""
    vectors = np.linalg.eigh(covariance)[1][:, : len(covariance) - sources]
    return (np.abs(vectors.conj().T @ steering) ** 2).sum(0)


def bartlett_spectrum(covariance, steering):
    """Return aᴴRa for the columns a."""
    return np.einsum("np,nm,mp->p", steering.conj(), covariance, steering).real


def mvdr_spectrum(covariance, steering):
    """Return 1/(aᴴR⁻¹a) for the columns a."""
    return 1 / bartlett_spectrum(np.linalg.inv(covariance), steering)


def coded_matrices(channel, codes):
    """Return G_l = H diag(c_l), (L, M, N)."""
    return np.stack([channel @ np.diag(code) for code in codes])


def stacked(matrices, labels):
    """Return the matrices or vectors (L, M, …) of every label on top of each other."""
    return [np.concatenate(list(matrices[labels == label])) for label in np.unique(labels)]


def conditional_cost(values, observed, labels):
    """Return Σ_b ‖y_b - B_b B_b⁺ y_b‖² for y (L, M) and B (L, M, K)."""
    pairs = zip(stacked(values, labels), stacked(observed, labels), strict=True)
    return sum(np.linalg.norm(y - projector(b) @ y) ** 2 for y, b in pairs)


def stochastic_covariances(observed, powers, noise):
    """Return R_l = B_l P B_lᴴ + σ²I, (L, M, M)."""
    signal = [b @ np.diag(powers) @ b.conj().T for b in observed]
    return np.stack([r + noise * np.eye(len(r)) for r in signal])


def stochastic_cost(values, observed, powers, noise):
    """Return Σ_l log det R_l + y_lᴴ R_l⁻¹ y_l."""
    total = 0.0
    for y, r in zip(values, stochastic_covariances(observed, powers, noise), strict=True):
        total += np.linalg.slogdet(r)[1] + (y.conj() @ np.linalg.solve(r, y)).real
    return total


def central_differences(function, point, steps):
    """Return ∂f/∂x_i by central differences, one after the other."""
    columns = []
    for i, step in enumerate(steps):
        ahead, behind = np.array(point), np.array(point)
        ahead[i] += step
        behind[i] -= step
        columns.append((function(ahead) - function(behind)) / (2 * step))
    return columns


def slepian_bangs_mean(mean, noise, point, steps):
    """Return the information 2/σ² Re(∂_iμᴴ ∂_jμ) of parameters of a mean."""
    slopes = np.stack(central_differences(mean, point, steps), axis=1)
    return 2 / noise * (slopes.conj().T @ slopes).real


def slepian_bangs_covariance(covariances, point, steps):
    """Return the information Σ_l tr(R_l⁻¹ ∂_iR_l R_l⁻¹ ∂_jR_l) of parameters of covariances."""
    inverse = np.linalg.inv(covariances(point))
    slopes = [inverse @ slope for slope in central_differences(covariances, point, steps)]
    return np.array([[np.einsum("lab,lba->", a, b).real for b in slopes] for a in slopes])


def gospa(truth, found, distance, cutoff):
    """Return GOSPA² (p = 2, α = 2) of two lists by trying every partial assignment, and its parts.

    The parts are the squared errors of localisation, the missed and the false.
    """
    best = None
    for count in range(min(len(truth), len(found)) + 1):
        for rows in itertools.combinations(range(len(truth)), count):
            for columns in itertools.permutations(range(len(found)), count):
                pairs = zip(rows, columns, strict=True)
                near = sum(distance(truth[i], found[j]) ** 2 for i, j in pairs)
                missed, false = len(truth) - count, len(found) - count
                total = near + cutoff**2 / 2 * (missed + false)
                if best is None or total < best[0]:
                    best = (total, near, missed, false)
    return best


def told_apart(source, found, others, beam):
    """Return whether an estimate is nearer to its source than half way to each of the others."""

    def angle(a, b):
        return np.arccos(np.clip(direction(*a[:2]) @ direction(*b[:2]), -1, 1))

    for other in others:
        between, gap = angle(source, other), abs(1 / source[2] - 1 / other[2])
        in_direction = angle(source, found) < between / 2
        in_range = between < beam and abs(1 / source[2] - 1 / found[2]) < gap / 2
        if not (in_direction or in_range):
            return False
    return True


def calibration_part(matrix, columns, start, values):
    """Return power, gradient and normal matrices of one snapshot with a signal of its own.

    ``columns`` maps unknowns θ to g ∘ A (N, K). The signals are fitted, and projected out of the
    derivatives of the outputs, which are central differences.
    """
    seen = matrix @ columns(start)
    signals = np.linalg.pinv(seen) @ values
    left = values - seen @ signals
    moves = 1e-6 * np.eye(len(start))
    slopes = np.stack(
        [
            matrix @ (columns(start + move) - columns(start - move)) @ signals / 2e-6
            for move in moves
        ],
        axis=1,
    )
    inside = seen @ np.linalg.pinv(seen) @ slopes
    return {
        "power": np.sum(np.abs(left) ** 2),
        "gradient": (slopes.conj().T @ left).real,
        "held": (slopes.conj().T @ slopes).real,
        "lost": (inside.conj().T @ inside).real,
    }
