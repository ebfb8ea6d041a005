"""The spherical wave, expanded to the third order in the aperture."""

import risdoa
import torch
from risdoa.steering import check_positions


class MySteering(risdoa.Steering):
    """a_n = g_n exp(jkψ_n)/‖g‖ with ψ = s - (|p|² - s²)(1 + ws)w/2, s = p·d, w = 1/r.

    The path lead ψ = r - |p - rd| of an element at p over the origin, in metres, for a source at
    the distance r in the direction d. The first term is the plane wave, the first two are the
    Fresnel approximation; the error is of the order |p|⁴w³. Gains g_n are 1 unless the array has
    some.
    """

    def __call__(self, array: risdoa.Array, positions: torch.Tensor) -> torch.Tensor:
        """Return the steering vectors, in the precision of the positions.

        Shapes:
            positions: (…, K, 3) azimuth [rad], elevation [rad], range [m], infinite for a plane
            wave. Returns (…, N, K) complex, ‖a‖ = 1.

        Raises:
            InputError: for positions that are none.
        """
        check_positions(positions)
        array = array.to(positions.device, positions.dtype)
        azimuth, elevation, distance = positions.unbind(-1)
        across, up = azimuth.sin() * elevation.cos(), elevation.sin()
        direction = torch.stack((across, up, azimuth.cos() * elevation.cos()), dim=-1)
        projection = array.positions @ direction.mT  # s, (…, N, K)
        inverse = distance.reciprocal().unsqueeze(-2)  # w, (…, 1, K)
        depth = array.positions.square().sum(-1, keepdim=True) - projection.square()
        lead = projection - depth * (1 + inverse * projection) * inverse / 2
        phase = array.wavenumber * lead
        wave = torch.complex(phase.cos(), phase.sin())
        if array.gains is not None:
            wave = wave * array.gains.unsqueeze(-1)
        steering: torch.Tensor = wave / torch.linalg.vector_norm(wave, dim=-2, keepdim=True)
        return steering
