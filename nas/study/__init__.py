"""The search engine: one driver asks and tells, workers measure. The only importer of optuna."""
