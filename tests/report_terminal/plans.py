"""A planned experiment with every kind of part: fit, group, train with everything, eval."""

from __future__ import annotations

from runexp.diagnostics import Span
from runexp.plan.data import DataPlan, KeyPlan, SourcePlan, SplitPlan, TransformPlan
from runexp.plan.experiment import ExecutionPlan, Plan
from runexp.plan.graph import Feed, LossPlan, MetricPlan, NodePlan, Route
from runexp.plan.phases import (
    BatchPlan,
    CallbackPlan,
    CheckpointPlan,
    ClipPlan,
    EarlyStoppingPlan,
    EvalPlan,
    EvaluationPlan,
    FitPlan,
    GroupPlan,
    OptimizerPlan,
    SchedulePlan,
    TrainPlan,
)
from runexp.plan.values import Call, FrozenMap, Origin

AT = Origin("somewhere", Span("digits.yaml", 1, 1, 1, 2))


def call(name: str, target: str = "", **arguments: object) -> Call:
    return Call(name, target or name.replace(".", ":"), FrozenMap(arguments))


def digits_plan(head: str = "head", description: str = "PCA features, a small network") -> Plan:
    ce = LossPlan(
        "ce",
        head,
        call("cross_entropy", "torch.nn:CrossEntropyLoss"),
        (Route("node", head), Route("data", "digits", "label", "target")),
        1.0,
        False,
        "argmax",
        AT,
    )
    routes = (Route("node", head), Route("data", "digits", "label"))
    f1 = Call("f1_macro", "sklearn.metrics:f1_score", FrozenMap(), FrozenMap({"average": "macro"}))
    metric = MetricPlan("f1_macro", head, f1, routes, "labels", "argmax", True, AT)
    nodes = ("pca", "encoder", head)
    val = EvalPlan("validate", "val", ("digits",), nodes, (ce,), (metric,), 1024, "val_", AT)
    callbacks = (
        EvaluationPlan("validate", val, 1, False, AT),
        EarlyStoppingPlan("stop", "val_loss", "min", 5, 0.0, True, AT),
    )
    train = _train(nodes, ce, callbacks)
    return Plan(
        name="digits-hybrid",
        description=description,
        seed=7,
        data=(_digits(),),
        nodes=(
            _node("pca", "estimator", (call("sklearn.decomposition.PCA", n_components=32),), "transform"),
            _node("encoder", "layers", (call("torch.nn.Linear", out_features=64), call("torch.nn.ReLU"))),
            _node(head, "module", (call("torch.nn.Linear", out_features=10),)),
        ),
        phases=(
            FitPlan("reduce", "train", ("digits",), ("pca",), ("pca",), FrozenMap(), True, AT),
            GroupPlan("learn", (train,), AT),
            EvalPlan("test", "test", ("digits",), nodes, (ce,), (metric,), 1024, "", AT),
        ),
        execution=ExecutionPlan("cpu", 0),
    )


def _train(nodes: tuple[str, ...], ce: LossPlan, callbacks: tuple[CallbackPlan, ...]) -> TrainPlan:
    return TrainPlan(
        label="learn/train",
        split="train",
        data=("digits",),
        nodes=nodes,
        trains=nodes[1:],
        losses=(ce,),
        batches=BatchPlan(64, True, False),
        n_epochs=30,
        n_steps=0,
        optimizer=OptimizerPlan(call("adamw", "torch.optim:AdamW", lr=0.003), FrozenMap({"encoder": {"lr": 1e-4}}), AT),
        schedule=SchedulePlan("cosine", 100, 0.0, FrozenMap({"min_ratio": 0.1}), AT),
        clip=ClipPlan(1.0, 0.0),
        accumulate=1,
        callbacks=callbacks,
        checkpoints=CheckpointPlan("epoch_end", 5, 3, "val_loss", "min", AT),
        origin=AT,
    )


def _digits() -> DataPlan:
    return DataPlan(
        "digits",
        SourcePlan("call", "", call("sklearn.datasets.load_digits"), AT),
        (
            KeyPlan("pixels", "features", ("pixel_*",), None, "", AT),
            KeyPlan("label", "targets", ("label",), (), "int64", AT),
        ),
        SplitPlan("shares", FrozenMap({"train": 0.7, "val": 0.15, "test": 0.15}), "", "label", "", AT),
        (TransformPlan(("pixels",), call("sklearn.preprocessing.StandardScaler"), "train", AT),),
        AT,
    )


def _node(name: str, kind: str, calls: tuple[Call, ...], method: str = "") -> NodePlan:
    sources = {"pca": Feed("data", "digits", "pixels"), "encoder": Feed("node", "pca")}
    feed = sources.get(name, Feed("node", "encoder", argument="input"))
    return NodePlan(name, kind, calls, (feed,), method, name == "pca", FrozenMap(), AT)  # type: ignore[arg-type]  # a kind
