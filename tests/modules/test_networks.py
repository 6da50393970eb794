"""The networks that are built in: shapes, masks, causality, and that a spec can train each of them."""

import pytest
import torch

from runexp.api.checking import check
from runexp.api.running import Place, run
from runexp.runtime.modules import GRU, LSTM, MLP, CharTransformer, CNN1d, CNN2d, Noise, TemporalCNN, TransformerEncoder

SEQUENCES = [
    pytest.param(lambda how: LSTM(3, hidden_size=5, output=how), 5, id="lstm"),
    pytest.param(lambda how: LSTM(3, hidden_size=5, bidirectional=True, output=how), 10, id="both ways"),
    pytest.param(lambda how: GRU(3, hidden_size=5, num_layers=2, output=how), 5, id="gru"),
    pytest.param(lambda how: TemporalCNN(3, channels=[4, 6], output=how), 6, id="temporal cnn"),
    pytest.param(lambda how: TransformerEncoder(3, d_model=8, nhead=2, dropout=0.0, output=how), 8, id="attention"),
]
each_sequence = pytest.mark.parametrize(("make", "width"), SEQUENCES)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@each_sequence
@pytest.mark.parametrize("how", ["last", "mean", "max", "all"])
def test_a_network_over_sequences_gives_a_row_or_one_for_each_step(make, width, how):
    found = make(how).eval()(torch.randn(2, 7, 3))
    assert found.shape == ((2, 7, width) if how == "all" else (2, width))


@each_sequence
@pytest.mark.parametrize("how", ["last", "mean", "max"])
def test_what_a_mask_leaves_out_does_not_count(make, width, how):
    network = make(how).eval()
    short = torch.randn(1, 4, 3)
    padded = torch.cat([short, torch.full((1, 3, 3), 9.0)], dim=1)
    mask = torch.tensor([[1.0, 1, 1, 1, 0, 0, 0]])
    torch.testing.assert_close(network(padded, mask), network(short), atol=1e-5, rtol=1e-5)


@each_sequence
def test_a_row_without_a_single_step_gives_finite_numbers_and_gradients(make, width):
    network = make("mean").train()
    found = network(torch.randn(2, 4, 3), torch.tensor([[1.0, 1, 0, 0], [0, 0, 0, 0]]))
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert all(torch.isfinite(item.grad).all() for item in network.parameters() if item.grad is not None)


CAUSAL = [
    pytest.param(TemporalCNN(3, channels=[4, 4], output="all"), id="temporal cnn"),
    pytest.param(TransformerEncoder(3, d_model=8, nhead=2, output="all", causal=True), id="attention"),
    pytest.param(LSTM(3, output="all"), id="lstm"),
]


@pytest.mark.parametrize("network", CAUSAL)
def test_no_step_sees_a_later_one(network):
    network.eval()
    sequence = torch.randn(1, 8, 3)
    changed = sequence.clone()
    changed[:, 5:] += 1
    torch.testing.assert_close(network(sequence)[:, :5], network(changed)[:, :5])
    assert not torch.allclose(network(sequence)[:, 5:], network(changed)[:, 5:])


def test_the_character_transformer_sees_no_later_token_and_starts_near_chance():
    network = CharTransformer(65).eval()
    tokens = torch.randint(65, (4, 64))
    changed = tokens.clone()
    changed[:, 40:] = (changed[:, 40:] + 1) % 65
    torch.testing.assert_close(network(tokens)[:, :40], network(changed)[:, :40])
    loss = torch.nn.functional.cross_entropy(network(tokens).flatten(0, 1), torch.randint(65, (256,)))
    assert abs(loss.item() - torch.log(torch.tensor(65.0)).item()) < 0.1


def test_the_character_transformer_has_the_parameters_of_a_gpt_of_its_size():
    """4 layers of 12 width² matrices and two norms, the last norm, the two embeddings; the output shares its own."""
    network = CharTransformer(65, block_size=64, num_layers=4, num_heads=4, width=128)
    expected = 4 * (12 * 128**2 + 2 * 128) + 128 + 65 * 128 + 64 * 128
    assert sum(item.numel() for item in network.parameters()) == expected


@pytest.mark.parametrize(
    ("network", "tokens", "words"),
    [
        pytest.param(CharTransformer(5, block_size=4), torch.zeros(1, 5, dtype=torch.int64), "5 tokens", id="tokens"),
        pytest.param(TransformerEncoder(1, max_steps=4), torch.zeros(1, 5, 1), "5 steps", id="steps"),
    ],
)
def test_a_sequence_that_is_too_long_is_refused_in_words(network, tokens, words):
    with pytest.raises(ValueError, match=words):
        network(tokens)


def test_images_and_signals_give_a_row():
    assert CNN2d(1, channels=[4, 8], out_features=3)(torch.randn(2, 1, 8, 8)).shape == (2, 3)
    assert CNN1d(2, channels=[4, 8])(torch.randn(2, 2, 16)).shape == (2, 8)


def test_a_perceptron_without_hidden_layers_is_one_linear_layer():
    assert [tuple(item.shape) for item in MLP(3, 2, hidden=[]).parameters()] == [(2, 3), (2,)]


def test_noise_is_new_at_each_call_and_has_a_row_for_each_row():
    noise, rows = Noise(5), torch.zeros(3, 2)
    assert noise(rows).shape == (3, 5)
    assert not torch.equal(noise(rows), noise(rows))


SPEC = """\
runexp: 1
name: networks
execution: {device: cpu, threads: 1}
data:
  digits:
    source: sklearn.datasets.load_digits
    features: {image: {columns: pixel_*, shape: SHAPE}}
    targets: {label: target}
    splits: {train: 0.8, test: 0.2, stratify_by: label}
nodes:
  body: {inputs: digits.image, use: NAME, with: {ARGUMENTS}}
  head: {inputs: body, use: linear, with: {out_features: 10}}
losses: {ce: {node: head, use: cross_entropy}}
phases:
  train: {kind: train, epochs: 4, losses: [ce], optimizer: {use: adam, with: {lr: 3e-3}}}
  test: {kind: eval, split: test, metrics: [{use: accuracy, node: head}]}
"""
TRAINED = [
    pytest.param("mlp", "[64]", "out_features: 32, norm: layer", id="mlp"),
    pytest.param("cnn1d", "[8, 8]", "channels: [16, 32]", id="cnn1d"),
    pytest.param("cnn2d", "[1, 8, 8]", "channels: [16, 32]", id="cnn2d"),
    pytest.param("temporal_cnn", "[8, 8]", "channels: [32, 32]", id="temporal cnn"),
    pytest.param("lstm", "[8, 8]", "hidden_size: 32, bidirectional: true", id="lstm"),
    pytest.param("gru", "[8, 8]", "hidden_size: 32", id="gru"),
    pytest.param("transformer_encoder", "[8, 8]", "d_model: 32, nhead: 2, num_layers: 1", id="attention"),
]


@pytest.mark.parametrize(("name", "shape", "arguments"), TRAINED)
def test_a_spec_trains_it_and_the_size_of_its_input_is_read_off_the_data(name, shape, arguments, tmp_path):
    text = SPEC.replace("SHAPE", shape).replace("NAME", name).replace("ARGUMENTS", arguments)
    (tmp_path / "spec.yaml").write_text(text)
    finished = run(check(tmp_path / "spec.yaml"), Place(at=tmp_path / "run"), watch=lambda live: ())
    assert finished.results.summary()["test"]["accuracy"] > 0.6
