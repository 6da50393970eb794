"""Many runs of one plan, from outside the experiment."""
