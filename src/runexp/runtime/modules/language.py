"""A causal transformer over tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class CharTransformer(nn.Module):
    """A causal decoder over tokens (Radford et al., 2019), for characters or any small vocabulary.

    Takes codes (N, T); gives logits (N, T, vocab_size). Weights start as in GPT-2: normal with 0.02, those that end a
    residual branch smaller by the square root of twice the number of layers; the output shares the embedding's.

    Args:
        vocab_size: tokens of the vocabulary; left out: those of the data that feeds it
        block_size: the longest sequence
        num_layers: layers, one on top of the other
        num_heads: heads of the attention; they divide `width`
        width: width of the embedding
        dropout: share of activations dropped
        bias: whether linear layers and norms have biases
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        block_size: int = 64,
        num_layers: int = 4,
        num_heads: int = 4,
        width: int = 128,
        dropout: float = 0.0,
        bias: bool = False,
    ) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"`num_heads` {num_heads} does not divide `width` {width}")
        self.tokens = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(block_size, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(width, num_heads, dropout, bias) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width, bias=bias)
        self.apply(_start)
        for name, parameter in self.named_parameters():
            if name.endswith(("attention.out.weight", "feedforward.2.weight")):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * num_layers))

    def forward(self, tokens: Tensor) -> Tensor:
        """Codes (N, T) → logits (N, T, vocab_size)."""
        n_steps = tokens.shape[1]
        if n_steps > self.positions.num_embeddings:
            raise ValueError(f"a sequence of {n_steps} tokens, and `block_size` is {self.positions.num_embeddings}")
        places = torch.arange(n_steps, device=tokens.device)
        hidden = self.dropout(self.tokens(tokens) + self.positions(places))
        for block in self.blocks:
            hidden = block(hidden)
        return functional.linear(self.norm(hidden), self.tokens.weight)


class _Block(nn.Module):
    """Attention, then a feed-forward network, each around a residual connection, norms first."""

    def __init__(self, width: int, num_heads: int, dropout: float, bias: bool) -> None:
        super().__init__()
        self.first_norm = nn.LayerNorm(width, bias=bias)
        self.attention = _CausalAttention(width, num_heads, dropout, bias)
        self.second_norm = nn.LayerNorm(width, bias=bias)
        self.feedforward = nn.Sequential(
            nn.Linear(width, 4 * width, bias=bias), nn.GELU(), nn.Linear(4 * width, width, bias=bias),
            nn.Dropout(dropout),
        )  # fmt: skip

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, T, C) → (N, T, C)."""
        hidden = hidden + self.attention(self.first_norm(hidden))
        result: Tensor = hidden + self.feedforward(self.second_norm(hidden))
        return result


class _CausalAttention(nn.Module):
    """Several heads of attention in which no token sees a later one."""

    def __init__(self, width: int, num_heads: int, dropout: float, bias: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.share = dropout
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.out = nn.Linear(width, width, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, T, C) → (N, T, C)."""
        n_rows, n_steps, width = hidden.shape
        heads = self.qkv(hidden).view(n_rows, n_steps, 3, self.num_heads, width // self.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, dropout_p=self.share if self.training else 0.0, is_causal=True
        )
        result: Tensor = self.dropout(self.out(mixed.transpose(1, 2).reshape(n_rows, n_steps, width)))
        return result


def _start(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
