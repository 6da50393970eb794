"""Finding entries by name."""

import subprocess
import sys

import pytest

from runexp.catalog import KINDS, lookup, names, search, suggest


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("adamw", "optimizer", "torch.optim:AdamW"),
        ("torch.optim.AdamW", None, "torch.optim:AdamW"),
        ("cross_entropy", "loss", "torch.nn:CrossEntropyLoss"),
        ("linear", "module", "torch.nn:Linear"),
        ("conv1d", ("estimator", "module"), "torch.nn:Conv1d"),
        ("pca", "transform", "sklearn.decomposition:PCA"),
        ("sklearn.linear_model.Ridge", "estimator", "sklearn.linear_model:Ridge"),
        ("sklearn.model_selection.KFold", "splitter", "sklearn.model_selection:KFold"),
        ("sklearn.model_selection.RepeatedKFold", "splitter", "sklearn.model_selection:RepeatedKFold"),
        ("sklearn.datasets.load_iris", "dataset", "sklearn.datasets:load_iris"),
        ("sklearn.metrics.f1_score", "metric", "sklearn.metrics:f1_score"),
        ("neg_log_loss", "metric", "sklearn.metrics:log_loss"),
        ("torch.optim.lr_scheduler.StepLR", "schedule", "torch.optim.lr_scheduler:StepLR"),
    ],
)
def test_a_short_name_or_a_dotted_path_finds_the_entry(name, kind, target):
    assert lookup(name, kind).target == target


def test_a_name_means_what_its_kind_says():
    assert lookup("mse", "loss").target == "torch.nn:MSELoss"
    assert lookup("mse", "metric").target == "sklearn.metrics:mean_squared_error"
    assert lookup("linear", "schedule").target == ""
    assert lookup("adamw", "loss") is None


@pytest.mark.parametrize(
    "name",
    [
        "torch.load",
        "torch.hub.load",
        "torch.nn.Module",
        "torch.nn.Sequential",
        "torch.nn.functional.relu",
        "torch.optim.Optimizer",
        "joblib.load",
        "functools.partial",
        "os.system",
        "logging.os.system",
        "sklearn.datasets.fetch_openml",
        "sklearn.datasets.load_files",
        "sklearn.datasets.load_svmlight_file",
        "sklearn.base.BaseEstimator",
        "builtins.eval",
        "",
        ".",
        'x":',
        "torch.nn.Linear\n",
    ],
)
def test_nothing_but_what_was_listed_is_in_the_catalog(name):
    assert lookup(name) is None


def test_no_catalogued_parameter_takes_a_path_that_would_be_unpickled():
    for kind in KINDS:
        for entry in filter(None, (lookup(name, kind) for name in names(kind))):
            memory = entry.parameter("memory")
            assert memory is None or memory.types == ("none",)


def test_a_metric_name_fixes_its_arguments_and_keeps_the_other_parameters():
    entry = lookup("f1_macro", "metric")
    assert entry.fixed["average"] == "macro"
    assert entry.parameter("average") is None
    assert entry.parameter("labels") is not None


@pytest.mark.parametrize(
    ("name", "takes", "higher"),
    [
        ("accuracy", "labels", True),
        ("roc_auc", "scores", True),
        ("roc_auc_ovr", "probabilities", True),
        ("log_loss", "probabilities", False),
        ("neg_log_loss", "probabilities", True),
        ("rmse", "values", False),
        ("r2", "values", True),
    ],
)
def test_a_metric_says_how_predictions_are_taken_and_which_way_is_better(name, takes, higher):
    traits = lookup(name, "metric").traits
    assert (traits["takes"], traits["higher_is_better"]) == (takes, higher)


def test_a_negated_scorer_says_so():
    assert lookup("neg_log_loss").traits["negated"]
    assert "negated" not in lookup("log_loss").traits


def test_a_loss_says_what_its_target_is_and_whether_it_keeps_elements():
    assert lookup("cross_entropy", "loss").traits == {
        "inputs": ["input", "target"],
        "target": "class",
        "elementwise": False,
        "reduction": True,
    }
    assert lookup("gaussian_nll", "loss").traits["inputs"] == ["input", "target", "var"]
    assert lookup("triplet_margin", "loss").traits["target"] == "none"


@pytest.mark.parametrize(
    ("name", "infers"),
    [
        ("linear", {"in_features": [0, -1]}),
        ("conv2d", {"in_channels": [0, 1]}),
        ("batch_norm1d", {"num_features": [0, 1]}),
        ("group_norm", {"num_channels": [0, 1]}),
        ("layer_norm", {"normalized_shape": [0, -1]}),
        ("lstm", {"input_size": [0, -1]}),
        ("multihead_attention", {"embed_dim": [0, -1]}),
        ("transformer_encoder_layer", {"d_model": [0, -1]}),
        ("bilinear", {"in1_features": [0, -1], "in2_features": [1, -1]}),
    ],
)
def test_a_module_says_what_follows_from_its_input(name, infers):
    assert lookup(name, "module").traits["infers"] == infers


def test_a_recurrent_module_has_its_own_parameters_though_torch_hides_them():
    entry = lookup("torch.nn.LSTM", "module")
    assert entry.parameter("hidden_size").required
    assert entry.parameter("batch_first").default is False


def test_an_estimator_says_what_it_can_do():
    forest = lookup("sklearn.ensemble.RandomForestClassifier").traits
    assert forest["roles"] == ["classifier"]
    assert "predict_proba" in forest["methods"]
    assert forest["needs_target"]
    assert lookup("standard_scaler").traits["methods"] == ["transform", "inverse_transform", "partial_fit"]


def test_a_bundled_data_set_knows_its_columns():
    traits = lookup("sklearn.datasets.load_digits").traits
    assert traits["columns"][0] == "pixel_0_0"
    assert (traits["n_rows"], traits["n_classes"], traits["targets"]) == (1797, 10, ["target"])


def test_every_name_listed_is_found():
    for kind in KINDS:
        assert [name for name in names(kind) if lookup(name, kind) is None] == []


def test_short_names_are_listed_before_paths():
    listed = names("loss")
    assert listed[0] == "bce"
    assert listed.index("triplet_margin") < listed.index("torch.nn.BCELoss")


@pytest.mark.parametrize(
    ("written", "kind", "meant"),
    [
        ("adamW", "optimizer", "adamw"),
        ("crossentropy", "loss", "cross_entropy"),
        ("torch.nn.Linaer", "module", "torch.nn.Linear"),
        ("torch.Linear", "module", "torch.nn.Linear"),
        ("Linear", "module", "torch.nn.Linear"),
        ("StandartScaler", "transform", "sklearn.preprocessing.StandardScaler"),
        ("acuracy", "metric", "accuracy"),
        ("cosin", "schedule", "cosine"),
    ],
)
def test_a_misspelt_name_has_a_suggestion(written, kind, meant):
    assert meant in suggest(written, kind)


def test_what_is_like_nothing_has_no_suggestion():
    assert suggest("qqqqqqqqqqqq", "optimizer") == ()


def test_search_finds_by_name_before_summary():
    found = [entry.name for entry in search("huber")]
    assert found[0] == "torch.nn.HuberLoss"
    assert "sklearn.linear_model.HuberRegressor" in found
    assert "sklearn.decomposition.TruncatedSVD" in [entry.name for entry in search("truncated svd (aka")]


_MEASURE = """
import sys, time
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from runexp.catalog import lookup
opened.clear()
start = time.process_time()
assert lookup("adamw", "optimizer")
spent = time.process_time() - start
heavy = {"torch", "sklearn", "numpy", "pandas", "pyarrow"} & set(sys.modules)
print(spent, sorted(heavy), [name for name in opened if "sklearn" in name])
"""


def test_the_first_lookup_is_quick_reads_one_library_and_imports_none():
    done = subprocess.run([sys.executable, "-c", _MEASURE], capture_output=True, text=True, check=True)
    spent, rest = done.stdout.split(" ", 1)
    assert rest.strip() == "[] []"
    assert float(spent) < 0.015


def test_metrics_of_torchmetrics_are_known_where_it_is_not_installed():
    entry = lookup("torchmetrics.Accuracy", "metric")
    assert entry.parameter("task").choices == ("binary", "multiclass", "multilabel")
    assert entry.traits["higher_is_better"]
    assert not entry.accepts_any
