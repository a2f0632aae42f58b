"""The page on which results are looked at: a shell around sections, and in it the explorer. Knows no Optuna."""
