import hashlib

import numpy as np
import pytest

from curation.errors import InputError
from curation.tokens.manifest import read_manifest, write_manifest
from models.train.data import SampleLoader, TokenStream, open_stream, sample_order, split_samples


def _stream(*shards):
    starts = np.cumsum([0, *map(len, shards)])
    return TokenStream(tuple(np.array(shard, np.uint16) for shard in shards), starts)


def test_the_stream_is_the_shards_one_after_the_other(write_shards):
    path = write_shards([[1, 2], [3]], [[4]], [[5, 6]])
    stream = open_stream(read_manifest(path), path.parent)
    assert stream.n_tokens == 10
    assert stream.read(0, 10).tolist() == [1, 2, 0, 3, 0, 4, 0, 5, 6, 0]
    assert stream.read(4, 8).tolist() == [0, 4, 0, 5]
    assert stream.read(5, 7).tolist() == [4, 0]
    assert stream.read(10, 10).tolist() == []


def test_an_empty_shard_is_passed_over():
    stream = _stream([1, 2], [], [3])
    assert stream.read(1, 3).tolist() == [2, 3]
    assert stream.read(2, 3).tolist() == [3]


def test_samples_share_one_token_and_drop_the_tail():
    loader = SampleLoader(_stream([10, 11, 12], [13, 14, 15, 16]), sequence_length=2, seed=17)
    samples = sorted(loader.take(3).tolist())
    assert samples == [[10, 11, 12], [12, 13, 14], [14, 15, 16]]
    # 7 tokens are three samples; with one less, the last two tokens fill none.
    assert split_samples(7, 2) == (3, 0)
    assert split_samples(6, 2) == (2, 0)


def test_the_last_hundredth_is_held_out_and_never_trained_on():
    loader = SampleLoader(_stream(range(401)), sequence_length=2, seed=17)
    assert (loader.n_samples, loader.n_held_out) == (198, 2)
    assert loader.held_out(0, 5).tolist() == [[396, 397, 398], [398, 399, 400]]
    assert loader.held_out(1, 2).tolist() == [[398, 399, 400]]
    seen = loader.take(2 * 198)
    assert sorted(seen[:198, 0].tolist()) == list(range(0, 396, 2))
    assert sorted(seen[198:, 0].tolist()) == list(range(0, 396, 2))


def test_the_order_is_that_of_the_hashes():
    mask = 2**64 - 1

    def splitmix64(value):
        mixed = value * 0x9E3779B97F4A7C15 & mask
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & mask
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & mask
        return mixed ^ mixed >> 31

    key = int.from_bytes(hashlib.blake2b(b"17:3", digest_size=8).digest(), "little")
    expected = sorted(range(50), key=lambda index: splitmix64(index + key & mask))
    assert sample_order(50, seed=17, epoch=3).tolist() == expected


def test_the_order_changes_with_seed_epoch_and_source():
    orders = [sample_order(50, seed=s, epoch=e).tolist() for s, e in [(1, 0), (1, 1), (2, 0)]]
    orders.append(sample_order(50, seed=1, epoch=0, name="web").tolist())
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert all(orders[0] != other for other in orders[1:])
    assert list(range(50)) not in orders


@pytest.mark.parametrize("n_taken", [0, 1, 6, 7, 8, 20])
def test_a_resumed_loader_goes_on_with_the_next_sample(n_taken):
    def loader():
        return SampleLoader(_stream(range(15)), sequence_length=2, seed=17)

    undisturbed, interrupted, resumed = loader(), loader(), loader()
    expected = undisturbed.take(30).tolist()
    first = interrupted.take(n_taken).tolist()
    resumed.seek(interrupted.n_taken)
    assert first + resumed.take(30 - n_taken).tolist() == expected


def test_too_few_tokens_for_one_sample_are_refused_with_the_numbers():
    assert split_samples(17, 16) == (1, 0)
    with pytest.raises(InputError, match="hold 16 tokens, one sample needs 17"):
        split_samples(16, 16)
    with pytest.raises(InputError, match="hold 0 tokens"):
        split_samples(0, 16)


def test_a_truncated_shard_is_refused(write_shards):
    path = write_shards([[1, 2], [3]], [[4]])
    shard = path.parent / "shard-00001.bin"
    shard.write_bytes(shard.read_bytes()[:-2])
    with pytest.raises(InputError, match=r"shard-00001\.bin: truncated"):
        open_stream(read_manifest(path), path.parent)


def test_a_shard_that_is_not_the_manifests_is_refused(write_shards):
    path = write_shards([[1, 2], [3]])
    write_manifest(read_manifest(path).model_copy(update={"dtype": "int32"}), path)
    with pytest.raises(InputError, match=r"shard-00000\.bin: holds 5 tokens of uint16.* int32"):
        open_stream(read_manifest(path), path.parent)
