"""MLflow's registry: a bundle as a version of a model, an alias for it, and the way back. Nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runexp.observe.tracking.mlflow import Server, alone, client, library

ARTIFACT = "model"


def register(server: Server, run_id: str, bundle: Path, name: str, alias: str) -> str:
    """Put a bundle among the artifacts of a run and make it a version of the model, which is returned."""
    speaks = client(server)
    told = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    (bundle / "MLmodel").write_text(_description(told, run_id), encoding="utf-8")
    speaks.log_artifacts(run_id, str(bundle), ARTIFACT)
    source = f"{speaks.get_run(run_id).info.artifact_uri}/{ARTIFACT}"
    with alone(server):
        refused = library().exceptions.MlflowException
        try:
            speaks.create_registered_model(name)
        except refused:  # it may be there already
            speaks.get_registered_model(name)
        made = speaks.create_model_version(name, source, run_id=run_id, tags={"runexp.run": str(told["run"])})
        if alias:
            speaks.set_registered_model_alias(name, alias, made.version)
    return str(made.version)


def download(server: Server, name: str, which: str, folder: Path) -> Path:
    """Fetch the bundle of a version, by its number or an alias; the newest unless told. `LookupError` for one that is
    not there."""
    speaks, mlflow = client(server), library()
    try:
        found = _version(speaks, name, which)
        uri = speaks.get_model_version_download_uri(name, found)
        fetched = mlflow.artifacts.download_artifacts(
            artifact_uri=uri, dst_path=str(folder), tracking_uri=server.address
        )
    except mlflow.exceptions.MlflowException as error:
        raise LookupError(f"MLflow has no such version of `{name}`: {error}") from error
    return Path(fetched)


def _version(speaks: Any, name: str, which: str) -> str:  # noqa: ANN401 - mlflow comes without types
    if which.isdigit():
        return which
    if which:
        return str(speaks.get_model_version_by_alias(name, which).version)
    versions = [int(one.version) for one in speaks.search_model_versions(f"name = '{name}'")]
    if not versions:
        raise LookupError(f"no model `{name}` is registered")
    return str(max(versions))


def _description(told: Mapping[str, Any], run_id: str) -> str:
    """MLflow's own file beside a model: its flavour, and its signature as MLflow writes it."""
    inputs = [_column(one["column"], one) for one in told["signature"]["inputs"]]
    outputs = [_column(one["node"], one) for one in told["signature"]["outputs"] if "dtype" in one]
    signature = {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None}
    described = {
        "artifact_path": ARTIFACT,
        "run_id": run_id,
        "flavors": {"runexp": {"format": told["format"], "version": told["runexp"], "nodes": told["nodes"]}},
        "signature": signature,
    }
    return json.dumps(described, indent=1) + "\n"  # JSON is YAML


def _column(name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": "tensor", "tensor-spec": {"dtype": told["dtype"], "shape": [-1, *told["shape"]]}}
