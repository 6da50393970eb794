"""What a runtime would tell of a train phase before it runs."""

from __future__ import annotations

from runexp.report.preview import (
    GroupFacts,
    InputFacts,
    LossFacts,
    NodeFacts,
    PreviewFacts,
    ScheduleFacts,
)

TRAIN = PreviewFacts(
    label="train",
    kind="train",
    split="train",
    n_rows=1257,
    device="cpu",
    batch_size=64,
    n_batches=20,
    n_epochs=30,
    n_steps_an_epoch=20,
    n_steps=600,
    inputs=(InputFacts("digits.pixels", (None, 64), "float32"), InputFacts("digits.label", (None,), "int64")),
    nodes=(
        NodeFacts("pca", "PCA, fitted", (None, 32), 0, 0),
        NodeFacts("encoder", "Linear, ReLU", (None, 64), 2112, 0),
        NodeFacts("head", "Linear", (None, 10), 650, 0),
    ),
    losses=(LossFacts("ce", "cross_entropy()", ("head.outputs", "digits.label"), 1.0),),
    optimizer="adamw(lr=0.003)",
    groups=(GroupFacts("encoder", 1e-4, 2112), GroupFacts("", 3e-3, 650)),
    schedule=ScheduleFacts("cosine", 3e-5, 3e-3, 3e-4),
    clip="norm 1",
    callbacks=("validate: evaluation on val, every epoch", "stop: early stopping on val_loss, patience 5"),
    checkpoints="every 5 epochs, the newest 3 and the best by val_loss",
)
EVAL = PreviewFacts(
    "test",
    "eval",
    "test",
    270,
    batch_size=1024,
    n_batches=1,
    metrics=("accuracy of head.outputs against digits.label",),
    notes=("the nodes have not been trained: run with --with-earlier",),
)
