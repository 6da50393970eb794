"""S-03: any transformer of scikit-learn: text, targets, pipelines, several keys, new keys, sparse results."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_classif

from data.plans import misread, miswritten, read, specified
from runexp.runtime.data import load_transformer, matrices, refit, transformer_files

REVIEWS = "text,colour,size,label,split\n" + "".join(
    f"{text},{colour},{size},{label},{split}\n"
    for text, colour, size, label, split in [
        ("a good film", "red", 1, "yes", "train"),
        ("a bad film", "blue", 2, "no", "train"),
        ("good good actors", "red", 3, "yes", "train"),
        ("bad plot", "green", 5, "no", "train"),
        ("a fine film", "red", 8, "yes", "test"),
        ("unseen words", "blue", 13, "no", "test"),
    ]
)
SETTING = """
source: t.csv
targets: {y: label}
splits: {column: split}
features: {x: size}
"""
TEXT = SETTING.replace("x: size", "x: size, text: text")
COLOUR = SETTING.replace("x: size", "x: size, colour: colour")


def fitted(folder, transforms, setting=SETTING, **files):
    return read(folder, f"{setting.strip()}\ntransforms:\n{transforms}", **(files or {"t__csv": REVIEWS}))


@pytest.mark.parametrize("use", ["TfidfVectorizer", "CountVectorizer", "HashingVectorizer"])
def test_s03_text_is_vectorized_from_the_words_of_one_column(tmp_path, use):
    options = "with: {n_features: 32}" if use == "HashingVectorizer" else "with: {min_df: 1}"
    step = f"- {{on: text, use: sklearn.feature_extraction.text.{use}, {options}}}"
    rows = fitted(tmp_path, step, TEXT)
    width = 32 if use == "HashingVectorizer" else len({"good", "film", "bad", "actors", "plot"})
    assert rows.shape_of("text") == (width,)
    assert rows.dtype_of("text") == np.float32
    assert not rows.array("text")[5].any() or use == "HashingVectorizer"


def test_s03_a_vectorizer_learns_its_words_from_the_fit_split_alone(tmp_path):
    rows = fitted(tmp_path, "- {on: text, use: sklearn.feature_extraction.text.TfidfVectorizer}", TEXT)
    train = [text for text, split in zip(rows.raw("text")[:, 0], rows.splits["train"], strict=False)]
    expected = TfidfVectorizer().fit(train[:4])
    assert np.allclose(rows.array("text"), expected.transform(rows.raw("text")[:, 0]).toarray())


def test_s03_a_sparse_result_that_would_be_too_large_is_refused_unless_the_next_transform_makes_it_small(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(matrices, "LARGEST_DENSE", 6 * 5 * 4 - 1)
    words = "- {on: text, use: sklearn.feature_extraction.text.TfidfVectorizer}"
    found = misread(tmp_path, f"{TEXT.strip()}\ntransforms:\n{words}", t__csv=REVIEWS)
    assert (found.code, found.path) == ("too-large", "data.d.transforms[0]")
    assert "6 x 5 numbers" in found.message
    rows = fitted(tmp_path, f"{words}\n- {{on: text, use: truncated_svd, with: {{n_components: 2}}}}", TEXT)
    assert rows.shape_of("text") == (2,)


def test_s03_a_vectorizer_takes_one_column(tmp_path):
    step = "transforms: [{on: w, use: sklearn.feature_extraction.text.CountVectorizer}]"
    setting = SETTING.replace("x: size", "x: size, w: [text, colour]").strip()
    found = misread(tmp_path, f"{setting}\n{step}", t__csv=REVIEWS)
    assert found.code == "transform-failed"
    assert "takes one value a row, and `w` has 2 columns" in found.message


def test_s03_missing_words_are_filled_and_coded(tmp_path):
    table = "size,colour,split\n1,red,train\n2,,train\n3,red,train\n4,blue,train\n5,,test\n"
    setting = "source: t.csv\nfeatures: {x: size, colour: colour}\nsplits: {column: split}"
    steps = "- {on: colour, use: simple_imputer, with: {strategy: most_frequent}}\n- {on: colour, use: one_hot_encoder}"
    rows = fitted(tmp_path, steps, setting, t__csv=table)
    assert rows.array("colour").tolist() == [[0, 1], [0, 1], [0, 1], [1, 0], [0, 1]]


def test_s03_words_that_no_transform_makes_numbers_are_refused(tmp_path):
    table = "size,colour,split\n1,red,train\n2,,train\n3,red,test\n"
    setting = "source: t.csv\nfeatures: {x: size, colour: colour}\nsplits: {column: split}"
    step = "transforms: [{on: colour, use: simple_imputer, with: {strategy: most_frequent}}]"
    found = misread(tmp_path, f"{setting}\n{step}", t__csv=table)
    assert (found.code, found.path) == ("non-numeric-column", "data.d.transforms[0]")


CANCER = """
source: sklearn.datasets.load_breast_cancer
features: {x: ["*", -target]}
targets: {label: target}
splits: {train: 0.7, test: 0.3}
"""


def test_s03_a_selection_learns_from_the_only_target_on_the_fit_split_alone(tmp_path):
    rows = fitted(tmp_path, "- {on: x, use: sklearn.feature_selection.SelectKBest, with: {k: 5}}", CANCER)
    train = rows.splits["train"]
    expected = SelectKBest(f_classif, k=5).fit(rows.raw("x")[train].astype(float), rows.raw("label")[train])
    assert np.array_equal(rows.transformers("x")[0].get_support(), expected.get_support())
    assert rows.shape_of("x") == (5,)


@pytest.mark.parametrize(
    "written",
    [
        "score_func: sklearn.feature_selection.mutual_info_classif",
        "score_func: {use: sklearn.feature_selection.mutual_info_classif}",
    ],
)
def test_s03_a_function_of_the_catalog_is_named(tmp_path, written):
    step = f"- {{on: x, use: sklearn.feature_selection.SelectKBest, with: {{k: 3, {written}}}}}"
    assert fitted(tmp_path, step, CANCER).transformers("x")[0].score_func.__name__ == "mutual_info_classif"


def test_s03_a_score_that_draws_numbers_obeys_the_seed_and_takes_arguments(tmp_path):
    score = "{use: sklearn.feature_selection.mutual_info_classif, with: {n_neighbors: 5}}"
    step = f"- {{on: x, use: sklearn.feature_selection.SelectKBest, with: {{k: 3, score_func: {score}}}}}"
    first, again = (fitted(tmp_path, step, CANCER).transformers("x")[0].scores_ for _ in range(2))
    assert np.array_equal(first, again)


def test_s03_discriminants_and_target_codes_learn_from_the_target(tmp_path):
    use = "- {on: x, use: sklearn.discriminant_analysis.LinearDiscriminantAnalysis}"
    assert fitted(tmp_path, use, CANCER).shape_of("x") == (1,)
    coded = fitted(tmp_path, "- {on: colour, use: target_encoder, with: {cv: 2}}", COLOUR)
    assert coded.dtype_of("colour") == np.float32


def test_s03_rows_that_a_target_encoder_learned_from_do_not_carry_their_own_target(tmp_path):
    lines = [
        f"{name},{target},{split}"
        for name, target, split in zip(
            [f"g{i % 40}" for i in range(80)],
            np.random.default_rng(0).normal(size=80).round(6),
            ["train"] * 60 + ["test"] * 20,
            strict=True,
        )
    ]
    table = "group,y,split\n" + "\n".join(lines) + "\n"
    setting = "source: t.csv\nfeatures: {x: group}\ntargets: {y: y}\nsplits: {column: split}"
    rows = fitted(tmp_path, "- {on: x, use: target_encoder, with: {smooth: 0.0}}", setting, t__csv=table)
    train = rows.splits["train"]
    naive = rows.transformers("x")[0].transform(rows.raw("x"))[train, 0]
    crossed = rows.array("x")[train, 0]
    y = rows.raw("y")[train]
    assert np.corrcoef(naive, y)[0, 1] > 0.6
    assert np.corrcoef(crossed, y)[0, 1] < 0.3


def test_s03_pipelines_and_column_transformers_are_written_as_nested_uses(tmp_path):
    steps = """
- on: x
  use: sklearn.pipeline.Pipeline
  with: {steps: [[scale, {use: standard_scaler}], [reduce, {use: pca, with: {n_components: 4}}], [end, passthrough]]}
"""
    rows = fitted(tmp_path, steps, CANCER)
    assert rows.shape_of("x") == (4,)
    assert rows.transformers("x")[0].named_steps["reduce"].random_state is not None
    both = """
- on: w
  use: sklearn.compose.ColumnTransformer
  with:
    transformers:
      - [words, {use: sklearn.feature_extraction.text.CountVectorizer}, 0]
      - [colours, {use: one_hot_encoder, with: {handle_unknown: ignore}}, [1]]
"""
    setting = SETTING.replace("x: size", "x: size, w: [text, colour]")
    assert fitted(tmp_path, both, setting).shape_of("w") == (5 + 3,)


def test_s03_a_function_and_its_inverse_are_named(tmp_path):
    step = "- {on: x, use: function_transformer, with: {func: numpy.log1p, inverse_func: {use: numpy.expm1}}}"
    rows = fitted(tmp_path, step)
    assert np.allclose(rows.array("x"), np.log1p(rows.raw("x")))
    assert np.allclose(rows.inverse("x", rows.array("x")), rows.raw("x"))


def test_s03_a_function_without_its_inverse_cannot_be_taken_back(tmp_path):
    rows = fitted(tmp_path, "- {on: x, use: function_transformer, with: {func: numpy.log1p}}")
    assert not rows.can_go_back("x")


def test_s03_one_transformer_over_several_keys_gives_each_its_own_columns_back(tmp_path):
    setting = CANCER.replace('{x: ["*", -target]}', '{x: radius error, a: "mean *", b: "worst *"}')
    joint = fitted(tmp_path, "- {on: [a, b], use: normalizer, together: true}", setting)
    both = np.concatenate([joint.raw("a"), joint.raw("b")], axis=1).astype(float)
    expected = both / np.linalg.norm(both, axis=1, keepdims=True)
    assert np.allclose(np.concatenate([joint.array("a"), joint.array("b")], axis=1), expected)
    apart = fitted(tmp_path, "- {on: [a, b], use: normalizer}", setting)
    assert not np.allclose(apart.array("a"), joint.array("a"))


def test_s03_a_transform_of_another_width_over_several_keys_wants_a_new_key(tmp_path):
    setting = CANCER.replace('{x: ["*", -target]}', '{a: "mean *", b: "worst *"}').strip()
    step = "transforms: [{on: [a, b], use: pca, with: {n_components: 3}, together: true}]"
    found = misread(tmp_path, f"{setting.replace('a: ', 'x: radius error, a: ', 1)}\n{step}")
    assert (found.code, found.help) == ("transform-failed", "`into: NAME` makes one key of them")
    rows = fitted(
        tmp_path,
        "- {on: [a, b], use: pca, with: {n_components: 3}, into: both}",
        setting.replace("{a", "{x: radius error, a"),
    )
    assert rows.shape_of("both") == (3,)
    assert rows.domain_of("both") == "features"
    assert np.array_equal(rows.array("a"), rows.raw("a"))
    assert rows.raw("both").shape == (569, 20)


def test_s03_a_made_key_is_transformed_on_and_fed_like_any_other(tmp_path):
    steps = """
- {on: text, use: sklearn.feature_extraction.text.TfidfVectorizer, into: bag}
- {on: bag, use: pca, with: {n_components: 2}}
- {on: [bag, x], use: standard_scaler, into: all}
"""
    rows = fitted(tmp_path, steps, TEXT)
    assert (rows.shape_of("bag"), rows.shape_of("all")) == ((2,), (3,))
    assert rows.raw("text").dtype.kind == "U"


INVERTIBLE = {
    "standard_scaler": "",
    "min_max_scaler": "",
    "max_abs_scaler": "",
    "robust_scaler": "",
    "power_transformer": "",
    "quantile_transformer": ", with: {n_quantiles: 40}",
    "function_transformer": ", with: {func: numpy.arcsinh, inverse_func: numpy.sinh}",
    "sklearn.pipeline.Pipeline": ", with: {steps: [[a, {use: power_transformer}], [b, {use: min_max_scaler}]]}",
    "pca": "",
}


@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.01, 100), use=st.sampled_from(sorted(INVERTIBLE)))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_s03_taken_back_a_transformed_value_is_the_value(tmp_path, seed, scale, use):
    values = np.random.default_rng(seed).normal(scale=scale, size=(40, 2))
    table = "a,b\n" + "".join(f"{a},{b}\n" for a, b in values.tolist())
    setting = "source: t.csv\nfeatures: {x: {columns: [a, b], dtype: float64}}"
    rows = fitted(tmp_path, f"- {{on: x, use: {use}{INVERTIBLE[use]}}}", setting, t__csv=table)
    assert rows.can_go_back("x")
    assert np.allclose(rows.inverse("x", rows.array("x")), values, rtol=1e-6, atol=1e-6 * scale)


LEARNING = {
    "text": "{on: text, use: sklearn.feature_extraction.text.TfidfVectorizer}",
    "codes": "{on: text, use: ordinal_encoder, with: {handle_unknown: use_encoded_value}}",
    "target codes": "{on: text, use: target_encoder, with: {cv: 2}}",
    "quantiles": "{on: x, use: quantile_transformer, with: {n_quantiles: 4}}",
    "pipeline": "{on: x, use: sklearn.pipeline.Pipeline, "
    "with: {steps: [[a, {use: power_transformer}], [b, {use: pca}]]}}",
    "selection": "{on: x, use: sklearn.feature_selection.SelectKBest, with: {k: 1}}",
}


@pytest.mark.parametrize("way", LEARNING)
def test_s03_rows_held_out_change_nothing_of_what_is_made_of_the_others(tmp_path, way):
    step, setting = f"- {LEARNING[way]}", TEXT if "text" in LEARNING[way] else SETTING
    other = REVIEWS.replace("a fine film,red,8,yes,test", "zzz,green,9999,no,test")
    one, two = (fitted(tmp_path, step, setting, t__csv=table) for table in (REVIEWS, other))
    key = "text" if "text" in LEARNING[way] else "x"
    train = one.splits["train"]
    assert one.array(key)[train].tobytes() == two.array(key)[train].tobytes()
    assert [type(step) for step in one.transformers(key)] == [type(step) for step in two.transformers(key)]


@pytest.mark.parametrize("way", LEARNING)
def test_s03_what_was_fitted_is_kept_and_trusted_when_loaded(tmp_path, way):
    rows = fitted(tmp_path, f"- {LEARNING[way]}", TEXT if "text" in LEARNING[way] else SETTING)
    ((path, content),) = transformer_files([rows])
    (tmp_path / "kept.skops").write_bytes(content)
    key = path.rpartition("/")[2].partition("-")[0]
    assert type(load_transformer(tmp_path / "kept.skops")) is type(rows.transformers(key)[0])


def test_s03_what_cannot_be_kept_says_so_in_the_run_folder(tmp_path):
    rows = fitted(tmp_path, "- {on: x, use: sklearn.cluster.Birch}", CANCER.replace('["*", -target]', "mean radius"))
    ((path, content),) = transformer_files([rows])
    assert path == "artifacts/transforms/d/x-0.txt"
    assert content.startswith(b"Birch could not be kept")


def test_s03_fitting_anew_on_other_rows_is_a_plain_call(tmp_path):
    checked_rows = fitted(tmp_path, "- {on: x, use: standard_scaler}", CANCER)
    plan = checked_rows.transforms["x"].steps[0].plan
    assert plan.fit_on == "train"
    data = specified(tmp_path, f"{CANCER}transforms: [{{on: x, use: standard_scaler}}]").linked.data[0]
    fold = {"train": np.arange(100), "test": np.arange(100, 569)}
    anew = refit(data, checked_rows, fold, seed=1)
    raw = anew.raw("x").astype(float)
    assert np.allclose(anew.array("x"), (raw - raw[:100].mean(0)) / raw[:100].std(0), atol=1e-5)
    assert not np.allclose(anew.array("x"), checked_rows.array("x"))


@pytest.mark.parametrize(
    ("step", "code", "says"),
    [
        pytest.param(
            "{on: x, use: standard_scaler, into: y}", "name-clash", "`y` is a key of targets already", id="taken"
        ),
        pytest.param("{on: x, use: standard_scaler, target: z}", "unknown-data-key", "`z`", id="no such target"),
        pytest.param("{on: x, use: standard_scaler, together: true}", "exclusive-keys", "names one", id="one key"),
        pytest.param(
            "{on: x, use: function_transformer, with: {func: numpy.lgo1p}}",
            "unknown-use",
            "numpy.lgo1p",
            id="no such function",
        ),
        pytest.param(
            "{on: x, use: sklearn.manifold.TSNE}", "wrong-use", "cannot be applied to rows", id="no transform"
        ),
    ],
)
def test_s03_what_can_be_known_of_a_transform_is_found_before_rows_are_read(tmp_path, step, code, says):
    found = miswritten(tmp_path, f"{SETTING.strip()}\ntransforms: [{step}]", t__csv=REVIEWS)
    assert found.code == code
    assert says in found.message
