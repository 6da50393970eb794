"""Nodes that are built in: networks a spec can name in one word."""

from runexp.runtime.modules.attention import TransformerEncoder
from runexp.runtime.modules.convolution import CNN1d, CNN2d, TemporalCNN
from runexp.runtime.modules.language import CharTransformer
from runexp.runtime.modules.perceptron import MLP
from runexp.runtime.modules.recurrence import GRU, LSTM
from runexp.runtime.modules.sources import Noise

__all__ = ["GRU", "LSTM", "MLP", "CNN1d", "CNN2d", "CharTransformer", "Noise", "TemporalCNN", "TransformerEncoder"]
