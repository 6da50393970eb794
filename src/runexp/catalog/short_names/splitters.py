"""Short names of scikit-learn's splitters, which divide rows into folds."""

SPLITTERS = {
    "group_k_fold": "sklearn.model_selection.GroupKFold",
    "group_shuffle_split": "sklearn.model_selection.GroupShuffleSplit",
    "k_fold": "sklearn.model_selection.KFold",
    "leave_one_group_out": "sklearn.model_selection.LeaveOneGroupOut",
    "leave_one_out": "sklearn.model_selection.LeaveOneOut",
    "leave_p_groups_out": "sklearn.model_selection.LeavePGroupsOut",
    "leave_p_out": "sklearn.model_selection.LeavePOut",
    "predefined_split": "sklearn.model_selection.PredefinedSplit",
    "repeated_k_fold": "sklearn.model_selection.RepeatedKFold",
    "repeated_stratified_k_fold": "sklearn.model_selection.RepeatedStratifiedKFold",
    "shuffle_split": "sklearn.model_selection.ShuffleSplit",
    "stratified_group_k_fold": "sklearn.model_selection.StratifiedGroupKFold",
    "stratified_k_fold": "sklearn.model_selection.StratifiedKFold",
    "stratified_shuffle_split": "sklearn.model_selection.StratifiedShuffleSplit",
    "time_series": "sklearn.model_selection.TimeSeriesSplit",
}
