import numpy as np
import pytest

from curation.extract.network import N_VIEWS, Networks, Surroundings


def one_unit(weights_of_views: list[float], bias: float = 0.0) -> Networks:
    """A network that passes its only feature on and looks around once."""
    return Networks(
        low=np.full((1, 1), -10, np.float32),
        high=np.full((1, 1), 10, np.float32),
        entry=np.ones((1, 1, 1), np.float32),
        entry_bias=np.zeros((1, 1, 1), np.float32),
        rounds=np.array(weights_of_views, np.float32).reshape(1, 1, N_VIEWS, 1),
        rounds_bias=np.full((1, 1, 1, 1), bias, np.float32),
        exit=np.ones((1, 1, 1), np.float32),
        exit_bias=np.zeros((1, 1), np.float32),
    )


@pytest.fixture
def around() -> Surroundings:
    """Three blocks: the first two in one element, the first and the last of one kind."""
    start, end = np.array([0, 0, 2]), np.array([2, 2, 3])
    return Surroundings(((start, end),) * 3, np.array([0, 1, 0]))


VALUES = np.array([[1.0, 4.0, 2.0]], np.float32)


@pytest.mark.parametrize(
    ("view", "seen"),
    [
        (0, [1, 4, 2]),
        (1, [0, 1, 4]),
        (2, [4, 2, 0]),
        (3, [2.5, 2.5, 2]),
        (6, [7 / 3, 7 / 3, 7 / 3]),
        (7, [7 / 3, 7 / 3, 7 / 3]),
        (8, [1.5, 4, 1.5]),
    ],
)
def test_a_block_sees_itself_its_neighbours_and_means(view, seen, around) -> None:
    weights = [0.0] * N_VIEWS
    weights[view] = 1.0
    out = one_unit(weights)(VALUES, around)
    assert out[0].tolist() == pytest.approx((VALUES[0] + np.array(seen)).tolist())


def test_features_are_clipped_and_what_is_below_zero_is_cut(around) -> None:
    silent = one_unit([0.0] * N_VIEWS)
    out = silent(np.array([[-5.0, 3.0, 99.0]], np.float32), around)
    assert out[0].tolist() == [0, 3, 10]


def test_one_block_alone_is_no_problem() -> None:
    alone = Surroundings(((np.array([0]), np.array([1])),) * 3, np.array([0]))
    out = one_unit([1.0] * N_VIEWS)(np.array([[2.0]], np.float32), alone)
    # Itself, three ranges, near, page and kind: seven times 2, and the 2 that it began with.
    assert out[0].tolist() == [16.0]
