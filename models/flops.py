"""Arithmetic of a transformer, and how much of it a device can do in a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

PEAK_FLOPS: Mapping[Sequence[str], float] = {
    ("GB200",): 2_500e12,
    ("B200",): 2_250e12,
    ("GH200",): 989e12,
    ("H200", "NVL"): 836e12,
    ("H200",): 989e12,
    ("H100", "NVL"): 836e12,
    ("H100", "PCIe"): 756e12,
    ("H100",): 989e12,
    ("A100",): 312e12,
    ("L40S",): 362e12,
    ("L4",): 121e12,
    ("V100",): 125e12,
    ("T4",): 65e12,
}
"""Dense FLOP/s in half precision (bf16 or fp16, the same on all but V100 and T4, which have fp16
alone) by words of the device's name, as in NVIDIA's data sheets; the first that fits counts."""


def of_device(peaks: Mapping[Sequence[str], float], device_name: str) -> float | None:
    """The first of `peaks` whose words are all in the name of a device; None: not known.

    A slice of a device (MIG) is not known: its name says nothing of its share of the units.
    """
    words = {*device_name.replace("-", " ").split()}
    if "MIG" in words:
        return None
    return next((peak for wanted, peak in peaks.items() if words >= {*wanted}), None)


def peak_flops(device_name: str) -> float | None:
    """FLOP/s that a device of that name can do in half precision; None: not known."""
    return of_device(PEAK_FLOPS, device_name)


def forward_flops(lengths: Sequence[int], *, n_params: int, n_layers: int, width: int) -> float:
    """FLOPs of one forward pass over texts of so many tokens; what padding costs is not counted.

    Two for each parameter and token, and for attention four for each layer, pair of tokens and
    dimension: queries by keys, and weights by values.

    Args:
        lengths: Tokens of each text.
        n_params: Parameters of the layers, without embeddings.
        n_layers: Layers.
        width: Dimensions of a token.
    """
    n_tokens, n_pairs = sum(lengths), sum(length**2 for length in lengths)
    return 2.0 * n_params * n_tokens + 4.0 * n_layers * width * n_pairs


def training_flops(lengths: Sequence[int], *, n_params: int, n_layers: int, width: int) -> float:
    """FLOPs of learning from texts of so many tokens: forward, and twice as many backward.

    A token of a text of T tokens costs 6 n_params + 12 n_layers width T; what activation
    checkpointing computes again is not counted.
    Source: Chowdhery et al. 2022 (PaLM, 2204.02311), appendix B.
    """
    return 3.0 * forward_flops(lengths, n_params=n_params, n_layers=n_layers, width=width)
